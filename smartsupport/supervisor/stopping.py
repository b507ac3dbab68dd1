"""Why a run ends: a signal, the end of our parent, or the end of one of the programs."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

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
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup wants it ignored
            signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


class Watch:
    """Looks at what must stay alive while we wait for something: our parent (if it counts) and the programs."""

    def __init__(self, *, parent_counts: bool) -> None:
        self._parent = os.getppid() if parent_counts else None
        self._parent_blocked_interrupts = _blocks_interrupts(self._parent)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def until(
        self, done: Callable[[], bool], *, seconds: float | None = None, pause: float = LOOK_SECONDS
    ) -> bool:
        """Wait until `done()`, asked every `pause` seconds, says yes (True) or the time is up (False). Raises Stop when
        something that we need has ended."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not done():
            self._look()
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(pause)
        return True

    def _look(self) -> None:
        if self._parent is not None:
            if os.getppid() != self._parent:
                raise Stop(status=1)
            blocks = _blocks_interrupts(self._parent)
            if blocks and not self._parent_blocked_interrupts:
                raise Stop
            # Make also holds INT back for a moment while it starts us: what counts is that it begins to.
            self._parent_blocked_interrupts = blocks
        for name, process in self.processes.items():
            if (status := process.poll()) is not None:
                raise Stop(
                    f"{name} ended on its own (exit status {status}), so everything was stopped.", status=1
                )


def _blocks_interrupts(pid: int | None) -> bool:
    """Whether a process holds INT back, as make does once it got one: sent to make alone and not to the terminal's
    whole group, it leaves make waiting for us without a word. Only Linux tells."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        mask = next(line.split()[1] for line in lines if line.startswith("SigBlk:"))
    except (OSError, StopIteration):
        return False
    return bool(int(mask, 16) & 1 << (signal.SIGINT - 1))
