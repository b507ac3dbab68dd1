"""A customer at the chat socket."""

import asyncio
import json
import time
import uuid
from types import TracebackType
from typing import Any, Self

import jwt
from websockets.asyncio.client import ClientConnection, connect

from tests.live.stack import JWT_SECRET

PATIENCE_SECONDS = 60
Frame = dict[str, Any]


def token_for(subject: str, **claims: Any) -> str:
    """A customer's token as the company's own site would sign it, good for an hour."""
    return jwt.encode(
        {"sub": subject, "exp": int(time.time()) + 3600, **claims}, JWT_SECRET, algorithm="HS256"
    )


class Chatter:
    """One socket. `async with Chatter(stack.socket_url) as customer: await customer.say("…")`.

    `cookie` or `token` is who it is; neither is a new anonymous visitor, whose cookie is then in `cookie`.
    """

    def __init__(
        self, url: str, *, cookie: str = "", token: str | None = None, origin: str | None = None
    ) -> None:
        self.url = url + (f"?token={token}" if token is not None else "")
        self.cookie = cookie
        self.origin = origin
        self.thread_id = uuid.uuid4().hex
        self.seen: list[Frame] = []
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        headers = {"Cookie": f"smartsupport_customer={self.cookie}"} if self.cookie else {}
        self._socket = await connect(
            self.url,
            additional_headers=headers,
            origin=self.origin,  # type: ignore[arg-type]
            proxy=None,
            max_size=None,
            open_timeout=PATIENCE_SECONDS,
            ping_interval=None,  # where a test holds this loop up, it is not the product that is silent
        )
        for value in self._socket.response.headers.get_all("Set-Cookie") if self._socket.response else []:
            name, _, rest = value.partition("=")
            if name == "smartsupport_customer":
                self.cookie = rest.split(";")[0]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()

    @property
    def socket(self) -> ClientConnection:
        assert self._socket is not None
        return self._socket

    async def send(self, frame: Any) -> None:
        """Send a frame as JSON, or text and bytes as they are."""
        await self.socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def message(self, content: Any, **fields: Any) -> None:
        await self.send({"type": "message", "thread_id": self.thread_id, "content": content, **fields})

    async def decide(self, approved: Any, **fields: Any) -> None:
        await self.send(
            {"type": "interrupt_response", "thread_id": self.thread_id, "approved": approved, **fields}
        )

    async def frame(self) -> Frame:
        """The next frame."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            frame: Frame = json.loads(await self.socket.recv())
        self.seen.append(frame)
        return frame

    async def until(self, *types: str) -> list[Frame]:
        """Frames up to and with the first of these types."""
        frames = [await self.frame()]
        while frames[-1]["type"] not in types:
            frames.append(await self.frame())
        return frames

    async def say(self, content: str, **fields: Any) -> list[Frame]:
        """Send a message; frames up to its end: completed, an approval that waits, or an error."""
        await self.message(content, **fields)
        return await self.until("message_complete", "interrupt", "error")

    async def answer(self, approved: bool, **fields: Any) -> list[Frame]:
        """Decide the pending approval; frames up to the next end."""
        await self.decide(approved, **fields)
        return await self.until("message_complete", "interrupt", "error", "interrupt_expired")

    async def quiet(self) -> None:
        """Assert that nothing else is on its way: a ping is answered next."""
        await self.send({"type": "ping"})
        assert await self.frame() == {"type": "pong"}


def types(frames: list[Frame]) -> list[str]:
    """The kinds of frames in order, tokens folded into one."""
    kinds = [frame["type"] for frame in frames]
    return [
        kind
        for index, kind in enumerate(kinds)
        if kind != "token" or index == 0 or kinds[index - 1] != "token"
    ]


def sure_types(frames: list[Frame]) -> list[str]:
    """The same without tokens, which are a preview: a socket that is late skips what the event has by then. Those that
    came stand right before their event."""
    kinds = types(frames)
    for place, kind in enumerate(kinds):
        assert kind != "token" or kinds[place + 1] == "agent_response", kinds
    return [kind for kind in kinds if kind != "token"]
