"""Tools that are new: made of the rows of an import inside the database, so that publishing 20,000 operations brings
none of their documents here."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import Field
from django.db.models.fields.json import KT

from agents.models import Tool
from openapi_import import tool_state
from openapi_import.elsewhere import brings_elsewhere
from openapi_import.models import Change, Classification, Publication, SpecSource
from openapi_import.same_documents import DOCUMENT, READ, seen_by_model
from openapi_import.tool_making import check_address


@dataclass(slots=True)
class NewRow:
    """What of a row with a new tool is looked at here. `security` is JSON text, "" where nobody asked."""

    pk: int
    index: int
    operation_id: str
    method: str
    path: str
    name: str
    title: str
    access_type: str
    agent_group: str
    reviewed_at: datetime | None
    decided: dict[str, Any]
    server_url: str
    security: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


COLUMNS = NewRow.__slots__[: NewRow.__slots__.index("server_url")]


@dataclass
class NewTool:
    """A tool that is not stored yet: what its row does not say of it."""

    row: NewRow
    pk: UUID
    name: str
    enabled: bool
    paused_because: str
    requires: list[str]
    read_back_id: UUID | None = None

    @property
    def operation_id(self) -> str:
        return self.row.operation_id

    @property
    def title(self) -> str:
        return self.row.title

    @property
    def access(self) -> str:
        return self.row.access_type


def new_rows(job_id: UUID, *, security: bool) -> list[NewRow]:
    """The rows of a job that are to be published and were no tools when it was compared; security: with what
    credentials they ask for."""
    added = Classification.objects.filter(job=job_id, change=Change.ADDED, selected=True, unusable="")
    rows = added.order_by("index")
    parts = [KT("tool__server_url"), *([KT("tool__security")] if security else [])]
    found = rows.values_list(*COLUMNS, *parts)
    return [
        NewRow(*one[: len(COLUMNS)], *(part or "" for part in (*one[len(COLUMNS) :], "")[:2]))
        for one in found.iterator()
    ]


def new_tool(row: NewRow, servers: frozenset[str] | None) -> NewTool:
    """The tool of a row that has none. servers: those that may get the credentials of its source, as in `elsewhere`.
    Raises ImportRefused for one that has no address."""
    check_address(str(row), row.server_url)
    on, why = True, ""
    if servers is not None and row.reviewed_at is None:
        security = json.loads(row.security or "[]")
        if brings_elsewhere(row.server_url, security, servers):
            on, why = False, tool_state.ELSEWHERE
    return NewTool(row, uuid4(), row.name, on, why, row.decided.get("requires", []))


COPIED = {
    "id": "given.id",
    "name": "given.name",
    "title": "row.title",
    "description": "row.tool_description",
    "source_id": "%(source)s",
    "operation_id": "row.operation_id",
    "method": "row.method",
    "path": "row.path",
    "server_url": "read.server_url",
    "parameters": "coalesce(read.parameters, '[]')",
    "request_body": "read.request_body",
    "security": "coalesce(read.security, '[]')",
    "response": "coalesce(read.response, '{}')",
    "input_schema": seen_by_model("row.customer_params"),
    "bound": "row.customer_params",
    "access": "row.access_type",
    "risk": "row.risk",
    "approval": "row.approval",
    "projection": "coalesce(row.decided -> 'projection', '[]')",
    "confirmation": "coalesce(row.decided ->> 'confirmation', '')",
    "repeat_safe": "coalesce((row.decided ->> 'repeat_safe')::boolean, false)",
    "staff_above_argument": "coalesce(row.decided ->> 'staff_above_argument', '')",
    "staff_above_amount": "(row.decided ->> 'staff_above_amount')::numeric",
    "approvals_needed": "coalesce((row.decided ->> 'approvals_needed')::int, 1)",
    "requires": "given.requires",
    "read_back_id": "given.read_back_id",
    "enabled": "given.enabled",
    "paused_because": "given.paused_because",
    "created_at": "now()",
    "updated_at": "now()",
}
"""By column of a tool, what it is made of. Any other column has its field's default."""


def insert(tools: Iterable[NewTool], source: SpecSource, hidden: Sequence[str]) -> None:
    """Store them, in one statement. hidden: `same_documents.person_headers` of their job."""
    given = [
        {
            "row_id": tool.row.pk,
            "id": str(tool.pk),
            "name": tool.name,
            "enabled": tool.enabled,
            "paused_because": tool.paused_because,
            "requires": tool.requires,
            "read_back_id": str(tool.read_back_id) if tool.read_back_id else None,
        }
        for tool in tools
    ]
    if not given:
        return
    others = {
        str(field.column): field
        for field in Tool._meta.concrete_fields
        if field.column not in COPIED and not field.generated
    }
    values = COPIED | {column: f"%({column})s" for column in others}
    statement = (  # columns of ours and nothing else
        f"INSERT INTO {Tool._meta.db_table} ({', '.join(values)}) "  # noqa: S608
        f"SELECT {', '.join(values.values())} FROM jsonb_to_recordset(%(given)s::jsonb) AS given(row_id bigint, "
        "id uuid, name text, enabled boolean, paused_because text, requires jsonb, read_back_id uuid) "
        f"JOIN {Classification._meta.db_table} AS row ON row.id = given.row_id {READ}"
    )
    defaults = {column: _default(field) for column, field in others.items()}
    text = json.dumps(given, ensure_ascii=False, allow_nan=False)
    with connection.cursor() as cursor:
        cursor.execute(statement, {**defaults, "given": text, "source": source.pk, "hidden": list(hidden)})


def describe(publication: Publication, tools: Sequence[NewTool]) -> None:
    """Put them before the other entries of the publication's `changes`, each as `publish.change` has it. They are
    loaded when somebody asks for them."""
    if not tools:
        return
    names = [name for name in tool_state.STORED if name not in DOCUMENT]
    after = ", ".join(f"'{name}', {_as_json(name)}" for name in names)
    statement = (  # columns of ours and nothing else
        f"UPDATE {Publication._meta.db_table} SET changes = (SELECT jsonb_agg(jsonb_build_object("  # noqa: S608
        "'id', tool.id, 'tool', tool.name, 'operation_id', tool.operation_id, 'change', 'added', 'before', NULL, "
        f"'after', jsonb_build_object({after})) ORDER BY given.place) "
        "FROM unnest(%(tools)s::uuid[]) WITH ORDINALITY AS given(id, place) "
        f"JOIN {Tool._meta.db_table} AS tool ON tool.id = given.id) || changes WHERE id = %(publication)s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, {"tools": [tool.pk for tool in tools], "publication": publication.pk})
    del publication.changes


def _as_json(name: str) -> str:
    """A column of `tool` as `tool_state.state` has it: amounts are texts."""
    return f"tool.{name}::text" if name == "staff_above_amount" else f"tool.{name}"


def _default(field: "Field[Any, Any]") -> Any:
    return field.get_db_prep_save(field.get_default(), connection)
