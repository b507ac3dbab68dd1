"""Approvals in the console."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from agents import approvals
from agents.models import Action
from chat.models import Event, Turn
from tests import rows

pytestmark = pytest.mark.django_db

LIST = "/admin/agents/action/"


@pytest.fixture
def sam(client: Client) -> Client:
    """A member of staff who may look at approvals and decide."""
    client.force_login(
        rows.staff("sam", "agents.view_action", "agents.decide_action", "chat.view_conversation")
    )
    return client


def decide(client: Client, action: Action, how: str, **form: str) -> Any:
    """As a person does who has the dialog of this call before them."""
    url = reverse(f"admin:agents_action_{how}", args=[action.pk])
    posted = {"_form_submitted": "True", "seen": action.arguments_hash, **form}
    return client.post(url, posted, headers={"HX-Request": "true"})


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def page_of(client: Client, action: Action) -> str:
    return client.get(reverse("admin:agents_action_change", args=[action.pk])).content.decode()


def test_the_list_shows_what_waits_for_staff_oldest_first(sam: Client) -> None:
    oldest, newest = (
        rows.waiting_for_staff(percent=5, order_id="1"),
        rows.waiting_for_staff(percent=9, order_id="2"),
    )
    rows.action(rows.turn(rows.customer()), rows.tool(), order_id="customers-own")

    page = sam.get(LIST)

    listed = [row.action.pk for row in page.context["rows"]]
    assert listed == [oldest.pk, newest.pk]
    assert "customers-own" not in page.content.decode()
    everything = sam.get(f"{LIST}?which=all").context["rows"]
    assert len(everything) == 3
    assert everything[0].action.created_at > everything[2].action.created_at


@pytest.mark.parametrize("which", ["customer", "unknown", "failed", "decided", "expired", "all"])
def test_every_view_of_the_list_opens(sam: Client, which: str) -> None:
    rows.waiting_for_staff()

    assert sam.get(f"{LIST}?which={which}").status_code == 200


def test_the_page_shows_the_exact_call_the_customer_and_what_was_said(sam: Client) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10, note="<script>alert(1)</script>")

    page = page_of(sam, action)

    for shown in (
        "Give 10% off order 1042.",
        "Ada Stone",
        "Percent off.",
        "cus_1001",
        "Where is my order?",
        "Moves money",
    ):
        assert shown in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page
    assert reverse("admin:agents_action_approve", args=[action.pk]) in page


def test_the_dialog_shows_the_exact_call_once_more(sam: Client) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)

    dialog = sam.get(reverse("admin:agents_action_approve", args=[action.pk])).content.decode()

    assert "Give 10% off order 1042." in dialog
    assert "For Ada Stone" in dialog


def test_approving(sam: Client) -> None:
    action = rows.waiting_for_staff()

    answer = decide(sam, action, "approve")

    action.refresh_from_db()
    assert answer["HX-Redirect"] == LIST
    assert (action.status, action.decided_by, action.decided_by_name) == ("approved", "staff", "sam")
    assert Turn.objects.get().status == "queued"
    assert Event.objects.get(kind="approval_decided").payload["by_name"] == "sam"
    assert told(answer) == "Approved: Give 10% off order 1042."
    assert LogEntry.objects.get().object_id == str(action.pk)


def test_without_scripts_it_works_as_a_plain_form(sam: Client) -> None:
    action = rows.waiting_for_staff()
    url = reverse("admin:agents_action_approve", args=[action.pk])

    answer = sam.post(url, {"_form_submitted": "True", "seen": action.arguments_hash})

    action.refresh_from_db()
    assert (answer.status_code, answer["Location"], action.status) == (302, LIST, "approved")


def test_declining_needs_a_reason(sam: Client) -> None:
    action = rows.waiting_for_staff()

    refused = decide(sam, action, "decline", reason="  ")
    action.refresh_from_db()
    assert (refused.status_code, action.status) == (200, "awaiting")
    assert "Say why" in refused.content.decode()

    decide(sam, action, "decline", reason="Above what we give.")
    action.refresh_from_db()
    assert (action.status, action.reason) == ("rejected", "Above what we give.")


def test_the_second_decision_hears_who_was_first(sam: Client) -> None:
    action = rows.waiting_for_staff()
    approvals.decide(action_id=action.pk, approved=False, by=approvals.Decider("staff", "nina"), reason="No.")

    answer = decide(sam, action, "approve")

    action.refresh_from_db()
    assert action.status == "rejected"
    assert told(answer) == "This was already declined by nina. Your decision changed nothing."
    assert not LogEntry.objects.exists()


def test_an_expired_one_is_not_decided(sam: Client) -> None:
    action = rows.action(rows.turn(rows.customer()), rows.tool(approval="staff"), expired=True)
    assert reverse("admin:agents_action_approve", args=[action.pk]) not in page_of(sam, action)

    answer = decide(sam, action, "approve")

    action.refresh_from_db()
    assert action.status == "expired"
    assert "has expired" in told(answer)


def test_what_the_customer_decides_is_shown_without_buttons(sam: Client) -> None:
    action = rows.action(rows.turn(rows.customer()), rows.tool())
    page = page_of(sam, action)
    assert "This is the customer's to decide." in page
    assert reverse("admin:agents_action_approve", args=[action.pk]) not in page

    answer = decide(sam, action, "approve")

    action.refresh_from_db()
    assert action.status == "awaiting"
    assert told(answer) == "This is the customer's to decide. Nothing was changed."


@pytest.mark.parametrize("object_id", ["x", "3f0f0f5e-0000-4000-8000-000000000000"])
def test_an_approval_that_does_not_exist(sam: Client, object_id: str) -> None:
    url = f"{LIST}{object_id}/approve/"

    assert sam.get(url).status_code == 200
    assert "does not exist" in told(sam.post(url, {"_form_submitted": "True"}))


def test_looking_is_not_deciding(client: Client) -> None:
    client.force_login(rows.staff("nina", "agents.view_action"))
    action = rows.waiting_for_staff()

    page = page_of(client, action)

    assert "You may look at it, but not decide." in page
    assert reverse("admin:agents_action_approve", args=[action.pk]) not in page
    assert "Where is my order?" not in page  # she may not read conversations


def test_nobody_edits_adds_or_deletes_approvals(client: Client) -> None:
    client.force_login(rows.staff("root", superuser=True))
    action = rows.waiting_for_staff()
    page = reverse("admin:agents_action_change", args=[action.pk])

    assert client.post(page, {"status": "approved"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{action.pk}/delete/", {"post": "yes"}).status_code == 403
    action.refresh_from_db()
    assert action.status == "awaiting"
