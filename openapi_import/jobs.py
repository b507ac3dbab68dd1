"""Imports: started, carried out, cancelled and tried again.

Only this module, `holding` and `sweeping` change the status of a job before it is published, each by compare-and-set in
one statement.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from openapi_import import getting, stages, wakeups
from openapi_import.errors import JobNotFound, TooManyImports, WrongStage
from openapi_import.holding import LEASE, Held, LeaseLost, ended, forget_rows
from openapi_import.models import RUNNING, ImportJob, ImportStatus, SourceKind
from openapi_import.signals import import_finished
from openapi_import.submissions import checked, known_source
from openapi_import.waiting import Stopped
from smartsupport.lib.ids import digest
from smartsupport.lib.locks import one_at_a_time
from smartsupport.lib.sealing import seal

log = structlog.get_logger(__name__)

UNFINISHED_AT_ONCE = 20
RUNNING_AT_ONCE = 2
"""In all workers together, so that there is a process for everything else that the jobs do."""
ATTEMPTS = 3
ONCE_WITHIN = timedelta(days=1)
UNFINISHED = (ImportStatus.PENDING, *RUNNING)
TO_RETRY = (ImportStatus.FAILED, ImportStatus.CANCELLED)


def submit(
    *,
    by: str,
    url: str = "",
    content: bytes | None = None,
    filename: str = "",
    content_type: str = "",
    base_url: str = "",
    name: str = "",
    headers: Mapping[str, str] | None = None,
    strict: bool = False,
    ask_model: bool = False,
    idempotency_key: str = "",
    kind: str = SourceKind.OPENAPI,
) -> ImportJob:
    """Start an import of the document at `url`, or of `content`; or of the tools of the MCP server at `url` (`kind`).

    base_url: what relative servers and references of `content` are relative to. name: the source that it becomes, or
    is imported again; without one, the source that was read from this address, else the document's title gives it.
    headers: what proves to the document's server who we are. idempotency_key: the same one of the same `by` gets the
    first import again, for a day. Raises ImportRefused (422) and TooManyImports (429), and has then written nothing.
    """
    job = checked(
        url=url, content=content, filename=filename, base_url=base_url, name=name, headers=headers, kind=kind
    )
    job.content_type = content_type[:200]
    job.strict, job.ask_model, job.created_by = strict, ask_model, by[:150]
    job.submission = digest([by, idempotency_key]) if idempotency_key else None
    with transaction.atomic():
        one_at_a_time("imports submit")
        if job.submission and (known := _begun_lately(job.submission)):
            return known
        _make_room()
        job.source = known_source(name=job.name, url=url, kind=job.kind)
        job.name = job.source.name if job.source else job.name
        job.save()
        transaction.on_commit(lambda: wakeups.kick(job.pk))
    log.info("import_submitted", job_id=str(job.pk), by=by, bytes=len(content or b""), name=job.name)
    return job


def _begun_lately(submission: str) -> ImportJob | None:
    """The import that was begun so within a day. The key of an older one begins another."""
    same = ImportJob.objects.filter(submission=submission)
    same.filter(created_at__lt=timezone.now() - ONCE_WITHIN).update(submission=None)
    return same.first()


def find(job_id: uuid.UUID) -> ImportJob:
    """Raises JobNotFound."""
    job = ImportJob.objects.select_related("source").defer("content").filter(pk=job_id).first()
    if job is None:
        raise JobNotFound.of(job_id)
    return job


def cancel(job_id: uuid.UUID, by: str) -> ImportJob:
    """Stop an import that is not finished. Its worker notices within a second and writes nothing from this moment on.
    Raises JobNotFound and WrongStage."""
    with transaction.atomic():
        wanted = ImportJob.objects.filter(pk=job_id, status__in=UNFINISHED)
        won = wanted.update(
            status=ImportStatus.CANCELLED, cancel_requested=True, finished_at=timezone.now(), **ended()
        )
        if not won:
            raise WrongStage(f"This import is not running any more: {_standing(find(job_id))}.")
        forget_rows([job_id])
    log.info("import_cancelled", job_id=str(job_id), by=by)
    return find(job_id)


def retry(
    job_id: uuid.UUID, by: str, *, headers: Mapping[str, str] | None = None, fetch_again: bool = False
) -> ImportJob:
    """Go on with a failed or cancelled import at the stage where it broke, with what was fetched then.

    fetch_again: from the beginning. headers: the credentials once more, as they are not kept. Raises JobNotFound,
    WrongStage, ImportRefused and TooManyImports.
    """
    secret = seal(getting.checked_headers(headers)) if headers else ""
    job = find(job_id)
    again = bool(job.spec_url) and fetch_again
    if not job.spec_url and not ImportJob.objects.filter(pk=job_id, content__isnull=False).exists():
        raise WrongStage("What was uploaded is not kept any more. Import it again.")
    judged = Q() if again else Q(error_stage=ImportStatus.CLASSIFYING, status=ImportStatus.FAILED)
    begin = Value(ImportStatus.PENDING)
    with transaction.atomic():
        one_at_a_time("imports submit")
        _make_room()
        won = ImportJob.objects.filter(pk=job_id, status__in=TO_RETRY).update(
            status=begin
            if again
            else Case(When(judged, then=Value(ImportStatus.CLASSIFYING)), default=begin),
            leased_until=timezone.now(),
            attempts=0,
            cancel_requested=False,
            fetch_secret=secret,
            error_stage="",
            error_message="",
            error_pointer="",
            started_at=None,
            finished_at=None,
            **({"content": None, "etag": ""} if again else {}),
        )
        if not won:
            raise WrongStage(
                f"Only an import that failed or was cancelled can be tried again; {_standing(job)}."
            )
        transaction.on_commit(lambda: wakeups.kick(job_id))
    log.info("import_retried", job_id=str(job_id), by=by, fetch_again=again)
    return find(job_id)


def run(job_id: uuid.UUID) -> None:
    """Carry out a job that waits, or that a dead worker left. Does nothing where another worker has it, where it is
    not to be carried out, or where enough others run."""
    held = claim(job_id)
    if held is None:
        return
    try:
        stages.carry_out(held)
    except (LeaseLost, Stopped):
        log.info("import_let_go", job_id=str(job_id), stage=held.stage)
    except DatabaseError:
        raise  # nothing can be written; the lease runs out, and the job is taken up again
    except Exception as error:
        known = stages.failure(error)
        if known is None:
            log.exception("import_broke", job_id=str(job_id), stage=held.stage)
        _fail(held, *(known or ("Something went wrong on our side. Try again; the log says more.", "")))
    else:
        announce(held.job_id)
    wakeups.kick_waiting()


def claim(job_id: uuid.UUID) -> Held | None:
    """Take a job: one that waits begins, one whose worker died goes on at the stage that it had reached."""
    now, lease = timezone.now(), uuid.uuid4()
    fresh = Case(
        When(content__isnull=True, then=Value(ImportStatus.FETCHING)), default=Value(ImportStatus.VALIDATING)
    )
    with transaction.atomic():
        one_at_a_time("imports claim")
        if ImportJob.objects.filter(status__in=RUNNING, leased_until__gt=now).count() >= RUNNING_AT_ONCE:
            return None
        won = (
            takeable(now)
            .filter(pk=job_id, attempts__lt=ATTEMPTS)
            .update(
                status=Case(When(status=ImportStatus.PENDING, then=fresh), default=F("status")),
                lease=lease,
                leased_until=now + LEASE,
                attempts=F("attempts") + 1,
                started_at=Coalesce(F("started_at"), Value(now)),
            )
        )
    return Held(job_id, lease) if won else None


def takeable(now: datetime) -> "QuerySet[ImportJob]":
    """The jobs that wait, and those whose worker died."""
    return ImportJob.objects.filter(
        Q(status=ImportStatus.PENDING) | Q(status__in=RUNNING, leased_until__lte=now)
    )


def _fail(held: Held, message: str, pointer: str) -> None:
    """Record that the held job failed where it is. Somebody else's by now: nothing."""
    try:
        held.end(
            ImportStatus.FAILED,
            keep_rows=held.stage == ImportStatus.CLASSIFYING,
            error_stage=held.stage,
            error_message=message[:1000],
            error_pointer=pointer[:1000],
        )
    except LeaseLost:
        return
    log.warning("import_failed", job_id=str(held.job_id), stage=held.stage)
    announce(held.job_id)


def announce(job_id: uuid.UUID) -> None:
    """Tell whoever is interested that it is ready or has failed, after the commit."""
    job = find(job_id)
    if job.status == ImportStatus.DONE:
        log.info("import_finished", job_id=str(job_id), total=job.total_endpoints, usable=job.usable_count)
    transaction.on_commit(
        lambda: import_finished.send(
            sender=ImportJob,
            job_id=job_id,
            status=job.status,
            name=job.name,
            total=job.total_endpoints,
            message=job.error_message,
        ),
        robust=True,
    )


def _make_room() -> None:
    waiting = ImportJob.objects.filter(status__in=UNFINISHED).count()
    if waiting >= UNFINISHED_AT_ONCE:
        raise TooManyImports(
            f"{waiting} imports are not finished yet. Wait until one is, or cancel one, and try again."
        )


def _standing(job: ImportJob) -> str:
    return f"this one is {job.status}"
