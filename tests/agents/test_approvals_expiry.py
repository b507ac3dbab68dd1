"""An approval that nobody gave in time: marked once, told to the customer, and never carried out."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from agents import approvals, tasks
from agents.approvals import ApprovalExpired, Decider, decide, expire_overdue
from agents.models import Action, ActionStatus, Tool
from chat.models import Event, Turn, TurnStatus
from tests import rows
from tests.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)
SAM = Decider(kind="staff", name="sam")


def overdue() -> Action:
    tool = rows.tool(f"cancel_{uuid4().hex[:6]}", approval="staff")
    return rows.action(rows.turn(rows.customer()), tool, expired=True)


def assert_expired_once(action: Action) -> None:
    action.refresh_from_db()
    assert action.status == ActionStatus.EXPIRED
    event = Event.objects.get(turn_id=action.turn_id, key=f"decision:{action.pk}")
    assert event.kind == "approval_expired"
    assert event.payload["message"] == approvals.expiry_message(action)
    assert Turn.objects.get(pk=action.turn_id).status == TurnStatus.QUEUED


def test_a_late_decision_marks_the_action_expired_and_lets_the_turn_go_on() -> None:
    action = overdue()

    with pytest.raises(ApprovalExpired) as told:
        decide(action_id=action.pk, approved=True, by=SAM)

    assert told.value.extra == {"interrupt_id": str(action.pk), "action": action.tool_name}
    assert told.value.message == approvals.expiry_message(action)
    assert_expired_once(action)


def test_an_expired_action_can_never_be_decided() -> None:
    action = overdue()
    expire_overdue()
    original = Action.objects.get(pk=action.pk).expires_at
    Action.objects.filter(pk=action.pk).update(expires_at=timezone.now() + timedelta(hours=1))

    for approved in (True, False):
        with pytest.raises(ApprovalExpired):
            decide(action_id=action.pk, approved=approved, by=SAM)

    Action.objects.filter(pk=action.pk).update(expires_at=original)
    assert_expired_once(action)


def test_the_message_tells_how_long_it_waited() -> None:
    action = rows.waiting_for_staff()

    message = approvals.expiry_message(action)

    assert message == (
        "The approval request for 'apply_discount' has expired after 30 minutes. Would you like to try again?"
    )


def test_what_came_back_has_the_whole_time_again_and_says_so() -> None:
    action = rows.waiting_for_staff()
    asked_long_ago = timezone.now() - timedelta(minutes=25)
    Action.objects.filter(pk=action.pk).update(created_at=asked_long_ago)
    Tool.objects.filter(pk=action.tool_id).update(path="/elsewhere/{order_id}")
    with pytest.raises(approvals.ToolChanged):
        approvals.decide(action_id=action.pk, approved=True, by=approvals.Decider("staff", "sam"))
    action.refresh_from_db()

    assert "after 30 minutes" in approvals.expiry_message(action)
    assert action.expires_at > timezone.now() + timedelta(minutes=29)
    with transaction.atomic():  # a sweep that had found it before it came back
        assert approvals.expire(approvals.locked(action.pk)) is False
    assert Action.objects.get(pk=action.pk).status == ActionStatus.AWAITING


def test_the_task_expires_what_is_overdue_and_nothing_else() -> None:
    late, young = overdue(), rows.waiting_for_staff()

    tasks.expire_approvals()

    assert_expired_once(late)
    young.refresh_from_db()
    assert young.status == ActionStatus.AWAITING
    assert expire_overdue() == 0


def test_sweeps_at_the_same_time_expire_each_action_once() -> None:
    late = [overdue() for _ in range(5)]

    counts = at_once([expire_overdue] * 6)

    assert sum(count for count in counts if isinstance(count, int)) == 5
    for action in late:
        assert_expired_once(action)


def test_deciders_and_sweeps_at_the_same_time_end_in_one_expiry() -> None:
    action = overdue()

    outcomes = at_once([lambda: decide(action_id=action.pk, approved=True, by=SAM), expire_overdue] * 8)

    assert all(isinstance(outcome, ApprovalExpired | int) for outcome in outcomes), outcomes
    assert_expired_once(action)


def test_one_action_that_cannot_be_expired_does_not_keep_the_others_waiting() -> None:
    stuck, late = overdue(), overdue()

    def broken(*, action: Action, **_: object) -> None:
        if action.pk == stuck.pk:
            raise RuntimeError("the log is full")

    approvals.settled.connect(broken)
    try:
        assert expire_overdue() == 1
    finally:
        approvals.settled.disconnect(broken)

    assert_expired_once(late)
    stuck.refresh_from_db()
    assert stuck.status == ActionStatus.AWAITING
