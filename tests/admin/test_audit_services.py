"""What services change by one statement is in the audit with before and after, without what is secret."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agents import approvals
from agents.approvals import Decider
from agents.spending.models import ModelPrice
from chat import api_keys, takeover
from chat.models import Conversation
from smartsupport.lib import audit
from smartsupport.models import AuditEntry
from tests import rows
from tests.admin import import_rows
from tests.agents.spending_rows import budget

pytestmark = pytest.mark.django_db
YES = {"_form_submitted": "True"}
SAM = Decider("staff", "sam", id="user:0")


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(rows.staff("root", superuser=True))
    return client


def told(answer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after of the request that was carried out last."""
    entry = AuditEntry.objects.latest("pk")
    assert answer.status_code in (200, 201, 204, 302), answer.content[:500]
    assert entry.outcome == "done"
    return entry.before or {}, entry.after or {}


def test_a_decision_says_what_was_decided_and_on_what(root: Client) -> None:
    action = rows.waiting_for_staff()
    form = {**YES, "reason": "Too much.", "seen": action.arguments_hash}

    before, after = told(root.post(reverse("admin:agents_action_decline", args=[action.pk]), form))

    assert before["status"] == "awaiting"
    assert (after["status"], after["reason"], after["tool"]) == ("rejected", "Too much.", "apply_discount")
    assert after["arguments"] == {"order_id": "1042", "percent": 10}


def test_a_settlement_says_what_was_found_out(root: Client) -> None:
    action = rows.outcome_unknown()
    form = {**YES, "note": "Seen in the shop; password: hunter22"}

    before, after = told(root.post(reverse("admin:agents_action_it_happened", args=[action.pk]), form))

    assert (before["status"], after["status"]) == ("unknown", "succeeded")
    assert after["note"] == "Seen in the shop; password: [hidden]"


def test_taking_over_giving_back_and_resolving_say_who_had_it(root: Client) -> None:
    row = rows.waiting_for_a_person()

    def do(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        return told(root.post(reverse(f"admin:chat_conversation_{name}", args=[row.pk]), YES))

    was, now = do("take_over")
    assert (was["held_by"], now["held_by"], now["status"]) == ("", "root", "held")
    was, now = do("hand_back")
    assert (was["held_by"], now["held_by"], now["status"]) == ("root", "", "open")
    was, now = do("resolve")
    assert (was["status"], now["status"]) == ("open", "resolved")
    assert Conversation.objects.get().status == "resolved"


def test_grants_and_prices_say_how_much(root: Client) -> None:
    ada = rows.customer()
    budget(1_000)
    form = {"change": "grant", "grant-micros": "2.50", "grant-period": "day", "grant-reason": "A long claim"}

    _, granted = told(root.post(reverse("admin:agents_budget_customer", args=[ada.pk]), form))
    price = {"provider": "openai", "model": "gpt-test", "input": "1.25", "output": "10"}
    _, priced = told(root.post(reverse("admin:agents_modelprice_add"), price))

    [amount] = [value for name, value in granted.items() if name.endswith("micros")]
    assert amount == 2_500_000
    assert any(str(ada.pk) in name for name in granted)
    assert priced["input_micros"] == 1_250_000
    assert ModelPrice.objects.get().input_micros == 1_250_000


def test_a_key_that_is_switched_off_says_so(root: Client) -> None:
    key, _ = api_keys.issue(name="billing", scopes=["interrupts:read"])

    assert told(root.post(reverse("admin:chat_apikey_disable", args=[key.pk]), YES)) == (
        {"enabled": True},
        {"enabled": False},
    )


def test_a_publication_names_its_tools(root: Client) -> None:
    job = import_rows.job()
    import_rows.operation(job, name="get_invoice")

    _, after = told(root.post(reverse("admin:openapi_import_importjob_publish", args=[job.pk]), YES))

    assert ["get_invoice"] in after.values()
    assert 1 in [value for name, value in after.items() if name.endswith(": publication")]


def test_several_that_are_decided_in_one_request_are_told_apart() -> None:
    first, second = rows.waiting_for_staff(), rows.waiting_for_staff(order_id="1043", percent=20)
    of = audit.Recording(
        audit.Actor("staff", "1", "sam"), object_type="agents.action", object_id=str(first.pk)
    )

    with audit.recording(of):
        for action, approved in ((first, True), (second, False)):
            approvals.decide(action_id=action.pk, approved=approved, by=SAM)

    assert of.after["status"] == "approved"
    assert of.after[f"agents.action {second.pk}: status"] == "rejected"
    assert of.after[f"agents.action {second.pk}: arguments"] == {"order_id": "1043", "percent": 20}


def test_what_was_refused_says_nothing_of_a_change(client: Client) -> None:
    row = rows.waiting_for_a_person()
    takeover.take_over(thread_id=row.thread_id, by=SAM)
    client.force_login(rows.staff("root", superuser=True))

    client.post(reverse("admin:chat_conversation_take_over", args=[row.pk]), YES)

    assert AuditEntry.objects.latest("pk").after is None
