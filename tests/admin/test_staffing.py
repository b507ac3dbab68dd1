"""Staff write to a customer from the conversation's page."""

import pytest
from django.test import Client
from django.urls import reverse

from chat.models import Conversation, Event
from tests import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def sam(client: Client) -> Client:
    client.force_login(rows.staff("sam", "chat.view_conversation", "chat.change_conversation"))
    return client


def url(row: Conversation, action: str = "change") -> str:
    return reverse(f"admin:chat_conversation_{action}", args=[row.pk])


def test_what_sam_writes_is_sent_and_shown_as_the_customer_sees_it(sam: Client) -> None:
    row = rows.waiting_for_a_person()

    done = sam.post(
        url(row, "write"), {"_form_submitted": "True", "content": "We are **on** it.\r\nReally."}, follow=True
    )

    event = Event.objects.get(kind="staff_wrote")
    assert event.payload == {"content": "We are **on** it.\nReally.", "by_name": "sam"}
    page = done.content.decode()
    assert "Sent. The customer sees it in the chat." in page
    assert "We are <strong>on</strong> it.<br>" in page


def test_a_second_click_sends_nothing_again(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    dialog = sam.get(url(row, "write")).context["form"]
    posted = {"_form_submitted": "True", "content": "Hello", "once": dialog["once"].value()}
    assert posted["once"]

    sam.post(url(row, "write"), posted)
    sam.post(url(row, "write"), posted)

    assert Event.objects.filter(kind="staff_wrote").count() == 1
    assert sam.get(url(row, "write")).context["form"]["once"].value() != posted["once"]


@pytest.mark.parametrize(
    ("content", "told"),
    [("  ", "Write something first."), ("x" * 10_001, "Write at most 10000 characters; this is 10001.")],
)
def test_what_cannot_be_sent_stays_in_the_dialog(sam: Client, content: str, told: str) -> None:
    row = rows.waiting_for_a_person()

    answer = sam.post(url(row, "write"), {"_form_submitted": "True", "content": content})

    assert told in answer.content.decode()
    assert not Event.objects.filter(kind="staff_wrote").exists()


def test_only_who_may_write_is_offered_it(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    assert url(row, "write") in sam.get(url(row)).content.decode()

    sam.force_login(rows.staff("nina", "chat.view_conversation"))

    assert url(row, "write") not in sam.get(url(row)).content.decode()


def test_sam_marks_it_as_resolved(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    assert "Asked for a person: The parcel is damaged." in sam.get(url(row)).content.decode()

    done = sam.post(url(row, "resolve"), {"_form_submitted": "True"}, follow=True)

    page = done.content.decode()
    row.refresh_from_db()
    assert row.status == "resolved"
    assert "Marked as resolved." in page
    assert "sam marked the conversation as resolved" in page
    assert "Asked for a person:" not in page
    assert url(row, "resolve") not in page
    assert url(row, "write") in page


def test_somebody_who_was_second_is_told(sam: Client) -> None:
    row = rows.waiting_for_a_person()
    sam.post(url(row, "resolve"), {"_form_submitted": "True"})
    before = rows.log_size(row)

    done = sam.post(url(row, "resolve"), {"_form_submitted": "True"}, follow=True)

    assert "Already resolved" in done.content.decode()
    assert rows.log_size(row) == before


def test_what_still_waits_is_said_and_nothing_changes(sam: Client) -> None:
    row = rows.waiting_for_staff().turn.conversation
    before = rows.log_size(row)

    done = sam.post(url(row, "resolve"), {"_form_submitted": "True"}, follow=True)

    assert "An approval still waits for staff." in done.content.decode()
    assert (rows.log_size(row), Conversation.objects.get().status) == (before, "open")


def test_a_conversation_that_is_not_there(sam: Client) -> None:
    gone = reverse("admin:chat_conversation_resolve", args=["0f0f0f0f-0000-4000-8000-000000000000"])

    done = sam.post(gone, {"_form_submitted": "True"}, follow=True)

    assert "This conversation does not exist." in done.content.decode()
