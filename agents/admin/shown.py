"""Actions and tools in words and tables."""

import json
from typing import Any

from agents.models import Action, ActionStatus, Tool

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


def shown_value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False)


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
