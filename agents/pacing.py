"""How often the tools of one source are called: at most so many times in any minute, counted over all processes in
Valkey. Who comes too early gets a place in the future and waits for it, so that nobody overtakes."""

from uuid import UUID

from agents import broker

WINDOW_MS = 60_000

# The list holds the moments of the newest calls, as many as are allowed in a minute. By the clock of Valkey.
_TAKE_A_PLACE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = now
local earliest = redis.call('LINDEX', KEYS[1], ARGV[1] - 1)
if earliest and tonumber(earliest) + ARGV[2] > at then at = tonumber(earliest) + ARGV[2] end
if at - now > tonumber(ARGV[3]) then return {0, at - now} end
redis.call('LPUSH', KEYS[1], at)
redis.call('LTRIM', KEYS[1], 0, ARGV[1] - 1)
redis.call('PEXPIRE', KEYS[1], at - now + ARGV[2])
return {1, at - now}
"""


async def place_for(source_id: UUID, calls_per_minute: int | None, *, patience: float) -> tuple[bool, float]:
    """Whether a call may be made within `patience` seconds, and in how many. A place is taken only where it may."""
    if not calls_per_minute:
        return True, 0.0
    key = f"smartsupport:calls:{source_id}"
    answer = await broker.run(_TAKE_A_PLACE, key, calls_per_minute, WINDOW_MS, max(0, round(patience * 1000)))
    if answer is None:
        return True, 0.0
    return bool(answer[0]), int(answer[1]) / 1000
