"""Approvals in the shapes that other people's tools read and answer: LangChain's Agent Inbox (`HumanInterrupt` and
`HumanResponse` of `langgraph.prebuilt.interrupt`), and the requests and decisions of LangChain's own middleware
(`HITLRequest` and `HITLResponse` of `langchain.agents.middleware`). Neither library is needed here.

An answer becomes one call of `agents.approvals.decide`, which decides as it does for everybody: only what is said
without doubt approves, and what was looked at has to be what waits.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from agents import approvals
from agents.admin.shown import difference_rows
from agents.approvals import ArgumentsChanged, Decider, InvalidArguments
from agents.models import Action, ActionStatus
from smartsupport.lib.text import shorten

SKIPPED = "Nobody wanted to decide on this, so it was skipped."
"""The reason of an answer that ignores: the agent is told that it was not done, and goes on."""

LONGEST_SHOWN = 500
"""Characters of a value that has changed; all of it is in the approval's `difference`."""
OTHER_ARGUMENTS = (
    "These are not the arguments that wait. Nothing was decided: to approve with others, send an edit."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """`arguments`: approve with these, whole; None: as it is."""

    approved: bool
    reason: str = ""
    arguments: dict[str, Any] | None = None


def human_interrupt(action: Action, caller: Decider) -> dict[str, Any]:
    """The approval as Agent Inbox lists one."""
    may_decide, may_approve = approvals.allowed(action, caller)
    return {
        "action_request": {"action": action.tool_name, "args": action.args},
        "config": {
            "allow_ignore": may_decide,
            "allow_respond": may_decide,
            "allow_edit": may_approve,
            "allow_accept": may_approve,
        },
        "description": _described(action),
    }


def hitl_request(action: Action, caller: Decider) -> dict[str, Any]:
    """The approval as LangChain's middleware interrupts with one."""
    may_decide, may_approve = approvals.allowed(action, caller)
    decisions = (["approve", "edit"] if may_approve else []) + (["reject"] if may_decide else [])
    return {
        "action_requests": [
            {"name": action.tool_name, "args": action.args, "description": _described(action)}
        ],
        "review_configs": [
            {
                "action_name": action.tool_name,
                "allowed_decisions": decisions,
                "args_schema": action.tool.input_schema,
            }
        ],
    }


def of_human_response(action: Action, response: dict[str, Any]) -> Answer:
    """What a `HumanResponse` {"type", "args"} says. Agent Inbox hands edited values back as text: they are read as the
    tool's schema wants them, and what nobody touched stays what it was.

    `ignore` and `response` decline; the text of a response is the reason. Raises InvalidArguments, ArgumentsChanged
    (what is accepted is not what waits).
    """
    kind, given = response["type"], response.get("args")
    if kind == "accept":
        if given is not None and not _same(action, _of_tool(action, given, "action")):
            raise ArgumentsChanged(OTHER_ARGUMENTS)
        return Answer(True)
    if kind == "edit":
        return Answer(True, arguments=_typed(action, _of_tool(action, given, "action")))
    if kind == "response":
        if not isinstance(given, str) or not given.strip():
            raise InvalidArguments(
                "A response needs its text in args: it is the reason why this is declined."
            )
        return Answer(False, given.strip())
    if given is not None:
        raise InvalidArguments("To ignore, args is null.")
    return Answer(False, SKIPPED)


def of_hitl_decision(action: Action, decision: dict[str, Any]) -> Answer:
    """What a decision of LangChain's middleware says, in either of two forms: as the middleware reads it
    (`edited_action`, `message`), or as Agent Inbox writes it, which gives a response's `type` the middleware's name
    and leaves `args` as it is.

    `respond` is not offered: nothing that a person writes is ever taken for the business system's answer. Raises
    InvalidArguments, also for a field that has no meaning beside this type, and ArgumentsChanged."""
    kind = decision["type"]
    if kind == "respond":
        raise InvalidArguments(
            "Approve, edit or reject. An action cannot be answered in the business system's place."
        )
    if "args" in decision:
        return _of_agent_inbox(action, kind, decision)
    own = {"edit": "edited_action", "reject": "message"}.get(kind)
    if strange := sorted(set(decision) - {"type", own}):
        raise InvalidArguments(f"Nothing is decided: {kind} takes no {strange[0]}.")
    if kind == "edit":
        return Answer(True, arguments=_of_tool(action, decision.get("edited_action"), "name"))
    if kind == "reject":
        return Answer(False, str(decision.get("message", "")).strip())
    return Answer(True) if kind == "approve" else Answer(False, SKIPPED)


def _of_agent_inbox(action: Action, kind: str, decision: dict[str, Any]) -> Answer:
    if set(decision) != {"type", "args"}:
        raise InvalidArguments("With args, a decision has no edited_action and no message.")
    theirs = {"approve": "accept", "reject": "response"}.get(kind, kind)
    return of_human_response(action, {"type": theirs, "args": decision["args"]})


def _described(action: Action) -> str:
    """Markdown, in which nothing that an agent or a customer wrote becomes markup, an image, or a link that hides
    where it leads."""
    until = f"{action.expires_at:%Y-%m-%d %H:%M} UTC"
    said = [_plain(action.message), f"Asked by the agent `{action.agent}`. Waits until {until}."]
    if action.status == ActionStatus.AWAITING and action.votes:
        names = ", ".join(vote["name"] for vote in action.votes)
        said.append(f"Approved by {_plain(names)}; a second person has to agree.")
    if changed := _changed(action):
        said.append(f"The tool has changed since this was asked:\n\n{changed}")
    return "\n\n".join(said)


def _changed(action: Action) -> str:
    """What of the tool has changed since, a line each; "" where nothing has, or the approval is over."""
    if action.status != ActionStatus.AWAITING:
        return ""
    rows = difference_rows(approvals.drift(action) or action.difference)
    shown = ((what, *(shorten(one, LONGEST_SHOWN) or "—" for one in values)) for what, *values in rows)
    return "\n".join(f"- {_plain(what)}: {_plain(was)} → {_plain(now)}" for what, was, now in shown)


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>!#|~])", r"\\\1", text)


def _of_tool(action: Action, given: Any, named: str) -> dict[str, Any]:
    """The arguments of an action request, which has to be of the action's own tool."""
    if not isinstance(given, dict) or set(given) != {named, "args"} or not isinstance(given["args"], dict):
        raise InvalidArguments(f"An action has exactly two fields: {named}, and args, which is an object.")
    if given[named] != action.tool_name:
        raise InvalidArguments(f"This is about {action.tool_name}. No other tool can be called in its place.")
    arguments: dict[str, Any] = given["args"]
    return arguments


def _same(action: Action, given: dict[str, Any]) -> bool:
    """Whether these are the arguments that wait, as they are or as text shows them."""
    current = action.args
    if given.keys() != current.keys():
        return False
    return all(_is(value, current[name]) or value in _texts(current[name]) for name, value in given.items())


def _is(one: Any, other: Any) -> bool:
    """Equality of JSON values: 1 is not true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _texts(value: Any) -> tuple[str, ...]:
    """How a page may show this value as text."""
    if isinstance(value, str):
        return (value,)
    return json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value, indent=2), str(value)


def _typed(action: Action, given: dict[str, Any]) -> dict[str, Any]:
    schemas = action.tool.input_schema.get("properties", {})
    current = action.args
    typed = {}
    for name, value in given.items():
        if not isinstance(value, str):
            typed[name] = value
        elif name in current and value in _texts(current[name]):
            typed[name] = current[name]
        else:
            typed[name] = _read(name, value, _types(schemas.get(name)))
    return typed


def _types(schema: Any) -> set[str]:
    """The JSON types that a schema allows; none: it does not say."""
    if not isinstance(schema, dict):
        return set()
    own = schema.get("type", [])
    found = {own} if isinstance(own, str) else set(own)
    for word in ("anyOf", "oneOf"):
        for one in schema.get(word, []):
            found |= _types(one)
    return found


def _read(name: str, text: str, types: set[str]) -> Any:
    if not types or "string" in types:
        return text
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        wanted = " or ".join(sorted(types))
        raise InvalidArguments(f"Invalid argument {name}: has to be {wanted}, written as JSON.") from None


def _no_number(word: str) -> Any:
    raise ValueError(word)
