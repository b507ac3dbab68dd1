"""What was reviewed becomes live: tools and agents, in one transaction, at the next message.

    rows of a job -> its operations' tools: new, changed, as they were, switched off -> Publication

Publications of all sources wait for each other: names of tools are unique across them. What was waiting for a decision
on a tool that is another one now comes back to staff with the difference (`agents.approvals.drift`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agents.agents_yaml import lock_agents
from agents.approvals import Decider, NotAllowed
from agents.models import Tool
from openapi_import import difference, tool_state
from openapi_import.difference import decided
from openapi_import.elsewhere import goes_elsewhere, known_servers
from openapi_import.errors import JobNotFound, WrongStage
from openapi_import.group_agents import Place, give
from openapi_import.matching import match
from openapi_import.meaning import differences
from openapi_import.models import Change, Classification, ImportJob, ImportStatus, Publication, SpecSource
from openapi_import.tool_making import free_names, read_back, switch_off, tool_of
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import canonical_json
from smartsupport.lib.locks import one_at_a_time

log = structlog.get_logger(__name__)


LARGE = ("parameters", "request_body", "input_schema", "security", "response")
"""Fields that are not written down of a tool that is new."""


class NothingToPublish(ServiceError):
    code, status = "nothing_to_publish", 400
    message = "No classifications to approve. Import must complete first."


class AlreadyPublished(ServiceError):
    """It is live already; `publication` is the id of what was published, `by` who did it."""

    code, status = "already_published", 409


class NewerPublished(ServiceError):
    """Something else of the same API was published since this was read."""

    code, status = "newer_published", 409

    @classmethod
    def of(cls, source: SpecSource) -> "NewerPublished":
        last = Publication.objects.filter(source=source).order_by("-number").first()
        return cls(
            f"{last.by_name if last else 'Somebody'} has changed the tools of this API since this import was compared "
            "with them. Compare it again, look at what differs now, and then publish.",
            publication=str(last.pk) if last else None,
        )


@dataclass
class _Plan:
    """What becomes of each tool. `before` is what was stored, by id; a tool without it is new."""

    before: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    tools: list[Tool] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)


def publish(job_id: UUID, by: Decider) -> Publication:
    """Make the tools of a job's source what its rows say, and give new ones to the agents of their groups.

    Only what is selected and usable becomes a tool. The tool of an operation that is gone or was left out is switched
    off, with the reason. One whose meaning has changed, and a new one that would bring stored credentials to another
    server, is switched off until somebody looks at it; if its row was looked at in this job, it is live.

    Raises NotAllowed, JobNotFound, NothingToPublish (400), AlreadyPublished, NewerPublished (409) and ImportRefused
    (422), and has then changed nothing.
    """
    if by.kind != "staff":
        raise NotAllowed("Not allowed to publish")
    with transaction.atomic():
        lock_publishing()
        job = _publishable(job_id)
        rows = list(Classification.objects.filter(job=job).order_by("index"))
        wanted = [row for row in rows if row.selected and not row.unusable]
        if not rows:
            raise NothingToPublish()
        if not wanted:
            raise NothingToPublish("Nothing is selected. Select at least one operation that can be used.")
        source = _source(job)
        tools = list(Tool.objects.select_for_update(no_key=True).filter(source=source).order_by("pk"))
        plan = _plan(rows, tools, source)
        tool_state.store([tool for tool in plan.tools if tool.pk not in plan.before])
        there = [tool for tool in plan.tools if tool.pk in plan.before]
        tool_state.store_fields(there, fields_of(plan.changes))
        agents, note = give(plan.places, source.title or source.name)
        publication = record(
            source,
            Publication.Kind.PUBLISH,
            by,
            changes=plan.changes,
            agents=agents,
            note=note,
            job=job,
            document_hash=job.document_hash,
        )
        now = timezone.now()
        ImportJob.objects.filter(pk=job.pk, status=ImportStatus.DONE).update(
            status=ImportStatus.APPROVED, source=source, published_at=now, published_by=by.name[:150]
        )
    log.info(
        "import_published",
        job_id=str(job_id),
        source=source.name,
        number=publication.number,
        changes=len(plan.changes),
        by=by.name,
    )
    return publication


def lock_publishing() -> None:
    """Let nobody else change live tools or agents meanwhile. First of all locks: agents' files lock tools, too."""
    one_at_a_time("tools publish")
    lock_agents()


def record(source: SpecSource, kind: str, by: Decider, **fields: Any) -> Publication:
    """Write down a change of a source's live tools. Call it while publishing is locked."""
    last = Publication.objects.filter(source=source).aggregate(last=Max("number"))["last"] or 0
    made: Publication = Publication.objects.create(
        source=source, number=last + 1, kind=kind, by_id=by.id[:100], by_name=by.name[:150], **fields
    )
    return made


def change(tool: Tool, before: Mapping[str, Any] | None, kind: str) -> dict[str, Any]:
    """One entry of Publication.changes; of a tool that was there, the fields that differ. Of a new one, what people
    decide: the rest is in the rows that it was published from."""
    after = tool_state.state(tool)
    entry: dict[str, Any] = {
        "id": str(tool.pk),
        "tool": tool.name,
        "operation_id": tool.operation_id,
        "change": kind,
        "before": None,
        "after": {name: value for name, value in after.items() if name not in LARGE},
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


def _publishable(job_id: UUID) -> ImportJob:
    rows = ImportJob.objects.select_for_update(no_key=True, of=("self",)).select_related("source")
    job = rows.defer("content", "fetch_secret", "faults").filter(pk=job_id).first()
    if job is None:
        raise JobNotFound.of(job_id)
    if job.status == ImportStatus.APPROVED:
        made = job.publications.filter(kind=Publication.Kind.PUBLISH).order_by("number").first()
        raise AlreadyPublished(
            f"{job.published_by or 'Somebody'} has published this import already.",
            publication=str(made.pk) if made else None,
            by=job.published_by,
        )
    if job.status != ImportStatus.DONE:
        raise NothingToPublish()
    if not job.name:
        raise WrongStage("This import has no name to be published under. Import the document again.")
    return job


def _source(job: ImportJob) -> SpecSource:
    """The source of the job, with this document. An upload does not make it forget its address."""
    source, _ = SpecSource.objects.update_or_create(
        name=job.name,
        defaults={
            **({"url": job.spec_url} if job.spec_url else {}),
            "title": job.title[:200],
            "version": job.version[:100],
            "document_hash": job.document_hash,
            "fetched_at": job.finished_at or timezone.now(),
        },
    )
    return source


def _plan(rows: list[Classification], tools: list[Tool], source: SpecSource) -> _Plan:
    plan = _Plan(before={tool.pk: tool_state.state(tool) for tool in tools})
    found = match(rows, tools)
    if _stale(rows, tools, found):
        raise NewerPublished.of(source)
    servers = known_servers(source, tools)
    made: dict[int, Tool] = {}
    for row in rows:
        tool = found.get(row.index)
        if row.change == Change.REMOVED:
            continue
        if row.selected and not row.unusable:
            made[row.index] = tool_of(row, tool, source, elsewhere=goes_elsewhere(row, servers))
        elif tool is not None:
            switch_off(tool, tool_state.UNUSABLE if row.unusable else tool_state.LEFT_OUT)
    matched = {tool.pk for tool in found.values()}
    for tool in tools:
        if tool.pk not in matched:
            switch_off(tool, tool_state.GONE)
    free_names(rows, made, plan.before)
    read_back(rows, made, tools)
    _follow_renames(made, plan.before, source)
    _describe(plan, rows, made, tools)
    return plan


def _follow_renames(
    made: Mapping[int, Tool], before: Mapping[UUID, Mapping[str, Any]], source: SpecSource
) -> None:
    """What tools require goes by name: whoever required a tool by its old one would wait for it for ever."""
    names = {before[tool.pk]["name"]: tool.name for tool in made.values() if tool.pk in before}
    renamed = {was: now for was, now in names.items() if was != now}
    if not renamed:
        return
    others = Tool.objects.select_for_update(no_key=True).exclude(source=source).exclude(requires=[])
    changed = [tool for tool in others.order_by("pk") if renamed.keys() & set(tool.requires)]
    for tool in (*made.values(), *changed):
        tool.requires = [renamed.get(name, name) for name in tool.requires]
    tool_state.store_fields(changed, ["requires"])


def _stale(rows: list[Classification], tools: list[Tool], found: Mapping[int, Tool]) -> bool:
    """Whether the tools are not the ones any more that the rows were compared with."""
    for row in rows:
        tool = found.get(row.index)
        live = tool is not None and not tool_state.retired(tool)
        if row.change != Change.REMOVED and live != (row.change != Change.ADDED):
            return True
        if live and tool is not None and _meant(differences(tool, row)) != _meant(row.difference):
            return True
    told = {row.operation_id for row in rows if row.change == Change.REMOVED}
    matched = {tool.pk for tool in found.values()}
    gone = {
        tool.operation_id for tool in tools if tool.pk not in matched and not difference.told_already(tool)
    }
    return gone != told


def _meant(entries: list[dict[str, Any]]) -> list[str]:
    return sorted(canonical_json(entry) for entry in entries if entry["meaning"])


def _describe(
    plan: _Plan,
    rows: list[Classification],
    made: Mapping[int, Tool],
    tools: list[Tool],
) -> None:
    """Write down what differs from what was stored; only that is stored."""
    for row in rows:
        tool = made.get(row.index)
        if tool is None:
            continue
        before = plan.before.get(tool.pk)
        was_retired = (
            before is not None and not before["enabled"] and before["paused_because"] in tool_state.RETIRED
        )
        new = before is None or was_retired
        if new:
            plan.places.append(Place(tool, row.agent_group))
        elif "agent_group" in decided(row):
            plan.places.append(Place(tool, row.agent_group, before=row.tool.get("kept_group", "")))
        if before is None or before != tool_state.state(tool):
            plan.tools.append(tool)
            plan.changes.append(change(tool, before, "added" if new else "changed"))
    there = {tool.pk for tool in made.values()}
    for tool in tools:
        before = plan.before[tool.pk]
        if tool.pk not in there and before != tool_state.state(tool):
            plan.tools.append(tool)
            plan.changes.append(change(tool, before, "removed"))
