"""Staff settle an unknown outcome from the approval's page."""

import pytest
from django.test import Client
from django.urls import reverse

from agents.models import Action, Tool
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


def repeatable() -> Action:
    """An unknown outcome of a tool that is safe to send again; the business system is not there."""
    action = rows.outcome_unknown()
    Tool.objects.filter(pk=action.tool_id).update(repeat_safe=True, server_url="http://127.0.0.1:9/shop")
    tool = Tool.objects.get(pk=action.tool_id)
    Action.objects.filter(pk=action.pk).update(tool_fingerprint=tool.fingerprint())
    action = Action.objects.get(pk=action.pk)
    Action.objects.filter(pk=action.pk).update(arguments_hash=action.expected_hash())
    return Action.objects.select_related("turn__conversation").get(pk=action.pk)


def test_what_was_sent_is_shown_whole(sam: Client) -> None:
    action = rows.outcome_unknown()
    request = {
        "method": "POST",
        "url": "https://shop.example/orders/1042/discount",
        "query": [["dry", "no"]],
        "body": {"note": "<b>hi</b>"},
    }
    Action.objects.filter(pk=action.pk).update(sent=request, attempts=3, http_status=503)

    page = sam.get(url(action)).content.decode()

    for shown in (
        "What was sent", "POST https://shop.example/orders/1042/discount", "attempt 3", "dry", "&lt;b&gt;hi",
        f"Idempotency-Key: {action.pk}", "HTTP 503", "nobody knows whether it happened",
    ):  # fmt: skip
        assert shown in page
    assert "<b>hi" not in page


def test_only_what_is_safe_is_offered_to_be_sent_again(sam: Client) -> None:
    action = rows.outcome_unknown()
    assert url(action, "send_again") not in sam.get(url(action)).content.decode()

    refused = sam.post(url(action, "send_again"), {"_form_submitted": "True"}, follow=True)

    action.refresh_from_db()
    assert "is not declared safe to send again" in refused.content.decode()
    assert (action.status, action.repeats) == ("unknown", 0)


def test_sending_again_without_an_answer_leaves_it_unknown_and_says_so(sam: Client) -> None:
    action = repeatable()
    page = sam.get(url(action)).content.decode()
    assert url(action, "send_again") in page
    assert "This tool is safe to send again" in page

    done = sam.post(url(action, "send_again"), {"_form_submitted": "True"}, follow=True)

    page = done.content.decode()
    action.refresh_from_db()
    assert (action.status, action.repeats) == ("unknown", 1)
    assert "Again no clear answer came." in page
    assert "Sent again by sam at" in page
    timeline = sam.get(reverse("admin:chat_conversation_change", args=[action.turn.conversation_id]))
    assert "sam sent apply_discount again, to find out what came of it" in timeline.content.decode()


def test_who_may_only_look_sends_nothing_again(client: Client) -> None:
    action = repeatable()
    client.force_login(rows.staff("nina", "agents.view_action"))

    page = client.get(url(action)).content.decode()
    done = client.post(url(action, "send_again"), {"_form_submitted": "True"})

    action.refresh_from_db()
    assert url(action, "send_again") not in page
    assert (done.status_code, action.status, action.repeats) == (403, "unknown", 0)


def test_how_it_stands_is_looked_up_from_the_page(sam: Client) -> None:
    action = rows.waiting_for_staff()
    assert url(action, "standing") not in sam.get(url(action)).content.decode()
    reading = rows.reading_tool(server_url="http://127.0.0.1:9/shop")
    Tool.objects.filter(pk=action.tool_id).update(read_back=reading)
    before = rows.log_size(action.turn.conversation)

    page = sam.get(url(action)).content.decode()
    piece = sam.get(url(action, "standing")).content.decode()

    assert url(action, "standing") in page
    assert "GET http://127.0.0.1:9/shop/orders/1042/get_order_status" in piece
    assert "console-fault" in piece  # nobody answers there
    assert rows.log_size(action.turn.conversation) == before


def test_without_the_permission_nothing_is_looked_up(client: Client) -> None:
    action = rows.waiting_for_staff()
    client.force_login(rows.staff("nina"))

    assert client.get(url(action, "standing")).status_code == 403
