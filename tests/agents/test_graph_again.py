"""A node that is run again after a crash finds what it did the first time, whatever staff have changed since."""

from typing import Any

import pytest
from langgraph.runtime import Runtime

from agents import acting, approvals, facts, graph, registry
from agents.context import TurnContext
from agents.models import Action
from agents.registry import AgentSpec, Registry
from chat import history
from chat.journal import TurnJournal
from chat.models import Event
from chat.turns import Claim
from tests import rows
from tests.factories import claim, on_loop

pytestmark = pytest.mark.django_db(transaction=True)
AGENT = AgentSpec("order_lookup", "Looks orders up.", "read", "", "", "", (), "", ())


def context(held: Claim, agent: AgentSpec = AGENT) -> TurnContext:
    """What the worker that holds this claim would give the graph."""
    return TurnContext(
        turn_id=held.turn_id,
        conversation_id=held.conversation_id,
        customer_id=held.customer_id,
        bindings={},
        message=held.content,
        history=(),
        live_agent="",
        fresh=False,
        registry=Registry((agent,)),
        journal=TurnJournal(held, history.recorded(held.turn_id)),
    )


def kinds(held: Claim) -> list[str]:
    events = Event.objects.filter(turn_id=held.turn_id).exclude(kind="message_received").order_by("seq")
    return list(events.values_list("kind", flat=True))


def test_a_turn_that_took_too_many_steps_says_so_once() -> None:
    rows.turn(rows.customer())
    held = claim()
    state: Any = {"agents": [AGENT.name], "messages": [], "step": graph.MODEL_CALLS_LIMIT}

    for _ in range(2):
        command = on_loop(graph.agent(state, Runtime(context=context(held))))

    assert (command.goto, kinds(held)) == ("finish", ["replied"])


def test_a_call_whose_tool_was_taken_away_while_it_ran_is_refused() -> None:
    turn = rows.turn(rows.customer())
    held = claim()
    call = {"id": "call_1", "name": "get_order_status", "args": {"order_id": 1042}}
    rows.happened(
        turn,
        facts.tool_called(
            agent=AGENT.name, tool=call["name"], title="Order status", args=call["args"], call_id=call["id"]
        ),
    )

    answer = on_loop(acting.act_on_read(context(held), AGENT.name, call))

    assert answer.status == "error"
    assert kinds(held) == ["tool_called", "tool_returned"]


def test_what_one_of_two_people_changed_and_the_other_declined_is_told_as_declined() -> None:
    row = rows.tool("apply_discount", approval="staff", approvals_needed=2, bound={})
    writer = AgentSpec("orders", "Changes orders.", "write", "", "", "", (), "", (registry.tool_spec(row),))
    turn = rows.turn(rows.customer())
    held = claim()
    first = rows.action(turn, row, order_id="1042", percent=10)
    sam, kim = (approvals.Decider("staff", name, id=f"user:{name}") for name in ("sam", "kim"))
    less = {**first.args, "percent": 5}
    approvals.decide(action_id=first.pk, approved=True, by=sam, arguments=less)
    approvals.decide(action_id=first.pk, approved=False, by=kim, reason="No.")
    again = {"id": "call_2", "name": row.name, "args": {"order_id": "1042", "percent": 10}}

    found, opened = acting.open_call(context(held, writer), writer.name, again)

    assert (found, opened) == ("refused", [])
    assert Action.objects.count() == 1
