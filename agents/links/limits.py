"""How often links are tried from one address, counted across all processes in Valkey."""

import structlog
from asgiref.sync import async_to_sync
from django.conf import settings

from agents import broker

log = structlog.get_logger(__name__)

WINDOW_MS = 60_000

# The list holds the newest moments, as many as are allowed, by the clock of Valkey.
_ONE_MORE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local earliest = redis.call('LINDEX', KEYS[1], ARGV[1] - 1)
if earliest and tonumber(earliest) > now - ARGV[2] then return 0 end
redis.call('LPUSH', KEYS[1], now)
redis.call('LTRIM', KEYS[1], 0, ARGV[1] - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


def allows(address: str) -> bool:
    """Whether there is room for one more try in this minute; there is while the broker is away. Synchronous."""
    most = settings.APPROVAL_LINKS_PER_MINUTE
    room = async_to_sync(broker.run)(_ONE_MORE, f"smartsupport:limit:links:{address}", most, WINDOW_MS)
    if room == 0:
        log.warning(
            "limit_reached", limit="approval-links", who=address, most=most, seconds=WINDOW_MS // 1000
        )
    return room != 0
