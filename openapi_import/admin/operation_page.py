"""One operation in full: its arguments, the tool as the model would see it, what is lost, what has changed."""

import json
from dataclasses import dataclass
from typing import Any

from agents.admin.shown import difference_rows, meaning
from openapi_import.binding import arguments, nobodys, seen_by_model
from openapi_import.models import Classification

LONGEST_SHOWN = 40_000
JUDGES = {"rules": "The rules", "model": "The model", "staff": "A reviewer", "kept": "An earlier review"}
FIELDS = {
    "access_type": "What it does",
    "agent_group": "Agent",
    "customer_params": "Names the customer",
    "tool_description": "What the model reads",
    "description": "What the model reads",
    "title": "In plain words",
    "name": "Name",
    "risk": "Risk",
    "selected": "A tool of it",
    "response": "Answer",
    "security": "Sign-in",
}


@dataclass(frozen=True, slots=True)
class Argument:
    """filled_by: who gives its value."""

    name: str
    place: str
    required: bool
    kind: str
    meaning: str
    filled_by: str


def operation_context(row: Classification) -> dict[str, Any]:
    judged = row.judged or {}
    return {
        "row": row,
        "arguments": _arguments(row),
        "seen": _pretty(as_the_model_sees_it(row)),
        "difference": _difference(row),
        "judge": JUDGES.get(row.judged_by, row.judged_by),
        "first_judged": judged if row.judged_by == "staff" else {},
        "server": row.tool.get("server_url", "") if row.tool else "",
        "signs_in": _sign_ins(row),
    }


def as_the_model_sees_it(row: Classification) -> dict[str, Any]:
    """The tool as it is offered to a model: without the arguments that Smart Support fills in."""
    schema = seen_by_model(row.tool, row.customer_params)
    return {"name": row.name, "description": row.tool_description, "parameters": schema}


def _arguments(row: Classification) -> list[Argument]:
    schema = row.tool.get("input_schema") or {}
    required = schema.get("required") or []
    unfilled = nobodys(row.tool, row.customer_params)
    places = {one["argument"]: one["in"] for one in row.tool.get("parameters") or [] if "argument" in one}
    return [
        Argument(
            name=name,
            place=places.get(name, "body"),
            required=name in required,
            kind=_kind(part),
            meaning=meaning(part),
            filled_by="Smart Support"
            if name in row.customer_params
            else "Nobody"
            if name in unfilled
            else "The agent",
        )
        for name, part in arguments(schema).items()
    ]


def _kind(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "anything"
    if "enum" in schema:
        return "one of a list"
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(str(one) for one in kind)
    if kind == "array":
        return f"list of {_kind(schema.get('items'))}" if schema.get("items") else "list"
    return str(kind) if kind else "anything"


def _difference(row: Classification) -> list[tuple[str, str, str, bool]]:
    """(what, as it was published, as it is now, whether its meaning is another) of a tool that has changed."""
    found = []
    for one in row.difference:
        said = difference_rows([{"field": one["field"], "was": one.get("was"), "now": one.get("now")}])
        found += [
            (_first_upper(FIELDS.get(what, what)), was, now, bool(one.get("meaning")))
            for what, was, now in said
        ]
    return found


def _sign_ins(row: Classification) -> str:
    """Which security schemes a call needs, in words: alternatives with "or", what is needed together with "and"."""
    needs = row.tool.get("security") or []
    if not needs or {} in needs:
        return "Not needed"
    return ", or ".join(" and ".join(one) for one in needs)


def _pretty(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}\n… (cut)"


def _first_upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
