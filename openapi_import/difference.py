"""A document beside what is published of it: what is new, changed, as it was, or gone, operation by operation.

What reviewers and staff decided about an operation is kept, and only what changed is opened again. A job's rows are at
first as they were read and judged; `compare` writes what it keeps over that, and leaves the original in `judged`.

Documents may have 20,000 operations: all of them are matched by what names them, and then compared a few hundred at a
time. What a document says of one is loaded only where the database finds that its tool has something else.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from agents.models import AgentTool, Tool
from openapi_import import compared_rows, keeping, many_rows, tool_state
from openapi_import.compared_rows import ComparedRow
from openapi_import.elsewhere import known_servers
from openapi_import.errors import JobNotFound, WrongStage
from openapi_import.keeping import BY_STAFF as BY_STAFF
from openapi_import.keeping import JUDGED as JUDGED
from openapi_import.keeping import NO_LONGER_THERE as NO_LONGER_THERE
from openapi_import.keeping import as_read as as_read
from openapi_import.many_rows import among
from openapi_import.matching import RowKey, ToolKey, address, match, row_keys, tool_keys
from openapi_import.models import Change, Classification, ImportJob, ImportStatus, Publication, SpecSource
from openapi_import.same_documents import DOCUMENT, differing, load_documents, person_headers
from smartsupport.lib.ids import digest

BATCH = 1000
COMPARED = (
    *JUDGED,
    "judged",
    "selected",
    "change",
    "difference",
    "reviewed_by",
    "reviewed_at",
    "kept",
    "kept_group",
)
"""What comparing may write."""

Writing = Callable[[int], AbstractContextManager[None]]


@dataclass
class _Published:
    """What is live of a source, and the rows that it was last published from."""

    tools: list[ToolKey] = field(default_factory=list)
    earlier: dict[UUID, int] = field(default_factory=dict)  # primary keys of rows, by the id of the tool
    left_out: set[Any] = field(default_factory=set)  # operation ids, and methods with paths
    agent_of: dict[UUID, str] = field(default_factory=dict)  # by the id of the tool
    servers: frozenset[str] | None = None  # that may get its credentials
    hidden: list[str] = field(default_factory=list)  # `person_headers` of the job that is compared with it


def compare(job: ImportJob, *, writing: Writing = lambda _: nullcontext()) -> dict[str, int]:
    """Compare the rows of a job with what is published of the same source, and write down what was found. It may run
    again at any time before the job is published, also after it has died half-way. Returns how many rows there are of
    each change: {"added", "changed", "same", "removed"}.

    writing: what each batch is written in, given how many rows are done: a transaction of a worker that still holds the
    job. Without it, call this in a transaction of your own. An operation that is gone has a row of its own after the
    others, which cannot be selected.
    """
    source = job.source or (SpecSource.objects.filter(name=job.name).first() if job.name else None)
    with writing(0):
        many_rows.delete(Classification.objects.filter(job=job, change=Change.REMOVED))
    keys = row_keys(job.pk)
    published = _published(source, job) if source else _Published()
    found = match(keys, published.tools)
    taken = set(Tool.objects.values_list("name", flat=True))
    counts: Counter[str] = Counter()
    for start in range(0, len(keys), BATCH):
        batch = _Batch(keys[start : start + BATCH], found, published)
        batch.compare(taken)
        with writing(start + len(batch.rows)):
            batch.store()
        counts.update(str(row.change) for row in batch.rows)
    matched = {tool.pk for tool in found.values()}
    gone = [tool.pk for tool in published.tools if tool.pk not in matched and not told_already(tool)]
    with writing(len(keys)):
        _tell_of_gone(job, keys[-1].index + 1 if keys else 0, gone)
    counts[Change.REMOVED] = len(gone)
    return {str(change): counts[change] for change in Change.values}


def decided(row: Classification) -> dict[str, Any]:
    """What a reviewer decided in this import, by field: of the row's own columns, and of the tool's."""
    found: dict[str, Any] = row.decided
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


class _Batch:
    """Some rows with their tools, and the rows that those were published from; loaded when it is made."""

    def __init__(self, keys: list[RowKey], found: dict[int, ToolKey], published: _Published) -> None:
        self.rows = compared_rows.rows(key.pk for key in keys)
        ids = {key.index: found[key.index].pk for key in keys if key.index in found}
        by_id = compared_rows.tools(ids.values()) if ids else {}
        self._tools = {index: by_id[pk] for index, pk in ids.items() if pk in by_id}
        before = {published.earlier[pk]: pk for pk in ids.values() if pk in published.earlier}
        self._earlier = {before[row.pk]: row for row in (compared_rows.earlier(before) if before else ())}
        self._published = published
        self._load_what_differs()
        self._stored = [_compared(row) for row in self.rows]

    def compare(self, taken: set[str]) -> None:
        """Set on the rows what was found. taken: the names in use, to which theirs are added."""
        for row in self.rows:
            tool = self._tools.get(row.index)
            if tool is None or tool_state.retired(tool):
                was_left_out = tool is None and not self._published.left_out.isdisjoint(
                    (row.operation_id, address(row.method, row.path))
                )
                keeping.take_new(row, tool, was_left_out=was_left_out, servers=self._published.servers)
            else:
                agent = self._published.agent_of.get(tool.pk)
                keeping.take_published(row, tool, self._earlier.get(tool.pk), agent=agent)
            if tool is None:
                row.name = free_name(row.name, row.operation_id, taken)
            taken.add(row.name)

    def store(self) -> None:
        """Write what is another one than it was; of the columns those that differ in any row."""
        changed, names = [], set()
        for row, before in zip(self.rows, self._stored, strict=True):
            different = [
                name for name, was, now in zip(COMPARED, before, _compared(row), strict=True) if was != now
            ]
            # What it can go back to alone, the next comparison writes down again.
            if set(different) - {"judged"}:
                changed.append(row)
                names.update(different)
        many_rows.update(Classification, changed, sorted(names))

    def _load_what_differs(self) -> None:
        pairs = {row.pk: self._tools[row.index].pk for row in self.rows if row.index in self._tools}
        wanted = differing(pairs.items(), self._published.hidden)
        if self._published.servers is not None:  # where a new one would send the credentials
            wanted |= {
                row.pk
                for row in self.rows
                if row.pk not in pairs or tool_state.retired(self._tools[row.index])
            }
        rows = [row for row in self.rows if row.pk in wanted]
        load_documents(rows, [self._tools[row.index] for row in rows if row.index in self._tools])


def _compared(row: ComparedRow) -> list[Any]:
    return [dict(row.judged) if name == "judged" else getattr(row, name) for name in COMPARED]


def _published(source: SpecSource, job: ImportJob) -> _Published:
    tools = tool_keys(source.pk)
    links = AgentTool.objects.filter(tool__source=source).order_by("-agent__position", "-agent__name")
    found = _Published(
        tools,
        agent_of=dict(links.values_list("tool_id", "agent__name")),
        servers=known_servers(source, tools),
        hidden=person_headers(job.pk) if tools else [],
    )
    last = (
        Publication.objects.filter(source=source, kind=Publication.Kind.PUBLISH, job__isnull=False)
        .order_by("-number")
        .values_list("job_id", flat=True)
        .first()
    )
    if last is None:
        return found
    rows = row_keys(last)
    by_index = {row.index: row.pk for row in rows}
    found.earlier = {tool.pk: by_index[index] for index, tool in match(rows, tools).items()}
    left = Classification.objects.filter(job=last, selected=False, unusable="").exclude(change=Change.REMOVED)
    for operation_id, method, path in left.values_list("operation_id", "method", "path"):
        found.left_out |= {operation_id, address(method, path)}
    return found


def told_already(tool: tool_state.Switched) -> bool:
    """Whether it is known of a tool that its operation is gone."""
    return not tool.enabled and tool.paused_because in (tool_state.GONE, *tool_state.RETIRED)


def free_name(name: str, operation_id: str, taken: set[str]) -> str:
    """The name itself, or one like it that nothing in `taken` has."""
    wanted, number = name, 0
    while wanted in taken:
        wanted = f"{name[:55]}_{digest([operation_id, number])[:8]}"
        number += 1
    return wanted


def _tell_of_gone(job: ImportJob, start: int, gone: list[UUID]) -> None:
    tools = Tool.objects.filter(pk__in=among(gone, "uuid")).defer(*DOCUMENT).order_by("pk")
    rows = [_removed(job, start + number, tool) for number, tool in enumerate(tools)]
    Classification.objects.bulk_create(rows, batch_size=1000)


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
