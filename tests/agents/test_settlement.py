"""Staff settle actions of which nobody knows whether they took place."""

from typing import Any
from uuid import uuid4

import pytest

from agents import approvals, executor, settlement
from agents.approvals import Decider
from agents.models import Action, ActionStatus
from agents.tool_http import Outcome
from chat import frames
from chat.models import Event, Turn
from smartsupport.lib.errors import ServiceError
from tests import rows
from tests.at_once import at_once

db = pytest.mark.django_db
SAM = Decider(kind="staff", name="sam")


def settle(action: Action, happened: Any = True, by: Decider = SAM, note: str = "Seen there.") -> Action:
    return settlement.settle(action_id=action.pk, happened=happened, by=by, note=note)


def state(action: Action) -> tuple[Any, ...]:
    row = Action.objects.filter(pk=action.pk).values().get()
    return row, rows.log_size(action.turn.conversation), Turn.objects.get(pk=action.turn_id).status


@db
@pytest.mark.parametrize(
    ("happened", "status", "kind", "message"),
    [
        (True, "succeeded", "", ""),
        (False, "failed", "did_not_happen", "Staff have checked: it did not happen."),
    ],
)
def test_what_staff_found_is_the_outcome(happened: bool, status: str, kind: str, message: str) -> None:
    action = rows.outcome_unknown()
    before = Action.objects.get(pk=action.pk)

    settled = settle(action, happened, note="  Seen in the\nledger. ")

    assert (settled.status, settled.error_kind, settled.error_message) == (status, kind, message)
    assert (settled.decided_by_name, settled.reason) == (before.decided_by_name, before.reason)
    event = Event.objects.get(kind="action_settled")
    assert event.turn_id == action.turn_id
    assert event.payload == {
        "interrupt_id": str(action.pk), "action": "apply_discount", "happened": happened,
        "by_name": "sam", "note": "Seen in the ledger.",
    }  # fmt: skip
    assert Turn.objects.get(pk=action.turn_id).status == "completed"


@db
def test_the_customer_gets_no_frame_of_it() -> None:
    action = rows.outcome_unknown()
    settle(action)
    event = Event.objects.get(kind="action_settled")

    shown = frames.Shown("t", event.seq, event.kind, event.turn_id, "", event.payload, event.created_at)

    assert frames.of_event(shown) == []


@db
@pytest.mark.parametrize("status", [status for status in ActionStatus if status != ActionStatus.UNKNOWN])
def test_only_what_is_unknown_is_settled(status: ActionStatus) -> None:
    action = rows.outcome_unknown()
    Action.objects.filter(pk=action.pk).update(status=status)
    before = state(action)

    with pytest.raises(settlement.NotUnknown) as refusal:
        settle(action)

    assert (refusal.value.status, refusal.value.extra) == (409, {"outcome": status})
    assert refusal.value.message == f"There is nothing to settle: {settlement.NOW_IS[status]}."
    assert state(action) == before


@db
@pytest.mark.parametrize("happened", [None, 1, 0, "true", "yes"])
def test_only_true_and_false_settle(happened: Any) -> None:
    action = rows.outcome_unknown()
    before = state(action)

    with pytest.raises(TypeError):
        settle(action, happened)

    assert state(action) == before


@db
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"note": " \n "}, "missing_note"),
        ({"by": Decider(kind="customer", name="Ada")}, "not_allowed"),
    ],
)
def test_without_a_note_or_by_a_customer_nothing_is_settled(more: Any, code: str) -> None:
    action = rows.outcome_unknown()
    before = state(action)

    with pytest.raises(ServiceError) as refusal:
        settle(action, **more)

    assert refusal.value.code == code
    assert state(action) == before


@db
def test_an_action_that_is_not_there() -> None:
    with pytest.raises(approvals.ActionNotFound):
        settlement.settle(action_id=uuid4(), happened=True, by=SAM, note="Seen.")

    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_settle_at_the_same_moment_one_is_told() -> None:
    action = rows.outcome_unknown()

    told = at_once([lambda: settle(action, True), lambda: settle(action, False)] * 2)

    assert sum(isinstance(one, settlement.NotUnknown) for one in told) == 3
    [event] = Event.objects.filter(kind="action_settled")
    action.refresh_from_db()
    assert action.status == ("succeeded" if event.payload["happened"] else "failed")


@db
def test_an_answer_that_comes_later_changes_nothing_that_staff_settled() -> None:
    action = rows.outcome_unknown()
    settle(action, False)
    before = state(action)

    row, recorded = executor._record(action.pk, Outcome(True, {"state": "done"}, status=200), 5)

    assert (row.status, recorded) == ("failed", [])
    assert state(action) == before
