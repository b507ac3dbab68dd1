"""Why an agent wants to do something, as its conversation's log has it, and arguments with their types in words."""

from dataclasses import dataclass
from typing import Any

from agents.admin.shown import meaning, shown_value
from agents.models import Action

TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "array": "list",
    "object": "object",
    "null": "nothing",
}
FORMATS = {
    "date": "date",
    "date-time": "date and time",
    "email": "e-mail address",
    "uri": "address",
    "uuid": "id",
}


@dataclass(frozen=True, slots=True)
class Why:
    """What the agent said when it asked for the call, and why this agent was chosen; "" for what it did not say."""

    said: str
    chosen: str


def why(action: Action) -> Why:
    """One statement, however long the turn was: the newest answers of the model in it, and how it was routed."""
    told = action.turn.events.filter(kind__in=["model_called", "routed"]).order_by("-seq")[:40]
    said = chosen = ""
    for event in told:
        payload: dict[str, Any] = event.payload
        if event.kind == "routed" and not chosen:
            chosen = _text(payload.get("reason"))
        elif (
            event.kind == "model_called"
            and not said
            and event.agent == action.agent
            and _asks(payload, action)
        ):
            said = _text(payload.get("text"))
    return Why(said, chosen)


def _asks(payload: dict[str, Any], action: Action) -> bool:
    """Whether this answer wanted the very call."""
    calls = payload.get("tool_calls")
    wanted = [call.get("id") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return action.tool_call_id in wanted


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    title: str
    kind: str
    value: str
    meaning: str


def arguments_of(action: Action) -> list[Argument]:
    """Each argument by the schema's name for it, with its type in words; the required ones first. `action.tool` has to
    be there."""
    schema = action.tool.input_schema
    declared = schema.get("properties", {})
    values = action.args
    required = [name for name in schema.get("required", []) if name in values]
    names = dict.fromkeys([*required, *values])
    return [_argument(name, declared.get(name), values[name], name in required) for name in names]


def _argument(name: str, schema: Any, value: Any, required: bool) -> Argument:
    known: dict[str, Any] = schema if isinstance(schema, dict) else {}
    title = _text(known.get("title"))
    kind = f"{_kind(known)}, required" if required else _kind(known)
    return Argument(name, title if title != name else "", kind, _value(value), meaning(known))


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "one of a list"
    named = schema.get("type")
    types = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    words = [TYPES.get(str(one), str(one)) for one in types if one != "null"]
    form = FORMATS.get(str(schema.get("format")))
    return form if form and words == ["text"] else " or ".join(words) or "any value"


def _value(value: Any) -> str:
    return "(empty text)" if value == "" else shown_value(value)
