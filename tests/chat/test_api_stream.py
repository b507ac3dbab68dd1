"""A conversation as server-sent events, read with a standard reader from the running product."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.chat.sse import Listener
from tests.chat.tabs import Transcript
from tests.chat.test_socket_cuts import PIECES, SCRIPT, restart_web
from tests.live.chatter import Chatter, token_for
from tests.live.stack import API_KEY, Stack, until
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")


@pytest.fixture
def stack(scripted_stack: Stack, scripted_model_server: RunningModel) -> Stack:
    scripted_stack.business.post("/_reset")
    scripted_model_server.script(*SCRIPT)
    return scripted_stack


def address(stack: Stack, thread_id: str, query: str = "") -> str:
    return f"{stack.url}/api/v1/conversations/{thread_id}/stream{query}"


def listen(stack: Stack, thread_id: str, query: str = "", **more: str) -> Listener:
    return Listener(address(stack, thread_id, query), **{"X_API_Key": API_KEY, **more})


def ask(stack: Stack, thread_id: str, content: str, subject: str = "cus_1001") -> None:
    body: dict[str, Any] = {"content": content, "client_message_id": uuid4().hex}
    if not stack.events(thread_id):
        body["customer"] = {"subject": subject}
    assert stack.api.post(f"/conversations/{thread_id}/messages", json=body).status_code == 202


def opened(stack: Stack, subject: str = "cus_1001") -> str:
    """A thread with one answered question."""
    thread_id = uuid4().hex
    ask(stack, thread_id, "What is the status of order 1042?", subject)
    until(lambda: [one for one in stack.events(thread_id) if one["kind"] == "turn_completed"])
    return thread_id


async def as_the_socket_tells_it(stack: Stack, thread_id: str, subject: str) -> list[dict[str, Any]]:
    async with Chatter(stack.socket_url, token=token_for(subject)) as customer:
        await customer.send({"type": "resume", "thread_id": thread_id, "after": 0})
        return await customer.until("resumed")


async def test_it_tells_what_the_socket_tells_and_then_what_happens(stack: Stack) -> None:
    thread_id, subject = uuid4().hex, f"c-{uuid4().hex[:8]}"
    ask(stack, thread_id, "What is the status of order 1042?", subject)

    async with listen(stack, thread_id) as listener:
        await listener.until("message_complete")
        first = len(listener.frames)
        await asyncio.to_thread(ask, stack, thread_id, "And again?", subject)
        await listener.until("message_complete")

    answer = listener.answer
    assert answer.headers["content-type"] == "text/event-stream"
    assert "no-cache" in answer.headers["cache-control"]
    assert answer.headers["x-accel-buffering"] == "no"
    assert "etag" not in answer.headers
    assert "content-length" not in answer.headers
    assert listener.parser.retry_ms == 2_000
    told = [frame for frame in listener.frames if frame["type"] not in ("token", "resumed")]
    assert told == (await as_the_socket_tells_it(stack, thread_id, subject))[:-1]
    assert listener.last_id == str(told[-1]["seq"])
    assert [frame["type"] for frame in listener.frames].count("resumed") == 1
    assert "token" in [frame["type"] for frame in listener.frames[first:]]


async def test_whoever_comes_back_at_any_event_gets_the_rest_once(stack: Stack) -> None:
    thread_id = opened(stack)
    async with listen(stack, thread_id) as listener:
        whole = (await listener.until("resumed"))[:-1]
    last = len(stack.events(thread_id))

    for after in range(last + 2):
        async with listen(stack, thread_id, last_id=str(after)) as again:
            came = await again.until("resumed")
        assert came[:-1] == [frame for frame in whole if frame["seq"] > after]
        assert came[-1] == {"type": "resumed", "thread_id": thread_id, "seq": last}
        assert again.last_id == str(last)
    # The last one is how polyfills send it, which cannot send the header from another site.
    for query, last_id, after in (
        ("?after=2", "", 2),
        ("?after=2", "4", 4),
        ("?after=2&lastEventId=3", "", 3),
    ):
        async with listen(stack, thread_id, query, last_id=last_id) as again:
            came = await again.until("resumed")
        assert came[:-1] == [frame for frame in whole if frame["seq"] > after]


class Careful:
    """A reader who comes back with the last id whenever the answer ends, and lays down what it was told. `cuts`: after
    so many frames it hangs up itself."""

    def __init__(self, stack: Stack, thread_id: str, cuts: int = 0) -> None:
        self.stack, self.thread_id, self.cuts = stack, thread_id, cuts
        self.transcript = Transcript()
        self.last_id = ""
        self.connections = self.read = 0

    async def until(self, kind: str, times: int = 1) -> None:
        while not self.transcript.has(kind, times):
            try:
                async with listen(self.stack, self.thread_id, last_id=self.last_id) as listener:
                    self.connections += 1
                    await self._read(listener, kind, times)
            except httpx.TransportError:
                await asyncio.to_thread(until, lambda: self.stack._answers(f"{self.stack.url}/healthz"))

    async def _read(self, listener: Listener, kind: str, times: int) -> None:
        mine = 0
        while not self.transcript.has(kind, times):
            frame = await listener.frame()
            if frame is None or (self.cuts and mine == self.cuts):
                return
            self.transcript.take(frame)
            self.last_id = listener.last_id
            self.read, mine = self.read + 1, mine + 1


async def test_readers_who_hang_up_all_the_time_lose_nothing_and_hear_nothing_twice(stack: Stack) -> None:
    thread_id = opened(stack)
    readers = [Careful(stack, thread_id, cuts) for cuts in (0, 1, 2, 3, 5, 8)]
    reading = asyncio.gather(*(one.until("message_complete", times=2) for one in readers))
    await asyncio.to_thread(ask, stack, thread_id, "What is the status of order 1042?")
    await reading

    whole = readers[0].transcript
    assert list(whole.texts.values())[-1] == "One moment 🙂 please. " + "".join(PIECES)
    for one in readers[1:]:
        assert one.connections > (3 if one.cuts < 4 else 1)
        assert one.transcript.told() == whole.told()
        assert one.transcript.texts == whole.texts


async def test_web_is_killed_in_mid_stream(stack: Stack, scripted_model_server: RunningModel) -> None:
    thread_id = opened(stack)
    held = {**SCRIPT[3], "reply": {"chunks": PIECES, "hold": 5}}
    scripted_model_server.script(*SCRIPT[:3], held)
    reader = Careful(stack, thread_id)
    reading = asyncio.ensure_future(reader.until("message_complete", times=2))
    await asyncio.to_thread(ask, stack, thread_id, "What is the status of order 1042?")
    await asyncio.to_thread(scripted_model_server.holds)
    await asyncio.to_thread(until, lambda: [*reader.transcript.texts.values()][-1].endswith(PIECES[3]))
    await asyncio.to_thread(restart_web, stack)
    await asyncio.to_thread(scripted_model_server.release)
    await reading

    assert reader.connections >= 2
    assert list(reader.transcript.texts.values())[-1] == "One moment 🙂 please. " + "".join(PIECES)
    later = Careful(stack, thread_id)
    await later.until("message_complete", times=2)
    assert later.transcript.told() == reader.transcript.told()


async def test_what_ends_a_line_elsewhere_ends_none_here(stack: Stack) -> None:
    """httpx, for one, takes for a line's end what Python's `splitlines` does."""
    thread_id, said = opened(stack), "one\u2028two\u2029three\x85four\x0bfive\r\nsix"
    await asyncio.to_thread(ask, stack, thread_id, said)

    async with listen(stack, thread_id) as listener:
        came = await listener.until("user_message", times=2)

    assert came[-1]["content"] == said


# Who may


async def refused(stack: Stack, thread_id: str, query: str = "", **headers: str) -> tuple[int, str]:
    async with Listener(address(stack, thread_id, query), **headers) as listener:
        answer = listener.answer
    return answer.status_code, answer.json()["error"]["code"]


async def test_who_may_not_read_is_refused_as_anywhere(stack: Stack) -> None:
    thread_id = opened(stack, "cus_1001")
    other = stack.api.post("/keys", json={"name": "agents", "scopes": ["agents:read"]}).json()["data"]["key"]
    stranger = f"Bearer {token_for('cus_4711')}"

    assert (await refused(stack, thread_id))[0] == 401
    assert (await refused(stack, thread_id, X_API_Key="nonsense"))[0] == 403
    assert (await refused(stack, thread_id, X_API_Key=other))[0] == 403
    assert (await refused(stack, thread_id, Authorization="Bearer nonsense"))[0] == 401
    assert await refused(stack, thread_id, Authorization=stranger) == (404, "thread_not_found")
    assert await refused(stack, "nobodys", Authorization=stranger) == (404, "thread_not_found")
    assert await refused(stack, "nobodys", X_API_Key=API_KEY) == (404, "thread_not_found")
    for query, last in (
        ("?after=-1", ""),
        ("?after=x", ""),
        ("?lastEventId=x", ""),
        ("", "x"),
        ("", "-1"),
        ("", "9" * 20),
    ):
        more = {"X_API_Key": API_KEY} | ({"Last_Event_ID": last} if last else {})
        assert (await refused(stack, thread_id, query, **more))[0] == 400


async def test_a_customer_reads_their_own_thread_until_their_token_ends(stack: Stack) -> None:
    thread_id = opened(stack, "cus_1001")
    for seconds in (
        2,
        10,
        30,
    ):  # where this machine needs longer to begin than the token lasts, one that lasts longer
        soon = int((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp())
        token = token_for("cus_1001", exp=soon)
        async with Listener(address(stack, thread_id), Authorization=f"Bearer {token}") as listener:
            assert await listener.ended()
        if "resumed" in [frame["type"] for frame in listener.frames]:
            break

    assert listener.frames[-1]["type"] == "resumed"
    assert soon - 0.1 <= datetime.now(UTC).timestamp()


async def test_it_ends_when_the_key_is_switched_off(stack: Stack) -> None:
    thread_id = opened(stack)
    made = stack.api.post("/keys", json={"name": "listener", "scopes": ["chat"]}).json()["data"]

    async with listen(stack, thread_id, X_API_Key=made["key"]) as listener:
        await listener.until("resumed")
        assert stack.api.delete(f"/keys/{made['id']}").status_code == 200
        assert await listener.ended()
    assert (await refused(stack, thread_id, X_API_Key=made["key"]))[0] == 403


# Readers who do not read


def long_conversation(stack: Stack, events: int, length: int) -> str:
    """A conversation with so many long messages, as rows."""
    thread_id = opened(stack)
    [row] = stack.db("SELECT id, last_seq FROM chat_conversation WHERE thread_id = %s", thread_id)
    stack.db(
        "INSERT INTO chat_event (conversation_id, seq, kind, version, key, agent, payload, created_at) "
        "SELECT %s, %s + n, 'message_received', 1, '', '', "
        "jsonb_build_object('content', n || repeat('x', %s)), now() FROM generate_series(1, %s) n",
        row["id"], row["last_seq"], length, events,
    )  # fmt: skip
    stack.db("UPDATE chat_conversation SET last_seq = last_seq + %s WHERE id = %s", events, row["id"])
    return thread_id


def memory_of(stack: Stack, name: str) -> int:
    """Resident bytes of one of its processes."""
    with open(f"/proc/{stack.processes[name].pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


async def test_what_a_reader_does_not_take_waits_in_the_log_and_not_in_memory(stack: Stack) -> None:
    thread_id = long_conversation(stack, events=2_000, length=20_000)
    await read_whole(stack, thread_id)  # what reading takes itself is there before
    before = memory_of(stack, "web")
    with ExitStack() as idle:
        for _ in range(4):
            idle.enter_context(reader_who_does_not_read(stack, thread_id))

        await read_whole(stack, thread_id)

        assert memory_of(stack, "web") - before < 4 * 20_000_000


async def read_whole(stack: Stack, thread_id: str) -> None:
    async with listen(stack, thread_id) as listener:
        came = await listener.until("resumed")
    assert sum(frame["type"] == "user_message" for frame in came) == 2_001


@contextmanager
def reader_who_does_not_read(stack: Stack, thread_id: str) -> Iterator[None]:
    """A connection whose answer has begun."""
    target = urlsplit(address(stack, thread_id))
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(60)
        one.connect((target.hostname, target.port))
        head = f"GET {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nX-API-Key: {API_KEY}\r\n\r\n"
        one.sendall(head.encode())
        assert one.recv(12) == b"HTTP/1.1 200"
        yield
