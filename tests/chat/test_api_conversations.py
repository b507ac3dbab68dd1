"""REST: reading conversations and their events."""

import pytest
from django.test import Client
from django.utils import timezone

from agents import facts
from agents.approvals import Decider
from chat import takeover, turns
from chat.models import Conversation, Turn
from tests import rows

pytestmark = pytest.mark.django_db

URL = "/api/v1/conversations"


@pytest.fixture
def reader(client: Client) -> Client:
    client.defaults["HTTP_X_API_KEY"] = rows.key("conversations:read")
    return client


def threads(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"{URL}{query}")
    assert answer.status_code == 200, answer.content
    return [row["thread_id"] for row in answer.json()["data"]["conversations"]]


def test_the_newest_activity_comes_first(reader: Client) -> None:
    owner = rows.customer(name="Ada Stone", email="ada@example.com")
    first, _second = rows.turn(owner, "t-1"), rows.turn(owner, "t-2")
    rows.finish(first, "Soon.")

    data = reader.get(URL).json()["data"]

    assert [row["thread_id"] for row in data["conversations"]] == ["t-1", "t-2"]
    assert (data["total"], data["page"], data["per_page"]) == (2, 1, 20)
    row = data["conversations"][0]
    assert row["customer"] == {
        "id": str(owner.pk), "subject": owner.subject, "business_id": owner.subject,
        "name": "Ada Stone", "email": "ada@example.com",
    }  # fmt: skip
    assert (row["status"], row["last_line"], row["last_seq"]) == ("open", "Soon.", 3)


def test_pages(reader: Client) -> None:
    owner = rows.customer()
    for number in range(5):
        rows.turn(owner, f"t-{number}")

    assert threads(reader, "?per_page=2") == ["t-4", "t-3"]
    assert threads(reader, "?per_page=2&page=3") == ["t-0"]
    assert threads(reader, "?per_page=2&page=4") == []


def test_filters(reader: Client) -> None:
    ada, ben = rows.customer(name="Ada Stone", email="ada@example.com"), rows.customer(name="Ben 100%")
    rows.turn(ada, "t-ada", "Where is it?")
    rows.turn(ben, "t-ben", "Cancel order 1042")
    Conversation.objects.filter(thread_id="t-ben").update(status="waiting")

    assert threads(reader, "?status=waiting") == ["t-ben"]
    assert threads(reader, f"?customer={ada.subject}") == ["t-ada"]
    assert threads(reader, f"?customer={ben.pk}") == ["t-ben"]
    assert threads(reader, "?customer=nobody") == []
    assert threads(reader, "?q=t-a") == ["t-ada"]
    assert threads(reader, "?q=ada%20st") == ["t-ada"]
    assert threads(reader, "?q=ada@example.com") == ["t-ada"]
    assert threads(reader, "?q=order%201042") == ["t-ben"]
    assert threads(reader, "?q=%25") == []  # nothing to look for is found nowhere
    assert threads(reader, "?q=") == ["t-ben", "t-ada"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=one", "page"),
        ("page=10001", "page"),
        ("per_page=0", "per_page"),
        ("per_page=101", "per_page"),
        ("per_page=1e1", "per_page"),
        ("status=closed", "status"),
        ("q=%00", "q"),
    ],
)
def test_a_bad_query_is_refused_with_its_field(reader: Client, query: str, field: str) -> None:
    answer = reader.get(f"{URL}?{query}")

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [field]


def test_a_long_list_costs_as_many_queries_as_a_short_one(
    reader: Client, django_assert_num_queries: object
) -> None:
    for number in range(12):
        rows.turn(rows.customer(), f"t-{number}")

    reader.get(URL)
    with django_assert_num_queries(4):  # the key, the count, the page with its customers, its tags
        assert len(threads(reader)) == 12


def test_one_conversation(reader: Client) -> None:
    rows.turn(rows.customer(), "t-1")

    assert reader.get(f"{URL}/t-1").json()["data"]["thread_id"] == "t-1"
    assert reader.get(f"{URL}/t-2").status_code == 404
    assert reader.get(f"{URL}/t%202").json()["error"]["message"] == "Invalid thread_id format"


def test_events_come_in_order_and_say_where_to_go_on(reader: Client) -> None:
    turn = rows.turn(rows.customer(), "t-1", "Hello")
    rows.happened(
        turn, *(facts.Fact("replied", {"content": str(n)}, agent="bot", tokens_in=5) for n in range(4))
    )

    first = reader.get(f"{URL}/t-1/events?limit=3").json()["data"]
    rest = reader.get(f"{URL}/t-1/events?limit=3&after={first['next']}").json()["data"]

    assert [event["seq"] for event in first["events"]] == [1, 2, 3]
    assert [event["seq"] for event in rest["events"]] == [4, 5]
    assert (first["next"], rest["next"], first["last_seq"]) == (3, None, 5)
    assert first["events"][0]["kind"] == "message_received"
    assert first["events"][0]["payload"]["content"] == "Hello"
    assert first["events"][0]["turn_id"] == str(turn.pk)
    assert (first["events"][1]["agent"], first["events"][1]["tokens_in"]) == ("bot", 5)


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "limit=0", "limit=501", "after=99999999999999999999"]
)
def test_a_bad_event_query_is_refused(reader: Client, query: str) -> None:
    rows.turn(rows.customer(), "t-1")

    assert reader.get(f"{URL}/t-1/events?{query}").status_code == 400


def test_a_turn_tells_its_answers_and_what_it_waits_for(reader: Client) -> None:
    action = rows.waiting_for_staff()
    rows.happened(action.turn, facts.replied(agent="bot", content="A moment.", key="r"))
    thread = action.turn.conversation.thread_id

    data = reader.get(f"{URL}/{thread}/turns/{action.turn_id}").json()["data"]

    assert (data["turn_id"], data["status"], data["thread_id"]) == (str(action.turn_id), "waiting", thread)
    assert [(reply["agent"], reply["content"]) for reply in data["replies"]] == [("bot", "A moment.")]
    assert [row["interrupt_id"] for row in data["pending"]] == [str(action.pk)]
    assert data["pending"][0]["params"] == {"order_id": "1042", "percent": 10}
    assert data["error"] is None


def test_a_failed_turn_tells_no_details(reader: Client) -> None:
    turn = rows.turn(rows.customer(), "t-1")
    rows.happened(
        turn, facts.Fact("turn_failed", {"code": "x", "message": "Sorry.", "detail": "secret host"})
    )
    Turn.objects.update(status="failed")

    data = reader.get(f"{URL}/t-1/turns/{turn.pk}").json()["data"]

    assert (data["status"], data["error"]) == ("failed", {"code": "x", "message": "Sorry."})


@pytest.mark.parametrize("turn_id", ["x", "5d8b2c7e-0f3a-4d52-9c1e-6a7b8c9d0e1f"])
def test_an_unknown_turn_is_not_found(reader: Client, turn_id: str) -> None:
    rows.turn(rows.customer(), "t-1")

    assert reader.get(f"{URL}/t-1/turns/{turn_id}").status_code == 404


def test_a_turn_is_found_in_its_own_thread_only(reader: Client) -> None:
    turn = rows.turn(rows.customer(), "t-1")
    rows.turn(rows.customer(), "t-2")

    assert reader.get(f"{URL}/t-2/turns/{turn.pk}").status_code == 404


def test_a_turn_that_was_tried_again_shows_how_it_stands_now(reader: Client) -> None:
    turn = rows.turn(rows.customer(), "t-1")
    failed = {
        "code": "model_unavailable",
        "message": "The assistant cannot answer right now.",
        "detail": "inner",
    }
    rows.happened(turn, facts.Fact("turn_failed", failed, key="end"))
    Turn.objects.filter(pk=turn.pk).update(
        status="failed", started_at=timezone.now(), sealed_at=timezone.now()
    )
    broken = reader.get(f"{URL}/t-1/turns/{turn.pk}").json()["data"]

    turns.retry(customer_id=None, thread_id="t-1")

    again = reader.get(f"{URL}/t-1/turns/{turn.pk}").json()["data"]
    assert broken["error"] == {
        "code": "model_unavailable",
        "message": "The assistant cannot answer right now.",
    }
    assert (broken["status"], again["status"], again["error"], again["sealed_at"]) == (
        "failed",
        "queued",
        None,
        None,
    )


def test_what_a_colleague_holds_is_listed_as_held(reader: Client) -> None:
    for thread in ("t-1", "t-2"):
        rows.turn(rows.customer(), thread)
    takeover.take_over(thread_id="t-2", by=Decider("staff", "Sam", id="user:1"))

    row = reader.get(f"{URL}/t-2").json()["data"]

    assert threads(reader, "?status=held") == ["t-2"]
    assert (row["status"], row["held_by"], row["held_at"] is not None) == ("held", "Sam", True)
