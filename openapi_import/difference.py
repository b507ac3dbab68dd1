"""A document beside what is published of it: what is new, changed, as it was, or gone, operation by operation.

What reviewers and staff decided about an operation is kept, and only what changed is opened again. A job's rows are at
first as they were read and judged; `compare` writes what it keeps over that, and leaves the original in `judged`.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from agents.models import AgentTool, Tool
from openapi_import import meaning, tool_state
from openapi_import.binding import arguments, nobodys
from openapi_import.elsewhere import goes_elsewhere, known_servers
from openapi_import.errors import JobNotFound, WrongStage
from openapi_import.matching import address, match
from openapi_import.models import Change, Classification, ImportJob, ImportStatus, Publication, SpecSource
from smartsupport.lib.ids import canonical_json, digest

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
COMPARED = (*JUDGED, "tool", "judged", "selected", "change", "difference", "reviewed_by", "reviewed_at")
NO_LONGER_THERE = "The document has this operation no more. Publishing switches its tool off."


@dataclass
class _Published:
    """What is live of a source, and the rows that it was last published from."""

    tools: list[Tool] = field(default_factory=list)
    earlier: dict[UUID, Classification] = field(default_factory=dict)  # by the id of the tool
    left_out: set[Any] = field(default_factory=set)  # operation ids, and methods with paths
    agent_of: dict[UUID, str] = field(default_factory=dict)  # by the id of the tool
    servers: frozenset[str] | None = None  # that may get its credentials


def compare(job: ImportJob) -> dict[str, int]:
    """Compare the rows of a job with what is published of the same source, and write down what was found. Call it in a
    transaction; it may run again at any time before the job is published. Returns how many rows there are of each
    change: {"added", "changed", "same", "removed"}.

    An operation that is gone has a row of its own after the others, which cannot be selected.
    """
    source = job.source or (SpecSource.objects.filter(name=job.name).first() if job.name else None)
    Classification.objects.filter(job=job, change=Change.REMOVED).delete()
    rows = list(Classification.objects.filter(job=job).order_by("index"))
    published = _published(source) if source else _Published()
    found = match(rows, published.tools)
    before = {row.pk: _mark(row) for row in rows}
    for row in rows:
        _compare_one(row, found.get(row.index), published)
    _free_names(rows, found)
    _store(row for row in rows if _mark(row) != before[row.pk])
    matched = {tool.pk for tool in found.values()}
    gone = [tool for tool in published.tools if tool.pk not in matched and not told_already(tool)]
    start = rows[-1].index + 1 if rows else 0
    Classification.objects.bulk_create(
        [_removed(job, start + number, tool) for number, tool in enumerate(gone)], batch_size=400
    )
    counts = Counter(str(row.change) for row in rows)
    counts[Change.REMOVED] = len(gone)
    return {str(change): counts[change] for change in Change.values}


def as_read(row: Classification, name: str) -> Any:
    """What the document or the judge said, before anything was kept or edited."""
    return row.judged.get(name, getattr(row, name))


def decided(row: Classification) -> dict[str, Any]:
    """What a reviewer decided in this import, by field: of the row's own columns, and of the tool's."""
    found: dict[str, Any] = row.tool.get("decided", {})
    return found


@transaction.atomic
def compare_again(job_id: UUID) -> dict[str, int]:
    """Compare a job that is ready with what is published by now. What a reviewer decided in it stays; what differs in
    another way than when they looked is open again. Raises JobNotFound and WrongStage."""
    job = ImportJob.objects.select_for_update(no_key=True).defer("content").filter(pk=job_id).first()
    if job is None:
        raise JobNotFound.of(job_id)
    if job.status != ImportStatus.DONE:
        raise WrongStage("Only an import that is ready to be reviewed can be compared again.")
    return compare(job)


def _compare_one(row: Classification, tool: Tool | None, published: _Published) -> None:
    told, looked = row.difference, (row.reviewed_by, row.reviewed_at)
    _reset(row)
    if tool is None or tool_state.retired(tool):
        row.change = Change.ADDED
        row.name = tool.name if tool else row.name
        was_left_out = tool is None and not published.left_out.isdisjoint(
            (row.operation_id, address(row.method, row.path))
        )
        row.selected = not row.unusable and not was_left_out
        if goes_elsewhere(row, published.servers):
            _tell_of_server(row, published.servers or frozenset())
    else:
        _keep(row, tool, published)
    for name, value in decided(row).items():
        if name in JUDGED or name == "selected":
            setattr(row, name, value)
    if BY_STAFF.intersection(decided(row)):
        row.judged_by = "staff"
    if row.revision and looked[1] and row.difference == told:
        row.uncertain, (row.reviewed_by, row.reviewed_at) = False, looked


def _reset(row: Classification) -> None:
    """Back to the row as it was read and judged."""
    for name in JUDGED:
        setattr(row, name, row.judged.setdefault(name, getattr(row, name)))
    row.tool |= {"kept": False, "kept_group": ""}
    row.difference, row.reviewed_by, row.reviewed_at = [], "", None


def _keep(row: Classification, tool: Tool, published: _Published) -> None:
    """Put what was decided about the published tool over what was judged now; open again what changed."""
    earlier = published.earlier.get(tool.pk)
    found = meaning.differences(tool, row)
    row.name = tool.name
    row.title, told = _wording("title", tool.title, row.title, _was_read(earlier, "title"))
    found += told
    old_words = _was_read(earlier, "tool_description")
    row.tool_description, told = _wording("description", tool.description, row.tool_description, old_words)
    found += told
    row.customer_params = _bindings(row, tool)
    row.agent_group = earlier.agent_group if earlier else published.agent_of.get(tool.pk, row.agent_group)
    row.tool["kept_group"] = row.agent_group
    changes_meaning = any(entry["meaning"] for entry in found)
    if not meaning.another_operation(tool, row):
        row.access_type, row.risk, row.approval = tool.access, tool.risk, tool.approval
        row.tool["kept"] = True
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


def _tell_of_server(row: Classification, servers: Collection[str]) -> None:
    """A new operation that would bring the stored credentials to another server is open until somebody looks."""
    was, now = ", ".join(sorted(servers)) or None, row.tool.get("server_url", "")
    row.difference = [{"field": "server_url", "was": was, "now": now, "meaning": True}]
    row.uncertain = True


def _wording(name: str, published: str, fresh: str, earlier: str | None) -> tuple[str, list[dict[str, Any]]]:
    """The document's words where they are new and staff have not put their own in their place."""
    if fresh == published or earlier is None or fresh == earlier or published != earlier:
        return published, []
    return fresh, [{"field": name, "was": published, "now": fresh, "meaning": False}]


def _was_read(earlier: Classification | None, name: str) -> str | None:
    return as_read(earlier, name) if earlier else None


def _bindings(row: Classification, tool: Tool) -> dict[str, str]:
    """What was bound stays bound while its argument is there; of new arguments, what was judged now."""
    known = arguments(row.tool.get("input_schema", {}))
    old = {*arguments(tool.input_schema), *tool.bound, *nobodys({"parameters": tool.parameters}, tool.bound)}
    kept = {name: binding for name, binding in tool.bound.items() if name in known}
    return kept | {name: binding for name, binding in row.customer_params.items() if name not in old}


def _published(source: SpecSource) -> _Published:
    tools = list(Tool.objects.filter(source=source))
    links = AgentTool.objects.filter(tool__source=source).order_by("-agent__position", "-agent__name")
    found = _Published(
        tools,
        agent_of=dict(links.values_list("tool_id", "agent__name")),
        servers=known_servers(source, tools),
    )
    last = (
        Publication.objects.filter(source=source, kind=Publication.Kind.PUBLISH, job__isnull=False)
        .order_by("-number")
        .first()
    )
    if last is None:
        return found
    rows = list(Classification.objects.filter(job=last.job_id).exclude(change=Change.REMOVED).defer("tool"))
    by_index = {row.index: row for row in rows}
    found.earlier = {tool.pk: by_index[index] for index, tool in match(rows, tools).items()}
    for row in rows:
        if not row.selected and not row.unusable:
            found.left_out |= {row.operation_id, address(row.method, row.path)}
    return found


def told_already(tool: Tool) -> bool:
    """Whether it is known of a tool that its operation is gone."""
    return not tool.enabled and tool.paused_because in (tool_state.GONE, *tool_state.RETIRED)


def _free_names(rows: list[Classification], found: dict[int, Tool]) -> None:
    """Give new operations names that no tool has, of this source or another."""
    taken = set(Tool.objects.values_list("name", flat=True))
    for row in rows:
        if row.index not in found:
            row.name = free_name(row.name, row.operation_id, taken)
        taken.add(row.name)


def free_name(name: str, operation_id: str, taken: set[str]) -> str:
    """The name itself, or one like it that nothing in `taken` has."""
    wanted, number = name, 0
    while wanted in taken:
        wanted = f"{name[:55]}_{digest([operation_id, number])[:8]}"
        number += 1
    return wanted


def _removed(job: ImportJob, index: int, tool: Tool) -> Classification:
    return Classification(
        job=job,
        index=index,
        operation_id=tool.operation_id,
        method=tool.method,
        path=tool.path,
        name=tool.name,
        title=tool.title,
        tool_description=tool.description,
        access_type=tool.access,
        risk=tool.risk,
        approval=tool.approval,
        customer_params=tool.bound,
        confidence=1.0,
        judged_by="kept",
        unusable=NO_LONGER_THERE,
        selected=False,
        change=Change.REMOVED,
    )


def _mark(row: Classification) -> str:
    """All that `compare` may write, but for what it only writes down to go back to."""
    return canonical_json([str(getattr(row, name)) for name in COMPARED if name not in ("tool", "judged")])


def _store(rows: Iterable[Classification]) -> None:
    Classification.objects.bulk_create(
        list(rows), batch_size=400, update_conflicts=True, unique_fields=["id"], update_fields=COMPARED
    )
