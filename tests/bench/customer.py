"""A customer on a socket, who notes when what arrived. Times are seconds of the monotonic clock."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect

PATIENCE_SECONDS = 60


class TurnFailed(Exception):
    """A turn did not end well: the message holds the frame that said so, or how long it was waited for."""


@dataclass
class Turn:
    sent: float
    turn_id: str = ""
    first_text: float | None = None  # the first token frame
    finished: float = 0.0
    tool_seconds: float = 0.0
    frames: list[str] = field(default_factory=list)


class Visitor(Protocol):
    """Somebody with one conversation, at whatever is measured."""

    async def settle(self) -> None:
        """Return when the server has answered something, so that it holds all that an open connection needs."""

    async def say(self, content: str) -> Turn:
        """Send a message and read until its turn is complete. Raises TurnFailed."""

    async def open_again(self, *, whole: bool) -> float:
        """Seconds until a page that is opened has its conversation: what it shows first, or the `whole` of it."""

    async def leave(self) -> None: ...


class Customer:
    """One anonymous visitor of ours with one conversation."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.thread_id = f"bench-{uuid4().hex}"

    @classmethod
    async def arrive(cls, url: str) -> "Customer":
        return cls(await connect(url, compression=None, proxy=None, open_timeout=PATIENCE_SECONDS))

    async def leave(self) -> None:
        await self.socket.close()

    async def settle(self) -> None:
        await self.socket.send('{"type": "ping"}')
        while json.loads(await self.socket.recv())["type"] != "pong":
            pass

    async def open_again(self, *, whole: bool) -> float:
        wanted = {"type": "resume", "after": 0} if whole else {"type": "history"}
        last = "resumed" if whole else "history"
        began = time.monotonic()
        await self.socket.send(json.dumps({"thread_id": self.thread_id, **wanted}))
        while json.loads(await self.socket.recv())["type"] != last:
            pass
        return time.monotonic() - began

    async def say(self, content: str) -> Turn:
        """Send a message and read until its turn is complete. Raises TurnFailed."""
        said = {"thread_id": self.thread_id, "content": content, "client_message_id": uuid4().hex}
        turn = Turn(sent=time.monotonic())
        await self.socket.send(json.dumps({"type": "message", **said}))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await self._next_frame_of(turn) != "message_complete":
                    pass
        except TimeoutError:
            raise TurnFailed(f"No end after {PATIENCE_SECONDS} s; frames so far: {turn.frames}") from None
        return turn

    async def _next_frame_of(self, turn: Turn) -> str:
        """Note one frame and return its type. Late tokens of the turn before are passed over."""
        raw = await self.socket.recv()
        now = time.monotonic()
        frame = json.loads(raw)
        kind: str = frame["type"]
        if kind == "accepted":
            turn.turn_id = frame["turn_id"]
        elif kind != "error" and frame.get("turn_id") != turn.turn_id:
            return "other"
        turn.frames.append(kind)
        if kind in ("token", "agent_response"):  # a fast answer may come whole
            turn.first_text = turn.first_text or now
        elif kind == "tool_call":
            turn.tool_seconds -= now
        elif kind == "tool_result":
            turn.tool_seconds += now
        elif kind == "message_complete":
            turn.finished = now
        if kind == "error" or (kind == "message_complete" and frame["status"] != "completed"):
            raise TurnFailed(str(frame))
        return kind
