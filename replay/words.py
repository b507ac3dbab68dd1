"""How facts are told: who speaks, and what a payload's field reads like."""

import json
from typing import Any

CUSTOMER, AGENT, STAFF, NOTE, INTERNAL, APPROVAL, PROBLEM = (
    "customer",
    "agent",
    "staff",
    "note",
    "internal",
    "approval",
    "problem",
)

Told = dict[str, Any]
"""Fields of a `replay.timeline.Step`."""


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def text_of(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    return value if isinstance(value, str) else "" if value is None else pretty(value)


def mapping_of(payload: dict[str, Any], name: str) -> dict[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, dict) else {} if value is None else {name: value}
