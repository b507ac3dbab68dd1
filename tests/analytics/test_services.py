"""What the product itself writes is what analytics read: no payload here is made up."""

import pytest

from agents import approvals, facts, settlement
from agents.approvals import Decider
from analytics import rollups, summary
from analytics.models import ConversationFact
from analytics.summary import Report
from chat import staffing, takeover
from chat.models import Conversation
from tests import rows

pytestmark = pytest.mark.django_db

SAM = Decider(kind="staff", name="sam", id="user:1")


def counted() -> Report:
    rollups.roll_up()
    return summary.report(summary.period_of(2))


def outcome(conversation: Conversation) -> str:
    return ConversationFact.objects.get(pk=conversation.pk).outcome


def test_a_read_that_answered_is_evidence_and_its_tool_is_counted() -> None:
    turn = rows.turn(rows.customer())
    called = facts.tool_called(agent="order_lookup", tool="get_order", title="Get", args={}, call_id="c1")
    returned = facts.tool_returned(
        agent="order_lookup", tool="get_order", call_id="c1", ok=True, result={}, status=200, duration_ms=120
    )
    rows.happened(turn, called, returned)
    rows.finish(turn)

    report = counted()

    assert outcome(turn.conversation) == "evidence"
    assert [(one.tool, one.calls, one.failures) for one in report.tools] == [("get_order", 1, 0)]
    assert [(one.agent, one.resolved) for one in report.agents] == [("order_lookup", 1)]
    assert report.value("first_response_p95") is not None


def test_a_call_that_failed_is_not() -> None:
    turn = rows.turn(rows.customer())
    error = {"kind": "transient", "message": "503"}
    rows.happened(
        turn,
        facts.tool_returned(agent="a", tool="get_order", call_id="c", ok=False, error=error, duration_ms=9),
    )
    rows.finish(turn)

    report = counted()

    assert outcome(turn.conversation) == "unresolved"
    assert [(one.tool, one.failures) for one in report.tools] == [("get_order", 1)]


def test_staff_who_settle_an_unknown_outcome_resolve_it() -> None:
    action = rows.outcome_unknown()
    counted()
    assert outcome(action.turn.conversation) == "unresolved"
    settlement.settle(action_id=action.pk, happened=True, by=SAM, note="It is in the ledger.")

    report = counted()

    assert outcome(action.turn.conversation) == "evidence"
    assert report.totals.approved == 1
    assert report.value("approval_wait_median") is not None


def test_approvals_that_nobody_and_somebody_decided() -> None:
    declined, waiting = rows.waiting_for_staff(), rows.waiting_for_staff()
    approvals.decide(action_id=declined.pk, approved=False, by=SAM, reason="No.")
    rows.action(rows.turn(rows.customer()), declined.tool, expired=True, percent=10, order_id="1")
    assert approvals.expire_overdue() == 1
    cancelled = rows.waiting_for_staff()
    takeover.take_over(thread_id=cancelled.turn.conversation.thread_id, by=SAM)

    totals = counted().totals

    assert (totals.rejected, totals.expired, totals.cancelled, totals.awaiting) == (1, 1, 1, 1)
    assert outcome(waiting.turn.conversation) == "open"
    assert outcome(cancelled.turn.conversation) == "escalated"


def test_a_person_who_was_asked_for_and_answered() -> None:
    conversation = rows.waiting_for_a_person()
    staffing.write(thread_id=conversation.thread_id, text="I am looking into it.", by=SAM)

    report = counted()

    assert outcome(conversation) == "escalated"
    assert (report.totals.with_person, report.totals.without_person) == (1, 0)
    assert sum(report.totals.person_answers.values()) == 1
