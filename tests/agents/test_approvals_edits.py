"""Other arguments, a second person, the proposer, another version of the tool: what each changes about a decision."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import approvals
from agents.approvals import (
    AlreadyDecided,
    ArgumentsChanged,
    Decider,
    InvalidArguments,
    NotAllowed,
    ToolChanged,
    ToolSwitchedOff,
    decide,
)
from agents.models import Action, ActionStatus, Tool
from agents.turn_messages import action_result
from chat.mcp.outcomes import of_action
from chat.models import Event, Turn, TurnStatus
from tests import rows
from tests.agents.test_approvals import customer_of, nothing_changes
from tests.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)
SAM = Decider(kind="staff", name="sam", id="user:1")
KIM = Decider(kind="staff", name="kim", id="user:2")
KIM_THE_OTHER = Decider(kind="staff", name="kim", id="user:3")


def of_two_people() -> Action:
    rows.tool("apply_discount", approval="staff", approvals_needed=2)
    return rows.waiting_for_staff()


def facts(action: Action, kind: str) -> list[dict[str, Any]]:
    return list(Event.objects.filter(turn_id=action.turn_id, kind=kind).values_list("payload", flat=True))


def test_edited_arguments_are_hashed_anew_and_the_proposal_is_kept() -> None:
    action = rows.waiting_for_staff()
    edited = {"order_id": "1042", "percent": 5}

    decided = decide(action_id=action.pk, approved=True, by=SAM, arguments=edited)

    assert (decided.status, decided.args) == (ActionStatus.APPROVED, edited)
    assert json.loads(decided.proposed_arguments) == action.args
    assert (decided.edited_by, decided.edited_by_id) == ("sam", "user:1")
    assert decided.arguments_hash == decided.expected_hash() != action.arguments_hash
    [told] = facts(action, "approval_decided")
    assert (told["params"], told["changed"]) == (edited, {"percent": [10, 5]})


def test_the_same_arguments_again_are_no_edit() -> None:
    action = rows.waiting_for_staff()

    decided = decide(
        action_id=action.pk, approved=True, by=SAM, arguments={"percent": 10, "order_id": "1042"}
    )

    assert (decided.proposed_arguments, decided.arguments_hash) == ("", action.arguments_hash)
    assert "changed" not in facts(action, "approval_decided")[0]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"percent": 5},
        {"order_id": 1042},
        {"order_id": "1042", "percent": "5"},
        {"order_id": "1042", "percent": True},
        {"order_id": "1042", "colour": "red"},
    ],
)
def test_arguments_that_the_tool_does_not_take_change_nothing(arguments: dict[str, Any]) -> None:
    action = rows.waiting_for_staff()

    with nothing_changes(action), pytest.raises(InvalidArguments):
        decide(action_id=action.pk, approved=True, by=SAM, arguments=arguments)


def test_arguments_that_cannot_be_kept_change_nothing() -> None:
    rows.tool("apply_discount", approval="staff", input_schema={"type": "object"})
    action = rows.waiting_for_staff()
    deep: Any = "x"
    for _ in range(600):
        deep = {"a": deep}

    for arguments in ({"order_id": "10\x0042"}, {"order_id": "\ud800"}, {"\x00": 1}, {"order_id": deep}):
        with nothing_changes(action), pytest.raises(InvalidArguments, match="cannot be kept"):
            decide(action_id=action.pk, approved=True, by=SAM, arguments=arguments)


def test_what_is_bound_to_the_customer_cannot_be_edited() -> None:
    action = rows.waiting_for_staff()

    decided = decide(
        action_id=action.pk,
        approved=True,
        by=SAM,
        arguments={**action.args, "percent": 5, "customer_id": "cus_somebody_else"},
    )

    assert "customer_id" not in decided.args
    assert decided.bound_arguments == action.bound_arguments


def test_a_customer_edits_nothing_and_a_refusal_edits_nothing() -> None:
    mine = rows.action(rows.turn(rows.customer()), rows.tool())
    with nothing_changes(mine), pytest.raises(InvalidArguments):
        decide(action_id=mine.pk, approved=True, by=customer_of(mine), arguments={"order_id": "1"})

    action = rows.waiting_for_staff()
    with nothing_changes(action), pytest.raises(InvalidArguments):
        decide(action_id=action.pk, approved=False, by=SAM, arguments=action.args)


def test_nobody_approves_what_they_did_not_see() -> None:
    action = of_two_people()
    seen = action.arguments_hash
    decide(action_id=action.pk, approved=True, by=SAM, arguments={**action.args, "percent": 90}, seen=seen)

    action.refresh_from_db()
    with nothing_changes(action), pytest.raises(ArgumentsChanged):
        decide(action_id=action.pk, approved=True, by=KIM, seen=seen)

    done = decide(action_id=action.pk, approved=True, by=KIM, seen=action.arguments_hash)
    assert (done.status, done.args["percent"]) == (ActionStatus.APPROVED, 90)
    assert facts(action, "approval_decided")[0]["changed"] == {"percent": [10, 90]}


def test_two_different_people_agree_whatever_their_names() -> None:
    action = of_two_people()

    first = decide(action_id=action.pk, approved=True, by=KIM)

    assert (first.status, [vote["id"] for vote in first.votes]) == (ActionStatus.AWAITING, ["user:2"])
    assert Turn.objects.get(pk=action.turn_id).status == TurnStatus.WAITING
    [voted] = facts(action, "approval_voted")
    assert (voted["by_name"], voted["votes"], voted["needed"]) == ("kim", 1, 2)
    action.refresh_from_db()
    with nothing_changes(action), pytest.raises(NotAllowed, match="second person"):
        decide(action_id=action.pk, approved=True, by=KIM)
    assert decide(action_id=action.pk, approved=True, by=KIM_THE_OTHER).status == ActionStatus.APPROVED


def test_a_key_is_nobody_where_two_people_have_to_agree() -> None:
    action = of_two_people()
    program = Decider(kind="staff", name="API key billing", id="key:1")

    with nothing_changes(action), pytest.raises(NotAllowed, match="signed in to the console"):
        decide(action_id=action.pk, approved=True, by=program)

    assert decide(action_id=action.pk, approved=False, by=program).status == ActionStatus.REJECTED


def test_a_call_that_may_have_happened_already_is_staffs_to_decide() -> None:
    first = rows.action(rows.turn(rows.customer()), rows.tool())
    Action.objects.filter(pk=first.pk).update(status=ActionStatus.UNKNOWN)
    owner = first.turn.conversation.customer

    same = rows.action(rows.turn(owner, "t-again"), first.tool)
    another = rows.action(rows.turn(owner, "t-another"), first.tool, order_id="1043")

    assert (same.approver, another.approver) == ("staff", "customer")


def test_one_of_two_is_enough_to_decline() -> None:
    action = of_two_people()
    decide(action_id=action.pk, approved=True, by=KIM)

    assert decide(action_id=action.pk, approved=False, by=KIM).status == ActionStatus.REJECTED


def test_an_edit_starts_the_counting_again() -> None:
    action = of_two_people()
    decide(action_id=action.pk, approved=True, by=SAM)

    edited = decide(action_id=action.pk, approved=True, by=KIM, arguments={**action.args, "percent": 5})
    assert (edited.status, [vote["id"] for vote in edited.votes]) == (ActionStatus.AWAITING, ["user:2"])
    with nothing_changes(edited), pytest.raises(ArgumentsChanged, match="arguments_hash"):
        decide(action_id=action.pk, approved=True, by=SAM)
    done = decide(action_id=action.pk, approved=True, by=SAM, seen=edited.arguments_hash)
    assert done.status == ActionStatus.APPROVED


def test_two_people_out_of_many_at_once() -> None:
    action = of_two_people()
    people = [Decider(kind="staff", name=f"p{n}", id=f"user:{n}") for n in range(12)]

    outcomes = at_once([lambda by=by: decide(action_id=action.pk, approved=True, by=by) for by in people])

    assert sum(isinstance(outcome, AlreadyDecided) for outcome in outcomes) == 10
    assert len(facts(action, "approval_voted")) == len(facts(action, "approval_decided")) == 1
    [turn] = Turn.objects.filter(pk=action.turn_id)
    assert turn.status == TurnStatus.QUEUED


def test_the_one_who_asked_does_not_approve() -> None:
    action = rows.waiting_for_staff()
    Turn.objects.filter(pk=action.turn_id).update(asked_by=SAM.id)

    with nothing_changes(action), pytest.raises(NotAllowed, match="yourself"):
        decide(action_id=action.pk, approved=True, by=SAM)

    assert decide(action_id=action.pk, approved=True, by=KIM).status == ActionStatus.APPROVED


def test_a_yes_that_somebody_else_sent_does_not_make_it_somebody_elses_wish() -> None:
    owner = rows.customer()
    asked = rows.turn(owner, "t-own", "10% off for her, please", asked_by=SAM.id)
    rows.finish(asked)
    action = rows.action(rows.turn(owner, "t-own", "Yes"), rows.tool(approval="staff"))
    rows.turn(owner, "t-own", "And something else", asked_by=KIM.id)

    with nothing_changes(action), pytest.raises(NotAllowed, match="yourself"):
        decide(action_id=action.pk, approved=True, by=SAM)

    assert decide(action_id=action.pk, approved=True, by=KIM).status == ActionStatus.APPROVED


def test_a_changed_tool_is_staffs_to_look_at_again_whoever_would_have_decided() -> None:
    action = rows.action(rows.turn(rows.customer()), rows.tool())
    Tool.objects.filter(pk=action.tool_id).update(path="/elsewhere/{order_id}")

    with pytest.raises(ToolChanged):
        decide(action_id=action.pk, approved=True, by=customer_of(action))

    action.refresh_from_db()
    assert (action.status, action.approver, action.reopened) == (ActionStatus.AWAITING, "staff", 1)
    assert [change["field"] for change in action.difference] == ["path"]
    with nothing_changes(action), pytest.raises(NotAllowed):
        decide(action_id=action.pk, approved=True, by=customer_of(action))
    with nothing_changes(action), pytest.raises(ArgumentsChanged):
        decide(action_id=action.pk, approved=True, by=SAM)
    with nothing_changes(action), pytest.raises(ArgumentsChanged):  # their words, but for the tool that was
        decide(action_id=action.pk, approved=True, by=SAM, arguments=action.args)
    seen = action.arguments_hash
    assert decide(action_id=action.pk, approved=True, by=SAM, seen=seen).status == ActionStatus.APPROVED


def with_defaults(action: Action) -> None:
    """From now on the action's tool fills in one argument that it did not have, and takes a note that has to be one."""
    schema = dict(action.tool.input_schema)
    schema["properties"] = {**schema["properties"], "notify": {"type": "boolean", "default": True}}
    Tool.objects.filter(pk=action.tool_id).update(input_schema=schema)


@pytest.mark.parametrize("needed", [1, 2])
def test_what_a_changed_tool_fills_in_is_shown_before_it_is_approved(needed: int) -> None:
    rows.tool("apply_discount", approval="staff", approvals_needed=needed)
    action = rows.waiting_for_staff()
    asked = action.args
    with_defaults(action)

    with pytest.raises(ToolChanged):
        decide(action_id=action.pk, approved=True, by=SAM)

    action.refresh_from_db()
    shown, seen = action.args, action.arguments_hash
    assert shown == {**asked, "notify": True}
    assert seen == action.expected_hash()
    assert json.loads(action.proposed_arguments) == asked
    assert facts(action, "approval_reopened")[0]["params"] == shown
    for by in (SAM, KIM)[:needed]:  # the second one agrees to what the first one has seen
        decided = decide(action_id=action.pk, approved=True, by=by, seen=seen)
    assert (decided.status, decided.args, decided.edited_by) == (ActionStatus.APPROVED, shown, "")
    assert decided.arguments_hash == seen


@pytest.mark.parametrize("edited", [False, True])
def test_nobody_is_told_that_staff_changed_what_the_tool_did(edited: bool) -> None:
    action = rows.waiting_for_staff()
    with_defaults(action)
    with pytest.raises(ToolChanged):
        decide(action_id=action.pk, approved=True, by=SAM)
    action.refresh_from_db()
    arguments = {**action.args, "percent": 5} if edited else None
    decide(action_id=action.pk, approved=True, by=SAM, seen=action.arguments_hash, arguments=arguments)
    Action.objects.filter(pk=action.pk).update(status=ActionStatus.SUCCEEDED, result={})
    done = Action.objects.select_related("tool").get(pk=action.pk)

    model = str(action_result({"id": "c", "name": "apply_discount", "args": {}}, done).content)
    caller = of_action(done).content

    assert ("Our staff changed" in model, "Our staff changed" in caller["note"]) == (edited, edited)
    assert ("Its tool has changed" in model, "Its tool has changed" in caller["note"]) == (
        not edited,
        not edited,
    )
    assert json.loads(model)["arguments_used"] == caller["arguments_used"] == done.args


def test_arguments_that_a_changed_tool_does_not_take_come_back_as_they_were() -> None:
    action = rows.waiting_for_staff()
    schema = {**action.tool.input_schema, "required": ["order_id", "percent", "note"]}
    schema["properties"] = {**schema["properties"], "notify": {"type": "boolean", "default": True}}
    Tool.objects.filter(pk=action.tool_id).update(input_schema=schema)

    with pytest.raises(ToolChanged):
        decide(action_id=action.pk, approved=True, by=SAM)

    came_back = Action.objects.get(pk=action.pk)
    assert (came_back.arguments, came_back.proposed_arguments) == (action.arguments, "")


def test_what_is_declined_needs_no_second_look_at_the_tool() -> None:
    action = rows.waiting_for_staff()
    Tool.objects.filter(pk=action.tool_id).update(enabled=False)

    assert decide(action_id=action.pk, approved=False, by=SAM).status == ActionStatus.REJECTED


def test_a_tool_that_is_switched_off_cannot_be_approved_by_staff() -> None:
    action = rows.waiting_for_staff()
    Tool.objects.filter(pk=action.tool_id).update(enabled=False)

    with nothing_changes(action), pytest.raises(ToolSwitchedOff):
        decide(action_id=action.pk, approved=True, by=SAM)


@given(above=st.decimals(min_value=0, max_value=10_000, places=2), amount=st.decimals(0, 20_000, places=2))
def test_staff_decide_on_everything_above_the_amount_and_on_nothing_else(above: Any, amount: Any) -> None:
    tool = Tool(approval="customer", staff_above_argument="amount", staff_above_amount=above)

    wanted = "staff" if float(amount) > float(above) else "customer"
    assert approvals.approver_for(tool, {"amount": float(amount)}) == wanted


@pytest.mark.parametrize("amount", [None, "5", True, [], {}, float("nan"), float("inf")])
def test_an_amount_that_cannot_be_read_is_staffs_to_decide(amount: Any) -> None:
    tool = Tool(approval="customer", staff_above_argument="amount", staff_above_amount=100)

    assert approvals.approver_for(tool, {} if amount is None else {"amount": amount}) == "staff"
