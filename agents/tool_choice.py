"""Which of its tools an agent is given. All of them while they are few; of many, those that fit.

An agent with more than `MANY` tools gets the ones that fit the message and the conversation, those that this
conversation has used before, and `find_tools`, with which its model looks for others. Within a turn the list only grows
at its end, so that what a provider has cached of it stays good; it is recorded with each answer of the model, and a
turn that is run again goes on from what was recorded.

What is chosen decides what the model reads, not what it may do: a call of any tool of the agent is judged like every
other (`agents.policy`), and a tool of another agent is neither found nor called.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from agents import facts, tool_index
from agents.context import Said, TurnContext
from agents.lexical import clauses
from agents.policy import FIND_TOOLS
from agents.registry import AgentSpec, ToolSpec
from agents.turn_messages import SPOKEN, refused, tool_message
from smartsupport.lib.text import shorten
from smartsupport.lib.threads import in_thread

MANY = 30
"""An agent with at most so many tools gets all of them, always."""
CHOSEN = 28
"""So many are chosen for a turn at the beginning: with find_tools and the hand-over, 30."""
KEPT = 14
"""At most so many of them because the conversation has used them before."""
MOST = 100
"""The list does not grow beyond this; providers take 128. More can be called by name all the same."""
ROOM, ROOM_LATER, LEAST = 40_000, 120_000, 6
"""So many characters the chosen tools' schemas and descriptions may have together at the beginning, and the whole list
after it has grown; but the first few are always given. About four characters are a token."""
FOUND = 10
QUERY_MOST, DESCRIPTION_MOST = 500, 300
LOOKED = "Looked for a fitting tool"
CLAUSES_MOST, EARLIER_MOST, EARLIER_CHARACTERS = 4, 4, 1000
SECOND, EARLIER = 0.8, 0.4
"""What a place in the answer for one part of the message, and for what was said before, counts against a place in the
answer for the whole message."""
STEADY = 10
"""How slowly the worth of a place falls with its number."""

NOTHING_FOUND = "None of your tools fits these words. Try others, or hand over to a person."
CALLABLE = "You can call these now."
NO_QUERY = "Say in `query` what the tool should do, in a few words."


def is_large(agent: AgentSpec) -> bool:
    """Whether the agent has too many tools to be given all of them. A tool that the business itself calls find_tools
    cannot stand beside ours; its agent gets all of its tools."""
    return len(agent.tools) > MANY and all(tool.name != FIND_TOOLS for tool in agent.tools)


async def offered(
    context: TurnContext, agent: AgentSpec, messages: Sequence[AnyMessage], step: int
) -> list[ToolSpec]:
    """The tools that the model is given for answer `step` of the turn, whose messages so far are `messages`. One
    statement at most for the first answer (two where the conversation has a history), none for others and for an
    agent with few tools."""
    if not is_large(agent):
        return list(agent.tools)
    before = _offered_before(context, agent, step)
    names = before if before is not None else await _choose(context, agent)
    return _within(_named(agent, [*names, *_came_up(context, messages)])[:MOST], ROOM_LATER)


def _offered_before(context: TurnContext, agent: AgentSpec, step: int) -> list[str] | None:
    """What the agent was given for its answer before this one, in this attempt at the turn or an earlier one."""
    for earlier in range(step - 1, 0, -1):
        known = context.journal.recorded(f"model:{earlier}")
        if known and known.agent == agent.name and known.payload.get("tools"):
            return list(known.payload["tools"])
    return None


def _came_up(context: TurnContext, messages: Sequence[AnyMessage]) -> Iterator[str]:
    """The tools that were found or called in this turn, in order: a model that called one by its name alone sees its
    arguments the next time."""
    for message in messages:
        if isinstance(message, AIMessage):
            yield from (call["name"] for call in message.tool_calls)
        elif isinstance(message, ToolMessage) and message.name == FIND_TOOLS:
            known = context.journal.recorded(f"tool:{message.tool_call_id}")
            result = known.payload.get("result") if known else None
            yield from (tool["name"] for tool in (result or {}).get("tools", ()))


def _named(agent: AgentSpec, names: Iterable[str]) -> list[ToolSpec]:
    """The agent's tools of these names, each once, in this order. What it does not have is left out."""
    own = {tool.name: tool for tool in agent.tools}
    return [own[name] for name in dict.fromkeys(names) if name in own]


def _within(tools: Sequence[ToolSpec], room: int) -> list[ToolSpec]:
    """The first of them, as many as there is room for. A longer list begins with the same ones."""
    for place, tool in enumerate(tools):
        room -= len(tool.schema_text) + len(tool.description)
        if room < 0 and place >= LEAST:
            return list(tools[:place])
    return list(tools)


async def _choose(context: TurnContext, agent: AgentSpec) -> list[str]:
    used = await context.journal.used() if context.history else ()
    kept = [tool.name for tool in _named(agent, used)][-KEPT:]
    asked = _questions(context)
    texts = [text for text, _ in asked]
    found = await in_thread(partial(tool_index.search, agent.name, texts, limit=CHOSEN))
    fitting = _fused(zip(found, (worth for _, worth in asked), strict=True))
    tools = _named(agent, _with_required(agent, [*kept, *fitting]))
    return [tool.name for tool in _within(tools[:CHOSEN], ROOM)]


def _questions(context: TurnContext) -> list[tuple[str, float]]:
    """What the index is asked, each with what its answer counts: the message, its parts where it asks for several
    things, and what was said before."""
    message = context.message
    parts = [clause.text for clause in clauses(message)] if len(message) <= EARLIER_CHARACTERS else []
    asked = [(message, 1.0), *((part, SECOND) for part in parts[:CLAUSES_MOST] if len(parts) > 1)]
    if before := _said_before(context.history):
        asked.append((before, EARLIER))
    return asked


def _said_before(history: Sequence[Said]) -> str:
    """The newest that people and agents said, newest first."""
    said = [line.text for line in history if line.role in SPOKEN][-EARLIER_MOST:]
    return " . ".join(text[:EARLIER_CHARACTERS] for text in reversed(said))


def _fused(answers: Iterable[tuple[Sequence[str], float]]) -> list[str]:
    """Several ranked answers as one: reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009), with weights."""
    scores: dict[str, float] = {}
    for names, worth in answers:
        for place, name in enumerate(names, 1):
            scores[name] = scores.get(name, 0.0) + worth / (STEADY + place)
    return sorted(scores, key=lambda name: (-scores[name], name))


def _with_required(agent: AgentSpec, names: Iterable[str]) -> Iterator[str]:
    """The names, each followed by the tools that have to succeed before it."""
    own = {tool.name: tool for tool in agent.tools}
    for name in names:
        yield name
        yield from own[name].requires if name in own else ()


async def look_up(context: TurnContext, agent: AgentSpec, call: dict[str, Any]) -> ToolMessage:
    """Answer a call of `find_tools`: the best ten of this agent's own tools. Recorded like a call of any other tool."""
    started = time.monotonic()
    given = call["args"].get("query")
    query = given.strip()[:QUERY_MOST] if isinstance(given, str) else ""
    if not query:
        await _record(context, agent, call, ok=False, error={"kind": "validation", "message": NO_QUERY})
        return refused(call, "validation", NO_QUERY)
    [names] = await in_thread(partial(tool_index.search, agent.name, [query], limit=FOUND))
    tools = [
        {"name": tool.name, "title": tool.title, "description": shorten(tool.description, DESCRIPTION_MOST)}
        for tool in _named(agent, names)
    ]
    result = {"note": CALLABLE if tools else NOTHING_FOUND, "tools": tools}
    spent = round((time.monotonic() - started) * 1000)
    await _record(context, agent, call, ok=True, result=result, duration_ms=spent)
    return tool_message(call, {"ok": True, "result": result})


async def _record(context: TurnContext, agent: AgentSpec, call: dict[str, Any], **outcome: Any) -> None:
    called = facts.tool_called(
        agent=agent.name, tool=FIND_TOOLS, title=LOOKED, args=call["args"], call_id=call["id"]
    )
    returned = facts.tool_returned(agent=agent.name, tool=FIND_TOOLS, call_id=call["id"], **outcome)
    told = [] if context.journal.recorded(called.key) else [called]
    await context.journal.append(*told, returned)
