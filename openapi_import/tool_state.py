"""What is stored of a tool, as JSON, and why one is switched off."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.models import Tool
from agents.retired import DELETED as DELETED
from agents.retired import NOT_RETIRED as NOT_RETIRED
from agents.retired import REASONS
from agents.retired import TAKEN_BACK as TAKEN_BACK
from agents.retired import Switched as Switched
from agents.retired import retired as retired
from openapi_import import many_rows

FROM_DOCUMENT = (
    "method",
    "path",
    "server_url",
    "parameters",
    "request_body",
    "input_schema",
    "security",
    "response",
)
"""What a tool has from its document alone; nobody edits it."""
STORED = (
    "operation_id",
    *FROM_DOCUMENT,
    "name",
    "title",
    "description",
    "access",
    "risk",
    "approval",
    "bound",
    "projection",
    "staff_above_argument",
    "staff_above_amount",
    "confirmation",
    "approvals_needed",
    "requires",
    "read_back_id",
    "repeat_safe",
    "enabled",
    "paused_because",
)
SWITCHES = ("enabled", "paused_because")

GONE = "Its API document no longer has this operation."
LEFT_OUT = "It was left out when its API document was published."
UNUSABLE = "Its API document describes it in a way that cannot be used any more."
CHANGED = "What it does has changed, and nobody has looked at it since."
ELSEWHERE = "It would send our credentials to another server than before, and nobody has looked at it."
PAUSED_BY = "Paused by "
RETIRED = REASONS

UNSEEN = (CHANGED, ELSEWHERE)
"""A tool that is off for one of these waits for a look; one that is paused as well has it at the end of its reason."""
BY_PUBLISHING = frozenset({GONE, LEFT_OUT, UNUSABLE, *UNSEEN})
"""A tool that is off for one of these is switched on again by a publication that has it, looked at."""


def waits_for_a_look(tool: Switched) -> bool:
    """Whether a publication switched it off because nobody had looked, also where it is paused besides."""
    return not tool.enabled and tool.paused_because.endswith(UNSEEN)


def paused(tool: Switched) -> bool:
    return not tool.enabled and tool.paused_because.startswith(PAUSED_BY)


def without_waiting(tool: Tool) -> str:
    """Why it is paused, less that it waits for a look."""
    return tool.paused_because.removesuffix(CHANGED).rstrip()


def state(tool: Tool) -> dict[str, Any]:
    """The stored fields of a tool, as JSON; of one that was loaded without some of them, the others."""
    loaded = tool.__dict__
    return {field: many_rows.plain(loaded[field]) for field in STORED if field in loaded}


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [field for field in STORED if before.get(field) != after.get(field)]


def put(tool: Tool, values: Mapping[str, Any]) -> None:
    """Set stored fields, given as `state` gives them."""
    for field, value in values.items():
        if field == "staff_above_amount" and value is not None:
            value = Decimal(value)
        elif field == "read_back_id" and value is not None:
            value = UUID(str(value))
        setattr(tool, field, value)


def store_fields(tools: Iterable[Tool], names: Collection[str]) -> None:
    """Update these fields of tools that are there, in one statement. What a tool is found by is computed again only
    where it is among them."""
    now = timezone.now()
    ordered = sorted(tools, key=lambda tool: str(tool.pk))
    for tool in ordered:
        tool.updated_at = now
    many_rows.update(Tool, ordered, [*names, "updated_at"])
