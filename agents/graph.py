"""One turn as a graph: route -> for each intent agent <-> gate -> act -> ... -> finish.

`gate` opens an approval and waits; `act` is the only node that calls tools. `interrupt()` runs its node again from the
first line, so nothing that cannot be repeated stands before it: opening an action is idempotent on (turn, call id).
Every step looks first for what an earlier attempt at this turn recorded, so a turn that is run again after a crash
asks no model and calls no tool twice; the checkpoint has to keep only the place where a person was asked.
"""

import asyncio
import operator
import time
from typing import Annotated, Any, Literal, TypedDict, cast

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from agents import approvals, executor, facts, policy, tool_http
from agents.cards import AgentCard, ToolCard
from agents.context import TurnContext
from agents.lexical import language_of
from agents.models import Action, ActionStatus, Tool
from agents.prompts import system_prompt
from agents.providers import chat_model
from agents.registry import AgentSpec, ToolSpec
from agents.routing import Decision, continues, decide
from agents.turn_messages import (
    action_result,
    call_ids,
    from_record,
    history_messages,
    normalised_calls,
    pending_calls,
    prompt,
    read_result,
    refused,
    spoken,
    tool_message,
)
from smartsupport.lib.text import storable
from smartsupport.lib.threads import in_thread

MODEL_CALLS_LIMIT = 12
NOTHING_TO_ADD = (
    "I have looked into this, but I have nothing to add. Is there anything else I can help you with?"
)
TOO_MANY_STEPS = (
    "I could not finish this in a reasonable number of steps. Please ask again, or ask for a person."
)
SWITCHED_OFF = "I can no longer help with this here. Please ask again, or ask for a person."
HANDED_OFF = {
    "en": "I have asked a colleague to take over. They will answer you here.",
    "zh": "我已请同事接手，他们会在这里回复您。",
}


class State(TypedDict, total=False):
    agents: list[str]  # still to run, in order; the first is at work
    messages: Annotated[list[AnyMessage], operator.add]  # of this turn, after the customer's
    step: int  # model calls so far, routing not counted
    gated: str  # id of the call whose action `act` settles next
    handoff: bool
    gave_up: str  # the agent that handed over because it could not help


Next = Literal["agent", "gate", "act", "finish"]


async def route(
    state: State, runtime: Runtime[TurnContext]
) -> Command[Literal["agent", "finish", "__end__"]]:
    """Choose the agents for this message, or ask back, or hand over. Skipped where one live agent goes on."""
    context = runtime.context
    known = context.journal.recorded("route")
    decision = _recorded_decision(known) if known else await _decide(context)
    if decision.question:
        return Command(goto="__end__")
    if decision.handoff:
        return Command(update={"handoff": True, "agents": []}, goto="finish")
    return Command(update={"agents": list(decision.agents), "step": 0}, goto="agent")


async def _decide(context: TurnContext) -> Decision:
    cards = [_card(agent) for agent in context.registry.agents]
    history = history_messages(context.history)
    live = context.live_agent
    if live and continues(cards=cards, live_agent=live, message=context.message, history=history):
        reason = f"The conversation continues with {live}."
        fact = facts.routed(
            agents=[live], reason=reason, by="continued", usage=facts.Usage(), duration_ms=None
        )
        context.journal.append_soon(fact)  # while the model is asked
        return Decision(agents=(live,), reason=reason)
    started = time.monotonic()
    decision, raw = await decide(chat_model(), cards=cards, history=history, message=context.message)
    usage, spent = facts.Usage.of(raw), round((time.monotonic() - started) * 1000)
    if decision.question:
        await context.journal.append(
            facts.question_asked(message=decision.question, usage=usage, duration_ms=spent)
        )
    elif decision.handoff:
        await context.journal.append(
            facts.handoff_requested(reason=decision.handoff, by="customer", key="route", usage=usage)
        )
    else:
        agents = list(decision.agents)
        context.journal.append_soon(
            facts.routed(agents=agents, reason=decision.reason, by="model", usage=usage, duration_ms=spent)
        )
    return decision


def _recorded_decision(fact: facts.Fact) -> Decision:
    if fact.kind == "question_asked":
        return Decision(question=fact.payload["message"])
    if fact.kind == "handoff_requested":
        return Decision(handoff=fact.payload["reason"])
    return Decision(agents=tuple(fact.payload["agents"]), reason=fact.payload["reason"])


def _card(agent: AgentSpec) -> AgentCard:
    tools = tuple(ToolCard(tool.name, tool.description) for tool in agent.tools)
    return AgentCard(agent.name, agent.description, agent.permission, agent.keywords, tools)


async def agent(state: State, runtime: Runtime[TurnContext]) -> Command[Next]:
    """Ask the agent at work what to say or call next."""
    context = runtime.context
    spec = context.registry.agent(state["agents"][0])
    step = state.get("step", 0) + 1
    if spec is None:
        return await _gone(state, context, step)
    known = context.journal.recorded(f"model:{step}")
    if known:
        message = from_record(known)
    elif step > MODEL_CALLS_LIMIT:
        if not context.journal.recorded("limit"):
            await context.journal.append(facts.replied(agent=spec.name, content=TOO_MANY_STEPS, key="limit"))
        return Command(update={"agents": []}, goto="finish")
    else:
        message = await _ask_model(context, spec, state.get("messages", []), step)
    update: State = {"messages": [message], "step": step}
    if not message.tool_calls:
        return _next_agent(state, update)
    return Command(update=update, goto=_after_calls(context, state["agents"][0], [message]))


async def _gone(state: State, context: TurnContext, step: int) -> Command[Next]:
    """The agent at work was switched off meanwhile. The last one does not leave without a word."""
    if len(state["agents"]) == 1 and not context.journal.recorded(f"reply:{step}"):
        await context.journal.append(
            facts.replied(agent=state["agents"][0], content=SWITCHED_OFF, key=f"reply:{step}")
        )
    return _next_agent(state, {})


async def _ask_model(
    context: TurnContext, spec: AgentSpec, messages: list[AnyMessage], step: int
) -> AIMessage:
    tools = [*(_tool_schema(tool) for tool in spec.tools), policy.HAND_OFF_TOOL]
    model = chat_model(spec.model).bind_tools(tools)
    started = time.monotonic()
    whole: AIMessageChunk | None = None
    async for chunk in model.astream(prompt(system_prompt(spec), context, messages)):
        piece = cast(AIMessageChunk, chunk)
        whole = piece if whole is None else whole + piece
        if text := storable(piece.text):
            await context.journal.token(spec.name, text)
    answer = whole or AIMessageChunk(content="")
    calls = normalised_calls(answer, step=step, taken=call_ids(messages))
    text = storable(answer.text)
    if not text.strip() and not calls:
        text = NOTHING_TO_ADD
    context.journal.note(
        facts.model_called(
            step=step,
            agent=spec.name,
            text=text,
            tool_calls=calls,
            model=answer.response_metadata.get("model_name", ""),
            usage=facts.Usage.of(answer),
            duration_ms=round((time.monotonic() - started) * 1000),
        )
    )
    if text.strip():
        await context.journal.append(facts.replied(agent=spec.name, content=text, key=f"reply:{step}"))
    return spoken(text, calls, spec.name)


def _tool_schema(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
    return {"type": "function", "function": function}


def _next_agent(state: State, update: State) -> Command[Next]:
    rest = state["agents"][1:]
    return Command(update={**update, "agents": rest}, goto="agent" if rest else "finish")


def _after_calls(context: TurnContext, agent_name: str, messages: list[AnyMessage]) -> Next:
    """Where an answer's unanswered calls lead: writes to `gate` one by one, everything else straight to `act`."""
    waiting = pending_calls(messages)
    if not waiting:
        return "agent"
    return "gate" if _is_write(context, agent_name, waiting[0]) else "act"


def _is_write(context: TurnContext, agent_name: str, call: dict[str, Any]) -> bool:
    """True for a call that passes the policy and has an effect. A refused one goes to `act` to be told why."""
    spec = context.registry.agent(agent_name)
    tool = context.registry.tool(agent_name, call["name"])
    if spec is None or tool is None or not tool.writes:
        return False
    return not policy.judge(spec, tool, call["args"], context.bindings, name=call["name"]).fault


async def gate(state: State, runtime: Runtime[TurnContext]) -> Command[Literal["gate", "act"]]:
    """Open the approval of the next write and wait for a person."""
    context, name = runtime.context, state["agents"][0]
    call = pending_calls(state["messages"])[0]
    status = await context.journal.transact(lambda: _open(context, name, call))
    if status == ActionStatus.AWAITING:
        interrupt({"tool_call_id": call["id"]})
        status = await context.journal.transact(lambda: _open(context, name, call))
    if status == ActionStatus.AWAITING:
        return Command(goto="gate")
    return Command(update={"gated": call["id"] if status else ""}, goto="act")


def _open(context: TurnContext, agent_name: str, call: dict[str, Any]) -> tuple[str, list[facts.Fact]]:
    """The status of this call's action; opened if it is new. `"refused"` where the same call was declined in this turn
    or its outcome is unknown, "" where the call may not be made. What was opened once is decided on as it is, whatever
    staff changed since."""
    if known := _action_of(context, call):
        return known.status, []
    spec = context.registry.agent(agent_name)
    tool = context.registry.tool(agent_name, call["name"])
    if spec is None or tool is None:
        return "", []
    verdict = policy.judge(spec, tool, call["args"], context.bindings, name=call["name"])
    row = Tool.objects.filter(pk=tool.id, enabled=True).first()
    if verdict.fault or row is None or not _is_as_judged(row, tool):
        return "", []
    declined = Action.objects.filter(
        turn_id=context.turn_id,
        tool_id=tool.id,
        arguments=approvals.frozen(verdict.arguments),
        status__in=[ActionStatus.REJECTED, ActionStatus.EXPIRED, ActionStatus.UNKNOWN],
    )
    if declined.exclude(tool_call_id=call["id"]).exists():
        return "refused", []
    action, opened = approvals.open_action(
        turn_id=context.turn_id,
        customer_id=context.customer_id,
        tool=row,
        tool_call_id=call["id"],
        agent=spec.name,
        arguments=verdict.arguments,
        bound=verdict.bound,
        overridden=verdict.overridden,
    )
    return action.status, [approvals.opened_fact(action)] if opened else []


async def act(state: State, runtime: Runtime[TurnContext]) -> Command[Next]:
    """Carry out what may be carried out now: one decided write, or all calls up to the next write at once."""
    context = runtime.context
    name = state["agents"][0]
    calls = pending_calls(state["messages"])
    handoff = False
    if calls[0]["id"] == state.get("gated"):
        results = await _act_on_write(context, calls)
    else:
        # The first call was sent here to be told why it may not be made, or is a read.
        later = enumerate(calls[1:], start=1)
        first_write = next((place for place, call in later if _is_write(context, name, call)), len(calls))
        results = list(
            await asyncio.gather(*(_act_on_read(context, name, call) for call in calls[:first_write]))
        )
        handoff = any(call["name"] == policy.HAND_OFF for call in calls[:first_write])
    if handoff:
        given_up = {"messages": results, "handoff": True, "gave_up": name, "agents": []}
        return Command(update=given_up, goto="finish")
    goto = _after_calls(context, name, [*state["messages"], *results])
    return Command(update={"messages": results}, goto=goto)


async def _act_on_write(context: TurnContext, calls: list[dict[str, Any]]) -> list[ToolMessage]:
    """Settle the first call's action. One that was not carried out for want of a yes skips the calls after it."""
    call = calls[0]
    found = await context.journal.transact(lambda: (_action_of(context, call), []))
    if found is None:
        fault = "The same call was declined just now, or nobody knows whether it took place. It was not carried out. "
        fault += "Do not ask for it again."
        return [refused(call, "rejected", fault)]
    action = await executor.execute(found.pk, context.journal) if found.status in EXECUTABLE else found
    results = [action_result(call, action)]
    if action.status in (ActionStatus.REJECTED, ActionStatus.EXPIRED, ActionStatus.CANCELLED):
        skipped = "Skipped, because the action before it was not carried out. Nothing was changed."
        results += [refused(rest, "skipped", skipped) for rest in calls[1:]]
    return results


EXECUTABLE = (ActionStatus.APPROVED, ActionStatus.DISPATCHING)


def _action_of(context: TurnContext, call: dict[str, Any]) -> Action | None:
    return Action.objects.filter(turn_id=context.turn_id, tool_call_id=call["id"]).first()


async def _act_on_read(context: TurnContext, agent_name: str, call: dict[str, Any]) -> ToolMessage:
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
    if known := journal.recorded(f"tool:{call['id']}"):
        return _recorded_result(call, known)
    spec = context.registry.agent(agent_name)
    tool = context.registry.tool(agent_name, call["name"])
    if spec is None:
        return refused(call, "validation", "This agent is switched off.")
    verdict = policy.judge(spec, tool, call["args"], context.bindings, name=call["name"])
    if verdict.fault or tool is None:
        return await _refuse(context, agent_name, call, tool, verdict.fault)
    called = facts.tool_called(
        agent=agent_name, tool=tool.name, title=tool.title, args=verdict.arguments, call_id=call["id"]
    )
    told = [] if journal.recorded(called.key) else [called]
    row, _ = await asyncio.gather(
        in_thread(Tool.objects.filter(pk=tool.id, enabled=True).first), journal.append(*told)
    )
    started = time.monotonic()
    outcome = await _read(row, tool, verdict)
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
        )
    )
    return read_result(call, outcome)


def _is_as_judged(row: Tool, tool: ToolSpec) -> bool:
    """What was checked is what is called: staff may have changed the tool a moment ago."""
    return row.access == tool.access and row.bound == dict(tool.bound)


async def _read(row: Tool | None, tool: ToolSpec, verdict: policy.Verdict) -> tool_http.Outcome:
    if row is None or row.access != "read" or not _is_as_judged(row, tool):
        changed = "This tool was changed or switched off just now."
        return tool_http.Outcome(False, kind="validation", message=changed)
    try:
        request = tool_http.build(row, verdict.arguments, verdict.bound)
    except tool_http.RecipeError as fault:
        return tool_http.Outcome(False, kind="validation", message=str(fault))
    return await tool_http.send(request, repeatable=True)


async def _refuse(
    context: TurnContext, agent_name: str, call: dict[str, Any], tool: ToolSpec | None, fault: str
) -> ToolMessage:
    """Tell the model, and the log, why a call was not made."""
    title = tool.title if tool else call["name"]
    args = call["args"] if isinstance(call["args"], dict) else {}
    error = {"kind": "validation", "message": fault}
    called = facts.tool_called(
        agent=agent_name, tool=call["name"], title=title, args=args, call_id=call["id"]
    )
    told = [] if context.journal.recorded(called.key) else [called]
    returned = facts.tool_returned(
        agent=agent_name, tool=call["name"], call_id=call["id"], ok=False, error=error
    )
    await context.journal.append(*told, returned)
    return refused(call, "validation", fault)


def _recorded_result(call: dict[str, Any], fact: facts.Fact) -> ToolMessage:
    if fact.payload["ok"]:
        return tool_message(call, {"ok": True, "result": fact.payload.get("result")})
    return refused(call, fact.payload["error"]["kind"], fact.payload["error"]["message"])


async def finish(state: State, runtime: Runtime[TurnContext]) -> dict[str, Any]:
    """Say what a hand-over means for the customer. Everything else has been said."""
    journal = runtime.context.journal
    if state.get("handoff") and not journal.recorded("reply:handoff"):
        spec = runtime.context.registry.agent(state.get("gave_up", ""))
        text = spec.escalation_message if spec else ""
        text = text or HANDED_OFF[language_of(runtime.context.message)]
        await journal.append(
            facts.replied(agent=spec.name if spec else "", content=text, key="reply:handoff")
        )
    return {}


def build() -> StateGraph[State, TurnContext]:
    graph = StateGraph(State, context_schema=TurnContext)
    for node in (route, agent, gate, act, finish):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "route")
    graph.add_edge("finish", END)
    return graph
