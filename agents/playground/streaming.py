"""A trial that is watched while it runs."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from queue import SimpleQueue

from agents.playground.running import run
from agents.playground.trial import Step, Trial

AT_ONCE = 4
"""So many trials of one process at the same time: each has a thread."""
_room = threading.BoundedSemaphore(AT_ONCE)


async def steps(trial: Trial) -> AsyncIterator[Step]:
    """The steps of a trial as they come, the last one of kind `end`. It runs in a thread of its own, away from the
    sockets of this process. Whoever stops listening ends it, so that nobody pays for what nobody reads."""
    if not _room.acquire(blocking=False):
        for refusal in _no_room():
            yield refusal
        return
    here = asyncio.get_running_loop()
    waiting: asyncio.Queue[Step | None] = asyncio.Queue()

    def tell(step: Step | None) -> None:
        with suppress(RuntimeError):  # whoever listened has gone, and their loop with them
            here.call_soon_threadsafe(waiting.put_nowait, step)

    apart = _Apart(trial, tell)
    try:
        while (step := await waiting.get()) is not None:
            yield step
    finally:
        apart.stop()


def steps_in_turn(trial: Trial) -> Iterator[Step]:
    """The same for a server without an event loop."""
    if not _room.acquire(blocking=False):
        yield from _no_room()
        return
    waiting: SimpleQueue[Step | None] = SimpleQueue()
    apart = _Apart(trial, waiting.put)
    try:
        while (step := waiting.get()) is not None:
            yield step
    finally:
        apart.stop()


def _no_room() -> Iterator[Step]:
    busy = f"{AT_ONCE} trials are running here already. Wait until one has ended."
    yield Step("fault", "No room", text=busy)
    yield Step("end", "Not started", payload={})


class _Apart:
    """The trial on a loop of its own in a thread of its own."""

    def __init__(self, trial: Trial, tell: Callable[[Step | None], None]) -> None:
        self._trial, self._tell = trial, tell
        self._begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        threading.Thread(target=self._work, name="playground", daemon=True).start()

    def _work(self) -> None:
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(self._run())
        finally:
            self._begun.set()
            _room.release()
            self._tell(None)

    async def _run(self) -> None:
        self._task = asyncio.current_task()
        self._begun.set()
        with suppress(asyncio.CancelledError):
            await run(self._trial, self._tell)

    def stop(self) -> None:
        """End it if it runs still."""
        self._begun.wait(5)
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._task.cancel)
