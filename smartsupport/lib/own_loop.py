"""Asynchronous work for synchronous code: a view, a Celery task."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def on_own_loop(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises. It runs on a loop of its own in a thread of its own, and both are gone afterwards:
    clients that are shared per loop are closed, and a visitor who leaves cancels nothing.

    `async_to_sync` would run it as a part of the request that the web server is answering, and cancel it with that.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="own-loop") as thread:
        return thread.submit(asyncio.run, _with_threads(work)).result()


async def _with_threads(work: Coroutine[Any, Any, T]) -> T:
    asyncio.get_running_loop().set_default_executor(Threads())
    return await work


class Threads(ThreadPoolExecutor):
    """A loop's own, `most` of them. When the loop ends, it waits for them, but not where one was given up: the lookup
    of a name that nobody answers goes on for half a minute, whatever time limit a request had."""

    def __init__(self, most: int | None = None, name: str = "own-loop") -> None:
        super().__init__(most, thread_name_prefix=name)
        self._begun: list[Future[Any]] = []

    def submit(self, *call: Any, **named: Any) -> Future[Any]:
        self._begun.append(super().submit(*call, **named))
        return self._begun[-1]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        ended = all(one.done() for one in self._begun)
        super().shutdown(wait and ended, cancel_futures=cancel_futures)
