"""One turn as a graph: route -> for each intent agent <-> gate -> act -> ... -> finish.

`gate` and `act` are in `agents.acting`. `interrupt()` runs its node again from the first line, so nothing that cannot
be repeated stands before it: opening an action is idempotent on (turn, call id). Every step looks first for what an
earlier attempt at this turn recorded, so a turn that is run again after a crash does nothing twice that was recorded;
the checkpoint has to keep only the place where a person was asked. A model's tool calls are recorded together with the
first thing that is done about them: in between, nothing has happened that asking again could double.
"""

import time
from typing import Any, Literal, cast

import structlog
from django.conf import settings
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from agents import facts, policy, prompt_parts, tool_choice, tool_digest, unanswered
from agents.acting import act, after_calls, gate
from agents.cards import AgentCard, ToolCard
from agents.context import TurnContext
from agents.handoff_words import told
from agents.last_words import last_words
from agents.lexical import language_of
from agents.lexical_mood import is_angry
from agents.prompts import system_prompt
from agents.providers import REASONING, answered_by, chat_model
from agents.registry import AgentSpec, ToolSpec
from agents.routing import NOBODY, UPSET, Decision, continues, decide, routing_messages, routing_schema
from agents.turn_messages import (
    call_ids,
    from_record,
    normalised_calls,
    prompt,
    spoken,
    spoken_messages,
)
from agents.turn_state import Next, State
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)

MODEL_CALLS_LIMIT = 12
NOTHING_TO_ADD = (
    "I have looked into this, but I have nothing to add. Is there anything else I can help you with?"
)
TOO_MANY_STEPS = (
    "I could not finish this in a reasonable number of steps. Please ask again, or ask for a person."
)


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
    if not context.registry.agents:
        log.error("no_agent_is_on", next="Make one, or switch one on, in the console under Set-up, Agents.")
        return await _to_a_person(context, NOBODY)
    if is_angry(context.message) and not context.desk.asked:
        return await _to_a_person(context, UPSET)
    cards = [_card(agent) for agent in context.registry.agents]
    history = spoken_messages(context.history)
    live = context.live_agent
    if live and continues(cards=cards, live_agent=live, message=context.message, history=history):
        reason = f"Goes on with {live.replace('_', ' ')}."
        fact = facts.routed(
            agents=[live], reason=reason, by="continued", usage=facts.Usage(), duration_ms=None
        )
        context.journal.append_soon(fact)  # while the model is asked
        return Decision(agents=(live,), reason=reason)
    started = time.monotonic()
    with unanswered.told("route", turn_id=context.turn_id):
        decision, raw = await decide(
            chat_model(),
            cards=cards,
            history=history,
            message=context.message,
            person_asked=context.desk.asked,
        )
    asked: dict[str, Any] = {
        "usage": facts.Usage.of(raw),
        "duration_ms": round((time.monotonic() - started) * 1000),
        "model": answered_by(raw),
        "provider": settings.LLM_PROVIDER,
        "weighed": decision.weighed,
        "prompt": prompt_parts.of_routing(
            routing_messages(cards, history, context.message), routing_schema(cards)
        ),
    }
    if decision.question:
        await context.journal.append(facts.question_asked(message=decision.question, **asked))
    elif decision.handoff:
        fact = facts.handoff_requested(reason=decision.handoff, by=decision.by, key="route", **asked)
        await context.journal.append(fact)
    else:
        fact = facts.routed(agents=list(decision.agents), reason=decision.reason, by="model", **asked)
        context.journal.append_soon(fact)
    return decision


async def _to_a_person(context: TurnContext, reason: str) -> Decision:
    await context.journal.append(facts.handoff_requested(reason=reason, by="rule", key="route"))
    return Decision(handoff=reason, by="rule")


def _recorded_decision(fact: facts.Fact) -> Decision:
    if fact.kind == "question_asked":
        return Decision(question=fact.payload["message"])
    if fact.kind == "handoff_requested":
        return Decision(handoff=fact.payload["reason"])
    return Decision(agents=tuple(fact.payload["agents"]), reason=fact.payload["reason"])


def _card(agent: AgentSpec) -> AgentCard:
    if tool_choice.is_large(agent):
        tools = tool_digest.digest(agent.tools)
    else:
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
        last = len(state["agents"]) == 1 and not state.get("handoff")
        message = await _ask_model(context, spec, state.get("messages", []), step, last=last)
    update: State = {"messages": [message], "step": step}
    if not message.tool_calls:
        return _next_agent(state, update)
    return Command(update=update, goto=after_calls(context, state["agents"][0], [message]))


async def _gone(state: State, context: TurnContext, step: int) -> Command[Next]:
    """The agent at work was switched off meanwhile. The last one does not leave without a word."""
    if len(state["agents"]) == 1 and not context.journal.recorded(f"reply:{step}"):
        text = last_words(state, context.journal)
        await context.journal.append(
            facts.replied(agent=state["agents"][0], content=text, key=f"reply:{step}")
        )
    return _next_agent(state, {})


async def _ask_model(
    context: TurnContext, spec: AgentSpec, messages: list[AnyMessage], step: int, *, last: bool
) -> AIMessage:
    """The agent's answer, shown while it is written and recorded. `last`: nobody is to answer after this agent."""
    offered = await tool_choice.offered(context, spec, messages, step)
    large = tool_choice.is_large(spec)
    schemas = [_tool_schema(tool) for tool in offered]
    # What grows comes last, so that the beginning stays as a provider has cached it.
    tools = (
        [policy.FIND_TOOLS_TOOL, policy.HAND_OFF_TOOL, *schemas]
        if large
        else [*schemas, policy.HAND_OFF_TOOL]
    )
    model = chat_model(spec.model).bind_tools(tools)
    asked = prompt(system_prompt(spec), context, messages)
    started = time.monotonic()
    pieces: list[AIMessageChunk] = []
    try:
        async for chunk in model.astream(asked):
            piece = cast(AIMessageChunk, chunk)
            pieces.append(piece)
            if any(part["args"] or part["name"] for part in piece.tool_call_chunks):
                context.journal.alive()  # the long arguments of a call are written for a while, and nobody sees them
            if thought := piece.additional_kwargs.get(REASONING):
                await context.journal.reasoning(spec.name, thought)
            if text := storable(piece.text):
                await context.journal.token(spec.name, text)
    except BaseException as error:  # also stopped by somebody: what had begun is paid for
        if pieces:
            context.journal.note(_broke_off(spec, started))
        else:
            turn_id = context.turn_id
            unanswered.tell("answer", error, started, agent=spec.name, model=spec.model, turn_id=turn_id)
        raise
    # Put together once: piece by piece it takes longer the longer the answer is.
    answer = pieces[0] + pieces[1:] if pieces else AIMessageChunk(content="")
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
            model=answered_by(answer, spec.model),
            provider=settings.LLM_PROVIDER,
            asked=answered_by(None, spec.model),
            usage=facts.Usage.of(answer),
            duration_ms=round((time.monotonic() - started) * 1000),
            tools=[tool.name for tool in offered] if large else (),
            prompt=prompt_parts.of_answer(asked, tools, _named_before(context, step)),
        )
    )
    if text.strip():
        reply = facts.replied(agent=spec.name, content=text, key=f"reply:{step}")
        if last and not calls:
            context.journal.note(reply)  # the turn's end, which is recorded next, takes it along
        else:
            await context.journal.append(reply)
    return spoken(text, calls, spec.name)


def _named_before(context: TurnContext, step: int) -> dict[str, Any] | None:
    """What the prompt of the turn's last model call consists of, which is stored since that was recorded."""
    last = context.journal.recorded(f"model:{step - 1}")
    named: dict[str, Any] | None = last.payload.get("prompt") if last else None
    return named


def _broke_off(spec: AgentSpec, started: float) -> facts.Fact:
    return facts.broke_off(
        agent=spec.name,
        model=answered_by(None, spec.model),
        provider=settings.LLM_PROVIDER,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


def _tool_schema(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
    return {"type": "function", "function": function}


def _next_agent(state: State, update: State) -> Command[Next]:
    rest = state["agents"][1:]
    return Command(update={**update, "agents": rest}, goto="agent" if rest else "finish")


async def finish(state: State, runtime: Runtime[TurnContext]) -> dict[str, Any]:
    """Say what a hand-over means for the customer. Everything else has been said."""
    journal = runtime.context.journal
    if state.get("handoff") and not journal.recorded("reply:handoff"):
        spec = runtime.context.registry.agent(state.get("gave_up", ""))
        own = spec.escalation_message if spec else ""
        text = told(language_of(runtime.context.message), runtime.context.desk, own=own)
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
