"""What Daphne 4.2 leaves out of an application's answers to a socket: the headers of `websocket.accept` (the
visitor's cookie) and the reason of `websocket.close`. Both are in the ASGI specification."""

from typing import Any

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol


class WholeReplies(WebSocketProtocol):
    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept" and message.get("headers"):
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            # Autobahn, below Daphne, takes a pair where it is to send headers too.
            message = {**message, "subprotocol": (message.get("subprotocol"), headers)}
        if message["type"] == "websocket.close" and message.get("reason") and self.state == self.STATE_OPEN:
            self.sendClose(code=message.get("code") or 1000, reason=message["reason"])
            return
        super().handle_reply(message)


def install() -> None:
    """Let Daphne's server make its sockets of this kind. Call it before the server starts."""
    WebSocketFactory.protocol = WholeReplies
