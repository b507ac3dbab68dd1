"""What is kept of people's decisions when an operation comes again, and what of it is open again. Nothing is read or
written here: rows and tools as they were loaded, without their documents where those are the same."""

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from agents.models import Access
from openapi_import import meaning, tool_state
from openapi_import.binding import arguments, nobodys
from openapi_import.compared_rows import ComparedRow, Earlier, LiveTool
from openapi_import.elsewhere import goes_elsewhere
from openapi_import.judging.raising import APPROVALS, RISKS
from openapi_import.models import Change

JUDGED = (
    "name",
    "title",
    "tool_description",
    "access_type",
    "risk",
    "approval",
    "agent_group",
    "customer_params",
    "uncertain",
    "judged_by",
)
"""What a row may have from a reviewer or from the published tool instead of from the document and the judge."""
BY_STAFF = frozenset({"access_type", "risk", "approval", "agent_group", "customer_params"})
"""Whoever changes one of these has judged the operation."""
NO_LONGER_THERE = "The document has this operation no more. Publishing switches its tool off."
STRICTNESS: dict[str, Sequence[str]] = {
    "access": [Access.READ, Access.WRITE],
    "risk": RISKS,
    "approval": APPROVALS,
}
"""By field of a tool, from what asks least of people to what asks most."""
RULE = tuple(STRICTNESS)


class Judged(Protocol):
    @property
    def judged(self) -> Any: ...


def as_read(row: Judged, name: str) -> Any:
    """What the document or the judge said, before anything was kept or edited."""
    return row.judged.get(name, getattr(row, name))


def take_new(
    row: ComparedRow, tool: LiveTool | None, *, was_left_out: bool, servers: frozenset[str] | None
) -> None:
    """Make the row that of a new operation; tool: one that was retired and comes back. servers: as in `elsewhere`."""
    told, looked = _begin(row)
    row.change = Change.ADDED
    row.name = tool.name if tool else row.name
    row.selected = not row.unusable and not was_left_out
    if servers is not None and goes_elsewhere(row, servers):
        _tell_of_server(row, servers)
    _end(row, told, looked)


def take_published(row: ComparedRow, tool: LiveTool, earlier: Earlier | None, *, agent: str | None) -> None:
    """Put what was decided about the published tool over what was judged now; open again what changed. earlier: the row
    that it was published from; agent: the one that has it, for want of that."""
    told, looked = _begin(row)
    _keep(row, tool, earlier, agent)
    _end(row, told, looked)


Looked = tuple[str, Any]


def _begin(row: ComparedRow) -> tuple[list[dict[str, Any]], Looked]:
    """Back to the row as it was read and judged. Returns the difference that was told, and who looked at it."""
    told, looked = row.difference, (row.reviewed_by, row.reviewed_at)
    for name in JUDGED:
        setattr(row, name, row.judged.setdefault(name, getattr(row, name)))
    row.kept, row.kept_group = False, ""
    row.difference, row.reviewed_by, row.reviewed_at = [], "", None
    return told, looked


def _end(row: ComparedRow, told: list[dict[str, Any]], looked: Looked) -> None:
    """What a reviewer decided in this import stays, and their look, where nothing else differs than they saw."""
    for name, value in row.decided.items():
        if name in JUDGED or name == "selected":
            setattr(row, name, value)
    if BY_STAFF.intersection(row.decided):
        row.judged_by = "staff"
    if row.revision and looked[1] and row.difference == told:
        row.uncertain, (row.reviewed_by, row.reviewed_at) = False, looked


def _keep(row: ComparedRow, tool: LiveTool, earlier: Earlier | None, agent: str | None) -> None:
    found = meaning.differences(tool, row) if row.tool is not None else []
    row.name = tool.name
    row.title, told = _wording("title", tool.title, row.title, earlier.read_title if earlier else None)
    found += told
    old_words = earlier.read_description if earlier else None
    row.tool_description, told = _wording("description", tool.description, row.tool_description, old_words)
    found += told
    row.customer_params = _bindings(row, tool) if row.tool is not None else dict(tool.bound)
    row.agent_group = earlier.agent_group if earlier else agent if agent is not None else row.agent_group
    row.kept_group = row.agent_group
    changes_meaning = any(entry["meaning"] for entry in found)
    if not meaning.another_operation(tool, row):
        if changes_meaning and earlier and _nobody_decided(tool, earlier):
            found += _keep_stricter(row, tool)
        else:
            row.access_type, row.risk, row.approval = tool.access, tool.risk, tool.approval
        row.kept = True
        row.judged_by = "kept"
        waits = tool_state.waits_for_a_look(tool)
        row.uncertain = changes_meaning or waits or bool(earlier and earlier.uncertain)
    else:
        row.uncertain = True
    row.difference = sorted(found, key=lambda entry: not entry["meaning"])
    row.change = Change.CHANGED if found else Change.SAME
    if not found and earlier:
        row.reviewed_by, row.reviewed_at = earlier.reviewed_by, earlier.reviewed_at
    left_out = not tool.enabled and tool.paused_because == tool_state.LEFT_OUT
    row.selected = not row.unusable and not left_out


def _nobody_decided(tool: LiveTool, earlier: Earlier) -> bool:
    """Whether what the tool asks of people is what was judged when it was published: no reviewer looked, no staff have
    changed it since."""
    rule = (earlier.access_type, earlier.risk, earlier.approval)
    return earlier.reviewed_at is None and rule == (tool.access, tool.risk, tool.approval)


def _keep_stricter(row: ComparedRow, tool: LiveTool) -> list[dict[str, Any]]:
    """The stricter of what stood, which nobody had looked at, and what is judged of it now. Returns what differs."""
    was = {"access": tool.access, "risk": tool.risk, "approval": tool.approval}
    now = {"access": row.access_type, "risk": row.risk, "approval": row.approval}
    rule = {name: max(was[name], now[name], key=order.index) for name, order in STRICTNESS.items()}
    row.access_type, row.risk, row.approval = rule["access"], rule["risk"], rule["approval"]
    return [
        {"field": name, "was": was[name], "now": rule[name], "meaning": False}
        for name in rule
        if rule[name] != was[name]
    ]


def _tell_of_server(row: ComparedRow, servers: Collection[str]) -> None:
    """A new operation that would bring the stored credentials to another server is open until somebody looks."""
    was, now = ", ".join(sorted(servers)) or None, row.tool.get("server_url", "")
    row.difference = [{"field": "server_url", "was": was, "now": now, "meaning": True}]
    row.uncertain = True


def _wording(name: str, published: str, fresh: str, earlier: str | None) -> tuple[str, list[dict[str, Any]]]:
    """The document's words where they are new and staff have not put their own in their place."""
    if fresh == published or earlier is None or fresh == earlier or published != earlier:
        return published, []
    return fresh, [{"field": name, "was": published, "now": fresh, "meaning": False}]


def _bindings(row: ComparedRow, tool: LiveTool) -> dict[str, str]:
    """What was bound stays bound while its argument is there; of new arguments, what was judged now."""
    known = arguments(row.tool.get("input_schema", {}))
    old = {*arguments(tool.input_schema), *tool.bound, *nobodys({"parameters": tool.parameters}, tool.bound)}
    kept = {name: binding for name, binding in tool.bound.items() if name in known}
    return kept | {name: binding for name, binding in row.customer_params.items() if name not in old}
