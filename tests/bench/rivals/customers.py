"""Customers of what is compared with us: the same questions, asked in each program's own protocol.

Each notes when its first text arrived and when the turn was over, as `tests.bench.customer.Customer` does with ours.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import socketio
from websockets.asyncio.client import ClientConnection, connect

from tests.bench.customer import PATIENCE_SECONDS, Turn, TurnFailed

DONE = "done"


class Rival:
    """What they share: a turn is read until its end, and its first text is noted."""

    async def _read(self, turn: Turn, kinds: AsyncIterator[str]) -> Turn:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                async for kind in kinds:
                    turn.frames.append(kind)
                    if kind == "token" and turn.first_text is None:
                        turn.first_text = time.monotonic()
                    if kind == DONE:
                        break
        except TimeoutError:
            raise TurnFailed(f"No end after {PATIENCE_SECONDS} s; so far: {turn.frames[-5:]}") from None
        if turn.first_text is None:
            raise TurnFailed(f"No text: {turn.frames[-5:]}")
        turn.finished = time.monotonic()
        return turn


class SocketCustomer(Rival):
    """Of `programs/fastapi_server.py`."""

    def __init__(self, socket: ClientConnection, url: str) -> None:
        self.socket, self.thread_id = socket, uuid4().hex
        self.history = f"http://{urlsplit(url).netloc}/threads/{self.thread_id}"

    @classmethod
    async def arrive(cls, url: str) -> "SocketCustomer":
        return cls(await connect(url, compression=None, proxy=None, open_timeout=PATIENCE_SECONDS), url)

    async def settle(self) -> None:
        await (await self.socket.ping())

    async def say(self, content: str) -> Turn:
        turn = Turn(sent=time.monotonic())
        await self.socket.send(json.dumps({"thread_id": self.thread_id, "content": content}))
        return await self._read(turn, self._kinds())

    async def _kinds(self) -> AsyncIterator[str]:
        while True:
            yield json.loads(await self.socket.recv())["type"]

    async def open_again(self, *, whole: bool) -> float:
        """It has no pages: what is shown first is everything."""
        return await timed_get(self.history)

    async def leave(self) -> None:
        await self.socket.close()


class ChainlitCustomer(Rival):
    """Of `programs/chainlit_app.py`, over the socket.io of Chainlit's own page."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self.client = client
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        client.on("*", self._hear)

    async def _hear(self, event: str, *content: Any) -> None:
        if event == "stream_token" or (event == "stream_start" and content[0].get("output")):
            await self.heard.put("token")
        elif event in ("task_end", "first_interaction"):
            await self.heard.put(DONE if event == "task_end" else event)

    @classmethod
    async def arrive(cls, url: str) -> "ChainlitCustomer":
        client = socketio.AsyncClient(reconnection=False)
        customer = cls(client)
        session = {"sessionId": str(uuid4()), "clientType": "webapp", "userEnv": "{}", "chatProfile": ""}
        await client.connect(url, transports=["websocket"], socketio_path="/ws/socket.io", auth=session)
        await client.emit("connection_successful")
        await customer._until_idle()
        return customer

    async def _until_idle(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.heard.get() != DONE:
                pass

    async def settle(self) -> None:
        """Arriving has waited for the server's answer already."""

    async def say(self, content: str) -> Turn:
        turn = Turn(sent=time.monotonic())
        about = {"id": str(uuid4()), "type": "user_message", "name": "user"}
        step = {**about, "output": content, "createdAt": datetime.now(UTC).isoformat()}
        await self.client.emit("client_message", {"message": step, "fileReferences": []})
        return await self._read(turn, self._kinds())

    async def _kinds(self) -> AsyncIterator[str]:
        while True:
            yield await self.heard.get()

    async def open_again(self, *, whole: bool) -> float:
        """Without a data layer of its own, Chainlit opens no earlier conversation."""
        return float("nan")

    async def leave(self) -> None:
        await self.client.disconnect()


class DevCustomer(Rival):
    """Of `langgraph dev`: runs streamed by server-sent events; nothing is held open between them."""

    def __init__(self, client: httpx.AsyncClient, thread_id: str) -> None:
        self.client, self.thread_id = client, thread_id

    @classmethod
    async def arrive(cls, url: str) -> "DevCustomer":
        client = httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS, trust_env=False)
        made = await client.post("/threads", json={})
        return cls(client, made.raise_for_status().json()["thread_id"])

    async def settle(self) -> None:
        """Making the thread has waited for the server's answer already."""

    async def say(self, content: str) -> Turn:
        turn = Turn(sent=time.monotonic())
        return await self._read(turn, self._kinds(content))

    async def _kinds(self, content: str) -> AsyncIterator[str]:
        run = {
            "assistant_id": "desk",
            "input": {"messages": [{"role": "user", "content": content}]},
            "stream_mode": ["messages-tuple"],
            "stream_subgraphs": True,
        }
        path = f"/threads/{self.thread_id}/runs/stream"
        async with self.client.stream("POST", path, json=run) as answer:
            answer.raise_for_status()
            kind = ""
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    kind = line.removeprefix("event:").strip()
                elif line.startswith("data:") and kind.startswith("messages"):
                    piece = json.loads(line.removeprefix("data:"))[0]
                    written = piece.get("type") == "AIMessageChunk" and piece.get("content")
                    yield "token" if written else "other"
                elif line.startswith("data:") and kind.startswith("error"):
                    raise TurnFailed(line)
        yield DONE

    async def open_again(self, *, whole: bool) -> float:
        return await timed_get(f"{self.client.base_url}/threads/{self.thread_id}/state")

    async def leave(self) -> None:
        await self.client.aclose()


async def timed_get(url: str) -> float:
    """Seconds from asking to having read the answer."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client:
        await client.get(url)  # the connection of a page is there already
        began = time.monotonic()
        answer = await client.get(url)
        answer.raise_for_status()
        answer.json()
        return time.monotonic() - began
