"""Actions and tools in words and tables."""

import json
from typing import Any

from agents import approvals
from agents.models import Action, ActionStatus, Tool
from smartsupport.lib.text import marked

BADGES = {
    ActionStatus.AWAITING: "warning",
    ActionStatus.APPROVED: "info",
    ActionStatus.DISPATCHING: "info",
    ActionStatus.SUCCEEDED: "success",
    ActionStatus.FAILED: "danger",
    ActionStatus.UNKNOWN: "danger",
    ActionStatus.REJECTED: "",
    ActionStatus.EXPIRED: "",
    ActionStatus.CANCELLED: "",
}
"""The colour of a status's badge, in one place."""


def argument_rows(action: Action) -> list[tuple[str, str, str]]:
    """(name, value, what it means) of each argument as the model gave it, the required ones first."""
    described = action.tool.input_schema.get("properties", {})
    required = [name for name in action.tool.input_schema.get("required", []) if name in action.args]
    names = required + [name for name in action.args if name not in required]
    return [(name, shown_value(action.args[name]), meaning(described.get(name))) for name in names]


def bound_rows(action: Action) -> list[tuple[str, str]]:
    """(name, value) of what the server fills in from the verified customer."""
    bound: dict[str, Any] = json.loads(action.bound_arguments)
    return [(name, shown_value(value)) for name, value in bound.items()]


def proposed_rows(action: Action) -> list[tuple[str, str, str]]:
    """(name, as proposed, as it is now) of each argument that staff changed; "" where there is none."""
    return [(name, _or_none(was), _or_none(now)) for name, (was, now) in approvals.changes(action).items()]


FIELDS = {
    "enabled": "Switched on",
    "method": "Method",
    "server_url": "Server",
    "path": "Address",
    "parameters": "Where arguments go",
    "request_body": "Body",
    "bound": "Filled in by Smart Support",
    "access": "What it does",
    "approval": "Who approves",
    "staff_above_argument": "Argument with a limit for staff",
    "staff_above_amount": "Limit for staff",
    "approvals_needed": "How many have to agree",
    "requires": "What must have succeeded before",
}
"""What staff call the parts of a tool."""


def difference_rows(difference: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """(what, as it was, as it is now) of a tool that has changed; its schema argument by argument."""
    rows: list[tuple[str, str, str]] = []
    for change in difference:
        if change["field"] == "input_schema":
            rows += _schema_rows(change["was"] or {}, change["now"] or {})
        else:
            label = FIELDS.get(change["field"], change["field"])
            rows.append((label, _or_none(change["was"]), _or_none(change["now"])))
    return rows


def _schema_rows(was: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, str, str]]:
    before, after = was.get("properties", {}), now.get("properties", {})
    names = sorted({*before, *after})
    rows = [
        (f"Argument {name}", _or_none(before.get(name)), _or_none(after.get(name)))
        for name in names
        if before.get(name) != after.get(name)
    ]
    rest = sorted(({*was, *now}) - {"properties"})
    labels = {"required": "Required arguments"}
    rows += [
        (labels.get(key, key), _or_none(was.get(key)), _or_none(now.get(key)))
        for key in rest
        if was.get(key) != now.get(key)
    ]
    return rows


def _or_none(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return shown_value(value)


def shown_value(value: Any) -> str:
    """A value as people decide on it: nothing in it hides, or makes the rest look like something else."""
    return marked(plain_value(value))


def plain_value(value: Any) -> str:
    """A value as it is, to be edited."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


LONGEST_SHOWN = 20_000


def pretty(value: Any) -> str:
    """An answer of a business system, as people read it."""
    text = shown_value(value) if value is not None else "Nothing"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}\n… (cut)"


def meaning(schema: Any) -> str:
    described = schema.get("description", "") if isinstance(schema, dict) else ""
    return described if isinstance(described, str) else ""


def recipe_rows(tool: Tool) -> list[tuple[str, str, str]]:
    """(what, where it goes, who fills it in) of everything that a call of this tool sends."""
    rows = [
        (
            parameter["argument"],
            f"{parameter['in']} parameter “{parameter['name']}”",
            _filled_by(tool, parameter["argument"]),
        )
        for parameter in tool.parameters
    ]
    body = tool.request_body or {}
    if "argument" in body:
        rows.append((body["argument"], "the whole body", _filled_by(tool, body["argument"])))
    for argument, name in body.get("fields", {}).items():
        rows.append((argument, f"“{name}” in the body", _filled_by(tool, argument)))
    if tool.access == "write":
        rows.append(("Idempotency-Key", "header", "Smart Support: the approval's own id"))
    return rows


def _filled_by(tool: Tool, argument: str) -> str:
    if argument in tool.bound:
        return f"Smart Support: {tool.bound[argument]} of the verified customer"
    required = argument in tool.input_schema.get("required", [])
    return "The agent" if required else "The agent, if it is known"


def example_body(tool: Tool) -> str:
    """The JSON that is sent, with placeholders; empty where nothing is."""
    body = tool.request_body or {}
    if "argument" in body:
        return f"<{body['argument']}>"
    fields = {name: f"<{argument}>" for argument, name in body.get("fields", {}).items()}
    return json.dumps(fields, indent=2, ensure_ascii=False) if fields else ""
