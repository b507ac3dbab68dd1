"""One row of a review as the tool that it is to be. Nothing is stored here."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from agents.models import Access, Tool
from openapi_import import binding, difference, tool_state
from openapi_import.difference import decided
from openapi_import.errors import ImportRefused
from openapi_import.models import Classification, SpecSource
from smartsupport.lib.text import shorten

FROM_REVIEW = {
    "title": "title",
    "tool_description": "description",
    "access_type": "access",
    "risk": "risk",
    "approval": "approval",
}
"""Columns of a row that become a tool's field of another name."""
MADE_OF_EDITS = (
    "projection",
    "confirmation",
    "repeat_safe",
    "staff_above_argument",
    "staff_above_amount",
    "approvals_needed",
    "requires",
)


def tool_of(row: Classification, tool: Tool | None, source: SpecSource, *, elsewhere: bool = False) -> Tool:
    """The row's tool as it is to be. elsewhere: a new one would bring credentials to a server that is new to them."""
    fresh = tool is None or tool_state.retired(tool)
    tool = tool or Tool(source=source)
    kept = not fresh and bool(row.tool.get("kept"))
    edits = decided(row)
    tool.operation_id, tool.method, tool.path = row.operation_id, row.method, row.path
    tool.server_url = row.tool.get("server_url", "")
    tool.parameters = row.tool.get("parameters", [])
    tool.request_body = row.tool.get("request_body")
    tool.security = row.tool.get("security", [])
    tool.response = row.tool.get("response", {})
    if not 0 < len(tool.server_url) <= 2000:
        raise ImportRefused(
            f"{row} has no address that can be called. Leave it out, or import a document that has one."
        )
    if fresh or "name" in edits:
        tool.name = row.name
    told = {entry["field"] for entry in row.difference}
    for column, name in FROM_REVIEW.items():
        # Between comparing and now, staff may have changed what is kept.
        words = name in ("title", "description")
        if fresh or column in edits or name in told or not (kept or words):
            setattr(tool, name, getattr(row, column))
    tool.bound = row.customer_params
    tool.input_schema = binding.seen_by_model(row.tool, tool.bound)
    defaults = Tool()
    for name in MADE_OF_EDITS:
        if name in edits or not kept:
            tool_state.put(tool, {name: edits.get(name, getattr(defaults, name))})
    if not kept:
        tool.read_back_id = None
    _switch(tool, row, fresh=fresh, elsewhere=elsewhere)
    return tool


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


def free_names(rows: list[Classification], made: Mapping[int, Tool], before: Mapping[UUID, Any]) -> None:
    """A name that was taken since it was given out is changed; one that a reviewer chose is refused."""
    there = {tool.pk for tool in made.values()}
    taken = set(Tool.objects.exclude(pk__in=list(before)).values_list("name", flat=True))
    taken |= {stored["name"] for pk, stored in before.items() if pk not in there}
    for row in rows:
        tool = made.get(row.index)
        if tool is None:
            continue
        if tool.name in taken and "name" in decided(row):
            raise ImportRefused(f"There is already a tool named {tool.name!r}. Give {row} another name.")
        tool.name = difference.free_name(tool.name, row.operation_id, taken)
        taken.add(tool.name)


def read_back(rows: list[Classification], made: Mapping[int, Tool], tools: list[Tool]) -> None:
    """Name the tools that show how things stand, now that all of them are there."""
    by_operation = {tool.operation_id: tool for tool in (*tools, *made.values())}
    for row in rows:
        if row.index not in made or "read_back" not in decided(row):
            continue
        wanted = decided(row)["read_back"]
        reading = by_operation.get(wanted) if wanted else None
        if wanted and (reading is None or reading.access != Access.READ):
            raise ImportRefused(f"{row}: there is no reading operation {wanted!r}.")
        made[row.index].read_back_id = reading.pk if reading else None
