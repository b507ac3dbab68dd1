"""How often somebody may do something, counted across all processes in Valkey: each check is one script, so two of them
never see the same free place. What is refused does not count.

The limit on messages is not here. It is exact, in Postgres with the message itself (`chat.submission`), and holds
without a broker. These protect the machines; while the broker is away they let everybody in, and the log says so.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from smartsupport.lib import valkey
from smartsupport.lib.addresses import counted

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
PATIENCE_SECONDS = 1.0
PAUSE_SECONDS = 5.0
"""How long a broker that did not answer is not asked again: every frame would wait for it."""

# By the clock of Valkey, which is the same for all. The list holds the newest moments, as many as are allowed.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local earliest = redis.call('LINDEX', KEYS[1], ARGV[1] - 1)
if earliest and tonumber(earliest) > now - ARGV[2] then return 0 end
redis.call('LPUSH', KEYS[1], now)
redis.call('LTRIM', KEYS[1], 0, ARGV[1] - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """`setting` names how often somebody may, in any `WINDOW_SECONDS`."""

    name: str
    setting: str

    def key(self, who: str) -> str:
        return f"smartsupport:limit:{self.name}:{who}"

    @property
    def most(self) -> int:
        return int(getattr(settings, self.setting))


RESUMES = Limit("resumes", "RESUMES_PER_MINUTE")
"""By customer."""
REFUSED_FRAMES = Limit("refused-frames", "REFUSED_FRAMES_PER_MINUTE")
"""By customer."""
NEW_VISITORS = Limit("new-visitors", "NEW_VISITORS_PER_MINUTE")
"""By address: whoever drops their cookie is somebody new for every other limit."""
WRONG_KEYS = Limit("wrong-keys", "WRONG_KEYS_PER_MINUTE")
"""By address: nobody guesses a key of 256 bits, but trying costs us a query and a line of the audit each."""

_not_before = 0.0


async def allows(limit: Limit, who: UUID | str) -> bool:
    """Whether there is still room, which is taken in the same step."""
    if _pausing():
        return True
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            room = await (await valkey.client()).eval(_SCRIPT, 1, *_asked(limit, who))
    except (RedisError, OSError) as error:
        return _let_in(limit, error)
    return _told(limit, who, room=bool(room))


def allows_now(limit: Limit, who: UUID | str) -> bool:
    """The same, for code that has no event loop."""
    if _pausing():
        return True
    try:
        room = valkey.client_now().eval(_SCRIPT, 1, *_asked(limit, who))
    except (RedisError, OSError) as error:
        return _let_in(limit, error)
    return _told(limit, who, room=bool(room))


def _asked(limit: Limit, who: UUID | str) -> tuple[str, int, int]:
    return limit.key(str(who)), limit.most, WINDOW_SECONDS * 1000


def _pausing() -> bool:
    return time.monotonic() < _not_before


def _let_in(limit: Limit, error: Exception) -> bool:
    global _not_before
    _not_before = time.monotonic() + PAUSE_SECONDS
    log.warning("limit_not_checked", limit=limit.name, error=str(error) or type(error).__name__)
    return True


def _told(limit: Limit, who: UUID | str, *, room: bool) -> bool:
    if not room:
        log.warning("limit_reached", limit=limit.name, who=str(who), most=limit.most, seconds=WINDOW_SECONDS)
    return room


address = counted


def address_of_socket(client: Sequence[object] | None, headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The same, from an ASGI scope's `client` and `headers`."""
    given = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    return address(str(client[0]) if client else "", ",".join(given))
