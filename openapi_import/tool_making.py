"""One row of a review as the tool that it is to be. Nothing is stored here. Tools that are new are in `new_tools`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from agents.models import Access, Tool
from openapi_import import binding, difference, tool_state
from openapi_import.errors import ImportRefused
from openapi_import.keeping import RULE
from openapi_import.models import Classification
from openapi_import.same_documents import has_document
from smartsupport.lib.text import shorten

FROM_REVIEW = {
    "title": "title",
    "tool_description": "description",
    "access_type": "access",
    "risk": "risk",
    "approval": "approval",
}
"""Columns of a row that become a tool's field of another name."""
DEFAULTS = Tool()
MADE_OF_EDITS = (
    "projection",
    "confirmation",
    "repeat_safe",
    "staff_above_argument",
    "staff_above_amount",
    "approvals_needed",
    "requires",
)


class Row(Protocol):
    """What of a reviewed row is looked at whether its tool is new or not."""

    @property
    def index(self) -> int: ...

    @property
    def operation_id(self) -> str: ...

    @property
    def decided(self) -> Any: ...


class ToBe(Protocol):
    """A tool as it is to be, new or not."""

    name: str
    requires: Any
    read_back_id: UUID | None

    @property
    def pk(self) -> UUID: ...

    @property
    def operation_id(self) -> str: ...

    @property
    def access(self) -> str: ...


def tool_of(row: Classification, tool: Tool, *, elsewhere: bool = False) -> Tool:
    """The row's tool as it is to be; what its document says is set where the row was loaded with it, and else as it is
    already. elsewhere: one that comes back would bring credentials to a server that is new to them."""
    fresh = tool_state.retired(tool)
    kept = not fresh and row.kept
    edits = row.decided
    if has_document(row):
        _set_document(row, tool)
    check_address(str(row), tool.server_url)
    if fresh or "name" in edits:
        tool.name = row.name
    told = _told(row, tool)
    for column, name in FROM_REVIEW.items():
        # Between comparing and now, staff may have changed what is kept.
        words = name in ("title", "description")
        if fresh or column in edits or name in told or not (kept or words):
            setattr(tool, name, getattr(row, column))
    for name in MADE_OF_EDITS:
        if name in edits or not kept:
            tool_state.put(tool, {name: edits.get(name, getattr(DEFAULTS, name))})
    if not kept:
        tool.read_back_id = None
    _switch(tool, row, fresh=fresh, elsewhere=elsewhere)
    return tool


def check_address(operation: str, server_url: str) -> None:
    """Raises ImportRefused for an operation that has no address of a length that can be called."""
    if not 0 < len(server_url) <= 2000:
        raise ImportRefused(
            f"{operation} has no address that can be called. Leave it out, or import a document that has one."
        )


def _set_document(row: Classification, tool: Tool) -> None:
    tool.operation_id, tool.method, tool.path = row.operation_id, row.method, row.path
    tool.server_url = row.tool.get("server_url", "")
    tool.parameters = row.tool.get("parameters", [])
    tool.request_body = row.tool.get("request_body")
    tool.security = row.tool.get("security", [])
    tool.response = row.tool.get("response", {})
    tool.bound = row.customer_params
    tool.input_schema = binding.seen_by_model(row.tool, tool.bound)


def _told(row: Classification, tool: Tool) -> set[str]:
    """The fields that the reviewer was told become others. A stricter rule takes the place of the one that it was told
    of, not of what staff made of it since."""
    told = {entry["field"]: entry["was"] for entry in row.difference}
    if any(name in told and told[name] != getattr(tool, name) for name in RULE):
        return told.keys() - set(RULE)
    return set(told)


def _switch(tool: Tool, row: Classification, *, fresh: bool, elsewhere: bool) -> None:
    """On, unless staff switched it off, or it means something else now and nobody has looked."""
    looked = row.reviewed_at is not None
    waits = tool_state.waits_for_a_look(tool) and not looked
    by_publishing = not tool.enabled and tool.paused_because in tool_state.BY_PUBLISHING
    if fresh or (by_publishing and not waits):
        tool.enabled, tool.paused_because = True, ""
    if fresh and elsewhere and not looked:
        switch_off(tool, tool_state.ELSEWHERE)
    elif not fresh and not looked and any(entry["meaning"] for entry in row.difference):
        if tool_state.paused(tool) and not waits:
            # Resuming what was paused is no look at what it has become meanwhile.
            room = 300 - len(tool_state.CHANGED) - 1
            tool.paused_because = f"{shorten(tool.paused_because, room)} {tool_state.CHANGED}"
        elif tool.enabled:
            switch_off(tool, tool_state.CHANGED)
    elif tool_state.paused(tool) and looked:
        tool.paused_because = tool_state.without_waiting(tool)


def switch_off(tool: Tool, why: str) -> None:
    """A tool that is off already keeps its reason, unless that was one that publishing gave."""
    if tool.enabled or tool.paused_because in tool_state.BY_PUBLISHING:
        tool.enabled, tool.paused_because = False, why


def free_names(
    rows: Iterable[tuple[Row, ToBe]], others: Collection[str], before: Mapping[UUID, Mapping[str, Any]]
) -> None:
    """A name that was taken since it was given out is changed; one that a reviewer chose is refused. rows: in the order
    of the document. others: the names of tools of other sources; before: the tools of this one, as they are stored."""
    rows = list(rows)
    there = {tool.pk for _, tool in rows}
    taken = {*others} | {stored["name"] for pk, stored in before.items() if pk not in there}
    for row, tool in rows:
        if tool.name in taken and "name" in row.decided:
            raise ImportRefused(f"There is already a tool named {tool.name!r}. Give {row} another name.")
        tool.name = difference.free_name(tool.name, row.operation_id, taken)
        taken.add(tool.name)


def read_back(rows: Iterable[tuple[Row, ToBe]], tools: Sequence[ToBe]) -> None:
    """Name the tools that show how things stand, now that all of them are there. tools: also those of no row."""
    rows = list(rows)
    if not any("read_back" in row.decided for row, _ in rows):
        return
    by_operation = {tool.operation_id: tool for tool in (*tools, *(tool for _, tool in rows))}
    for row, tool in rows:
        if "read_back" not in row.decided:
            continue
        wanted = row.decided["read_back"]
        reading = by_operation.get(wanted) if wanted else None
        if wanted and (reading is None or reading.access != Access.READ):
            raise ImportRefused(f"{row}: there is no reading operation {wanted!r}.")
        tool.read_back_id = reading.pk if reading else None
