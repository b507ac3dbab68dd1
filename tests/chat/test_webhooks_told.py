"""What endpoints are told: of everything that happens, whoever causes it and by whatever way, once, in its transaction,
and of nothing else. Bodies hold ids and small facts."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from agents import approvals, executor, facts, settlement
from agents.approvals import Decider
from agents.models import Action, ActionStatus
from agents.spending import alerts, periods
from agents.tool_http import Outcome
from chat import (
    feedback,
    notes,
    staffing,
    stopping,
    takeover,
    webhook_claims,
    webhook_endpoints,
)
from chat.models import Conversation, Event, WebhookDelivery, WebhookEndpoint
from openapi_import import jobs
from openapi_import.models import ImportJob, ImportStatus
from tests import rows
from tests.admin import import_rows
from tests.agents.spending_rows import budget, spent

pytestmark = pytest.mark.django_db
SAM = Decider(kind="staff", name="sam", id="user:1")
NINA = Decider(kind="staff", name="nina", id="user:2")


@pytest.fixture
def everything() -> WebhookEndpoint:
    return rows.webhook_endpoint()


def told(to: WebhookEndpoint) -> list[str]:
    """The events that wait for it, in its order; they are taken away."""
    waiting = WebhookDelivery.objects.filter(endpoint=to)
    kinds = list(waiting.order_by("place").values_list("kind", flat=True))
    waiting.delete()
    return kinds


def body(to: WebhookEndpoint, kind: str) -> dict[str, Any]:
    """The body of the one delivery of this kind, as it would be sent."""
    WebhookDelivery.objects.filter(endpoint=to).exclude(kind=kind).delete()
    [attempt] = webhook_claims.take(5)
    found: dict[str, Any] = json.loads(attempt.body)
    assert set(found) == {"type", "timestamp", "data"}
    assert found["type"] == kind
    assert timezone.datetime.fromisoformat(found["timestamp"]).tzinfo is not None
    return found["data"]  # type: ignore[no-any-return]


def about(row: Conversation) -> dict[str, Any]:
    customer = row.customer
    return {"thread_id": row.thread_id, "customer": {"id": str(customer.pk), "subject": customer.subject}}


# --- conversations ---------------------------------------------------------------------------------


def test_a_first_message_starts_a_conversation_and_no_later_one_does(everything: WebhookEndpoint) -> None:
    turn = rows.turn(rows.customer(), content="my card is 4111 1111 1111 1111")
    rows.finish(turn)
    rows.turn(turn.conversation.customer, turn.conversation.thread_id, content="and another one")

    assert list(WebhookDelivery.objects.values_list("kind", flat=True)) == ["conversation.started"]
    assert body(everything, "conversation.started") == about(turn.conversation)


def test_a_hand_over_is_told_once_for_each_wait_and_not_when_staff_are_there(
    everything: WebhookEndpoint,
) -> None:
    row = rows.waiting_for_a_person()
    again = rows.turn(row.customer, row.thread_id, content="A person!")
    rows.happened(again, facts.handoff_requested(reason="Again.", by="customer", key="h2"))
    assert told(everything) == ["conversation.started", "conversation.escalated"]

    takeover.take_over(thread_id=row.thread_id, by=SAM)
    assert told(everything) == []
    takeover.hand_back(thread_id=row.thread_id, by=SAM)
    assert body(everything, "conversation.handed_back") == {**about(row), "by": "staff", "by_name": "sam"}
    told(everything)
    staffing.escalate(thread_id=row.thread_id, reason="Somebody should call.", by=NINA)
    assert told(everything) == ["conversation.escalated"]


def test_the_body_of_a_hand_over_says_why_and_repeats_nothing_that_was_said(
    everything: WebhookEndpoint,
) -> None:
    row = rows.waiting_for_a_person()
    notes.write(thread_id=row.thread_id, text="a secret of the house", by=SAM)

    found = body(everything, "conversation.escalated")

    assert found == {
        **about(row),
        "reason": "The parcel is damaged.",
        "by": "customer",
        "by_name": None,
        "agent": None,
        "ticket": found["ticket"],
        "available_at": None,
    }
    assert re.fullmatch(r"T-[0-9A-F-]+", found["ticket"])


def test_staff_resolve_what_they_hold(everything: WebhookEndpoint) -> None:
    row = rows.waiting_for_a_person()
    staffing.write(thread_id=row.thread_id, text="Hello", by=SAM)
    told(everything)

    staffing.resolve(thread_id=row.thread_id, by=SAM)

    assert list(WebhookDelivery.objects.order_by("place").values_list("kind", flat=True)) == [
        "conversation.handed_back",
        "conversation.completed",
    ]
    assert body(everything, "conversation.completed") == {**about(row), "by": "staff", "by_name": "sam"}


def test_a_customer_says_that_it_is_solved(everything: WebhookEndpoint) -> None:
    turn = rows.turn(rows.customer())
    rows.finish(turn)
    thread = turn.conversation.thread_id
    told(everything)

    feedback.give(thread_id=thread, said={"solved": False})
    feedback.give(thread_id=thread, said={"score": 1, "comment": "words of my own"})
    assert told(everything) == []
    feedback.give(thread_id=thread, said={"solved": True})
    feedback.give(thread_id=thread, said={"score": 5})

    assert WebhookDelivery.objects.count() == 1
    found = body(everything, "conversation.completed")
    assert found == {**about(turn.conversation), "by": "customer", "by_name": None}


# --- actions ---------------------------------------------------------------------------------------


def test_an_action_is_told_of_from_its_question_to_its_outcome(everything: WebhookEndpoint) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    row = action.turn.conversation
    named = {
        "action_id": str(action.pk),
        "tool": "apply_discount",
        "agent": action.agent,
        "approver": "staff",
    }
    assert told(everything) == ["conversation.started", "action.awaiting"]

    approvals.decide(action_id=action.pk, approved=True, by=SAM, reason="he is my cousin")
    found = body(everything, "action.decided")
    decided = {"decided_by": "staff", "decided_by_name": "sam"}
    assert found == {**about(row), **named, **decided, "status": "approved"}
    told(everything)

    Action.objects.filter(pk=action.pk).update(status=ActionStatus.DISPATCHING)
    assert told(everything) == []
    Action.objects.filter(pk=action.pk).update(status=ActionStatus.SUCCEEDED, http_status=201)
    outcome = {"http_status": 201, "error_kind": None, "was_unknown": False}
    assert body(everything, "action.executed") == {
        **about(row), **named, **decided, **outcome, "status": "succeeded",
    }  # fmt: skip


def test_what_waits_says_until_when_and_not_what_is_in_it(everything: WebhookEndpoint) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)

    found = body(everything, "action.awaiting")

    assert timezone.datetime.fromisoformat(found.pop("expires_at")) == action.expires_at
    assert found == {
        **about(action.turn.conversation),
        "action_id": str(action.pk),
        "tool": "apply_discount",
        "agent": action.agent,
        "approver": "staff",
        "status": "awaiting",
    }


def refuse(action: Action) -> None:
    approvals.decide(action_id=action.pk, approved=False, by=SAM)


def expire(action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    approvals.expire_overdue()


def stop(action: Action) -> None:
    stopping.stop(customer_id=None, thread_id=action.turn.conversation.thread_id)


def take_over(action: Action) -> None:
    takeover.take_over(thread_id=action.turn.conversation.thread_id, by=SAM)


@pytest.mark.parametrize(
    ("how", "status"),
    [(refuse, "rejected"), (expire, "expired"), (stop, "cancelled"), (take_over, "cancelled")],
)
def test_however_a_question_ends_it_is_told(everything: WebhookEndpoint, how: Any, status: str) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    told(everything)

    how(action)

    assert WebhookDelivery.objects.filter(endpoint=everything).count() == 1
    assert body(everything, "action.decided")["status"] == status


def test_an_unknown_outcome_is_told_and_so_is_what_staff_found(everything: WebhookEndpoint) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    approvals.decide(action_id=action.pk, approved=True, by=SAM)
    long_ago = timezone.now() - timedelta(hours=1)
    Action.objects.filter(pk=action.pk).update(status=ActionStatus.DISPATCHING, dispatched_at=long_ago)
    rows.finish(action.turn)
    told(everything)

    assert executor.settle_abandoned() == 1
    assert body(everything, "action.unknown")["error_kind"] == "unknown"
    told(everything)
    settlement.settle(action_id=action.pk, happened=True, note="It is there.", by=SAM)

    found = body(everything, "action.executed")
    assert (found["status"], found["was_unknown"]) == ("succeeded", True)


def test_what_was_sent_again_because_nobody_knew_was_unknown(everything: WebhookEndpoint) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    approvals.decide(action_id=action.pk, approved=True, by=SAM)
    mine = Action.objects.filter(pk=action.pk)
    for status, repeats in (
        (ActionStatus.DISPATCHING, 0),
        (ActionStatus.UNKNOWN, 0),
        (ActionStatus.DISPATCHING, 1),
    ):
        mine.update(status=status, repeats=repeats)
    executor._record_apart(action.pk, Outcome(True, {"state": "done"}, status=201), 5)

    found = body(everything, "action.executed")
    assert (found["status"], found["was_unknown"]) == ("succeeded", True)


# --- imports and budgets ---------------------------------------------------------------------------


def test_imports_are_told_of_when_they_are_ready_or_have_failed(everything: WebhookEndpoint) -> None:
    done = import_rows.job(ImportStatus.CLASSIFYING, total_endpoints=3, usable_count=2)
    ImportJob.objects.filter(pk=done.pk).update(status=ImportStatus.DONE)
    found = body(everything, "import.done")
    assert found == {
        "job_id": str(done.pk),
        "name": "billing",
        "title": "Billing API",
        "total_endpoints": 3,
        "usable_count": 2,
        "error_stage": None,
        "error_message": None,
    }
    told(everything)
    ImportJob.objects.filter(pk=done.pk).update(status=ImportStatus.DONE)
    ImportJob.objects.filter(pk=done.pk).update(status=ImportStatus.APPROVED)
    assert told(everything) == []

    jobs.submit(by="nina", content=b"{not a document", filename="x.json")
    jobs.run(ImportJob.objects.latest("created_at").pk)

    found = body(everything, "import.failed")
    assert found["error_stage"]
    assert found["error_message"]


def test_a_budget_is_told_of_also_without_webhook_url(everything: WebhookEndpoint, settings: Any) -> None:
    settings.WEBHOOK_URL = ""
    ada = rows.customer(name="Ada Stone")
    budget(1_000)
    spent(800, ada)

    assert (alerts.look(), alerts.look()) == (1, 0)

    alerted = WebhookDelivery.objects.filter(kind="budget.alert")
    assert list(alerted.values_list("endpoint", flat=True)) == [everything.pk]
    assert body(everything, "budget.alert") == {
        "percent": 80,
        "scope": "each_customer",
        "customer": {"id": str(ada.pk), "subject": ada.subject},
        "period": "day",
        "period_start": periods.begins("day").isoformat(),
        "resets_at": periods.ends("day").isoformat(),
        "spent_usd": 0.0008,
        "limit_usd": 0.001,
    }


# --- whom, and how ---------------------------------------------------------------------------------


def test_each_endpoint_is_told_of_what_it_wants(everything: WebhookEndpoint) -> None:
    starts = rows.webhook_endpoint("conversation.started")
    waits = rows.webhook_endpoint("conversation.escalated", "action.unknown")
    gone = rows.webhook_endpoint(deleted_at=timezone.now())
    paused = rows.webhook_endpoint("conversation.escalated", paused_at=timezone.now())

    rows.waiting_for_a_person()

    assert told(starts) == ["conversation.started"]
    assert told(waits) == told(paused) == ["conversation.escalated"]
    assert told(gone) == []
    assert told(everything) == ["conversation.started", "conversation.escalated"]


def test_without_an_endpoint_nothing_is_written(settings: Any) -> None:
    settings.WEBHOOK_URL = ""
    action = rows.waiting_for_staff(order_id="1042", percent=10)
    approvals.decide(action_id=action.pk, approved=True, by=SAM)
    rows.waiting_for_a_person()

    assert not WebhookDelivery.objects.exists()


def test_what_is_rolled_back_is_not_told(everything: WebhookEndpoint) -> None:
    with transaction.atomic():
        rows.waiting_for_a_person()
        assert WebhookDelivery.objects.count() == 2
        transaction.set_rollback(True)

    assert not WebhookDelivery.objects.exists()
    assert not Event.objects.exists()


def test_a_process_of_the_version_before_tells_too(everything: WebhookEndpoint) -> None:
    """It knows nothing of endpoints: it writes an event, and the database does the rest."""
    turn = rows.turn(rows.customer())
    told(everything)

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO chat_event (conversation_id, seq, kind, version, key, agent, payload, created_at) "
            "VALUES (%s, 2, 'handed_back', 1, '', '', '{}', now())",
            [turn.conversation_id],
        )

    assert told(everything) == ["conversation.handed_back"]


def test_the_sender_of_the_version_before_leaves_them_alone(everything: WebhookEndpoint) -> None:
    """Its statement, as it was: it would send to WEBHOOK_URL what is not meant for it."""
    rows.waiting_for_a_person()

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM chat_webhookdelivery d WHERE d.status = 'pending' AND d.next_attempt_at <= now() "
            "AND (d.leased_until IS NULL OR d.leased_until < now())"
        )
        assert cursor.fetchall() == []
    assert WebhookDelivery.objects.filter(endpoint=everything).count() == 2


def test_a_body_stays_what_it_was_at_the_first_attempt(everything: WebhookEndpoint) -> None:
    row = rows.waiting_for_a_person()
    WebhookDelivery.objects.exclude(kind="conversation.escalated").delete()
    [first] = webhook_claims.take(1)
    row.customer.subject = row.customer.business_id = "somebody-else"
    row.customer.save()
    WebhookDelivery.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

    [second] = webhook_claims.take(1)

    assert (second.delivery_id, second.body, second.number) == (first.delivery_id, first.body, 2)


def test_events_are_known_and_at_least_one_is_wanted() -> None:
    for wanted in (["conversation.started", "note.written"], ["test.ping"], []):
        with pytest.raises(webhook_endpoints.InvalidEvents):
            webhook_endpoints.checked(url="https://93.184.216.34/x", events=wanted)

    assert not WebhookEndpoint.objects.exists()
