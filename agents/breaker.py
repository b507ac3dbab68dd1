"""A circuit breaker for each host of a source, in Valkey, so that all processes learn from one another: a business
system that has not answered so many times in a row is left alone for a while, and then asked by one call alone.

    closed --(FAILURES in a row)--> open --(OPEN_SECONDS)--> half-open: one probe --> closed | open
"""

from urllib.parse import urlsplit
from uuid import UUID

from agents import broker

FAILURES = 10
OPEN_SECONDS = 15
PROBE_SECONDS = 60
"""How long a probe is waited for whose worker may have died."""
KEPT_SECONDS = 600

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# Milliseconds until it may be asked again; 0: go on.
_ADMIT = (
    _NOW
    + """
local opened = tonumber(redis.call('HGET', KEYS[1], 'until'))
if not opened then return 0 end
if now < opened then return opened - now end
local probe = tonumber(redis.call('HGET', KEYS[1], 'probe'))
if probe and now < probe then return 1000 end
redis.call('HSET', KEYS[1], 'probe', now + ARGV[1])
return 0
"""
)
# Failures of calls that were on their way when it opened do not keep it open.
_FAILED = (
    _NOW
    + """
local opened = tonumber(redis.call('HGET', KEYS[1], 'until'))
if opened and now < opened then return 0 end
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
redis.call('HDEL', KEYS[1], 'probe')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if failures < tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'until', now + ARGV[2])
return 1
"""
)
_ANSWERED = "return redis.call('DEL', KEYS[1])"


async def seconds_closed_to(source_id: UUID, url: str) -> float:
    """0 where the host of `url` may be asked now; otherwise in how many seconds it may be."""
    wait = await broker.run(_ADMIT, _key(source_id, url), PROBE_SECONDS * 1000)
    return int(wait or 0) / 1000


async def not_asked(source_id: UUID, url: str) -> None:
    """It was not asked after all: the next call may find out whether it is back."""
    await broker.run("return redis.call('HDEL', KEYS[1], 'probe')", _key(source_id, url))


async def answered(source_id: UUID, url: str) -> None:
    """It answers: whatever went wrong before is forgotten."""
    await broker.run(_ANSWERED, _key(source_id, url))


async def failed(source_id: UUID, url: str) -> bool:
    """It did not answer, or only that it cannot. True where this opened the circuit."""
    opened = await broker.run(
        _FAILED, _key(source_id, url), FAILURES, OPEN_SECONDS * 1000, KEPT_SECONDS * 1000
    )
    return bool(opened)


def _key(source_id: UUID, url: str) -> str:
    return f"smartsupport:circuit:{source_id}:{urlsplit(url).netloc.lower()}"
