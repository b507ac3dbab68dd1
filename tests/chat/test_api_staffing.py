"""REST: writing to a customer as staff, and resolving."""

from typing import Any

import pytest
from django.test import Client

from chat.models import Conversation, Event
from tests import rows

pytestmark = pytest.mark.django_db

URL = "/api/v1/conversations"


@pytest.fixture
def api(client: Client) -> Client:
    client.defaults["HTTP_X_API_KEY"] = rows.key("conversations:write", name="Desk")
    return client


def write(client: Client, row: Conversation, body: Any, **headers: str) -> Any:
    return client.post(
        f"{URL}/{row.thread_id}/staff-messages", body, content_type="application/json", headers=headers
    )


def test_a_message_of_staff(api: Client) -> None:
    row = rows.waiting_for_a_person()

    answer = write(api, row, {"content": "Hello there"})

    event = Event.objects.get(kind="staff_wrote")
    assert (answer.status_code, answer.json()["data"]) == (
        201, {"thread_id": row.thread_id, "seq": event.seq, "content": "Hello there"},
    )  # fmt: skip
    assert event.payload["by_name"] == "API key Desk"


def test_a_request_that_is_sent_again_is_written_once(api: Client) -> None:
    row = rows.waiting_for_a_person()

    first = write(api, row, {"content": "Hello"}, **{"Idempotency-Key": "mail-9"})
    again = write(api, row, {"content": "Hello"}, **{"Idempotency-Key": "mail-9"})

    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert Event.objects.filter(kind="staff_wrote").count() == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_content"),
        ({"content": None}, "missing_content"),
        ({"content": 7}, "missing_content"),
        ({"content": " "}, "missing_content"),
        ({"content": "x" * 10_001}, "content_too_long"),
    ],
)
def test_what_is_no_message_is_refused(api: Client, body: Any, code: str) -> None:
    row = rows.waiting_for_a_person()

    answer = write(api, row, body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert not Event.objects.filter(kind="staff_wrote").exists()


def test_a_thread_that_nobody_has(api: Client) -> None:
    answer = api.post(f"{URL}/t-none/staff-messages", {"content": "Hi"}, content_type="application/json")

    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "Thread not found")
    assert not Conversation.objects.exists()


def test_reading_is_not_enough(client: Client) -> None:
    row = rows.waiting_for_a_person()

    answer = write(client, row, {"content": "Hi"}, **{"X-API-Key": rows.key("conversations:read")})

    assert answer.status_code == 403
    assert not Event.objects.filter(kind="staff_wrote").exists()


def resolve(client: Client, thread_id: str) -> Any:
    return client.post(f"{URL}/{thread_id}/resolve")


def test_resolving_once_and_again(api: Client) -> None:
    row = rows.waiting_for_a_person()

    first, again = resolve(api, row.thread_id), resolve(api, row.thread_id)

    data = first.json()["data"]
    assert (first.status_code, data["thread_id"], data["status"]) == (200, row.thread_id, "resolved")
    assert (again.status_code, again.json()["error"]) == (
        409, {"code": "already_resolved", "message": "Already resolved"},
    )  # fmt: skip
    assert Event.objects.get(kind="conversation_resolved").payload == {"by_name": "API key Desk"}


def test_what_still_waits_is_not_resolved(api: Client) -> None:
    action = rows.waiting_for_staff()

    answer = resolve(api, action.turn.conversation.thread_id)

    assert (answer.status_code, answer.json()["error"]) == (
        409,
        {
            "code": "not_finished",
            "message": "An approval still waits for staff. Approve or decline it first.",
        },
    )
    assert Conversation.objects.get().status == "open"
    assert not Event.objects.filter(kind="conversation_resolved").exists()


def test_a_thread_that_nobody_has_is_not_resolved(api: Client) -> None:
    assert resolve(api, "t-none").status_code == 404
    assert resolve(api, "no thread!").status_code == 400
