"""How streams end, how many there may be, and that they hold nothing: the ASGI application in this process, on the real
database and the real broker."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from django.core.asgi import get_asgi_application
from django.test import Client

from chat import stream_guard, stream_places, streaming, watch
from smartsupport.lib.threads import in_thread
from tests import factories, rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def application() -> Any:
    return streaming.with_streams(get_asgi_application())


@pytest.fixture
def thread_id() -> Iterator[str]:
    turn = rows.turn(rows.customer(), "t-1")
    rows.finish(turn)
    yield turn.conversation.thread_id
    factories.close_threads()


class Reader:
    def __init__(self, application: Any, thread_id: str, key: str, method: str = "GET") -> None:
        headers = [(b"host", b"localhost"), (b"x-api-key", key.encode())]
        path = f"/api/v1/conversations/{thread_id}/stream"
        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
        self.one = ApplicationCommunicator(application, scope)
        self.body = b""
        self.open = True

    async def begin(self) -> dict[str, Any]:
        await self.one.send_input({"type": "http.request", "body": b""})
        start: dict[str, Any] = await self.one.receive_output(60)
        return start

    async def until(self, text: bytes) -> None:
        while text not in self.body:
            assert self.open, self.body
            await self.more()

    async def more(self) -> None:
        message = await self.one.receive_output(60)
        self.body += message.get("body", b"")
        self.open = message.get("more_body", False)

    async def to_its_end(self) -> None:
        while self.open:
            await self.more()
        await self.one.wait(60)

    async def leave(self) -> None:
        await self.one.send_input({"type": "http.disconnect"})
        await self.one.wait(60)


@asynccontextmanager
async def reading(application: Any, thread_id: str, key: str) -> AsyncIterator[Reader]:
    reader = Reader(application, thread_id, key)
    assert (await reader.begin())["status"] == 200
    await reader.until(b"resumed")
    yield reader
    if reader.open:
        await reader.leave()


def nothing_is_left() -> bool:
    layer = get_channel_layer()
    waiting = [name for name in layer.channels if "stream." in name]
    followers = watch.watch()._followers, stream_guard.guard()._streams
    return not (waiting or layer.groups or any(followers) or stream_places._open.total())


async def test_who_leaves_leaves_nothing_behind(application: Any, thread_id: str) -> None:
    key = await in_thread(lambda: rows.key("chat"))

    async with reading(application, thread_id, key) as reader:
        assert not nothing_is_left()
        assert reader.body.startswith(b"retry: 2000\n\n")
        assert reader.body.count(b"id: ") == 4  # three events, and where it stands now

    assert nothing_is_left()


async def test_a_stream_holds_no_thread_of_its_own(application: Any, thread_id: str) -> None:
    key = await in_thread(lambda: rows.key("chat"))
    async with reading(application, thread_id, key):
        before = threading.active_count()
        readers = [Reader(application, thread_id, key) for _ in range(12)]
        for reader in readers:
            await reader.begin()
            await reader.until(b"resumed")

        assert threading.active_count() - before <= 8  # what asks the database for all of them
        for reader in readers:
            await reader.leave()

    assert nothing_is_left()


async def test_silence_is_broken_by_comments(
    application: Any, thread_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.05)
    key = await in_thread(lambda: rows.key("chat"))

    async with reading(application, thread_id, key) as reader:
        await reader.until(b"\n\n:\n\n:\n\n")


async def test_its_life_has_an_end(application: Any, thread_id: str, settings: Any) -> None:
    settings.STREAM_SECONDS = 1
    key = await in_thread(lambda: rows.key("chat"))
    reader = Reader(application, thread_id, key)

    assert (await reader.begin())["status"] == 200
    await reader.to_its_end()

    assert nothing_is_left()


async def test_a_reader_who_takes_nothing_is_given_up(
    application: Any, thread_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "WRITE_SECONDS", 0.05)
    key = await in_thread(lambda: rows.key("chat"))
    reader = Reader(application, thread_id, key)
    sent: list[Any] = []

    async def full(message: Any) -> None:
        sent.append(message)
        if message.get("more_body"):
            await asyncio.Event().wait()

    never: asyncio.Queue[Any] = asyncio.Queue()
    await never.put({"type": "http.request", "body": b""})
    async with asyncio.timeout(60):
        await application(reader.one.scope, never.get, full)

    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert nothing_is_left()


async def test_there_are_so_many_places_and_who_leaves_makes_room(
    application: Any, thread_id: str, settings: Any
) -> None:
    settings.STREAMS_PER_KEY, settings.STREAMS_PER_PROCESS = 1, 2
    one, two, three = [await in_thread(lambda: rows.key("chat")) for _ in range(3)]

    async def answer(key: str) -> tuple[int, bytes]:
        reader = Reader(application, thread_id, key)
        start = await reader.begin()
        await reader.to_its_end()
        return start["status"], reader.body

    async with reading(application, thread_id, one):
        status, body = await answer(one)
        assert (status, b"too_many_streams" in body) == (429, True)
        async with reading(application, thread_id, two):
            status, body = await answer(three)
            assert (status, b"no_room" in body) == (503, True)
        async with reading(application, thread_id, three):
            pass
    assert nothing_is_left()


async def test_head_opens_nothing(application: Any, thread_id: str) -> None:
    key = await in_thread(lambda: rows.key("chat"))
    reader = Reader(application, thread_id, key, method="HEAD")

    start = await reader.begin()
    await reader.to_its_end()

    assert (start["status"], b"data" in reader.body) == (200, False)
    assert nothing_is_left()


async def test_staff_read_until_they_sign_out(
    application: Any, thread_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_guard, "CHECK_SECONDS", 0.05)
    client = Client()
    user = await in_thread(lambda: rows.staff("sam", "chat.view_conversation"))
    await in_thread(lambda: client.force_login(user))
    reader = Reader(application, thread_id, "")
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    reader.one.scope["headers"] = [(b"host", b"localhost"), (b"cookie", cookie.encode())]

    assert (await reader.begin())["status"] == 200
    await reader.until(b"resumed")
    await in_thread(client.logout)
    await reader.to_its_end()
    assert nothing_is_left()
