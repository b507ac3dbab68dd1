"""What the graph does about a model's tool calls: `gate` opens approvals and waits, `act` is the only node that calls
tools. Writes go through one by one, in the order of the answer; everything else up to the next write at once."""

import asyncio
import time
from typing import Any, Literal

from django.db.models import Q
from langchain_core.messages import AnyMessage, ToolMessage
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from agents import (
    approvals,
    credentials,
    executor,
    facts,
    paging,
    policy,
    tool_choice,
    tool_http,
    tool_request,
)
from agents.context import TurnContext
from agents.models import Action, ActionStatus, Tool
from agents.registry import AgentSpec, ToolSpec
from agents.turn_messages import action_result, pending_calls, read_result, refused, succeeded, tool_message
from agents.turn_state import Next, State
from smartsupport.lib.threads import in_thread


def after_calls(context: TurnContext, agent_name: str, messages: list[AnyMessage]) -> Next:
    """Where an answer's unanswered calls lead: writes to `gate` one by one, everything else straight to `act`."""
    waiting = pending_calls(messages)
    if not waiting:
        return "agent"
    return "gate" if is_write(context, agent_name, waiting[0]) else "act"


def is_write(context: TurnContext, agent_name: str, call: dict[str, Any]) -> bool:
    """True for a call that passes the policy and has an effect. A refused one goes to `act` to be told why."""
    spec = context.registry.agent(agent_name)
    tool = context.registry.tool(agent_name, call["name"])
    if spec is None or tool is None or not tool.writes:
        return False
    return not _judged(context, spec, tool, call).fault


def _judged(
    context: TurnContext, spec: AgentSpec, tool: ToolSpec | None, call: dict[str, Any]
) -> policy.Verdict:
    succeeded = context.journal.succeeded()
    return policy.judge(spec, tool, call["args"], context.bindings, name=call["name"], succeeded=succeeded)


async def gate(state: State, runtime: Runtime[TurnContext]) -> Command[Literal["gate", "act"]]:
    """Open the approval of the next write and wait for a person."""
    context, name = runtime.context, state["agents"][0]
    call = pending_calls(state["messages"])[0]
    status = await context.journal.transact(lambda: open_call(context, name, call))
    if status == ActionStatus.AWAITING:
        interrupt({"tool_call_id": call["id"]})
        status = await context.journal.transact(lambda: open_call(context, name, call))
    if status == ActionStatus.AWAITING:
        return Command(goto="gate")
    return Command(update={"gated": call["id"] if status else "", "refusal": status}, goto="act")


def open_call(context: TurnContext, agent_name: str, call: dict[str, Any]) -> tuple[str, list[facts.Fact]]:
    """The status of this call's action; opened if it is new. `"refused"` where the same call was declined in this turn
    or its outcome is unknown, `"edited"` where staff approved it with other arguments, "" where the call may not be
    made. What was opened once is decided on as it is, whatever staff changed since."""
    if known := action_of(context, call):
        return known.status, []
    spec = context.registry.agent(agent_name)
    tool = context.registry.tool(agent_name, call["name"])
    if spec is None or tool is None:
        return "", []
    verdict = _judged(context, spec, tool, call)
    row = Tool.objects.filter(pk=tool.id, enabled=True).first()
    if verdict.fault or row is None or not _is_as_judged(row, tool):
        return "", []
    same = Action.objects.filter(turn_id=context.turn_id, tool_id=tool.id).exclude(tool_call_id=call["id"])
    wanted = approvals.frozen(verdict.arguments)
    declined = [ActionStatus.REJECTED, ActionStatus.EXPIRED, ActionStatus.UNKNOWN]
    meant = Q(arguments=wanted) | Q(proposed_arguments=wanted)
    if same.filter(meant, status__in=declined).exists():
        return "refused", []
    if same.filter(proposed_arguments=wanted).exists():
        return "edited", []
    action, opened = approvals.open_action(
        turn_id=context.turn_id,
        customer_id=context.customer_id,
        tool=row,
        tool_call_id=call["id"],
        agent=spec.name,
        arguments=verdict.arguments,
        bound=verdict.bound,
        overridden=verdict.overridden,
        staff_only=context.call is not None,
    )
    return action.status, [approvals.opened_fact(action, verdict.overridden)] if opened else []


async def act(state: State, runtime: Runtime[TurnContext]) -> Command[Next]:
    """Carry out what may be carried out now: one decided write, or all calls up to the next write at once."""
    context = runtime.context
    name = state["agents"][0]
    calls = pending_calls(state["messages"])
    handoff = False
    if calls[0]["id"] == state.get("gated"):
        written = await _act_on_write(context, calls, state.get("refusal", ""))
        if written is None:
            return Command(goto="gate")
        results = written
    else:
        # The first call was sent here to be told why it may not be made, or is a read.
        later = enumerate(calls[1:], start=1)
        first_write = next((place for place, call in later if is_write(context, name, call)), len(calls))
        results = list(
            await asyncio.gather(*(act_on_read(context, name, call) for call in calls[:first_write]))
        )
        handoff = any(call["name"] == policy.HAND_OFF for call in calls[:first_write])
    if handoff:
        given_up = {"messages": results, "handoff": True, "gave_up": name, "agents": []}
        return Command(update=given_up, goto="finish")
    goto = after_calls(context, name, [*state["messages"], *results])
    return Command(update={"messages": results}, goto=goto)


async def _act_on_write(
    context: TurnContext, calls: list[dict[str, Any]], status: str
) -> list[ToolMessage] | None:
    """Settle the first call's action. One that was not carried out for want of a yes skips the calls after it. None
    where the action came back to the approvers because its tool has changed."""
    call = calls[0]
    found = await context.journal.transact(lambda: (action_of(context, call), []))
    if found is None:
        return [refused(call, "rejected", EDITED if status == "edited" else DECLINED)]
    action = await executor.execute(found.pk, context.journal) if found.status in EXECUTABLE else found
    if action.status == ActionStatus.AWAITING:
        return None
    results = [action_result(call, action)]
    if action.status in (ActionStatus.REJECTED, ActionStatus.EXPIRED, ActionStatus.CANCELLED):
        skipped = "Skipped, because the action before it was not carried out. Nothing was changed."
        results += [refused(rest, "skipped", skipped) for rest in calls[1:]]
    return results


DECLINED = (
    "The same call was declined just now, or nobody knows whether it took place. It was not carried out. "
    "Do not ask for it again."
)
EDITED = "Our staff approved this with other arguments, as the result before tells. Do not ask for it again."
EXECUTABLE = (ActionStatus.APPROVED, ActionStatus.DISPATCHING)


def action_of(context: TurnContext, call: dict[str, Any]) -> Action | None:
    own = Action.objects.select_related("tool")
    return own.filter(turn_id=context.turn_id, tool_call_id=call["id"]).first()


async def act_on_read(context: TurnContext, agent_name: str, call: dict[str, Any]) -> ToolMessage:
    """Answer one call that has no effect: a read, a refused call, or the hand-over."""
    journal = context.journal
    if call["name"] == policy.HAND_OFF:
        reason = str(call["args"].get("reason") or "The agent could not help.")[:500]
        key = f"handoff:{call['id']}"
        if not journal.recorded(key):
            await journal.append(
                facts.handoff_requested(reason=reason, by="model", key=key, agent=agent_name)
            )
        return tool_message(call, {"ok": True, "result": "A colleague was asked to take over."})
    spec = context.registry.agent(agent_name)
    tool = context.registry.tool(agent_name, call["name"])
    if known := journal.recorded(f"tool:{call['id']}"):
        return await _recorded_result(call, known, tool)
    if spec is None:
        return refused(call, "validation", "This agent is switched off.")
    if call["name"] == policy.FIND_TOOLS and tool_choice.is_large(spec):
        return await tool_choice.look_up(context, spec, call)
    verdict = _judged(context, spec, tool, call)
    if verdict.fault or tool is None:
        return await _refuse(context, agent_name, call, tool, verdict)
    called = facts.tool_called(
        agent=agent_name,
        tool=tool.name,
        title=tool.title,
        args=verdict.arguments,
        call_id=call["id"],
        overridden=verdict.overridden,
    )
    told = [] if journal.recorded(called.key) else [called]
    (row, terms), _ = await asyncio.gather(in_thread(lambda: _to_call(tool)), journal.append(*told))
    started = time.monotonic()
    outcome, request = await _read(row, terms, tool, verdict)
    more = paging.more(row, outcome.result, outcome.next_link) if row and outcome.ok else ""
    await journal.append(
        facts.tool_returned(
            agent=agent_name,
            tool=tool.name,
            call_id=call["id"],
            ok=outcome.ok,
            result=outcome.result,
            error=None if outcome.ok else {"kind": outcome.kind, "message": outcome.message},
            status=outcome.status,
            duration_ms=round((time.monotonic() - started) * 1000),
            more=more,
            request=request.shown() if request else None,
        )
    )
    return read_result(call, outcome, shown=row.projection if row else (), more=more)


def _to_call(tool: ToolSpec) -> tuple[Tool | None, credentials.Terms | None]:
    row = credentials.tool_to_call(tool.id)
    return row, credentials.terms_of(row) if row else None


def _is_as_judged(row: Tool, tool: ToolSpec) -> bool:
    """What was checked is what is called: staff may have changed the tool a moment ago."""
    return row.access == tool.access and row.bound == dict(tool.bound)


async def _read(
    row: Tool | None, terms: credentials.Terms | None, tool: ToolSpec, verdict: policy.Verdict
) -> tuple[tool_http.Outcome, tool_request.Request | None]:
    """What came of the call, and the request; None where nothing was sent."""
    if row is None or terms is None or row.access != "read" or not _is_as_judged(row, tool):
        changed = "This tool was changed or switched off just now."
        return tool_http.Outcome(False, kind="validation", message=changed), None
    try:
        request = tool_request.build(row, verdict.arguments, verdict.bound)
    except tool_request.RecipeError as fault:
        return tool_http.Outcome(False, kind="validation", message=str(fault)), None
    return await tool_http.send(request, terms, repeatable=True), request


async def _refuse(
    context: TurnContext,
    agent_name: str,
    call: dict[str, Any],
    tool: ToolSpec | None,
    verdict: policy.Verdict,
) -> ToolMessage:
    """Tell the model, and the log, why a call was not made."""
    title, fault, overridden = tool.title if tool else call["name"], verdict.fault, verdict.overridden
    given = call["args"] if isinstance(call["args"], dict) else {}
    args = {name: value for name, value in given.items() if name not in overridden}
    error = {"kind": "validation", "message": fault}
    called = facts.tool_called(
        agent=agent_name,
        tool=call["name"],
        title=title,
        args=args,
        call_id=call["id"],
        overridden=overridden,
    )
    told = [] if context.journal.recorded(called.key) else [called]
    returned = facts.tool_returned(
        agent=agent_name, tool=call["name"], call_id=call["id"], ok=False, error=error
    )
    await context.journal.append(*told, returned)
    return refused(call, "validation", fault)


async def _recorded_result(call: dict[str, Any], fact: facts.Fact, tool: ToolSpec | None) -> ToolMessage:
    if fact.payload["ok"]:
        row = await in_thread(Tool.objects.filter(pk=tool.id).first) if tool else None
        shown = row.projection if row else ()
        return succeeded(call, fact.payload.get("result"), shown=shown, more=fact.payload.get("more", ""))
    return refused(call, fact.payload["error"]["kind"], fact.payload["error"]["message"])
