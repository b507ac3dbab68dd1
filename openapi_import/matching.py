"""Which operation of a document is which tool of the same source."""

import re
from collections.abc import Iterable
from uuid import UUID

from agents.models import Tool
from openapi_import import tool_state
from openapi_import.models import Change, Classification

PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def address(method: str, path: str) -> tuple[str, str]:
    """What two operations share that are the same whatever their parameters are called."""
    return method.upper(), PLACEHOLDER.sub("{}", path)


def match(rows: Iterable[Classification], tools: Iterable[Tool]) -> dict[int, Tool]:
    """{row's index: its tool}: by operation id, then by method and path, so that an operation whose id was renamed
    keeps its tool. Each tool once. Rows that tell of a removed operation match nothing."""
    rows = [row for row in rows if row.change != Change.REMOVED]
    # One that is retired gives way to one that is in use.
    ordered = sorted(tools, key=lambda tool: (tool_state.retired(tool), tool.name))
    by_id = {tool.operation_id: tool for tool in ordered}
    found: dict[int, Tool] = {}
    taken: set[UUID] = set()
    for row in rows:
        tool = by_id.get(row.operation_id)
        if tool is not None and tool.pk not in taken:
            found[row.index] = tool
            taken.add(tool.pk)
    by_address: dict[tuple[str, str], Tool] = {}
    for tool in ordered:
        if tool.pk not in taken:
            by_address.setdefault(address(tool.method, tool.path), tool)
    for row in rows:
        if row.index in found:
            continue
        tool = by_address.pop(address(row.method, row.path), None)
        if tool is not None:
            found[row.index] = tool
    return found
