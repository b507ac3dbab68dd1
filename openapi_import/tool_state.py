"""What is stored of a tool, as JSON, and why one is switched off."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from agents.models import Tool

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
DELETED = "It was deleted."
TAKEN_BACK = "The import that it came with was rolled back."
PAUSED_BY = "Paused by "

BY_PUBLISHING = frozenset({GONE, LEFT_OUT, UNUSABLE, CHANGED})
"""A tool that is off for one of these is switched on again by a publication that has it, looked at."""
RETIRED = frozenset({DELETED, TAKEN_BACK})
"""A tool that is off for one of these is there for the past only: hidden, and new when its operation is published."""
NOT_RETIRED = ~Q(enabled=False, paused_because__in=RETIRED)


def retired(tool: Tool) -> bool:
    return not tool.enabled and tool.paused_because in RETIRED


def state(tool: Tool) -> dict[str, Any]:
    """The stored fields of a tool, as JSON."""
    return {field: _plain(getattr(tool, field)) for field in STORED}


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


def store(tools: Iterable[Tool]) -> None:
    """Insert or update all of them, in one statement for each few hundred."""
    rows = sorted(tools, key=lambda tool: str(tool.pk))
    now = timezone.now()
    for tool in rows:
        tool.updated_at = now
    Tool.objects.bulk_create(
        rows,
        batch_size=400,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*(field.removesuffix("_id") if field == "read_back_id" else field for field in STORED),
                       "updated_at"],
    )  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return str(value) if isinstance(value, UUID) else value
