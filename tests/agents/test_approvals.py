"""Deciding on actions: one decision wins; it changes action, log and turn together or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from structlog.testing import capture_logs

from agents import approvals
from agents.approvals import ActionNotFound, AlreadyDecided, Decider, NotAllowed, decide
from agents.models import Action, ActionStatus, Approver, Tool
from chat.models import Event, Turn, TurnStatus
from tests import rows
from tests.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)
SAM = Decider(kind="staff", name="sam")


def customer_of(action: Action) -> Decider:
    return Decider(kind="customer", name="the customer", customer_id=action.customer_id)


def waiting(**fields: Any) -> Action:
    """An approval that the customer has to decide."""
    return rows.action(rows.turn(rows.customer()), rows.tool(f"cancel_{uuid4().hex[:6]}", **fields))


def state(action: Action) -> tuple[Any, ...]:
    """Everything that a refused decision must leave as it was."""
    turn = Turn.objects.get(pk=action.turn_id)
    row = Action.objects.filter(pk=action.pk).values().get()
    return row, turn.status, list(Event.objects.filter(turn=turn).values_list("seq", "kind"))


@contextmanager
def nothing_changes(action: Action) -> Iterator[None]:
    before = state(action)
    yield
    assert state(action) == before


def test_an_approval_changes_the_action_the_log_and_the_turn() -> None:
    action = waiting()

    decided = decide(action_id=action.pk, approved=True, by=customer_of(action))

    assert decided.status == ActionStatus.APPROVED
    action.refresh_from_db()
    assert (action.status, action.decided_by) == ("approved", "customer")
    assert action.decided_at is not None
    event = Event.objects.get(turn_id=action.turn_id, kind="approval_decided")
    assert event.payload["interrupt_id"] == str(action.pk)
    assert (event.payload["resolution"], event.payload["by"]) == ("approved", "customer")
    assert Turn.objects.get(pk=action.turn_id).status == TurnStatus.QUEUED


def test_a_reason_is_kept_with_who_gave_it() -> None:
    action = rows.waiting_for_staff()

    decide(action_id=action.pk, approved=False, by=SAM, reason="Not in our\n  policy.")

    action.refresh_from_db()
    assert (action.status, action.reason, action.decided_by_name) == ("rejected", "Not in our policy.", "sam")
    payload = Event.objects.get(turn_id=action.turn_id, kind="approval_decided").payload
    assert (payload["resolution"], payload["reason"], payload["by_name"]) == (
        "rejected",
        "Not in our policy.",
        "sam",
    )


@pytest.mark.parametrize("answer", ["true", "false", "no", 1, 0, None, {"approved": False}, [True], 1.0])
def test_only_the_two_booleans_decide(answer: Any) -> None:
    action = waiting()

    with nothing_changes(action), pytest.raises(TypeError):
        decide(action_id=action.pk, approved=answer, by=customer_of(action))


def test_another_customer_does_not_find_the_action() -> None:
    action = waiting()
    stranger = Decider(kind="customer", name="the customer", customer_id=rows.customer().pk)

    with nothing_changes(action), pytest.raises(ActionNotFound):
        decide(action_id=action.pk, approved=True, by=stranger)


def test_an_action_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(ActionNotFound):
        decide(action_id=uuid4(), approved=True, by=SAM)


def test_a_customer_cannot_decide_what_is_for_staff() -> None:
    action = rows.waiting_for_staff()

    with nothing_changes(action), pytest.raises(NotAllowed):
        decide(action_id=action.pk, approved=True, by=customer_of(action))


def test_staff_cannot_decide_what_is_for_the_customer() -> None:
    action = waiting()

    with nothing_changes(action), pytest.raises(NotAllowed):
        decide(action_id=action.pk, approved=True, by=SAM)


@pytest.mark.parametrize("first", [True, False])
def test_the_second_decision_is_told_of_the_first(first: bool) -> None:
    action = rows.waiting_for_staff()
    decide(action_id=action.pk, approved=first, by=SAM)

    with nothing_changes(action), pytest.raises(AlreadyDecided) as told:
        decide(action_id=action.pk, approved=not first, by=Decider(kind="staff", name="kim"))

    resolution = "approved" if first else "rejected"
    assert told.value.extra == {"resolution": resolution, "by": "staff", "by_name": "sam"}


@pytest.mark.parametrize("became", ["dispatching", "succeeded", "failed", "unknown"])
def test_what_became_of_an_approved_action_is_still_approved_to_a_late_decider(became: str) -> None:
    action = rows.waiting_for_staff()
    decide(action_id=action.pk, approved=True, by=SAM)
    Action.objects.filter(pk=action.pk).update(status=became)

    with nothing_changes(action), pytest.raises(AlreadyDecided) as told:
        decide(action_id=action.pk, approved=False, by=SAM)

    assert told.value.extra["resolution"] == "approved"


def test_of_fifty_deciders_one_wins_and_the_others_are_told_who() -> None:
    action = rows.waiting_for_staff()
    staff = [Decider(kind="staff", name=f"staff{number}") for number in range(50)]

    outcomes = at_once(
        [
            lambda by=by, yes=number % 2 == 0: decide(action_id=action.pk, approved=yes, by=by)
            for number, by in enumerate(staff)
        ]
    )

    [won] = [outcome for outcome in outcomes if isinstance(outcome, Action)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, AlreadyDecided)]
    assert len(lost) == 49
    told = {tuple(loser.extra.items()) for loser in lost}
    assert told == {(("resolution", won.status), ("by", "staff"), ("by_name", won.decided_by_name))}
    assert Event.objects.filter(turn_id=action.turn_id, kind="approval_decided").count() == 1


def test_among_customer_and_staff_only_the_one_who_may_decide_wins() -> None:
    action = waiting()
    deciders = [customer_of(action) if number % 2 else SAM for number in range(20)]

    outcomes = at_once([lambda by=by: decide(action_id=action.pk, approved=True, by=by) for by in deciders])

    assert sum(isinstance(outcome, Action) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyDecided | NotAllowed) for outcome in outcomes) == 19
    action.refresh_from_db()
    assert (action.status, action.decided_by) == ("approved", "customer")
    assert Event.objects.filter(turn_id=action.turn_id, kind="approval_decided").count() == 1


def test_a_decision_that_cannot_be_logged_is_no_decision() -> None:
    action = waiting()

    def broken(**_: Any) -> None:
        raise RuntimeError("the log is full")

    approvals.settled.connect(broken)
    try:
        with nothing_changes(action), pytest.raises(RuntimeError):
            decide(action_id=action.pk, approved=True, by=customer_of(action))
    finally:
        approvals.settled.disconnect(broken)


def test_a_running_turn_is_not_put_back_into_the_queue_by_a_decision() -> None:
    """The decision came before the worker had parked the turn; parking finds it."""
    action = waiting()
    Turn.objects.filter(pk=action.turn_id).update(status=TurnStatus.RUNNING)

    decide(action_id=action.pk, approved=True, by=customer_of(action))

    assert Turn.objects.get(pk=action.turn_id).status == TurnStatus.RUNNING


def test_the_question_of_a_tool_without_words_shows_values_as_people_write_them() -> None:
    tool = Tool(title="Post coupons", confirmation="")

    question = approvals.ask(tool, {"name": "Été", "once": True, "metadata": {"a": None}, "ids": ["b"]})

    assert question == 'Post coupons: name Été, once true, metadata {"a": null}, ids ["b"]'
    assert approvals.ask(tool, {}) == "Post coupons"


def test_the_question_fills_arguments_in_as_text_and_never_as_a_format() -> None:
    tool = rows.tool("refund", confirmation="Refund {order_id} because of {note}?")

    question = approvals.ask(tool, {"order_id": "{note}", "note": "{0.__class__}"})

    assert question == "Refund {note} because of {0.__class__}?"


@pytest.mark.parametrize(
    ("amount", "approver"),
    [
        (50, "customer"),
        (50.0, "customer"),
        (-1, "customer"),
        (50.01, "staff"),
        (51, "staff"),
        ("1", "staff"),
        (True, "staff"),
        (None, "staff"),
        (float("nan"), "staff"),
    ],
)
def test_an_amount_above_the_limit_or_unreadable_is_for_staff(amount: Any, approver: str) -> None:
    tool = rows.tool("refund", staff_above_argument="amount", staff_above_amount=50)

    assert approvals.approver_for(tool, {"amount": amount}) == approver


def test_a_missing_amount_is_for_staff() -> None:
    tool = rows.tool("refund", staff_above_argument="amount", staff_above_amount=50)

    assert approvals.approver_for(tool, {}) == Approver.STAFF


def test_the_same_tool_call_opens_one_action() -> None:
    turn, tool = rows.turn(rows.customer()), rows.tool()
    wanted = {
        "turn_id": turn.pk,
        "customer_id": turn.conversation.customer_id,
        "tool": tool,
        "tool_call_id": "call_1",
    }
    given = {"agent": "order_actions", "bound": {"customer_id": "cus_1001"}}

    first, opened = approvals.open_action(**wanted, **given, arguments={"order_id": "1042"})
    again, reopened = approvals.open_action(**wanted, **given, arguments={"order_id": "9999"})

    assert (opened, reopened) == (True, False)
    assert again.pk == first.pk
    assert again.args == {"order_id": "1042"}


def test_a_stopped_turn_cancels_what_waits_and_a_late_yes_changes_nothing() -> None:
    action = waiting()
    with transaction.atomic():
        approvals.cancel_open(turn_id=action.turn_id)
    action.refresh_from_db()
    assert action.status == ActionStatus.CANCELLED

    with nothing_changes(action), pytest.raises(AlreadyDecided) as told:
        decide(action_id=action.pk, approved=True, by=customer_of(action))

    assert told.value.extra["resolution"] == "cancelled"


@pytest.mark.parametrize("was", [ActionStatus.AWAITING, ActionStatus.APPROVED])
def test_what_is_cancelled_with_its_turn_is_in_the_log_of_the_process_like_every_other_end(was: str) -> None:
    action = waiting()
    Action.objects.filter(pk=action.pk).update(status=was)

    with capture_logs() as lines, transaction.atomic():
        approvals.cancel_open(turn_id=action.turn_id)

    [line] = [line for line in lines if line["event"] == "approval_cancelled"]
    assert (line["action_id"], line["tool"], line["was"]) == (str(action.pk), action.tool_name, was)
