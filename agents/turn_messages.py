"""The messages of a turn: how the log's facts become a model's messages and back, and what is still to be answered."""

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from agents.answers import fitted
from agents.context import Said, TurnContext
from agents.facts import Fact
from agents.models import Action, ActionStatus
from agents.policy import INVALID_JSON
from agents.projection import projected
from agents.tool_http import Outcome
from smartsupport.lib.ids import canonical_json
from smartsupport.lib.text import storable

CALLS_LIMIT = 16
STAFF_PREFIX = "[A colleague wrote] "
RECORD_PREFIX = "[Record] "
RECORD_NAME = "record"
SPOKEN = ("customer", "agent", "staff")


def history_messages(history: Sequence[Said]) -> list[BaseMessage]:
    """What was said and done before this turn, oldest first. What the log adds is neither the customer's nor a system
    prompt's: an assistant message with a mark and a name of its own."""
    return [_of(said) for said in history]


def spoken_messages(history: Sequence[Said]) -> list[BaseMessage]:
    """What people and agents said, oldest first."""
    return history_messages([said for said in history if said.role in SPOKEN])


def _of(said: Said) -> BaseMessage:
    if said.role == "customer":
        return HumanMessage(said.text)
    if said.role in SPOKEN:
        return AIMessage((STAFF_PREFIX if said.role == "staff" else "") + _unmarked(said.text))
    return AIMessage(RECORD_PREFIX + said.text, name=RECORD_NAME)


def _unmarked(text: str) -> str:
    """Text of an agent or of staff, with nothing in it that looks like a mark of ours."""
    for mark in (RECORD_PREFIX, STAFF_PREFIX):
        word = mark.strip()
        text = text.replace(word, f"({word[1:-1]})")
    return text


def prompt(system: str, context: TurnContext, turn: Sequence[AnyMessage]) -> list[BaseMessage]:
    """The stable part first: system prompt, history, then the newest message and what this turn did about it."""
    return [SystemMessage(system), *history_messages(context.history), HumanMessage(context.message), *turn]


def normalised_calls(message: AIMessage, *, step: int, taken: set[str]) -> list[dict[str, Any]]:
    """The tool calls of a model answer, each with an id that is unique in its turn and at most 200 characters.
    Arguments that were not a JSON object are kept under one reserved name, for `policy.judge` to refuse."""
    calls: list[dict[str, Any]] = []
    for index, call in enumerate(_made(message)[:CALLS_LIMIT]):
        call_id = storable(call.get("id") or "")[:150]
        if not call_id or call_id in taken:
            call_id = f"{call_id}_{step}_{index}".lstrip("_")
        while call_id in taken:  # a model may have given another call just this id
            call_id += "_"
        taken.add(call_id)
        calls.append(
            {"name": storable(str(call.get("name") or ""))[:200], "args": _readable(call), "id": call_id}
        )
    return calls


def _made(message: AIMessage) -> list[dict[str, Any]]:
    """The calls in order. A streamed one with its arguments as the text that came: what LangChain makes of a text that
    was cut off ({"order_id": 10 of 1042) is a guess, and nobody may act on it."""
    if isinstance(message, AIMessageChunk) and message.tool_call_chunks:
        return [dict(call) for call in message.tool_call_chunks]
    return [*map(dict, message.tool_calls), *map(dict, message.invalid_tool_calls)]


def _readable(call: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call as JSON that can be stored. NaN and infinity are no JSON."""
    given = call.get("args")
    try:
        args = storable((json.loads(given) if isinstance(given, str) and given else given) or {})
        canonical_json(args)
    except (ValueError, RecursionError):
        return {INVALID_JSON: storable(str(given))}
    return args if isinstance(args, dict) else {INVALID_JSON: storable(str(given))}


def spoken(text: str, calls: list[dict[str, Any]], agent: str) -> AIMessage:
    return AIMessage(content=text, tool_calls=[{**call, "type": "tool_call"} for call in calls], name=agent)


def from_record(fact: Fact) -> AIMessage:
    """The model answer that an earlier attempt recorded (`model_called`)."""
    return spoken(fact.payload["text"], fact.payload["tool_calls"], fact.agent)


def call_ids(messages: Sequence[AnyMessage]) -> set[str]:
    return {
        call["id"] or ""
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    }


def pending_calls(messages: Sequence[AnyMessage]) -> list[dict[str, Any]]:
    """Tool calls of the newest model answer that have no result yet, in order."""
    answered: set[str] = set()
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AIMessage):
            return [dict(call) for call in message.tool_calls if call["id"] not in answered]
    return []


def tool_message(call: dict[str, Any], envelope: dict[str, Any]) -> ToolMessage:
    """What the model sees of a result: JSON, cut to 70,000 characters with a sentence about the cut."""
    text = fitted(envelope)
    status = "success" if envelope["ok"] else "error"
    return ToolMessage(content=text, tool_call_id=call["id"], name=call["name"], status=status)


def refused(call: dict[str, Any], kind: str, message: str) -> ToolMessage:
    return tool_message(call, {"ok": False, "error": {"kind": kind, "message": message}})


def read_result(
    call: dict[str, Any], outcome: Outcome, *, shown: Sequence[str] = (), more: str = ""
) -> ToolMessage:
    """`shown`: the paths of what the model gets to see of the answer; `more`: a sentence about further pages."""
    if outcome.ok:
        return succeeded(call, outcome.result, shown=shown, more=more)
    return refused(call, outcome.kind, outcome.message)


def succeeded(call: dict[str, Any], result: Any, *, shown: Sequence[str] = (), more: str = "") -> ToolMessage:
    note = {"note": more} if more else {}
    return tool_message(call, {"ok": True, **note, "result": projected(result, shown)})


def _edited(action: Action) -> dict[str, Any]:
    """What staff, or a new version of the tool, made of the arguments, for the model to tell; {} where they are as they
    were."""
    if not action.proposed_arguments:
        return {}
    who = "Our staff changed the arguments when they approved this."
    if not action.edited_by:
        who = "Its tool has changed since this was asked, and so have the arguments."
    note = f"{who} Tell the customer what was really done."
    return {"note": note, "arguments_used": action.args}


def action_result(call: dict[str, Any], action: Action) -> ToolMessage:
    """The outcome of a write, as its row has it."""
    edited = _edited(action)
    if action.status == ActionStatus.SUCCEEDED:
        result = projected(action.result, action.tool.projection)
        return tool_message(call, {"ok": True, **edited, "result": result})
    if action.status in (ActionStatus.FAILED, ActionStatus.UNKNOWN):
        error = {"kind": action.error_kind, "message": action.error_message}
        return tool_message(call, {"ok": False, **edited, "error": error})
    who = "The customer" if action.decided_by == "customer" else "Our staff"
    why = f" Reason given: {action.reason}" if action.reason else ""
    texts = {
        ActionStatus.REJECTED: ("rejected", f"{who} declined this. It was not carried out.{why}"),
        ActionStatus.EXPIRED: ("expired", "Nobody decided in time, so this was not carried out."),
        ActionStatus.CANCELLED: ("cancelled", "This was stopped before it was carried out."),
    }
    kind, message = texts[ActionStatus(action.status)]
    return refused(call, kind, message)
