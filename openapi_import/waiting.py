"""Asynchronous work for a synchronous job that can be told to stop meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from typing import Any, TypeVar

T = TypeVar("T")
LOOK_EVERY = 0.1
LEAVE_WITHIN = 2.0


class Stopped(Exception):
    """`stop` said so before the work was done; the work was cancelled."""


def run_until(work: Coroutine[Any, Any, T], stop: Callable[[], bool]) -> T:
    """What `work` returns or raises. It runs on a loop of its own in a thread of its own, while this thread asks
    `stop` several times a second (and may use the database for that, which a loop may not). Raises Stopped."""
    outcome: Future[T] = Future()
    leave = threading.Event()
    thread = threading.Thread(target=_run, args=(work, leave, outcome), name="run-until", daemon=True)
    thread.start()
    try:
        while not wait([outcome], timeout=LOOK_EVERY).done:
            if stop():
                raise Stopped()
    except BaseException:
        leave.set()
        thread.join(
            LEAVE_WITHIN
        )  # a name lookup cannot be interrupted; nobody waits for it any longer than this
        raise
    thread.join(LEAVE_WITHIN)
    return outcome.result()


def _run(work: Coroutine[Any, Any, T], leave: threading.Event, outcome: "Future[T]") -> None:
    async def watched() -> None:
        task = asyncio.ensure_future(work)
        while not (await asyncio.wait({task}, timeout=LOOK_EVERY))[0]:
            if leave.is_set():
                task.cancel()
        if task.cancelled():
            outcome.set_exception(Stopped())
        elif error := task.exception():
            outcome.set_exception(error)
        else:
            outcome.set_result(task.result())

    asyncio.run(watched())
