"""Faults on demand: the business can be told to be slow, to fail, or to hang up.

A rule applies to one operation or to all of them. The first rule that matches a request acts on it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from .errors import malformed

LONGEST_DELAY_MS = 600_000


@dataclass
class Fault:
    """A rule. `drop` cuts the connection before or after acting, `times` is None until cleared. `hold` keeps requests
    waiting until the rules are cleared."""

    operation: str | None = None
    slow_ms: int = 0
    hold: bool = False
    fail: int | None = None
    drop: str | None = None
    times: int | None = None
    probability: float = 1.0
    fired: int = field(default=0)


class FaultRules:
    """The rules in force. They are forgotten when the process ends."""

    def __init__(self, operations: frozenset[str], seed: int) -> None:
        self._operations = operations
        self._seed = seed
        self._rules: list[Fault] = []
        self._random = Random(seed)
        self._cleared = asyncio.Event()

    def add(self, rule: Any) -> dict[str, Any]:
        """Take a rule as it came in JSON. Raises Refusal (400) for anything that is not one."""
        fault = _parsed(rule, self._operations)
        self._rules.append(fault)
        return asdict(fault)

    def listed(self) -> list[dict[str, Any]]:
        """The rules, oldest first, with how often each has acted."""
        return [asdict(fault) for fault in self._rules]

    def clear(self) -> int:
        """Forget all rules, let go of what they hold and start the chances over. Returns how many there were."""
        count = len(self._rules)
        self._cleared.set()
        self._cleared = asyncio.Event()
        self._rules.clear()
        self._random = Random(self._seed)
        return count

    def strike(self, operation: str) -> Fault | None:
        """The rule that acts on this request, if one does; it is counted."""
        for fault in self._rules:
            if fault.operation not in (None, operation) or (
                fault.times is not None and fault.fired >= fault.times
            ):
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            fault.fired += 1
            return fault
        return None

    async def delay(self, fault: Fault) -> None:
        """Wait for as long as the rule says; what is held, until it is cleared or for ten minutes."""
        cleared = self._cleared
        await asyncio.sleep(fault.slow_ms / 1000)
        if fault.hold:
            with suppress(TimeoutError):
                await asyncio.wait_for(cleared.wait(), LONGEST_DELAY_MS / 1000)


def _parsed(rule: Any, operations: frozenset[str]) -> Fault:
    if not isinstance(rule, dict):
        raise malformed("A fault rule must be a JSON object.")
    known = ("operation", "slow_ms", "hold", "fail", "drop", "times", "probability")
    for name in rule:
        if name not in known:
            raise malformed(f"{name} is not part of a fault rule. Known: {', '.join(known)}.")
    given = {name: value for name, value in rule.items() if value is not None}
    # A list is compared, not looked up in the set: it has no hash.
    if "operation" in given and given["operation"] not in tuple(operations):
        raise malformed(f"Unknown operation. Known: {', '.join(sorted(operations))}.")
    _check_whole(given, "slow_ms", 1, LONGEST_DELAY_MS)
    _check_whole(given, "fail", 400, 599)
    _check_whole(given, "times", 1, 1_000_000)
    if given.get("hold", True) is not True:
        raise malformed("hold must be true.")
    if given.get("drop", "before") not in ("before", "after"):
        raise malformed("drop must be before or after.")
    chance = given.get("probability", 1.0)
    if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 < chance <= 1:
        raise malformed("probability must be a number above 0 and at most 1.")
    if not given.keys() & {"slow_ms", "hold", "fail", "drop"}:
        raise malformed("A fault rule needs at least one of slow_ms, hold, fail and drop.")
    if "fail" in given and "drop" in given:
        raise malformed("A fault rule can fail or drop, not both.")
    return Fault(**given)


def _check_whole(given: dict[str, Any], name: str, least: int, most: int) -> None:
    value = given.get(name, least)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise malformed(f"{name} must be a whole number from {least} to {most}.")
