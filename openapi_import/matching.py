"""Which operation of a document is which tool of the same source. Done with what names them alone: documents of 20,000
operations are matched without being loaded."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from agents.models import Tool
from agents.retired import Switched, retired
from openapi_import.models import Change, Classification

PLACEHOLDER = re.compile(r"\{[^{}]*\}")


class Described(Protocol):
    """An operation, by what names it."""

    @property
    def operation_id(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...


class Numbered(Described, Protocol):
    @property
    def index(self) -> int: ...


class Made(Described, Switched, Protocol):
    """A tool, or what was read of one."""

    @property
    def pk(self) -> UUID: ...

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Made)


@dataclass(slots=True)
class RowKey:
    """What of a classification is matched."""

    pk: int
    index: int
    operation_id: str
    method: str
    path: str
    change: str


class ToolKey(NamedTuple):
    """What of a tool is matched, and whether it is in use."""

    pk: UUID
    operation_id: str
    method: str
    path: str
    name: str
    server_url: str
    enabled: bool
    paused_because: str


def row_keys(job_id: UUID) -> list[RowKey]:
    """Of all rows of a job, in the order of the document; without those that tell of a removed operation."""
    rows = Classification.objects.filter(job=job_id).exclude(change=Change.REMOVED).order_by("index")
    return [RowKey(*one) for one in rows.values_list(*RowKey.__slots__).iterator()]


def tool_keys(source_id: UUID) -> list[ToolKey]:
    """Of all tools of a source."""
    tools = Tool.objects.filter(source=source_id).order_by("pk")
    return [ToolKey._make(one) for one in tools.values_list(*ToolKey._fields).iterator()]


def address(method: str, path: str) -> tuple[str, str]:
    """What two operations share that are the same whatever their parameters are called."""
    return method.upper(), PLACEHOLDER.sub("{}", path)


def match(rows: Iterable[Numbered], tools: Iterable[T]) -> dict[int, T]:
    """{row's index: its tool}: by operation id, then by method and path, so that an operation whose id was renamed
    keeps its tool. Each tool once. Rows that tell of a removed operation are not to be among them."""
    rows = list(rows)
    # One that is retired gives way to one that is in use.
    ordered = sorted(tools, key=lambda tool: (retired(tool), tool.name))
    by_id = {tool.operation_id: tool for tool in ordered}
    found: dict[int, T] = {}
    taken: set[UUID] = set()
    for row in rows:
        tool = by_id.get(row.operation_id)
        if tool is not None and tool.pk not in taken:
            found[row.index] = tool
            taken.add(tool.pk)
    by_address: dict[tuple[str, str], T] = {}
    for tool in ordered:
        if tool.pk not in taken:
            by_address.setdefault(address(tool.method, tool.path), tool)
    if not by_address:
        return found
    for row in rows:
        if row.index in found:
            continue
        tool = by_address.pop(address(row.method, row.path), None)
        if tool is not None:
            found[row.index] = tool
    return found
