"""Which turns workers are alive: each writes a key that expires, `smartsupport:turns:heartbeat:<worker>`.

A worker beats every `INTERVAL_SECONDS`; one that was killed is forgotten after `TTL_SECONDS`.
"""

import redis
import redis.asyncio
from django.conf import settings

PREFIX = "smartsupport:turns:heartbeat:"
INTERVAL_SECONDS = 5
TTL_SECONDS = 15
TIMEOUT_SECONDS = 2


async def beat(worker: str) -> None:
    """Say that this worker lives. Raises redis.RedisError where Valkey does not answer."""
    async with redis.asyncio.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS) as client:
        await client.set(PREFIX + worker, "alive", ex=TTL_SECONDS)


async def stop(worker: str) -> None:
    """Say that this worker is leaving on purpose."""
    async with redis.asyncio.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS) as client:
        await client.delete(PREFIX + worker)


def alive() -> list[str]:
    """Names of the workers that live. Raises redis.RedisError where Valkey does not answer."""
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    ) as client:
        return sorted(
            key.decode().removeprefix(PREFIX) for key in client.scan_iter(match=f"{PREFIX}*", count=1000)
        )
