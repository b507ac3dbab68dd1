"""Messages to the turns workers. Each says "look", never "do": what it asks for is in the database too, where workers
look by themselves, so losing one costs a poll interval and nothing else."""

import asyncio
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from chat import events
from smartsupport.lib import valkey

log = structlog.get_logger(__name__)

LIST = "smartsupport:turns:wake"
KEPT = 64
"""Wake-ups that nobody has taken yet. One worker that looks claims all that it can run."""
WAIT_SECONDS = 1


def wake_from_sync() -> None:
    async_to_sync(wake)()


async def wake() -> None:
    """Tell one worker that there is something to claim: were all told, all but one would look for nothing, and the more
    workers there are, the more of their time would go into that."""
    try:
        async with asyncio.timeout(events.BROKER_SECONDS):
            broker = await valkey.client()
            if await broker.lpush(LIST, 1) > KEPT:
                await broker.ltrim(LIST, 0, KEPT - 1)
    except (RedisError, OSError) as error:
        log.warning("workers_not_told", message="turns.wake", error=str(error))


async def woken() -> bool:
    """Wait, for a second at the most, until somebody wakes a worker and it is this one. Those who wait take turns.
    Raises RedisError or OSError where the broker is away."""
    async with asyncio.timeout(WAIT_SECONDS + events.BROKER_SECONDS):
        return await (await valkey.client()).blpop([LIST], timeout=WAIT_SECONDS) is not None


async def _tell(message: dict[str, str]) -> None:
    """Send every turns worker a message: a named channel of this layer reaches all of them. A broker that is away or
    silent fails nobody."""
    try:
        async with asyncio.timeout(events.BROKER_SECONDS):
            await get_channel_layer().send(settings.TURNS_CHANNEL, message)
    except (RedisError, OSError) as error:
        log.warning("workers_not_told", message=message["type"], error=str(error))


def tell_workers(kind: str, turn_id: UUID) -> None:
    """Send every turns worker a message about one turn after commit: `turns.stop`, `turns.forget`."""
    transaction.on_commit(lambda: async_to_sync(_tell)({"type": kind, "turn_id": str(turn_id)}))
