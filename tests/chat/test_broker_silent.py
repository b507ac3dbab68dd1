"""A broker that takes connections and answers nothing, and messages that it cannot carry: nothing waits for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from channels.layers import get_channel_layer

from chat import events, live, wakeups
from chat.consumers import ChatConsumer
from chat.following import Following
from chat.frames import Frame
from smartsupport.lib import valkey


@pytest.fixture
async def silent_broker(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Whoever sends something now sends it there."""
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    layer = {**settings.CHANNEL_LAYERS["default"], "CONFIG": {"hosts": [url]}}
    await valkey.close()
    settings.CHANNEL_LAYERS, settings.REDIS_URL = {"default": layer}, url
    monkeypatch.setattr(events, "BROKER_SECONDS", 0.1)
    yield
    for writer in connections:
        writer.close()
    server.close()
    await valkey.close()


def batch(*frames: dict[str, Any]) -> events.Batch:
    return events.Batch(uuid4(), 1, 1, list(frames))


async def test_a_silent_broker_holds_nobody_up(silent_broker: None) -> None:
    async with asyncio.timeout(60):
        await live.show(uuid4(), uuid4(), "thread", "agent", 0, "text", "text")
        await events.publish(batch({"type": "pong"}))
        await wakeups.wake()
        await live.clear(uuid4())


async def test_a_socket_survives_a_piece_of_text_that_cannot_be_looked_up(silent_broker: None) -> None:
    """One before it was lost on the way, and the broker does not tell the text so far."""
    conversation_id, frames = uuid4(), []

    async def send(told: Sequence[Frame]) -> None:
        frames.extend(told)

    socket = ChatConsumer()
    following = Following(conversation_id, "thread", 1, send=send, order=asyncio.Lock())
    socket.positions = {conversation_id: following}
    piece = {"type": "token", "turn_id": str(uuid4()), "offset": 3, "content": "d"}

    await socket.conversation_live({"conversation": str(conversation_id), "frame": piece})
    await socket.conversation_live({"conversation": str(conversation_id), "frame": {**piece, "offset": 0}})

    assert [frame["offset"] for frame in frames] == [0]


async def test_a_number_that_no_message_holds_does_not_break_the_turn(empty_valkey: None) -> None:
    await events.publish(batch({"type": "tool_call", "args": {"order_id": 10**30}}))

    await get_channel_layer().flush()
