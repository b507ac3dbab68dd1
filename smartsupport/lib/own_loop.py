"""Asynchronous work for synchronous code: a view, a Celery task."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def on_own_loop(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises. It runs on a loop of its own in a thread of its own, and both are gone afterwards:
    clients that are shared per loop are closed, and a visitor who leaves cancels nothing.

    `async_to_sync` would run it as a part of the request that the web server is answering, and cancel it with that.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="own-loop") as thread:
        return thread.submit(asyncio.run, work).result()
