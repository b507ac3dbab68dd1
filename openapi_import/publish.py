"""What was reviewed becomes live: tools and agents, in one transaction, at the next message.

    rows of a job -> its operations' tools: new, changed, as they were, switched off -> Publication

Publications of all sources wait for each other: names of tools are unique across them. What was waiting for a decision
on a tool that is another one now comes back to staff with the difference (`agents.approvals.drift`).
"""

from typing import Any
from uuid import UUID

import structlog
from django.db.models import Max
from django.utils import timezone

from agents.agents_yaml import lock_agents
from agents.approvals import Decider, NotAllowed
from agents.history.recording import recorded_as
from openapi_import import new_tools
from openapi_import.entries import store_changed
from openapi_import.errors import JobNotFound, WrongStage
from openapi_import.group_agents import give
from openapi_import.models import Classification, ImportJob, ImportStatus, Publication, SpecSource
from openapi_import.planning import NewerPublished as NewerPublished
from openapi_import.planning import plan_of
from openapi_import.submissions import known_source
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.locks import one_at_a_time

log = structlog.get_logger(__name__)


class NothingToPublish(ServiceError):
    code, status = "nothing_to_publish", 400
    message = "No classifications to approve. Import must complete first."


class AlreadyPublished(ServiceError):
    """It is live already; `publication` is the id of what was published, `by` who did it."""

    code, status = "already_published", 409


MOST_TOOLS_TOLD = 100
"""So many of a publication's tools are named in the audit; all of them are in the publication."""


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
    with recorded_as(by.name, "Published an import."):
        lock_publishing()
        job = _publishable(job_id)
        _something_to_publish(job)
        source = _source(job)
        plan = plan_of(job, source)
        new_tools.insert(plan.new, source, plan.hidden)
        store_changed(plan.changed, plan.changes)
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
        new_tools.describe(publication, plan.new)
        now = timezone.now()
        ImportJob.objects.filter(pk=job.pk, status=ImportStatus.DONE).update(
            status=ImportStatus.APPROVED, source=source, published_at=now, published_by=by.name[:150]
        )
    added = [tool.name for tool in plan.new[:MOST_TOOLS_TOLD]]
    told = {"tools_added": added, "tools_added_in_all": len(plan.new)}
    audit.changed("openapi_import.specsource", source.pk, after=told)
    log.info(
        "import_published",
        job_id=str(job_id),
        source=source.name,
        number=publication.number,
        changes=len(plan.new) + len(plan.changes),
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
    told = {"publication": made.number, "kind": kind, "api": source.name, "note": made.note}
    told["tools"] = {entry["tool"]: entry["change"] for entry in made.changes[:MOST_TOOLS_TOLD]}
    told["tools_in_all"], told["agents"] = len(made.changes), made.agents[:MOST_TOOLS_TOLD]
    audit.changed("openapi_import.specsource", source.pk, after=told)
    return made


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


def _something_to_publish(job: ImportJob) -> None:
    rows = Classification.objects.filter(job=job)
    if not rows.filter(selected=True, unusable="").exists():
        raise (
            NothingToPublish("Nothing is selected. Select at least one operation that can be used.")
            if rows.exists()
            else NothingToPublish()
        )


def _source(job: ImportJob) -> SpecSource:
    """The source of the job, with this document. An upload does not make it forget its address. Raises ImportRefused
    where one of the other kind was published under this name since the document was read."""
    known_source(name=job.name, url="", kind=job.kind)
    source, _ = SpecSource.objects.update_or_create(
        name=job.name,
        defaults={
            **({"url": job.spec_url} if job.spec_url else {}),
            "kind": job.kind,
            "title": job.title[:200],
            "version": job.version[:100],
            "document_hash": job.document_hash,
            "fetched_at": job.finished_at or timezone.now(),
        },
    )
    return source
