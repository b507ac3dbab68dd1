"""Small scripts in Valkey that all processes count with, asked with little patience. What is counted there is a
courtesy to the business systems: while the broker is away it is not counted, and no call waits or fails for that."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from redis import asyncio as redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 0.5
PAUSE_SECONDS = 5.0
"""How long a broker that did not answer is not asked again."""


@dataclass
class _Open:
    client: redis.Redis
    closer: AsyncGenerator[None, None]


_open: dict[asyncio.AbstractEventLoop, _Open] = {}
_not_before = 0.0


async def run(script: str, key: str, *arguments: int | str) -> Any | None:
    """What the Lua `script` answers about one key; None where the broker is away."""
    global _not_before
    if time.monotonic() < _not_before:
        return None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await (await _client()).eval(script, 1, key, *arguments)
    except (RedisError, OSError) as error:
        _not_before = time.monotonic() + PAUSE_SECONDS
        log.warning("calls_not_counted", error=str(error) or type(error).__name__)
        return None


async def _client() -> redis.Redis:
    """One client per event loop, closed with it."""
    loop = asyncio.get_running_loop()
    for ended in [known for known in list(_open) if known.is_closed()]:
        _open.pop(ended, None)
    if loop not in _open:
        closer = _close_with_loop()
        await anext(closer)
        _open[loop] = _Open(redis.Redis.from_url(settings.REDIS_URL), closer)
    return _open[loop].client


async def _close_with_loop() -> AsyncGenerator[None, None]:
    """Wait, suspended, until the loop ends its asynchronous generators, as `asyncio.run` does."""
    try:
        yield
    finally:
        ending = _open.pop(asyncio.get_running_loop(), None)
        if ending is not None:
            await ending.client.aclose()
