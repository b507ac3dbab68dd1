"""One client of Valkey for each event loop, closed with it, and one of the process for code that has no loop."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from django.conf import settings
from redis import Redis
from redis import asyncio as redis

PATIENCE_SECONDS = 1.0
MOST_CONNECTIONS = 64
"""Of one event loop. Whoever finds all of them in use waits for one: else a crowd that comes at one moment would be
told that the broker is away."""


@dataclass
class _Open:
    client: redis.Redis
    closer: AsyncGenerator[None, None]


_open: dict[asyncio.AbstractEventLoop, _Open] = {}
_of_the_process: dict[str, Redis] = {}
_making = threading.Lock()


def client_now() -> Redis:
    """The process's own, for all threads: a connection for each question costs more than the question. An answer is
    waited for PATIENCE_SECONDS."""
    with _making:
        url = settings.REDIS_URL
        if url not in _of_the_process:
            _of_the_process[url] = Redis.from_url(
                url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
            )
        return _of_the_process[url]


async def client() -> redis.Redis:
    """This event loop's. Nothing is connected before the first command. Whoever asks sets a time limit
    (`asyncio.timeout`): it has none of its own."""
    loop = asyncio.get_running_loop()
    for ended in [known for known in list(_open) if known.is_closed()]:
        _open.pop(ended, None)
    if loop not in _open:
        closer = _close_with_loop()
        await anext(closer)
        # Without redis-py's own time limit: it sends through `asyncio.wait_for`, which before Python 3.12 loses a
        # cancellation that comes as it ends (cpython issue 86296), and the turn that was stopped would go on.
        pool = redis.BlockingConnectionPool.from_url(
            settings.REDIS_URL, max_connections=MOST_CONNECTIONS, socket_timeout=None
        )
        _open[loop] = _Open(redis.Redis.from_pool(pool), closer)
    return _open[loop].client


async def close() -> None:
    """Give up this event loop's connections."""
    if (own := _open.get(asyncio.get_running_loop())) is not None:
        await own.closer.aclose()


async def _close_with_loop() -> AsyncGenerator[None, None]:
    """Wait, suspended, until the loop ends its asynchronous generators, as `asyncio.run` does."""
    try:
        yield
    finally:
        ending = _open.pop(asyncio.get_running_loop(), None)
        if ending is not None:
            await ending.client.aclose()
