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
