"""Server-sent events: the frames of the chat socket for those who cannot hold one (WHATWG HTML, "Server-sent events").

Who may read what is decided by a view like any other (`chat.api.stream_views`), behind all middlewares. It leaves an
`Opening` in the ASGI scope; when Django has answered, and its thread and its database connection are free again, its
headers are sent from here, and the frames after them. A stream holds a coroutine and a subscription, nothing else.

Frames that report an event have `id`, the event's number, on the last frame of the event: whoever comes back with
`Last-Event-ID` gets what follows, once. Text that is being written has none.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from chat import events
from chat.following import Following, stay_awake
from chat.frames import Frame
from chat.stream_guard import guard
from chat.stream_places import Caller, Opening
from chat.watch import watch

log = structlog.get_logger(__name__)

SCOPE = "smartsupport.stream"
RETRY_MS = 2_000
HEARTBEAT_SECONDS = 15.0
INBOX = 1_000
"""Messages of the conversation that may wait for a reader; one that is further behind is cut off and comes back."""
WRITE_SECONDS = 20.0
"""How long a connection may be full: `send` waits so long for a reader."""
PIECE = 64 * 1024
HEARTBEAT = b":\n\n"
NO_LINE_ENDS = {ord(one): f"\\u{ord(one):04x}" for one in "\x85\u2028\u2029"}
"""In JSON's spelling: these end no line of an event stream, but do for the many readers who split lines as Unicode or
Python does (httpx), and a piece of JSON is none."""

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def encoded(frames: Sequence[Frame]) -> Iterator[bytes]:
    """The frames as events, in pieces of some size. They have no names, so that `onmessage` gets each of them."""
    parts: list[bytes] = []
    size = 0
    for place, frame in enumerate(frames):
        seq = frame.get("seq")
        goes_on = place + 1 < len(frames) and frames[place + 1].get("seq") == seq
        named = f"id: {seq}\n" if seq is not None and not goes_on else ""
        told = json.dumps(frame, ensure_ascii=False).translate(NO_LINE_ENDS)
        parts.append(f"{named}data: {told}\n\n".encode())
        size += len(parts[-1])
        if size >= PIECE:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


def with_streams(application: Any) -> Application:
    """The ASGI application, whose answers go on as streams where its views have opened one."""

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].endswith("/stream"):
            await application(scope, receive, send)
            return
        start: Message = {}
        gone = asyncio.Event()

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                gone.set()
            return message

        async def answered(message: Message) -> None:
            if SCOPE not in scope:
                await send(message)
            elif message["type"] == "http.response.start":
                start.update(message)

        try:
            await application(scope, heard, answered)
            if start and not gone.is_set():
                await _Stream(scope[SCOPE], send).run(start, heard)
        finally:
            if opening := scope.pop(SCOPE, None):
                opening.leave()

    return streaming


class _Stream:
    """One reader's answer, from its headers to its end."""

    def __init__(self, opening: Opening, send: Send) -> None:
        self.opening = opening
        self._send = send
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue(INBOX)
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._spoke_at = time.monotonic()
        self.following = Following(
            opening.conversation_id, opening.thread_id, opening.after, send=self._tell, order=asyncio.Lock()
        )

    async def run(self, start: Mapping[str, Any], receive: Receive) -> None:
        begun = time.monotonic()
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await self._send({**start, "headers": headers})
        try:
            await self._write(f"retry: {RETRY_MS}\n\n".encode())
            reason = await self._until_ended(receive)
        except TimeoutError:
            reason = "slow"
        except (DatabaseError, RedisError, OSError):
            log.warning("stream_broke", conversation_id=self.opening.thread_id, exc_info=True)
            reason = "broke"
        if reason != "gone":
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        log.info(
            "stream_ended",
            conversation_id=self.opening.thread_id,
            who=f"{self.caller.kind}:{self.caller.id}",
            why=reason,
            seconds=round(time.monotonic() - begun, 1),
        )

    async def _until_ended(self, receive: Receive) -> str:
        """Tell until something ends it; what did. Subscribed before anything is read, so that nothing is lost."""
        layer, group = get_channel_layer(), events.group_of(self.opening.conversation_id)
        await stay_awake()
        channel = await layer.new_channel("stream.")
        guard().add(self)
        pump = asyncio.ensure_future(self._pump(layer, channel))
        work: set[asyncio.Future[Any]] = {pump, self._ended}
        try:
            await layer.group_add(group, channel)
            work |= {
                asyncio.ensure_future(part) for part in (self._tell_all(), self._hear(receive), self._beat())
            }
            done, _ = await asyncio.wait(
                work, timeout=self.opening.seconds_left(), return_when=asyncio.FIRST_COMPLETED
            )
            for part in done - {self._ended}:
                part.result()
            return self._ended.result() if self._ended.done() else "time"
        finally:
            watch().remove(self)
            guard().remove(self)
            for part in work:
                part.cancel()
            await layer.group_discard(group, channel)
            await asyncio.gather(*work, return_exceptions=True)

    @property
    def caller(self) -> Caller:
        return self.opening.caller

    def end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    async def _pump(self, layer: Any, channel: str) -> None:
        """Take the group's messages as they come. Cancelled, the channel layer forgets the channel."""
        while True:
            message = await layer.receive(channel)
            try:
                self._inbox.put_nowait(message)
            except asyncio.QueueFull:
                self.end("slow")

    async def _tell_all(self) -> None:
        opening, following = self.opening, self.following
        if opening.after:
            await following.know_ended()
        await following.catch_up()
        watch().add(self)
        await following.show_written()
        await self._tell([{"type": "resumed", "thread_id": opening.thread_id, "seq": following.sent}])
        while True:
            message = await self._inbox.get()
            if message["type"] == "conversation.events":
                await following.events_came(message)
            elif message["type"] == "conversation.live":
                await following.live_came(message["frame"])

    async def _hear(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.end("gone")

    async def _beat(self) -> None:
        """A comment after so much silence: it keeps proxies from hanging up, and finds readers who are gone."""
        while True:
            quiet = time.monotonic() - self._spoke_at
            if quiet >= HEARTBEAT_SECONDS:
                await self._write(HEARTBEAT)
                quiet = 0.0
            await asyncio.sleep(HEARTBEAT_SECONDS - quiet)

    async def _tell(self, frames: Sequence[Frame]) -> None:
        for piece in encoded(frames):
            await self._write(piece)

    async def _write(self, body: bytes) -> None:
        self._spoke_at = time.monotonic()
        async with asyncio.timeout(WRITE_SECONDS):
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    # As the watch wants it: it finds what the broker lost.

    def told(self) -> dict[UUID, int]:
        return {self.opening.conversation_id: self.following.sent}

    async def catch_up(self, conversation_id: UUID) -> None:
        await self.following.catch_up()
