"""A circuit breaker for each host of a source, in Valkey, so that all processes learn from one another: a business
system that has not answered so many times in a row is left alone for a while, and then asked by one call alone.

    closed --(FAILURES in a row)--> open --(OPEN_SECONDS)--> half-open: one probe --> closed | open
"""

from dataclasses import dataclass
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
# Milliseconds until it may be asked again (0: go on), and whether anything is counted against it.
_ADMIT = (
    _NOW
    + """
local opened = tonumber(redis.call('HGET', KEYS[1], 'until'))
if not opened then return {0, redis.call('EXISTS', KEYS[1])} end
if now < opened then return {opened - now, 1} end
local probe = tonumber(redis.call('HGET', KEYS[1], 'probe'))
if probe and now < probe then return {1000, 1} end
redis.call('HSET', KEYS[1], 'probe', now + ARGV[1])
return {0, 1}
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


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a host may be asked. `closed_seconds`: 0 now, otherwise in how many seconds; `blemished`: failures are
    counted against it, or it is being tried, so that an answer has something to put right."""

    closed_seconds: float
    blemished: bool


async def admission(source_id: UUID, url: str) -> Admission:
    """Whether the host of `url` may be asked now."""
    answer = await broker.run(_ADMIT, _key(source_id, url), PROBE_SECONDS * 1000)
    wait, known = answer or (0, 0)
    return Admission(int(wait) / 1000, bool(known))


async def not_asked(source_id: UUID, url: str) -> None:
    """It was not asked after all: the next call may find out whether it is back."""
    await broker.run("return redis.call('HDEL', KEYS[1], 'probe')", _key(source_id, url))


async def answered(source_id: UUID, url: str) -> None:
    """It answers: whatever went wrong before is forgotten. Nobody needs to say so of a host that was not `blemished`
    when the call began: what others have counted since, an answer to an older call does not put right."""
    await broker.run(_ANSWERED, _key(source_id, url))


async def failed(source_id: UUID, url: str) -> bool:
    """It did not answer, or only that it cannot. True where this opened the circuit."""
    opened = await broker.run(
        _FAILED, _key(source_id, url), FAILURES, OPEN_SECONDS * 1000, KEPT_SECONDS * 1000
    )
    return bool(opened)


def _key(source_id: UUID, url: str) -> str:
    return f"smartsupport:circuit:{source_id}:{urlsplit(url).netloc.lower()}"
