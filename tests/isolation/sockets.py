"""The chat socket without a server between: frames in, frames out, as whoever holds these credentials."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from channels.testing import WebsocketCommunicator

from chat import identity, protocol
from chat.models import Customer
from chat.routing import websocket
from smartsupport.lib import valkey
from tests.isolation.crowd import customers_token
from tests.isolation.routes import Ids

PATIENCE_SECONDS = 60
Frame = dict[str, Any]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00")


@dataclass(frozen=True)
class Credentials:
    who: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def of_token(customer: Customer) -> Credentials:
    return Credentials("a token", query=f"?token={customers_token(customer)}")


def of_cookie(customer: Customer) -> Credentials:
    cookie = f"{identity.COOKIE}={identity.sign_cookie(customer.pk)}"
    return Credentials("a cookie", headers={"cookie": cookie})


def paths() -> list[str]:
    """Every address at which there is a socket."""
    return ["/" + str(route.pattern) for route in websocket.application.routes]


def frame(kind: str, thread_id: str, ids: Ids) -> Frame:
    """A frame of this type with every field that any type has: a type that is added needs no word here."""
    return {
        "type": kind,
        "thread_id": thread_id,
        "content": "Hello",
        "client_message_id": uuid4().hex,
        "approved": True,
        "solved": True,
        "interrupt_id": ids.interrupt_id,
        "turn_id": ids.turn_id,
        "after": 0,
    }


def types() -> list[str]:
    return sorted(protocol.TYPES)


class Line:
    """An open socket."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator

    async def frame(self) -> Frame:
        """The next frame."""
        frame: Frame = json.loads(await self.communicator.receive_from(timeout=PATIENCE_SECONDS))
        return frame

    async def answers(self, sent: Any) -> list[Frame]:
        """What comes back to a frame (JSON, or text and bytes as they are), up to the answer to a ping after it."""
        text = sent if isinstance(sent, str | bytes) else json.dumps(sent)
        for one in (text, '{"type":"ping"}'):
            kind = "bytes" if isinstance(one, bytes) else "text"
            await self.communicator.send_input({"type": "websocket.receive", kind: one})
        found: list[Frame] = []
        while True:
            found.append(await self.frame())
            if found[-1] == {"type": "pong"}:
                return found[:-1]


@asynccontextmanager
async def open_line(
    path: str, credentials: Credentials, *, address: str = "192.0.2.7"
) -> AsyncIterator[Line]:
    headers = [(name.encode(), value.encode()) for name, value in credentials.headers.items()]
    communicator = WebsocketCommunicator(websocket, path + credentials.query, headers=headers)
    communicator.scope["client"] = [address, 50_000]
    connected, _ = await communicator.connect(timeout=PATIENCE_SECONDS)
    assert connected
    try:
        yield Line(communicator)
    finally:
        await communicator.disconnect(timeout=PATIENCE_SECONDS)
        await valkey.close()


def same_for_both(answers: list[Frame], *known: str) -> str:
    """The answers as text, without what is different each time."""
    text = json.dumps(answers, sort_keys=True)
    for value in known:
        text = text.replace(value, "ID")
    return MOMENT.sub("MOMENT", UUID.sub("ID", text))
