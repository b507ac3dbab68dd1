"""Small scripts in Valkey that all processes count with, asked with little patience. What is counted there is a
courtesy to the business systems: while the broker is away it is not counted, and no call waits or fails for that."""

import asyncio
import time
from typing import Any

import structlog
from redis.exceptions import RedisError

from smartsupport.lib import valkey

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 0.5
PAUSE_SECONDS = 5.0
"""How long a broker that did not answer is not asked again."""


_not_before = 0.0


async def run(script: str, key: str, *arguments: int | str) -> Any | None:
    """What the Lua `script` answers about one key; None where the broker is away."""
    global _not_before
    if time.monotonic() < _not_before:
        return None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await (await valkey.client()).eval(script, 1, key, *arguments)
    except (RedisError, OSError) as error:
        _not_before = time.monotonic() + PAUSE_SECONDS
        log.warning("calls_not_counted", error=str(error) or type(error).__name__)
        return None
