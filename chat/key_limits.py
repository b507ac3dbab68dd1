"""How often an API key may call, counted across all processes in Valkey: one script for a request, no statement of the
database. What is refused does not count. While the broker is away everybody is let in, and the log says so.

Told in every answer: `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10.
"""

import time
from dataclasses import dataclass

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from chat.limits import PAUSE_SECONDS, WINDOW_SECONDS
from chat.models import ApiKey
from smartsupport.lib import valkey

log = structlog.get_logger(__name__)

# A hash of second -> how many. The window is the second that is under way and the sixty before it, so that no sixty
# seconds of anybody's clock hold more than the limit; whatever the limit is, it takes 61 small fields.
_SCRIPT = """
local now = tonumber(redis.call('TIME')[1])
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local seconds = redis.call('HGETALL', KEYS[1])
local used, oldest, newest = 0, now, nil
for i = 1, #seconds, 2 do
  local second = tonumber(seconds[i])
  if second < now - window then
    redis.call('HDEL', KEYS[1], seconds[i])
  else
    used = used + tonumber(seconds[i + 1])
    if second < oldest then oldest = second end
    if newest == nil or second > newest then newest = second end
  end
end
if used >= limit then return {0, 0, newest + window + 1 - now, oldest + window + 1 - now} end
redis.call('HINCRBY', KEYS[1], now, 1)
redis.call('EXPIRE', KEYS[1], window + 1)
return {1, limit - used - 1, window + 1, 0}
"""
_not_before = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a key stands after a request. `remaining` requests are left, all of them again in `resets_in` seconds;
    `wait` seconds until the next one is accepted, 0 for one that was."""

    limit: int
    remaining: int
    resets_in: int
    wait: int

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"minute";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"minute";r={self.remaining};t={self.resets_in}',
        }


def most(key: ApiKey) -> int:
    """How many requests a minute this key may make."""
    return key.per_minute if key.per_minute is not None else int(settings.API_REQUESTS_PER_MINUTE)


def take(key: ApiKey) -> Standing | None:
    """Count one request of this key, unless it is one too many; None while the broker is away. Synchronous."""
    global _not_before
    if time.monotonic() < _not_before:
        return None
    limit = most(key)
    try:
        answer = valkey.client_now().eval(
            _SCRIPT, 1, f"smartsupport:key-minute:{key.pk}", limit, WINDOW_SECONDS
        )
    except (RedisError, OSError) as error:
        _not_before = time.monotonic() + PAUSE_SECONDS
        log.warning("limit_not_checked", limit="api-key", error=str(error) or type(error).__name__)
        return None
    accepted, remaining, resets_in, wait = (int(part) for part in answer)
    if not accepted:
        log.warning(
            "limit_reached", limit="api-key", who=str(key.pk), most=limit, seconds=WINDOW_SECONDS, wait=wait
        )
    return Standing(limit, remaining, resets_in, wait)
