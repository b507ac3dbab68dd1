"""Staff settle an unknown outcome from the approval's page."""

import pytest
from django.test import Client
from django.urls import reverse

from agents.models import Action
from chat.models import Event
from tests import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def sam(client: Client) -> Client:
    may = ("agents.view_action", "agents.decide_action", "chat.view_conversation")
    client.force_login(rows.staff("sam", *may))
    return client


def url(action: Action, name: str = "change") -> str:
    return reverse(f"admin:agents_action_{name}", args=[action.pk])


def test_the_page_and_the_dialog_show_what_was_sent_and_when(sam: Client) -> None:
    action = rows.outcome_unknown()
    assert action.dispatched_at is not None
    sent = f"{action.dispatched_at:%H:%M:%S} UTC"

    page = sam.get(url(action)).content.decode()
    dialog = sam.get(url(action, "it_did_not_happen")).content.decode()

    for shown in (page, dialog):
        assert sent in shown
        assert str(action.pk) in shown
        assert "cus_1001" in shown
        assert "percent" in shown
    assert "POST /orders/{order_id}/apply_discount" in dialog
    assert "nobody knows whether it happened" in page
    for name in ("it_happened", "it_did_not_happen"):
        assert url(action, name) in page
    assert url(action, "approve") not in page


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("it_happened", "succeeded", "it happened"),
        ("it_did_not_happen", "failed", "it did not happen"),
    ],
)
def test_sam_settles_it(sam: Client, name: str, status: str, told: str) -> None:
    action = rows.outcome_unknown()

    done = sam.post(url(action, name), {"_form_submitted": "True", "note": "In the ledger."}, follow=True)

    page = done.content.decode()
    action.refresh_from_db()
    assert action.status == status
    assert f"Recorded: {told}. The customer was not told." in page
    assert "In the ledger." in page
    assert url(action, "it_happened") not in page
    timeline = sam.get(reverse("admin:chat_conversation_change", args=[action.turn.conversation_id]))
    assert f"sam found that apply_discount {told[3:]}" in timeline.content.decode()


def test_without_a_note_the_dialog_stays(sam: Client) -> None:
    action = rows.outcome_unknown()

    answer = sam.post(url(action, "it_happened"), {"_form_submitted": "True", "note": " "})

    action.refresh_from_db()
    assert "Say how you found out" in answer.content.decode()
    assert action.status == "unknown"
    assert not Event.objects.filter(kind="action_settled").exists()


def test_what_is_not_unknown_is_not_settled(sam: Client) -> None:
    action = rows.waiting_for_staff()
    assert url(action, "it_happened") not in sam.get(url(action)).content.decode()

    done = sam.post(url(action, "it_happened"), {"_form_submitted": "True", "note": "Seen."}, follow=True)

    action.refresh_from_db()
    assert "There is nothing to settle: it still waits for a decision." in done.content.decode()
    assert action.status == "awaiting"
    assert not Event.objects.filter(kind="action_settled").exists()


def test_who_may_only_look_is_offered_nothing(client: Client) -> None:
    action = rows.outcome_unknown()
    client.force_login(rows.staff("nina", "agents.view_action"))

    page = client.get(url(action)).content.decode()
    done = client.post(url(action, "it_happened"), {"_form_submitted": "True", "note": "Seen."})

    action.refresh_from_db()
    assert url(action, "it_happened") not in page
    assert (done.status_code, action.status) == (403, "unknown")
