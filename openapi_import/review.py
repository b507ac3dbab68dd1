"""Reviewers look at what a document's operations would be as tools, and change it until it is published.

Edits of one job wait for each other and for its publication: each holds the job's row. Who looked last, and when, is in
the row; what the rules had said stays in `judged`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents.approvals import Decider
from agents.models import Access, Tool
from openapi_import import many_rows
from openapi_import.errors import ImportRefused, JobNotFound, WrongStage
from openapi_import.many_rows import among
from openapi_import.models import Change, Classification, ImportJob, ImportStatus
from openapi_import.review_changes import (
    BY_DOCUMENT,
    COLUMNS,
    NAMING,
    ONE_BY_ONE,
    Surroundings,
    Values,
    checked,
    put,
)
from smartsupport.lib.errors import ServiceError

log = structlog.get_logger(__name__)

SAYS_WHAT_IT_DOES = frozenset({"access_type", "approval", "needs_interrupt"})
FAULTS_TOLD = 20
ALWAYS_WRITTEN = ("decided", "uncertain", "judged_by", "reviewed_by", "reviewed_at", "revision")
"""What an edit may write of a row beside the columns that it changes."""
UNEDITED = ("description", "summary", "tool_description", "losses", "tags", "pointer", "difference", "reason")
"""What a bulk edit neither asks nor changes."""


class RowNotFound(ServiceError):
    code, status = "not_found", 404

    @classmethod
    def of(cls, index: object) -> "RowNotFound":
        return cls(f"Classification index {index} out of range")


class ChangedMeanwhile(ServiceError):
    """Somebody else changed the row since it was seen; `revision` and `reviewed_by` say what it is now."""

    code, status = "changed_meanwhile", 409
    message = "Somebody else has changed this meanwhile. Look at it as it is now, then change it."


def edit(
    job_id: UUID,
    index: int,
    changes: Mapping[str, Any],
    *,
    by: Decider | str,
    seen: int | None = None,
    logged: bool = True,
) -> Classification:
    """Change one operation; the row as it is then. Fields: `review_changes.CHECKS`.

    seen: the `revision` that the reviewer looked at. Whoever changes more than `selected` has looked at the operation.
    logged: False where the caller tells of many at once.
    Raises JobNotFound, RowNotFound, WrongStage, ChangedMeanwhile and ImportRefused (422; its `fields` say what is
    wrong), and has then changed nothing.
    """
    with transaction.atomic():
        job = _open_job(job_id)
        row = Classification.objects.filter(job=job, index=index).first()
        if row is None:
            raise RowNotFound.of(index)
        if seen is not None and seen != row.revision:
            raise ChangedMeanwhile(revision=row.revision, reviewed_by=row.reviewed_by)
        values, faults = checked(row, changes, _surroundings(job, [row], changes))
        if faults:
            raise ImportRefused(_sentence(faults), fields=faults)
        looked = set(values) != {"selected"} and bool(values)
        _set(row, values, by=by, looked=looked)
        _store([row], COLUMNS & values.keys())
    if logged:
        log.info(
            "classification_edited", job_id=str(job_id), index=index, by=_name(by), fields=sorted(changes)
        )
    return row


def edit_many(
    job_id: UUID, indexes: Collection[int] | None, changes: Mapping[str, Any], by: Decider | str
) -> int:
    """Change several operations in the same way, all of them or none; None: all that are in the document. Returns how
    many.

    What is gone is passed over, and what can be no tool is not selected. They count as looked at where the change says
    what they do (access_type, approval); leaving them out or giving them to an agent is no look. Raises JobNotFound,
    RowNotFound, WrongStage and ImportRefused, and has then changed nothing.
    """
    single = sorted(ONE_BY_ONE & changes.keys())
    if single:
        raise ImportRefused(
            f"{single[0]} cannot be the same for several operations. Change them one by one.",
            fields={name: ["Change it one by one."] for name in single},
        )
    with transaction.atomic():
        job = _open_job(job_id)
        rows = _rows(job, indexes, changes)
        around = _surroundings(job, rows, changes)
        wanted: list[tuple[Classification, Values]] = []
        told: dict[str, list[str]] = {}
        for row in rows:
            values, faults = checked(row, _for_one(row, changes), around)
            wanted.append((row, values))
            for name, sentences in faults.items():
                told.setdefault(name, []).extend(f"{row}: {sentence}" for sentence in sentences)
        if told:
            shown = {name: sentences[:FAULTS_TOLD] for name, sentences in told.items()}
            raise ImportRefused(f"Nothing was changed. {_sentence(shown)}", fields=shown)
        looked = bool(SAYS_WHAT_IT_DOES & changes.keys())
        for row, values in wanted:
            _set(row, values, by=by, looked=looked)
        edited = {name for _, values in wanted for name in values}
        _store(rows, COLUMNS & edited)
    log.info(
        "classifications_edited", job_id=str(job_id), count=len(rows), by=_name(by), fields=sorted(changes)
    )
    return len(rows)


def look(job_id: UUID, indexes: Collection[int] | None, by: Decider | str) -> int:
    """Note that somebody has looked at these operations and agrees with what they say; None: all of them. Returns how
    many. Raises JobNotFound, RowNotFound and WrongStage."""
    with transaction.atomic():
        job = _open_job(job_id)
        rows = Classification.objects.filter(job=job).exclude(change=Change.REMOVED)
        if indexes is not None:
            _all_there(job, indexes)
            rows = rows.filter(index__in=indexes)
        count = rows.update(
            uncertain=False,
            reviewed_by=_name(by),
            reviewed_at=timezone.now(),
            revision=F("revision") + 1,
        )
    log.info("classifications_looked_at", job_id=str(job_id), count=count, by=_name(by))
    return count


def _for_one(row: Classification, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    unselectable = row.unusable and changes.get("selected") is True
    return {name: value for name, value in changes.items() if name != "selected"} if unselectable else changes


def _open_job(job_id: UUID) -> ImportJob:
    """The job, locked, where its rows can be edited."""
    job = ImportJob.objects.select_for_update(no_key=True, of=("self",)).only("pk", "status", "source_id")
    row = job.filter(pk=job_id).first()
    if row is None:
        raise JobNotFound.of(job_id)
    if row.status == ImportStatus.APPROVED:
        raise WrongStage(
            "This import is published. Change the tools themselves, or import the document again."
        )
    if row.status != ImportStatus.DONE:
        raise WrongStage("This import is not ready to be reviewed: it has to be read to the end first.")
    return row


def _rows(
    job: ImportJob, indexes: Collection[int] | None, changes: Mapping[str, Any]
) -> list[Classification]:
    """The rows to change, without those that are gone; what a document says of them only where that is asked."""
    rows = Classification.objects.filter(job=job).defer(*UNEDITED)
    if BY_DOCUMENT.isdisjoint(changes):
        rows = rows.defer("tool")
    if indexes is not None:
        _all_there(job, indexes)
        rows = rows.filter(index__in=among(indexes, "bigint"))
    return list(rows.exclude(change=Change.REMOVED))


def _all_there(job: ImportJob, indexes: Collection[int]) -> None:
    known = set(Classification.objects.filter(job=job).values_list("index", flat=True))
    for index in indexes:
        if index not in known:
            raise RowNotFound.of(index)


def _surroundings(job: ImportJob, rows: Sequence[Classification], changes: Mapping[str, Any]) -> Surroundings:
    """The names in use, where one is to be given or named: of rows, and of tools that no row of the job is about."""
    if NAMING.isdisjoint(changes):
        return Surroundings()
    found = Classification.objects.filter(job=job).values_list(
        "name", "index", "operation_id", "access_type", "change"
    )
    names = {name: index for name, index, _, _, change in found if change != Change.REMOVED}
    reading = [operation for _, _, operation, access, _ in found if access == Access.READ]
    about = {row.operation_id for row in rows}
    tools = Tool.objects.values_list("name", "source_id", "operation_id")
    taken = {
        name
        for name, source_id, operation_id in tools
        if source_id != job.source_id or operation_id not in about
    }
    return Surroundings(tools=taken, names=names, reading=reading)


def _set(row: Classification, values: Values, *, by: Decider | str, looked: bool) -> None:
    put(row, values)
    row.revision += 1
    if looked:
        row.uncertain, row.reviewed_by, row.reviewed_at = False, _name(by), timezone.now()


def _store(rows: Sequence[Classification], edited: Collection[str]) -> None:
    """Write these columns of the rows, and what was decided, in one statement. What was judged before stays."""
    names = [*sorted(edited), *ALWAYS_WRITTEN]
    values = [
        {
            **{name: many_rows.plain(getattr(row, name)) for name in ("id", *names)},
            "was": {name: row.judged[name] for name in (*edited, "judged_by") if name in row.judged},
        }
        for row in rows
    ]
    more = {"judged": "given.was || row.judged"}
    many_rows.write(Classification, values, names, more=more, typed={"was": "jsonb"})


def _name(by: Decider | str) -> str:
    return (by if isinstance(by, str) else by.name)[:150]


def _sentence(faults: Mapping[str, list[str]]) -> str:
    name, sentences = next(iter(faults.items()))
    return sentences[0] if name == "access_type" else f"{name}: {sentences[0]}"
