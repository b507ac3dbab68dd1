"""Limits that hold across processes: of a customer's resumes and refused frames, and of an address's new visitors."""

import socket
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from channels.testing import WebsocketCommunicator
from django.test import Client

from agents.models import Tool
from chat import identity, limits
from chat.limits import REFUSED_FRAMES, RESUMES
from chat.models import Conversation, Customer
from chat.routing import websocket
from smartsupport.lib import valkey
from tests import rows
from tests.at_once import at_once
from tests.factories import on_loop
from tests.isolation.sockets import PATIENCE_SECONDS, Credentials, Frame, of_cookie, open_line

WHO = UUID(int=7)
RATE = {"type": "error", "code": "rate_limited", "message": "Rate limit exceeded"}


@pytest.fixture(autouse=True)
def few(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Three of each, on a broker of which nothing bad is known."""
    settings.RESUMES_PER_MINUTE = settings.REFUSED_FRAMES_PER_MINUTE = settings.NEW_VISITORS_PER_MINUTE = 3
    settings.ALLOW_ANONYMOUS_CHAT = True
    monkeypatch.setattr(limits, "_not_before", 0.0)
    return settings


def a_minute_later(valkey: "redis.Redis", limit: limits.Limit, who: object) -> None:
    """Let a minute have passed since everything that was counted."""
    key = limit.key(str(who))
    moments = [int(moment) - limits.WINDOW_SECONDS * 1000 for moment in valkey.lrange(key, 0, -1)]
    valkey.delete(key)
    valkey.rpush(key, *moments)


def test_so_many_and_no_more_however_many_ask_at_once(few: Any, valkey: "redis.Redis") -> None:
    few.RESUMES_PER_MINUTE = 7

    answers = at_once([lambda: limits.allows_now(RESUMES, WHO)] * 20)

    assert sorted(map(bool, answers)) == [False] * 13 + [True] * 7
    assert not [one for one in answers if isinstance(one, Exception)]


def test_what_is_refused_does_not_count_and_the_window_slides(valkey: "redis.Redis") -> None:
    assert [limits.allows_now(RESUMES, WHO) for _ in range(6)] == [True] * 3 + [False] * 3

    assert valkey.llen(RESUMES.key(str(WHO))) == 3
    a_minute_later(valkey, RESUMES, WHO)
    assert [limits.allows_now(RESUMES, WHO) for _ in range(4)] == [True] * 3 + [False]


def test_a_count_is_forgotten_by_itself(valkey: "redis.Redis") -> None:
    limits.allows_now(RESUMES, WHO)

    assert 0 < valkey.pttl(RESUMES.key(str(WHO))) <= limits.WINDOW_SECONDS * 1000


def test_people_and_limits_are_told_apart() -> None:
    for _ in range(3):
        limits.allows_now(RESUMES, WHO)

    assert not limits.allows_now(RESUMES, WHO)
    assert limits.allows_now(RESUMES, uuid4())
    assert limits.allows_now(REFUSED_FRAMES, WHO)


def test_it_counts_the_same_with_and_without_an_event_loop() -> None:
    async def twice() -> list[bool]:
        try:
            return [await limits.allows(RESUMES, WHO) for _ in range(2)]
        finally:
            await valkey.close()

    assert limits.allows_now(RESUMES, WHO)
    assert on_loop(twice()) == [True, True]
    assert not limits.allows_now(RESUMES, WHO)


@pytest.fixture
def nobody_there() -> Iterator[str]:
    """The URL of a broker that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "is silent"])
def test_without_a_broker_everybody_is_let_in_and_the_log_says_so(
    silent: bool,
    nobody_there: str,
    few: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    few.REDIS_URL = nobody_there if silent else "redis://127.0.0.1:1/0"
    monkeypatch.setattr(limits, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(limits, "PAUSE_SECONDS", 600.0)

    async def often() -> list[bool]:
        await valkey.close()
        try:
            return [await limits.allows(RESUMES, WHO) for _ in range(5)]
        finally:
            await valkey.close()

    assert on_loop(often()) == [True] * 5
    assert [limits.allows_now(RESUMES, WHO) for _ in range(5)] == [True] * 5
    assert caplog.text.count("limit_not_checked") == 1  # it is not asked again for a while


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "trusted", "counted_as"),
    [
        ("192.0.2.1", "", False, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", False, "192.0.2.1"),  # anybody can send the header
        ("10.0.0.1", "198.51.100.9", True, "198.51.100.9"),
        ("10.0.0.1", "203.0.113.5, 198.51.100.9", True, "198.51.100.9"),  # the last is our own proxy's word
        ("10.0.0.1", "", True, "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", False, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "", False, "192.0.2.1"),
        ("", "", False, "unknown"),
        ("10.0.0.1", "drop table", True, "unknown"),
    ],
)
def test_addresses(few: Any, peer: str, forwarded_for: str, trusted: bool, counted_as: str) -> None:
    few.TRUST_PROXY_HEADERS = trusted

    assert limits.address(peer, forwarded_for) == counted_as


# At the socket


@pytest.fixture
def talked(transactional_db: None) -> Conversation:
    """A visitor's conversation with one answered message."""
    visitor = Customer.objects.create(name="Visitor")
    turn = rows.turn(visitor)
    rows.finish(turn)
    return Conversation.objects.get(pk=turn.conversation_id)


def asked(conversation: Conversation, *frames: Any) -> list[list[Frame]]:
    """The answers to each frame, sent by the conversation's customer on two sockets in turn."""
    credentials = of_cookie(Customer.objects.get(pk=conversation.customer_id))

    async def ask() -> list[list[Frame]]:
        async with open_line("/ws", credentials) as first, open_line("/ws", credentials) as second:
            return [await (first, second)[place % 2].answers(frame) for place, frame in enumerate(frames)]

    return on_loop(ask())


def resume(conversation: Conversation) -> Frame:
    return {"type": "resume", "thread_id": conversation.thread_id}


def message(conversation: Conversation, content: str = "Hello") -> Frame:
    return {"type": "message", "thread_id": conversation.thread_id, "content": content}


def test_resumes_of_a_customer_are_limited_whatever_the_socket(
    talked: Conversation, valkey: "redis.Redis"
) -> None:
    answers = asked(talked, *[resume(talked)] * 5)

    assert [one[-1]["type"] for one in answers] == ["resumed"] * 3 + ["error"] * 2
    assert answers[3:] == [[RATE], [RATE]]
    a_minute_later(valkey, RESUMES, talked.customer_id)
    assert asked(talked, resume(talked))[0][-1]["type"] == "resumed"


def test_whose_thread_it_is_comes_before_the_limit(talked: Conversation) -> None:
    other = rows.turn(rows.customer()).conversation

    *_, refused = asked(talked, *[resume(talked)] * 3, resume(other))

    assert [frame["message"] for frame in refused] == ["Thread not found"]


def test_after_so_many_refused_frames_there_are_no_more_reasons(
    talked: Conversation, valkey: "redis.Redis"
) -> None:
    answers = asked(talked, "no json", "[]", message(talked, ""), "no json", message(talked, ""), "[]")

    told = [one["message"] for [one] in answers]
    assert told == [
        "Invalid JSON",
        "Invalid JSON: expected object",
        "Missing message content",
        *["Rate limit exceeded"] * 3,
    ]


def test_refused_frames_cost_no_message_no_decision_and_no_stop(talked: Conversation) -> None:
    cancel = rows.action(rows.turn(talked.customer, talked.thread_id), rows.tool())
    decision = {
        "type": "interrupt_response",
        "thread_id": talked.thread_id,
        "interrupt_id": str(cancel.pk),
        "approved": False,
    }
    *_, accepted, decided, again, stopped = asked(
        talked,
        *["no json"] * 5,
        message(talked),
        decision,
        decision,
        {"type": "stop", "thread_id": talked.thread_id},
    )

    assert accepted[0]["type"] == "accepted"
    assert "interrupt_resolved" in [frame["type"] for frame in decided]
    assert [frame["message"] for frame in again if frame["type"] == "error"] == ["Already decided"]
    assert not [frame for frame in stopped if frame["type"] == "error"]
    cancel.refresh_from_db()
    assert cancel.status == "rejected"


def test_a_decision_that_brings_the_approval_back_says_so_whatever_was_refused_before(
    talked: Conversation,
) -> None:
    cancel = rows.action(rows.turn(talked.customer, talked.thread_id), rows.tool())
    Tool.objects.update(path="/elsewhere/{order_id}")
    decision = {
        "type": "interrupt_response",
        "thread_id": talked.thread_id,
        "interrupt_id": str(cancel.pk),
        "approved": True,
    }

    *_, first, second = asked(talked, *["no json"] * 5, decision, decision)

    assert [frame["code"] for frame in first if frame["type"] == "error"] == ["tool_changed"]
    assert [frame["code"] for frame in second if frame["type"] == "error"] == ["not_allowed"]
    cancel.refresh_from_db()
    assert (cancel.status, cancel.approver, cancel.reopened) == ("awaiting", "staff", 1)


async def _close_code(address: str) -> tuple[int, str] | None:
    """How somebody new at this address is turned away; None for one who is let in."""
    communicator = WebsocketCommunicator(websocket, "/ws")
    communicator.scope["client"] = [address, 50_000]
    try:
        assert (await communicator.connect(timeout=PATIENCE_SECONDS))[0]
        await communicator.send_to(text_data='{"type":"ping"}')
        answer = await communicator.receive_output(timeout=PATIENCE_SECONDS)
        return (answer["code"], answer["reason"]) if answer["type"] == "websocket.close" else None
    finally:
        await communicator.disconnect(timeout=PATIENCE_SECONDS)
        await valkey.close()


def test_new_visitors_of_an_address_are_limited_and_known_ones_are_not(transactional_db: None) -> None:
    ways = [on_loop(_close_code("192.0.2.1")) for _ in range(5)]

    assert ways == [None] * 3 + [(1013, "Rate limit exceeded")] * 2
    assert on_loop(_close_code("192.0.2.2")) is None
    known = Credentials("a cookie", headers={"cookie": f"{identity.COOKIE}={identity.sign_cookie(WHO)}"})
    assert on_loop(_pong(known)) == []
    assert not Customer.objects.exists()


async def _pong(credentials: Credentials) -> list[Frame]:
    async with open_line("/ws", credentials, address="192.0.2.1") as line:
        return await line.answers({"type": "ping"})


@pytest.mark.django_db
def test_the_page_gives_no_more_cookies_than_that(client: Client) -> None:
    given = [identity.COOKIE in Client().get("/", REMOTE_ADDR="192.0.2.1").cookies for _ in range(5)]

    assert given == [True] * 3 + [False] * 2
    assert Client().get("/", REMOTE_ADDR="192.0.2.1").status_code == 200
    assert identity.COOKIE in Client().get("/", REMOTE_ADDR="192.0.2.2").cookies
