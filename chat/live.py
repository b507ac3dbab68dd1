"""The text that is being written right now: a preview of the event that will seal it, kept in Valkey so that a socket
that joins late gets it. Losing it loses nothing that was recorded."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from chat import events
from chat.events import group_of
from smartsupport.lib import valkey

log = structlog.get_logger(__name__)

KEPT_SECONDS = 600


def _key(turn_id: UUID, kind: str = "token") -> str:
    return f"smartsupport:live:{turn_id}" + ("" if kind == "token" else f":{kind}")


async def show(
    conversation_id: UUID,
    turn_id: UUID,
    thread_id: str,
    agent: str,
    base: int,
    text: str,
    new: str,
    *,
    kind: str = "token",
) -> None:
    """Publish `new`, the end of `text`, which begins at code point `base` of the turn's streamed text, or of its
    `reasoning`, which is counted apart."""
    frame = {
        "type": kind,
        "thread_id": thread_id,
        "turn_id": str(turn_id),
        "agent": agent,
        "content": new,
        "offset": base + len(text) - len(new),
    }
    partial = {**frame, "content": text, "offset": base}
    async with _preview():
        # First to who is there: what is kept is for who joins later, or has missed a piece.
        message = {"type": "conversation.live", "conversation": str(conversation_id), "frame": frame}
        await get_channel_layer().group_send(group_of(conversation_id), message)
        await (await valkey.client()).set(_key(turn_id, kind), json.dumps(partial), ex=KEPT_SECONDS)


async def clear(turn_id: UUID, kind: str = "token") -> None:
    async with _preview():
        await (await valkey.client()).delete(_key(turn_id, kind))


@asynccontextmanager
async def _preview() -> AsyncIterator[None]:
    """A broker that is away or silent costs the preview, not the turn."""
    try:
        async with asyncio.timeout(events.BROKER_SECONDS):
            yield
    except (RedisError, OSError) as error:
        log.warning("preview_lost", error=str(error))


async def partial_frame(turn_id: UUID, kind: str = "token") -> dict[str, Any] | None:
    """The text (or `reasoning`) so far, as one frame, or None where nothing is being written. Raises RedisError or
    OSError where the broker is away."""
    async with asyncio.timeout(events.BROKER_SECONDS):
        stored = await (await valkey.client()).get(_key(turn_id, kind))
    frame: dict[str, Any] | None = json.loads(stored) if stored else None
    return frame
