"""How the driver tells a process where to die, or to freeze. Orders are files, which are read at each crossing.

A passing is one crossing of one side of a boundary, counted from the moment the order was given. The order is taken
by a rename, so it is carried out once, whoever passes.
"""

import json
import os
import signal
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.01
HELD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """Send `victim` (a process id) the signal `sign` at the `nth` crossing of this side of a boundary; hold whoever
    crosses it until it is released where `victim` is 0. Without a boundary nothing is done, and crossings are only
    written down."""

    number: int
    boundary: str = ""
    side: str = ""
    nth: int = 1
    victim: int = 0
    sign: int = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Passing:
    boundary: str
    side: str
    nth: int


class Desk:
    """Where orders are given and read, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._number = 0

    def give(
        self,
        boundary: str = "",
        side: str = "",
        nth: int = 1,
        victim: int = 0,
        sign: int = signal.SIGKILL,
    ) -> None:
        """Put an order into force instead of the one before."""
        self.withdraw()
        for name in ("fired.json", "released", "trace.jsonl"):
            (self._folder / name).unlink(missing_ok=True)
        self._number += 1
        _write(
            self._folder / "order.json", asdict(Order(self._number, boundary, side, nth, victim, int(sign)))
        )

    def withdraw(self) -> None:
        (self._folder / "order.json").unlink(missing_ok=True)

    def fired_at(self) -> float | None:
        """When the order was carried out, on the machine's monotonic clock; None while it was not."""
        try:
            at: float = json.loads((self._folder / "fired.json").read_text())["at"]
        except FileNotFoundError:
            return None
        return at

    def release(self) -> None:
        (self._folder / "released").touch()

    def passings(self) -> list[Passing]:
        """What was crossed since the order was given, in order."""
        trace = self._folder / "trace.jsonl"
        lines = trace.read_text().splitlines() if trace.exists() else []
        return [Passing(**json.loads(line)) for line in lines]


class Passage:
    """The same folder as a process sees it that may have to die. Called with every boundary that it crosses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def __call__(self, boundary: str, side: str) -> None:
        """Cross. May not return; blocks while it is held."""
        if self.crossed(boundary, side):
            self.wait_for_release()

    def crossed(self, boundary: str, side: str) -> bool:
        """Cross without being held: returns whether whoever crosses is to be held now. May not return."""
        with self._lock:
            order = self._order()
            if order is None:
                return False
            if order.number != self._number:
                self._number, self._counts = order.number, Counter()
            self._counts[boundary, side] += 1
            passing = Passing(boundary, side, self._counts[boundary, side])
            with (self._folder / "trace.jsonl").open("a") as trace:
                trace.write(json.dumps(asdict(passing)) + "\n")
            if passing != Passing(order.boundary, order.side, order.nth):
                return False
            return self._carry_out(order)

    def wait_for_release(self) -> None:
        deadline = time.monotonic() + HELD_SECONDS
        while not (self._folder / "released").exists() and time.monotonic() < deadline:
            threading.Event().wait(LOOK_SECONDS)

    def armed(self, boundary: str) -> bool:
        """Whether the order in force is about this boundary, or writes crossings down."""
        order = self._order()
        return order is not None and order.boundary in ("", boundary)

    def _order(self) -> Order | None:
        try:
            return Order(**json.loads((self._folder / "order.json").read_text()))
        except FileNotFoundError:
            return None

    def _carry_out(self, order: Order) -> bool:
        try:
            (self._folder / "order.json").rename(self._folder / "taken.json")
        except FileNotFoundError:  # another process was first
            return False
        _write(self._folder / "fired.json", {"at": time.monotonic(), "by": os.getpid()})
        if not order.victim:
            return True
        os.kill(order.victim, order.sign)
        return False


def _write(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(content))
    unfinished.rename(path)
