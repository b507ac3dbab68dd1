"""What is stored of a tool, as JSON, and why one is switched off."""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from agents.models import Tool
from agents.retired import DELETED as DELETED
from agents.retired import NOT_RETIRED as NOT_RETIRED
from agents.retired import REASONS
from agents.retired import TAKEN_BACK as TAKEN_BACK
from agents.retired import retired as retired

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


def waits_for_a_look(tool: Tool) -> bool:
    """Whether a publication switched it off because nobody had looked, also where it is paused besides."""
    return not tool.enabled and tool.paused_because.endswith(UNSEEN)


def paused(tool: Tool) -> bool:
    return not tool.enabled and tool.paused_because.startswith(PAUSED_BY)


def without_waiting(tool: Tool) -> str:
    """Why it is paused, less that it waits for a look."""
    return tool.paused_because.removesuffix(CHANGED).rstrip()


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
    """Insert or update all of them in one statement. A thousand schemas as one JSON text cost a third of what they cost
    as a thousand parameters."""
    now = timezone.now()
    fields = [field for field in Tool._meta.concrete_fields if not field.generated]
    rows = []
    for tool in sorted(tools, key=lambda tool: str(tool.pk)):
        tool.updated_at, tool.created_at = now, tool.created_at or now
        rows.append({field.column: _plain(getattr(tool, field.attname)) for field in fields})
    if not rows:
        return
    columns = ", ".join(str(field.column) for field in fields)
    typed = ", ".join(f"{field.column} {field.db_type(connection)}" for field in fields)
    updated = ", ".join(f"{name} = EXCLUDED.{name}" for name in (*STORED, "updated_at"))
    statement = (  # columns of ours and nothing else
        f"INSERT INTO {Tool._meta.db_table} ({columns}) "  # noqa: S608
        f"SELECT {columns} FROM jsonb_to_recordset(%s::jsonb) AS given({typed}) "
        f"ON CONFLICT (id) DO UPDATE SET {updated}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(rows, ensure_ascii=False, allow_nan=False)])


def store_fields(tools: Iterable[Tool], names: Collection[str]) -> None:
    """Update these fields of tools that are there, in one statement. What a tool is found by is computed again only
    where it is among them."""
    now = timezone.now()
    rows = []
    for tool in sorted(tools, key=lambda tool: str(tool.pk)):
        tool.updated_at = now
        rows.append({name: _plain(getattr(tool, name)) for name in ("id", *names, "updated_at")})
    if not rows:
        return
    wanted = {"id", *names, "updated_at"}
    fields = [field for field in Tool._meta.concrete_fields if field.attname in wanted]
    typed = ", ".join(f"{field.column} {field.db_type(connection)}" for field in fields)
    updated = ", ".join(f"{name} = given.{name}" for name in (*names, "updated_at"))
    statement = (  # columns of ours and nothing else
        f"UPDATE {Tool._meta.db_table} AS tool SET {updated} "  # noqa: S608
        f"FROM jsonb_to_recordset(%s::jsonb) AS given({typed}) WHERE tool.id = given.id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(rows, ensure_ascii=False, allow_nan=False)])


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
