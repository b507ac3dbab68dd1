"""Messages to the turns workers. Each says "look", never "do": what it asks for is in the database too, where workers
look by themselves, so losing one costs a poll interval and nothing else."""

import asyncio
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

from chat import events

log = structlog.get_logger(__name__)

CHANNEL = "turns"


def wake_from_sync() -> None:
    async_to_sync(wake)()


async def wake() -> None:
    """Tell the workers that there is something to claim."""
    await _tell({"type": "turns.wake"})


async def _tell(message: dict[str, str]) -> None:
    """Send every turns worker a message: a named channel of this layer reaches all of them. A broker that is away or
    silent fails nobody."""
    try:
        async with asyncio.timeout(events.BROKER_SECONDS):
            await get_channel_layer().send(CHANNEL, message)
    except (RedisError, OSError) as error:
        log.warning("workers_not_told", message=message["type"], error=str(error))


def tell_workers(kind: str, turn_id: UUID) -> None:
    """Send every turns worker a message about one turn after commit: `turns.stop`, `turns.forget`."""
    transaction.on_commit(lambda: async_to_sync(_tell)({"type": kind, "turn_id": str(turn_id)}))
