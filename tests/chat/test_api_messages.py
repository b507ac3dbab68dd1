"""REST: an integrator writes for a customer, waits, stops."""

import re
import threading
from typing import Any
from unittest.mock import ANY

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from chat import takeover
from chat.api import reads
from chat.api.serializers import MAX_WAIT_SECONDS
from chat.models import Conversation, Customer, Event, Turn
from tests import rows
from tests.api.published import faults, operations

ADA = {"subject": "cus_77", "name": "Ada Stone", "email": "ada@example.com"}


@pytest.fixture
def writer(client: Client, db: None) -> Client:
    client.defaults["HTTP_X_API_KEY"] = rows.key("conversations:write")
    return client


def send(client: Client, thread: str, query: str = "", **body: Any) -> Any:
    return client.post(
        f"/api/v1/conversations/{thread}/messages{query}", body, content_type="application/json"
    )


def test_a_first_message_opens_the_thread_for_its_customer(writer: Client) -> None:
    answer = send(writer, "t-new", content="Where is order 1042?", customer=ADA, client_message_id="m1")

    data = answer.json()["data"]
    assert answer.status_code == 202
    assert (data["status"], data["seq"], data["position"]) == ("queued", 1, 0)
    assert data["messages"] == [{"seq": 1, "client_message_id": "m1"}]
    conversation = Conversation.objects.get(thread_id="t-new")
    owner = conversation.customer
    assert (owner.subject, owner.business_id, owner.name, owner.email) == (
        "cus_77", "cus_77", "Ada Stone", "ada@example.com",
    )  # fmt: skip
    assert Turn.objects.get().pk.hex == data["turn_id"].replace("-", "")
    assert Event.objects.get().payload["content"] == "Where is order 1042?"


def test_the_thread_of_a_known_customer_needs_no_customer(writer: Client) -> None:
    rows.turn(rows.customer(), "t-1")

    answer = send(writer, "t-1", content="And now?")

    assert (answer.status_code, answer.json()["data"]["position"]) == (202, 1)
    assert Customer.objects.count() == 1


def test_a_repeated_message_runs_once(writer: Client) -> None:
    first = send(writer, "t-1", content="Hi", customer=ADA, client_message_id="same").json()["data"]
    second = send(writer, "t-1", content="Hi", customer=ADA, client_message_id="same")

    assert (second.status_code, second.json()["data"]["turn_id"]) == (202, first["turn_id"])
    assert Turn.objects.count() == 1


def test_an_idempotency_key_stands_for_the_message_id(writer: Client) -> None:
    writer.defaults["HTTP_IDEMPOTENCY_KEY"] = "order-4711"
    first = send(writer, "t-1", content="Hi", customer=ADA).json()["data"]
    second = send(writer, "t-1", content="Hi", customer=ADA).json()["data"]
    writer.defaults["HTTP_IDEMPOTENCY_KEY"] = "order-4712"
    other = send(writer, "t-1", content="Hi", client_message_id="mail-9").json()["data"]

    assert first["messages"] == second["messages"] == [{"seq": 1, "client_message_id": "order-4711"}]
    assert [one["client_message_id"] for one in other["messages"]] == ["order-4711", "mail-9"]
    assert first["turn_id"] == second["turn_id"] == other["turn_id"]  # it joined what had not begun yet
    assert (Turn.objects.count(), Event.objects.count()) == (1, 2)


def test_the_proxy_in_front_waits_longer_than_any_caller_may(settings: Any) -> None:
    site = (settings.BASE_DIR / "docker" / "nginx" / "default.conf.template").read_text(encoding="utf-8")
    before, everything_else = site.rsplit("location / {", 1)
    in_all_places = re.findall(r"proxy_read_timeout (\d+)s;", before)

    assert "proxy_read_timeout" not in everything_else.split("}")[0]
    assert int(in_all_places[-1]) > MAX_WAIT_SECONDS


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
def test_an_idempotency_key_that_is_none_is_refused(writer: Client, key: str) -> None:
    writer.defaults["HTTP_IDEMPOTENCY_KEY"] = key

    answer = send(writer, "t-1", content="Hi", customer=ADA)

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["Idempotency-Key"])
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"customer": ADA}, 400, "Missing message content"),
        ({"customer": ADA, "content": None}, 400, "Missing message content"),
        ({"customer": ADA, "content": "  "}, 400, "Missing message content"),
        ({"customer": ADA, "content": ["x"]}, 400, "Missing message content"),
        ({"customer": ADA, "content": "x" * 10_001}, 400, "Message content too long"),
        ({"content": "Hi"}, 404, "Thread not found"),
        ({"customer": {"name": "x"}, "content": "Hi"}, 400, "Some fields are not valid."),
        ({"customer": ADA | {"email": "no"}, "content": "Hi"}, 400, "Some fields are not valid."),
        ({"customer": "cus_77", "content": "Hi"}, 400, "Some fields are not valid."),
        ({"customer": ADA, "content": "Hi", "client_message_id": 5}, 400, "Some fields are not valid."),
    ],
)
def test_what_cannot_be_sent_writes_nothing(
    writer: Client, body: dict[str, Any], status: int, message: str
) -> None:
    answer = send(writer, "t-new", **body)

    assert (answer.status_code, answer.json()["error"]["message"]) == (status, message)
    assert not Customer.objects.exists()
    assert not Conversation.objects.exists()


def test_the_longest_message_is_fine(writer: Client) -> None:
    assert send(writer, "t-new", content="x" * 10_000, customer=ADA).status_code == 202


def test_a_body_that_is_no_json_object_is_refused(writer: Client) -> None:
    url = "/api/v1/conversations/t-new/messages"

    assert writer.post(url, "{", content_type="application/json").status_code == 400
    listed = writer.post(url, "[1]", content_type="application/json")
    assert (listed.status_code, listed.json()["error"]["message"]) == (
        400,
        "The body has to be a JSON object.",
    )
    assert not Conversation.objects.exists()


def test_a_message_to_a_person_is_answered_as_described(writer: Client) -> None:
    rows.turn(rows.customer(), "t-1")
    by = rows.approvals.Decider("staff", "Sam", id="user:1")
    takeover.take_over(thread_id="t-1", by=by)

    answer = send(writer, "t-1", "?wait=30", content="Hello?")

    described = operations()["conversations_send_message"]["responses"]["202"]["content"]["application/json"]
    assert answer.status_code == 202
    assert answer.json()["data"] == {"turn_id": None, "thread_id": "t-1", "seq": ANY, "held_by": "Sam"}
    assert faults(described["schema"], answer.json()) == []


def test_a_turn_tells_what_was_called(writer: Client) -> None:
    turn = rows.turn(rows.customer(), "t-1")
    called = {"agent": "order_lookup", "title": "Look an order up", "args": {"order_id": 1042}}
    rows.happened(
        turn,
        rows.facts.tool_called(tool="find_tools", call_id="c0", **called),
        rows.facts.tool_called(tool="get_order_status", call_id="c1", **called),
        rows.facts.tool_returned(
            agent="order_lookup", tool="get_order_status", call_id="c1", ok=True, result={"status": "paid"}
        ),
        rows.facts.tool_called(tool="get_tracking", call_id="c2", **called),
    )

    told = send(writer, "t-1", content="Hi").json()["data"]["tools"]
    report = reads.turn_report(thread_id="t-1", turn_id=turn.pk)

    assert told == []
    assert [(one["seq"], one["tool"], one["title"], one["ok"]) for one in report.tools] == [
        (3, "get_order_status", "Look an order up", True),
        (5, "get_tracking", "Look an order up", None),
    ]


def test_a_thread_of_somebody_else_is_not_written_to(writer: Client) -> None:
    rows.turn(rows.customer(), "t-1")

    answer = send(writer, "t-1", content="Hi", customer=ADA)

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["customer"]
    assert (Turn.objects.count(), Customer.objects.count()) == (1, 1)


def test_the_rate_limit_of_the_customer_holds_here_too(writer: Client) -> None:
    for number in range(10):
        assert send(writer, f"t-{number}", content="Hi", customer=ADA).status_code == 202
    assert len(Customer.objects.get().accepted_at) == 10
    Customer.objects.update(accepted_at=[timezone.now()] * 10)  # however long it took

    answer = send(writer, "t-11", content="Hi", customer=ADA)

    assert (answer.status_code, answer.json()["error"]["message"]) == (429, "Rate limit exceeded")
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert Turn.objects.count() == 10


@pytest.mark.parametrize("wait", ["-1", "61", "x"])
def test_a_wait_that_cannot_be_writes_nothing(writer: Client, wait: str) -> None:
    answer = send(writer, "t-new", f"?wait={wait}", content="Hi", customer=ADA)

    assert answer.status_code == 400
    assert not Conversation.objects.exists()


def test_a_wait_that_runs_out_answers_with_the_turn_as_it_is(writer: Client) -> None:
    answer = send(writer, "t-new", "?wait=1", content="Hi", customer=ADA)

    assert (answer.status_code, answer.json()["data"]["status"]) == (202, "queued")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("outcome", "status"), [("completed", 200), ("waiting", 202)])
def test_waiting_ends_when_the_turn_does(writer: Client, outcome: str, status: int) -> None:
    def work() -> None:
        """Stands in for the worker: finishes the turn, or parks it, as soon as it is there."""
        while not (turn := Turn.objects.select_related("conversation").first()):
            pass
        if outcome == "completed":
            rows.finish(turn, "It left this morning.")
        else:
            rows.action(turn, rows.tool())
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    answer = send(writer, "t-new", "?wait=30", content="Hi", customer=ADA)
    worker.join()

    data = answer.json()["data"]
    assert (answer.status_code, data["status"]) == (status, outcome)
    if outcome == "completed":
        assert data["replies"][0]["content"] == "It left this morning."
    else:
        assert data["pending"][0]["action"] == "cancel_order"


def test_beyond_so_many_waiting_requests_nobody_waits(writer: Client) -> None:
    turn = rows.turn(rows.customer())
    held = [reads._waiting.acquire(blocking=False) for _ in range(reads.MAX_WAITING_REQUESTS)]
    try:
        reads.wait_for_turn(turn.pk, seconds=60)
    finally:
        reads._waiting.release(sum(held))

    turn.refresh_from_db()
    assert turn.status == "queued"


def test_stopping(writer: Client) -> None:
    action = rows.waiting_for_staff()
    thread = action.turn.conversation.thread_id

    answer = writer.post(f"/api/v1/conversations/{thread}/stop")
    again = writer.post(f"/api/v1/conversations/{thread}/stop")

    assert (answer.status_code, answer.json()["data"]) == (202, {"thread_id": thread, "stopping": True})
    assert again.json()["data"]["stopping"] is False
    action.refresh_from_db()
    assert (action.status, Turn.objects.get().status) == ("cancelled", "stopped")


def test_stopping_what_is_not_there(writer: Client) -> None:
    assert writer.post("/api/v1/conversations/nobody/stop").status_code == 404
