"""What Daphne 4.2 leaves out of an application's answers. To a socket: the headers of `websocket.accept` (the visitor's
cookie), the reason of `websocket.close`, and an answer of the application's own to a handshake that it refuses
(`websocket.http.response`); and what is sent to one that is being closed is dropped instead of raised. To a socket and
in an event stream: that `send` waits while the connection is full, instead of keeping whatever a reader does not read.
All of it is in the ASGI specification. Of a client that writes faster than it is answered, no more is read meanwhile.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import structlog
from daphne import http_protocol
from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer  # type: ignore[import-untyped]

log = structlog.get_logger(__name__)

READ_SECONDS = 20.0
"""How long a socket's connection may be full before it is cut."""
FRAMES_WAITING = 100
"""Frames of one socket that may wait for the application."""
LOOK_SECONDS = 0.05


@implementer(IPushProducer)
class Paced:
    """What Twisted tells a producer: `room` is set while its connection takes more."""

    room: asyncio.Event

    def pauseProducing(self) -> None:
        self.room.clear()

    def resumeProducing(self) -> None:
        self.room.set()

    def stopProducing(self) -> None:
        self.room.set()


class WholeReplies(Paced, WebSocketProtocol):
    """A socket that is paced in both directions. Twisted tells when its connection is full, and when it has room again;
    what a client has sent is left in the connection while so much of it waits here."""

    def connectionMade(self) -> None:
        self.room = asyncio.Event()
        self.room.set()
        self.held_back = False
        super().connectionMade()

    def onOpen(self) -> None:
        # The HTTP channel on which the socket began is told until now, and does nothing about it.
        self.unregisterProducer()
        self.registerProducer(self, True)
        super().onOpen()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        super().onMessage(payload, isBinary)
        if not self.held_back:
            self._hold_back()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.stopProducing()
        super().onClose(wasClean, code, reason)

    def _hold_back(self) -> None:
        """Read no more while so many frames wait, and look again soon."""
        waits = self.application_queue.qsize() >= FRAMES_WAITING and self.state == self.STATE_OPEN
        if waits:
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._hold_back)
        if waits != self.held_back:
            self.held_back = waits
            (self.transport.pauseProducing if waits else self.transport.resumeProducing)()

    async def has_room(self) -> None:
        """Wait until there is. A client that reads nothing for so long is given up."""
        if self.room.is_set():
            return
        try:
            async with asyncio.timeout(READ_SECONDS):
                await self.room.wait()
        except TimeoutError:
            log.warning("socket_reads_nothing", seconds=READ_SECONDS)
            self.stopProducing()
            self.dropConnection(abort=True)

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept" and message.get("headers"):
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            # Autobahn, below Daphne, takes a pair where it is to send headers too.
            message = {**message, "subprotocol": (message.get("subprotocol"), headers)}
        if message["type"] == "websocket.close" and message.get("reason") and self.state == self.STATE_OPEN:
            # Autobahn's own `sendClose` refuses the codes of servers (RFC 6455, 7.4.1), such as 1013.
            reason = message["reason"].encode()
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=reason, isReply=False)
            return
        if message["type"] == "websocket.send" and self.state in (self.STATE_CLOSING, self.STATE_CLOSED):
            return  # whoever is leaving hears nothing more, and that is no error of the application's
        if message["type"] == "websocket.http.response.start":
            self.denial = message
            return
        if message["type"] == "websocket.http.response.body":
            self._deny(self.denial, message.get("body", b""))
            return
        super().handle_reply(message)

    def _deny(self, denial: dict[str, Any], body: bytes) -> None:
        """Answer the handshake as HTTP, and be done with it, as Daphne's `serverReject` is."""
        status = HTTPStatus(denial["status"])
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in denial["headers"]]
        headers += [("content-length", str(len(body))), ("connection", "close")]
        self.sendHttpErrorResponse(status.value, status.phrase, headers)
        self.sendData(body)
        self.dropConnection(abort=False)
        del self.handshake_deferred
        self.server.protocol_disconnected(self)


class PacedRequest(Paced, WebRequest):
    """A request whose event stream is paced by its connection: Twisted tells when that is full, and when it has room
    again."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # Twisted would read and parse a form for itself, and refuse an odd one without a word: Django does that.
        self._parsePOSTFormSubmission = False
        self.room = asyncio.Event()
        self.room.set()

    def handle_reply(self, message: dict[str, Any]) -> None:
        if self.finished or self.channel is None:
            return
        begins = message["type"] == "http.response.start" and not self._response_started
        if self.producer is not None and not message.get("more_body", False):
            self.unregisterProducer()
        super().handle_reply(message)
        if begins and _is_stream(message):
            self.registerProducer(self, True)

    def connectionLost(self, reason: Any) -> None:
        self.room.set()
        super().connectionLost(reason)


def _is_stream(message: dict[str, Any]) -> bool:
    kinds = [value for name, value in message.get("headers", ()) if name.lower() == b"content-type"]
    return any(value.startswith(b"text/event-stream") for value in kinds)


_hand_over = Server.handle_reply


async def _paced(self: Server, protocol: Any, message: dict[str, Any]) -> None:
    await _hand_over(self, protocol, message)
    # Of an answer that has ended, Twisted tells nothing any more: who waited would wait until Daphne cuts them.
    if isinstance(protocol, PacedRequest) and not protocol.finished:
        await protocol.room.wait()
    if isinstance(protocol, WholeReplies) and message["type"] == "websocket.send":
        await protocol.has_room()


def install() -> None:
    """Let Daphne's server make its sockets and requests of these kinds. Call it before the server starts."""
    WebSocketFactory.protocol = WholeReplies
    http_protocol.WebRequest = PacedRequest
    Server.handle_reply = _paced
