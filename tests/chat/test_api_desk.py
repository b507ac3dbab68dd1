"""REST: internal notes, tags, and asking for a person."""

import json
from typing import Any

import pytest
from django.test import Client

from chat.models import Conversation, Event, Tag
from tests import rows

pytestmark = pytest.mark.django_db

URL = "/api/v1/conversations"


@pytest.fixture
def api(client: Client) -> Client:
    client.defaults["HTTP_X_API_KEY"] = rows.key("conversations:write", name="Desk")
    return client


def call(client: Client, method: str, row: Conversation, what: str, body: Any, **headers: str) -> Any:
    return client.generic(
        method,
        f"{URL}/{row.thread_id}/{what}",
        json.dumps(body),
        content_type="application/json",
        headers=headers,
    )


def test_a_note_is_written_once(api: Client) -> None:
    row = rows.waiting_for_a_person()

    first = call(api, "POST", row, "notes", {"content": "In Leeds."}, **{"Idempotency-Key": "n-1"})
    again = call(api, "POST", row, "notes", {"content": "In Leeds."}, **{"Idempotency-Key": "n-1"})

    event = Event.objects.get(kind="note_written")
    assert (first.status_code, first.json()["data"]) == (
        201,
        {"thread_id": row.thread_id, "seq": event.seq, "content": "In Leeds.", "by_name": "API key Desk"},
    )
    assert first.json()["data"] == again.json()["data"]
    frames = api.get(
        f"{URL}/{row.thread_id}/history", headers={"X-API-Key": rows.key("conversations:read")}
    ).json()
    assert "Leeds" not in str(frames)


def test_tags_are_put_as_a_whole(api: Client) -> None:
    row = rows.waiting_for_a_person()

    first = call(api, "PUT", row, "tags", {"tags": ["VIP", "refund", "vip "]})
    second = call(api, "PUT", row, "tags", {"tags": ["refund", "late"]})

    assert first.json()["data"] == {"thread_id": row.thread_id, "tags": ["refund", "vip"]}
    assert second.json()["data"]["tags"] == ["late", "refund"]
    assert sorted(row.tags.values_list("name", flat=True)) == ["late", "refund"]
    assert call(api, "PUT", row, "tags", {"tags": []}).json()["data"]["tags"] == []
    assert row.tags.count() == 0


@pytest.mark.parametrize(
    ("method", "what", "body", "status", "code"),
    [
        ("POST", "notes", {"content": " "}, 400, "missing_content"),
        ("POST", "notes", {"content": "x" * 10_001}, 400, "content_too_long"),
        ("PUT", "tags", {"tags": ["a,b"]}, 400, "invalid_tag"),
        ("PUT", "tags", {"tags": [f"t{n}" for n in range(11)]}, 409, "too_many_tags"),
        ("PUT", "tags", {"tags": "vip"}, 400, "invalid"),
        ("PUT", "tags", {"tags": [7]}, 400, "invalid"),
        ("POST", "escalate", {"reason": "x"}, 409, "already_escalated"),
        ("POST", "escalate", {}, 400, "invalid"),
    ],
)
def test_what_is_refused_changes_nothing(
    api: Client, method: str, what: str, body: Any, status: int, code: str
) -> None:
    row = rows.waiting_for_a_person()
    before = rows.log_size(row)

    answer = call(api, method, row, what, body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert (rows.log_size(row), Tag.objects.count()) == (before, 0)


def test_asking_for_a_person(api: Client) -> None:
    turn = rows.turn(rows.customer())
    rows.finish(turn)

    answer = call(api, "POST", turn.conversation, "escalate", {"reason": "Somebody should call."})

    assert answer.json()["data"]["status"] == "waiting"
    assert Event.objects.get(kind="handoff_requested").payload["by_name"] == "API key Desk"


@pytest.mark.parametrize(("method", "what"), [("POST", "notes"), ("PUT", "tags"), ("POST", "escalate")])
def test_reading_is_not_enough(client: Client, method: str, what: str) -> None:
    turn = rows.turn(rows.customer())
    rows.finish(turn)
    before = rows.log_size(turn.conversation)
    body = {"content": "x", "tags": ["x"], "reason": "x"}

    answer = call(
        client, method, turn.conversation, what, body, **{"X-API-Key": rows.key("conversations:read")}
    )

    assert answer.status_code == 403
    assert (rows.log_size(turn.conversation), Tag.objects.count()) == (before, 0)


def test_a_thread_that_nobody_has(api: Client) -> None:
    missing = Conversation(thread_id="t-none")

    for method, what, body in (
        ("POST", "notes", {"content": "x"}),
        ("PUT", "tags", {"tags": ["x"]}),
        ("POST", "escalate", {"reason": "x"}),
    ):
        assert call(api, method, missing, what, body).status_code == 404
    assert not Tag.objects.exists()
