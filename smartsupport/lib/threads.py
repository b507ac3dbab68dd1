"""Database work off the event loop."""

import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")
THREADS = 8
IDLE_SECONDS = 1.0
_executor = ThreadPoolExecutor(THREADS, thread_name_prefix="database")


async def in_thread(work: Callable[[], T]) -> T:
    """Run synchronous ORM work in one of a few threads of its own.

    `database_sync_to_async` gives all consumers of a process a single thread and hands the connection back after each
    piece of work; here each thread keeps its connection, and gives it up only when it broke. Inside,
    `async_to_sync` runs on the caller's event loop.
    """
    result: T = await _hop(work)  # made once: making it looks at the function's signature each time
    return result


_breaks = 0
_seen = threading.local()


def _with_connection(work: Callable[[], T]) -> T:
    """When one connection broke, the others are suspect: each thread takes a fresh one before its next work. One that
    was idle, or on which the server spoke first, is tried, so that a database that was restarted meanwhile is nobody's
    error."""
    global _breaks
    suspect = _was_idle() or _was_spoken_to()
    if getattr(_seen, "breaks", 0) != _breaks or (suspect and not connection.is_usable()):
        connection.close()
        _seen.breaks = _breaks
    try:
        return work()
    except (OperationalError, InterfaceError):
        _breaks += 1
        raise
    finally:
        _seen.used_at = time.monotonic()


_hop = sync_to_async(_with_connection, thread_sensitive=False, executor=_executor)


def _was_idle() -> bool:
    used_at: float | None = getattr(_seen, "used_at", None)
    return (
        used_at is not None
        and time.monotonic() - used_at > IDLE_SECONDS
        and connection.connection is not None
        and not connection.in_atomic_block
    )


def _was_spoken_to() -> bool:
    """Whether something came that nobody asked for: a server's last words, mostly. Looking costs a microsecond."""
    raw = connection.connection
    if raw is None or connection.in_atomic_block:
        return False
    if raw.closed:
        return True
    poll = select.poll()
    poll.register(raw.fileno(), select.POLLIN)
    return bool(poll.poll(0))
