"""How a web process leaves on SIGTERM. Daphne 4.2 cuts everything at once; here nobody is cut who can be waited for.

Nobody new is let in. Sockets are closed with 1012, "service restart" (RFC 6455, registry of close codes), a few at a
time, so that their clients do not come back in one crowd. Requests that have begun are finished, and their connections
are closed afterwards. Event streams end, and are taken up elsewhere by `Last-Event-ID`. After PATIENCE_SECONDS, or at
the second signal, what is left is cut.
"""

import asyncio
import signal
import time
from typing import Any

import structlog
from daphne import cli
from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer
from twisted.internet import reactor as installed_reactor
from twisted.web import http

log = structlog.get_logger(__name__)
# Its type depends on what was installed first.
reactor: Any = installed_reactor

PATIENCE_SECONDS = 20.0
SPREAD_SECONDS = 2.0
CUT_SECONDS = 3.0
"""How long an application that is cut may take to notice."""
LOOK_SECONDS = 0.05
RESTART = 1012


class LeavingServer(Server):
    """`ports` are what it listens on."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.ports: list[Any] = []
        self.leaves_at = 0.0

    def run(self) -> None:
        reactor.callWhenRunning(lambda: reactor.callLater(0, self._listen_for_signals))
        super().run()

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)

    def _listen_for_signals(self) -> None:
        asyncio.get_event_loop().add_signal_handler(signal.SIGTERM, self.leave)

    def leave(self) -> None:
        if self.leaves_at:
            reactor.stop()
            return
        self.leaves_at = time.monotonic()
        for port in self.ports:
            port.stopListening()
        # The answer that a connection is waiting for is its last one, and says so.
        http.HTTPChannel.checkPersistence = _last_answer  # type: ignore[method-assign]
        sockets = [one for one in self.connections if isinstance(one, WebSocketProtocol)]
        log.info("web_leaving", sockets=len(sockets), requests=len(self._requests()))
        for place, one in enumerate(sockets):
            reactor.callLater(SPREAD_SECONDS * place / len(sockets), _send_away, one)
        for request in self._requests():
            if request.producer is not None:
                request.send_disconnect()
            elif not request.startedWriting:
                _last_answer(request.channel, request)
        reactor.callLater(LOOK_SECONDS, self._leave_when_alone)

    def _requests(self) -> list[Any]:
        return [
            one for one, found in self.connections.items() if _is_request(one) and "disconnected" not in found
        ]

    def _leave_when_alone(self) -> None:
        """Look again until everybody is gone. Applications of closed sockets have their end to record, too."""
        waited = time.monotonic() - self.leaves_at
        waiting = [one for one in self._requests() if one.producer is None]
        busy = [found for one, found in self.connections.items() if not _is_request(one) and _works(found)]
        if (waiting or busy) and waited < PATIENCE_SECONDS:
            reactor.callLater(LOOK_SECONDS, self._leave_when_alone)
            return
        log.info("web_left", seconds=round(waited, 1), cut=len(waiting) + len(busy))
        reactor.stop()

    def kill_all_applications(self) -> Any:
        """Daphne's own expects an application of every connection, and waits for them for ever."""
        left = [found["application_instance"] for found in self.connections.values() if _works(found)]
        for application in left:
            application.cancel()
        if not left:
            return None
        return defer.Deferred.fromFuture(asyncio.ensure_future(asyncio.wait(left, timeout=CUT_SECONDS)))


def _is_request(one: Any) -> bool:
    return isinstance(one, WebRequest)


def _works(found: dict[str, Any]) -> bool:
    application = found.get("application_instance")
    return application is not None and not application.done()


def _send_away(one: WebSocketProtocol) -> None:
    if one.state == one.STATE_OPEN:
        one.sendCloseFrame(code=RESTART, reasonUtf8=b"The server restarts. Connect again.", isReply=False)


def _last_answer(channel: Any, request: Any, _version: Any = None) -> bool:
    """In place of Twisted's own answer to whether a connection is kept for another request."""
    channel.persistent = False
    request.responseHeaders.setRawHeaders(b"connection", [b"close"])
    return False


def install() -> None:
    """Let `daphne` make servers of this kind. Call it before the server is made."""
    cli.CommandLineInterface.server_class = LeavingServer
