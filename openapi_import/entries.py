"""What is written down of a change of live tools, entry by entry, and how what it says is stored."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agents.models import Tool
from openapi_import import tool_state
from openapi_import.same_documents import DOCUMENT

Entry = dict[str, Any]


def change(tool: Tool, before: Mapping[str, Any] | None, kind: str) -> Entry:
    """One entry of Publication.changes; of a tool that was there, the fields that differ. Of a new one, what people
    decide: the rest is in the rows that it was published from. `before`: as the tool was loaded."""
    after = tool_state.state(tool)
    entry: Entry = {
        "id": str(tool.pk),
        "tool": tool.name,
        "operation_id": tool.operation_id,
        "change": kind,
        "before": None,
        "after": {name: value for name, value in after.items() if name not in DOCUMENT},
    }
    if before is not None:
        fields = tool_state.changed_fields(before, after)
        entry["before"] = {name: before[name] for name in fields}
        entry["after"] = {name: after[name] for name in fields}
    return entry


def fields_of(changes: Iterable[Mapping[str, Any]]) -> list[str]:
    """The fields that differ in any of these entries, of tools that were there."""
    found = {name for entry in changes for name in entry["before"] or ()}
    return [name for name in tool_state.STORED if name in found]


def store_changed(tools: Sequence[Tool], changes: Sequence[Entry]) -> None:
    """Store what these entries, one for each tool, say of tools that were there: what documents say of those where it
    differs in one statement, all others in another."""
    for large in (True, False):
        some = [
            (tool, entry)
            for tool, entry in zip(tools, changes, strict=True)
            if (entry["before"].keys().isdisjoint(DOCUMENT)) is not large
        ]
        tool_state.store_fields((tool for tool, _ in some), fields_of(entry for _, entry in some))
