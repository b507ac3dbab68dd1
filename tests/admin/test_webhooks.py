"""Webhooks in the console: what was told to other systems, and sending one again."""

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chat.models import WebhookDelivery
from tests import rows

pytestmark = pytest.mark.django_db
LIST = "admin:chat_webhookdelivery_changelist"


@pytest.fixture(autouse=True)
def somewhere_to_send(settings: LazySettings) -> None:
    settings.WEBHOOK_URL = "https://hooks.example.com/a-path-that-is-secret"
    settings.WEBHOOK_SECRET = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQ="


@pytest.fixture
def sam(client: Client) -> Client:
    client.force_login(rows.staff("sam", "chat.view_webhookdelivery", "chat.change_webhookdelivery"))
    return client


def page(client: Client, name: str, *args: object) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_says_where_they_go_and_keeps_the_rest_to_itself(sam: Client) -> None:
    empty = page(sam, LIST)
    rows.webhook_given_up()
    listed = page(sam, LIST)

    for text in (empty, listed):
        assert "hooks.example.com" in text
        assert "a-path-that-is-secret" not in text
        assert "c2VjcmV0" not in text
    assert "Given up" in listed
    assert "HTTP 400" in listed


def test_where_nothing_is_told_the_list_says_so(sam: Client, settings: LazySettings) -> None:
    settings.WEBHOOK_URL = ""

    assert "WEBHOOK_URL is not set" in page(sam, LIST)


def test_a_page_shows_the_body_and_each_attempt(sam: Client) -> None:
    made = rows.webhook_given_up()

    text = page(sam, "admin:chat_webhookdelivery_change", made.pk)

    assert str(made.pk) in text
    assert "HTTP 400 (12 ms)" in text
    assert "&lt;b&gt;What is this?&lt;/b&gt;" in text
    assert "conversation_summary" in text
    assert reverse("admin:chat_webhookdelivery_send_again", args=[made.pk]) in text


def test_sam_sends_it_again(sam: Client) -> None:
    made = rows.webhook_given_up()

    done = sam.post(
        reverse("admin:chat_webhookdelivery_send_again", args=[made.pk]),
        {"_form_submitted": "True"},
        follow=True,
    )

    made.refresh_from_db()
    assert (made.status, made.resent_by, made.failures) == ("pending", "sam", 0)
    assert "It is sent again now." in done.content.decode()
    text = page(sam, "admin:chat_webhookdelivery_change", made.pk)
    assert reverse("admin:chat_webhookdelivery_send_again", args=[made.pk]) not in text


def test_what_is_still_being_sent_is_not_sent_twice(sam: Client) -> None:
    made = rows.webhook_given_up()
    url = reverse("admin:chat_webhookdelivery_send_again", args=[made.pk])
    sam.post(url, {"_form_submitted": "True"})
    before = WebhookDelivery.objects.values().get(pk=made.pk)

    done = sam.post(url, {"_form_submitted": "True"}, follow=True)

    assert "still being sent by itself" in done.content.decode()
    assert WebhookDelivery.objects.values().get(pk=made.pk) == before


def test_who_may_only_look_is_not_offered_it_and_nothing_is_edited(client: Client) -> None:
    made = rows.webhook_given_up()
    client.force_login(rows.staff("nina", "chat.view_webhookdelivery"))

    text = page(client, "admin:chat_webhookdelivery_change", made.pk)

    assert reverse("admin:chat_webhookdelivery_send_again", args=[made.pk]) not in text
    assert client.get(reverse("admin:chat_webhookdelivery_add")).status_code == 403


def test_nobody_else_sees_them(client: Client) -> None:
    rows.webhook_given_up()
    client.force_login(rows.staff("nina", "chat.view_conversation"))

    assert client.get(reverse(LIST)).status_code == 403


def test_a_delivery_that_is_not_there(sam: Client) -> None:
    gone = reverse("admin:chat_webhookdelivery_send_again", args=["0f0f0f0f-0000-4000-8000-000000000000"])

    done = sam.post(gone, {"_form_submitted": "True"}, follow=True)

    assert "This delivery does not exist." in done.content.decode()


def test_the_list_asks_the_database_as_often_for_many_as_for_one(sam: Client) -> None:
    rows.webhook_given_up()
    page(sam, LIST)
    with CaptureQueriesContext(connection) as one:
        page(sam, LIST)
    for _ in range(5):
        rows.webhook_given_up()
    with CaptureQueriesContext(connection) as many:
        page(sam, LIST)

    assert len(many) == len(one)
