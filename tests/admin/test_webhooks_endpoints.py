"""Webhook endpoints in the console: which there are, how they do, and what staff do to them."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from standardwebhooks import Webhook

from chat.models import WebhookDelivery, WebhookEndpoint
from smartsupport.models import AuditEntry
from tests import rows
from tests.chat.hooks import Answer, Receiver, receiving

pytestmark = pytest.mark.django_db
LIST = "admin:chat_webhookendpoint_changelist"
MAY = ("view_webhookendpoint", "add_webhookendpoint", "change_webhookendpoint", "delete_webhookendpoint")


@pytest.fixture
def other(settings: LazySettings) -> Iterator[Receiver]:
    settings.WEBHOOK_URL = ""
    settings.WEBHOOK_TIMEOUT_SECONDS = 60
    with receiving() as receiver:
        settings.WEBHOOK_ALLOWED_HOSTS = [receiver.host]
        yield receiver


@pytest.fixture
def sam(client: Client) -> Client:
    more = ("chat.view_webhookdelivery", "chat.change_webhookdelivery")
    client.force_login(rows.staff("sam", *(f"chat.{name}" for name in MAY), *more))
    return client


def page(client: Client, name: str, *args: object) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def do(client: Client, deed: str, row: WebhookEndpoint, **said: str) -> str:
    """What the page says after a dialog was answered."""
    url = reverse(f"admin:chat_webhookendpoint_{deed}", args=[row.pk])
    return client.post(url, {"_form_submitted": "True", **said}, follow=True).content.decode()


def offered(client: Client, row: WebhookEndpoint) -> set[str]:
    text = page(client, "admin:chat_webhookendpoint_change", row.pk)
    deeds = ("test", "send_failed_again", "rotate", "pause", "resume", "remove")
    return {name for name in deeds if reverse(f"admin:chat_webhookendpoint_{name}", args=[row.pk]) in text}


def test_an_empty_list_says_what_to_do_and_what_the_environment_tells(
    sam: Client, settings: LazySettings
) -> None:
    settings.WEBHOOK_URL = "https://hooks.example.org/a-path-that-is-secret"

    text = page(sam, LIST)

    assert "No endpoints have been added yet" in text
    assert "hooks.example.org" in text
    assert "conversation.escalated" in text
    assert "a-path-that-is-secret" not in text


def test_one_is_added_and_its_secret_is_shown_once(sam: Client, other: Receiver) -> None:
    form = {"description": "Tickets", "url": other.url, "events": ["import.done", "conversation.started"]}

    done = sam.post(reverse("admin:chat_webhookendpoint_add"), form, follow=True).content.decode()

    row = WebhookEndpoint.objects.get()
    found = re.search(r"whsec_[A-Za-z0-9+/=]{44}", done)
    assert found
    assert (row.description, row.created_by) == ("Tickets", "sam")
    assert row.events == ["conversation.started", "import.done"]
    assert "whsec_" not in page(sam, "admin:chat_webhookendpoint_change", row.pk)
    assert "It answered HTTP 200" in do(sam, "test", row)
    assert Webhook(found[0]).verify(other.posts[0].body, other.posts[0].headers)
    audited = str(list(AuditEntry.objects.values("before", "after", "detail")))
    assert found[0] not in audited
    assert "who=us" not in audited
    assert "Tickets" in audited


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "http://127.0.0.1/x"}, "The address is not a public internet address. Name its host in"),
        ({"url": "nonsense"}, "http:// or https://"),
        ({"events": []}, "Choose at least one event."),
        ({"events": ["note.written"]}, "note.written"),
    ],
)
def test_what_cannot_work_is_said_beside_its_field(
    sam: Client, other: Receiver, change: dict[str, Any], said: str
) -> None:
    form = {"description": "", "url": other.url, "events": ["import.done"], **change}

    answer = sam.post(reverse("admin:chat_webhookendpoint_add"), form)

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_the_page_says_how_it_does_and_what_was_sent(sam: Client) -> None:
    failing = rows.webhook_endpoint(
        description="Pager", failing_since=timezone.now() - timedelta(hours=2), failures=7
    )
    rows.waiting_for_a_person()
    WebhookDelivery.objects.filter(kind="conversation.started").update(status="failed")

    listed = page(sam, LIST)
    text = page(sam, "admin:chat_webhookendpoint_change", failing.pk)

    assert "Failing" in listed
    assert "7 attempts in a row" in text
    assert "conversation.escalated" in text
    assert "given up" in text
    assert offered(sam, failing) == {"test", "send_failed_again", "rotate", "pause", "remove"}
    shown = sam.get(
        reverse("admin:chat_webhookdelivery_changelist"), {"to": str(failing.pk), "state": "failed"}
    )
    assert "conversation.started" in shown.content.decode()
    assert shown.context["cl"].result_count == 1


def test_it_is_paused_resumed_caught_up_with_and_deleted(sam: Client, other: Receiver) -> None:
    row = rows.webhook_endpoint("conversation.started", url=other.url)
    assert "It is paused." in do(sam, "pause", row, reason="We move house.")
    assert "We move house." in page(sam, "admin:chat_webhookendpoint_change", row.pk)
    assert offered(sam, row) == {"test", "rotate", "resume", "remove"}
    assert "is paused already" in do(sam, "pause", row)
    rows.turn(rows.customer())

    assert "What waited is skipped: 1." in do(sam, "resume", row, skip="skip")
    assert "is not paused" in do(sam, "resume", row)
    WebhookDelivery.objects.update(status="failed")
    assert "1 delivery is sent again" in do(sam, "send_failed_again", row, since="")
    assert WebhookDelivery.objects.get().status == "queued"
    assert "whsec_" in do(sam, "rotate", row, overlap_hours="24")
    assert "Two sign until" in page(sam, "admin:chat_webhookendpoint_change", row.pk)
    assert "is deleted" in do(sam, "remove", row)
    assert "does not exist" in do(sam, "remove", row)
    assert sam.get(reverse("admin:chat_webhookendpoint_change", args=[row.pk])).status_code == 302


def test_a_test_that_fails_says_what_came_back_as_text(sam: Client, other: Receiver) -> None:
    other.will(Answer(500, b"<script>alert(1)</script>"))
    row = rows.webhook_endpoint(url=other.url)

    text = do(sam, "test", row)

    assert "It answered HTTP 500" in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)" not in text


def test_what_is_changed_is_kept_and_the_rest_stays(sam: Client, other: Receiver) -> None:
    row = rows.webhook_endpoint("import.done", url=other.url)
    before = row.secret
    form = {"description": "New name", "url": other.url, "events": ["import.failed"]}

    sam.post(reverse("admin:chat_webhookendpoint_change", args=[row.pk]), form)

    row.refresh_from_db()
    assert (row.description, row.events, row.secret) == ("New name", ["import.failed"], before)


def test_who_may_only_look_sees_no_address_and_is_offered_nothing(client: Client) -> None:
    row = rows.webhook_endpoint(description="Pager")
    client.force_login(rows.staff("nina", "chat.view_webhookendpoint"))

    text = page(client, "admin:chat_webhookendpoint_change", row.pk)

    assert "hooks.example.com" in text
    assert "a-path-that-is-secret" not in text + page(client, LIST)
    assert offered(client, row) == set()
    assert client.get(reverse("admin:chat_webhookendpoint_add")).status_code == 403


def test_the_list_asks_the_database_as_often_for_many_as_for_one(sam: Client) -> None:
    rows.webhook_endpoint("import.done")
    page(sam, LIST)
    with CaptureQueriesContext(connection) as one:
        page(sam, LIST)
    for _ in range(5):
        rows.webhook_endpoint("import.done")
    with CaptureQueriesContext(connection) as many:
        page(sam, LIST)

    assert len(many) == len(one)


def test_the_home_page_tells_of_one_that_was_paused_by_itself_and_of_no_failed_test(sam: Client) -> None:
    paused = timezone.now()
    rows.webhook_endpoint("import.done", paused_at=paused, paused_by="sam", pause_reason="by hand")
    row = rows.webhook_endpoint("import.done", paused_at=paused, pause_reason="It answered 410 Gone.")
    WebhookDelivery.objects.create(
        endpoint=row, kind="test.ping", payload={"type": "test.ping"}, status="failed"
    )

    [failure] = sam.get("/admin/").context["failures"]

    assert (failure.what, failure.said) == (
        "A webhook endpoint was paused by itself",
        "It answered 410 Gone.",
    )
    assert failure.link == reverse("admin:chat_webhookendpoint_change", args=[row.pk])
