"""Why a run ends: a signal, the end of our parent, or the end of one of the programs."""

import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

LOOK_SECONDS = 0.1


class Stop(BaseException):
    """End the run. `sentence` says why (empty where the person asked for it), `status` is the exit status."""

    def __init__(self, sentence: str = "", *, status: int = 0) -> None:
        self.sentence = sentence
        self.status = status
        super().__init__(sentence)


def on_signals() -> None:
    """From now on the first INT, TERM or HUP raises Stop in the main thread; later ones change nothing."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Stop(status=0 if number == signal.SIGINT else 128 + number)

    for number in numbers:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


class Watch:
    """Looks at what must stay alive while we wait for something: our parent (if it counts) and the programs."""

    def __init__(self, *, parent_counts: bool) -> None:
        self._parent = os.getppid() if parent_counts else None
        self.programs: list[Any] = []

    def until(self, done: Callable[[], bool], *, seconds: float | None = None) -> bool:
        """Wait until `done()` (True) or the time is up (False). Raises Stop when something we need has ended."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not done():
            self._look()
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def _look(self) -> None:
        if self._parent is not None and os.getppid() != self._parent:
            raise Stop(status=1)
        for running in self.programs:
            status = running.exit_status()
            if status is not None:
                raise Stop(f"{running.program.name} ended on its own (exit status {status}): stopping the rest.", status=1)
