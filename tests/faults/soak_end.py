"""When those who are at work in a soak stop: by the clock, and not before enough has happened."""

import time
from collections import Counter


class End:
    """`seconds` from now, and not before there were so many messages and faults, nor while it is `held`: on a slow
    machine less happens in the same time."""

    def __init__(self, seconds: float, counts: Counter[str], *, messages: int = 0, faults: int = 0) -> None:
        self.held = False
        self._at = time.monotonic() + seconds
        self._counts = counts
        self._messages, self._faults = messages, faults

    @property
    def left(self) -> float:
        """Seconds by the clock, 0 when they are over."""
        return max(0.0, self._at - time.monotonic())

    @property
    def reached(self) -> bool:
        enough = self._counts["messages"] >= self._messages and faults(self._counts) >= self._faults
        return enough and not self.held and not self.left


def faults(counts: Counter[str]) -> int:
    """How many there were so far."""
    return sum(number for name, number in counts.items() if name.startswith("fault "))
