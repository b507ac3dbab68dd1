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
