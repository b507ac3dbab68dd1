"""What is compared of a document's operations, their tools, and the rows that those were published from: the columns
that count, some hundreds of rows at a time. Model instances of 20,000 operations take several times as long."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from agents.models import Tool
from openapi_import.many_rows import among
from openapi_import.models import Classification


@dataclass(slots=True)
class ComparedRow:
    """One row of the import, as in `Classification`; `tool` is None where it was not loaded."""

    id: int
    index: int
    operation_id: str
    method: str
    path: str
    unusable: str
    revision: int
    decided: dict[str, Any]
    name: str
    title: str
    tool_description: str
    access_type: str
    risk: str
    approval: str
    agent_group: str
    customer_params: dict[str, str]
    uncertain: bool
    judged: dict[str, Any]
    judged_by: str
    selected: bool
    change: str
    difference: list[dict[str, Any]]
    reviewed_by: str
    reviewed_at: datetime | None
    kept: bool
    kept_group: str
    tool: Any = None

    @property
    def pk(self) -> int:
        return self.id


@dataclass(slots=True)
class LiveTool:
    """A tool, as in `agents.models.Tool`; what a document says of it is None where it was not loaded."""

    pk: UUID
    operation_id: str
    method: str
    path: str
    server_url: str
    name: str
    title: str
    description: str
    access: str
    risk: str
    approval: str
    bound: dict[str, str]
    enabled: bool
    paused_because: str
    parameters: Any = None
    request_body: Any = None
    input_schema: Any = None
    security: Any = None
    response: Any = None


@dataclass(slots=True)
class Earlier:
    """The row that a tool was published from. `read_title` and `read_description` are its document's own words."""

    pk: int
    agent_group: str
    uncertain: bool
    access_type: str
    risk: str
    approval: str
    reviewed_by: str
    reviewed_at: datetime | None
    read_title: str
    read_description: str


def _columns(of: type, until: str) -> list[str]:
    names = [one.name for one in fields(of)]
    return names[: names.index(until)]


OF_ROW = _columns(ComparedRow, "tool")
OF_TOOL = _columns(LiveTool, "parameters")
OF_EARLIER = _columns(Earlier, "read_title")


def rows(ids: Iterable[int]) -> list[ComparedRow]:
    """In the order of the document."""
    found = Classification.objects.filter(pk__in=among(ids, "bigint")).order_by("index")
    return [ComparedRow(*one) for one in found.values_list(*OF_ROW).iterator()]


def tools(ids: Iterable[UUID]) -> dict[UUID, LiveTool]:
    found = Tool.objects.filter(pk__in=among(ids, "uuid")).order_by("pk")
    return {one[0]: LiveTool(*one) for one in found.values_list(*OF_TOOL).iterator()}


def earlier(ids: Iterable[int]) -> list[Earlier]:
    found = Classification.objects.filter(pk__in=among(ids, "bigint")).order_by("pk")
    words = (
        Coalesce(KT(f"judged__{name}"), name, output_field=TextField())
        for name in ("title", "tool_description")
    )
    return [Earlier(*one) for one in found.values_list(*OF_EARLIER, *words).iterator()]
