"""Imports in words: what state they are in, and what colour that has."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from agents.models import Access, Approver, Risk
from openapi_import.models import Change, Classification, ImportJob, ImportStatus, Publication, SourceKind

STATUS_BADGES = {
    ImportStatus.PENDING: "",
    ImportStatus.FETCHING: "info",
    ImportStatus.VALIDATING: "info",
    ImportStatus.PARSING: "info",
    ImportStatus.CLASSIFYING: "info",
    ImportStatus.DONE: "warning",
    ImportStatus.FAILED: "danger",
    ImportStatus.CANCELLED: "",
    ImportStatus.APPROVED: "success",
}
"""The colour of a status's badge, in one place."""

RISK_BADGES = {
    "safe": "",
    "reversible": "",
    "destructive": "danger",
    "money": "warning",
    "personal": "info",
}
CHANGE_BADGES = {
    Change.ADDED: "success",
    Change.CHANGED: "warning",
    Change.SAME: "",
    Change.REMOVED: "danger",
}
PUBLICATION_BADGES = {
    Publication.Kind.PUBLISH: "success",
    Publication.Kind.ROLL_BACK: "warning",
    Publication.Kind.PAUSE: "",
    Publication.Kind.RESUME: "info",
    Publication.Kind.DELETE: "danger",
}

STAGES = (
    (ImportStatus.FETCHING, "Getting the document"),
    (ImportStatus.VALIDATING, "Checking it"),
    (ImportStatus.PARSING, "Reading its operations"),
    (ImportStatus.CLASSIFYING, "Judging each operation"),
)
NAMES_TOLD = 8
PATIENCE = timedelta(seconds=30)
"""After this long, an import that nobody has begun says where to look."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of an import. state: done | now | failed | waiting. share: 0..100, or None while nobody knows."""

    title: str
    state: str
    count: str = ""
    share: int | None = None


def stages(job: ImportJob) -> list[Stage]:
    """The steps of an import, as far as it is."""
    order = [status for status, _ in STAGES]
    at = ImportStatus(job.error_stage) if job.error_stage in order else ImportStatus(job.status)
    reached = order.index(at) if at in order else (len(order) if finished(job) else -1)
    found = []
    for number, (_, title) in enumerate(STAGES):
        if number < reached:
            found.append(Stage(title, "done"))
        elif number > reached:
            found.append(Stage(title, "waiting"))
        elif job.status == ImportStatus.FAILED:
            found.append(Stage(title, "failed", *_counted(job)))
        elif job.running:
            found.append(Stage(title, "now", *_counted(job)))
        else:
            found.append(Stage(title, "waiting"))
    return found


def _counted(job: ImportJob) -> tuple[str, int | None]:
    """How far the present stage is. Fetching counts bytes; the others count operations."""
    unit = "bytes" if ImportStatus.FETCHING in (job.status, job.error_stage) else ""
    if job.stage_total:
        share = min(100, 100 * job.stage_done // job.stage_total)
        return f"{job.stage_done:,} of {job.stage_total:,} {unit}".strip(), share
    return (f"{job.stage_done:,} {unit}".strip(), None) if job.stage_done else ("", None)


def finished(job: ImportJob) -> bool:
    """Whether the document was read to its end."""
    return job.status in (ImportStatus.DONE, ImportStatus.APPROVED)


def sentence(job: ImportJob) -> str:
    """How an import stands, as one would say it. It changes with the stage and not with each count, because a screen
    reader speaks every change of it."""
    if job.unfinished and job.cancel_requested:
        return "Stopping. What was read so far is not kept."
    match ImportStatus(job.status):
        case ImportStatus.PENDING if timezone.now() - job.created_at > PATIENCE:
            return (
                "No worker has begun this import yet. It begins by itself when the jobs process runs again."
            )
        case ImportStatus.PENDING:
            return "Waiting to begin."
        case ImportStatus.FAILED:
            return f"{_stage_name(job)} failed."
        case ImportStatus.CANCELLED:
            return "This import was cancelled. Nothing was published."
        case ImportStatus.DONE:
            return f"The document was read: {operations(job)}. Nothing is published before you say so."
        case ImportStatus.APPROVED:
            return f"The document was read and published: {operations(job)}."
    return f"{_title_of(ImportStatus(job.status))} …"


def operations(job: ImportJob) -> str:
    total, usable = job.total_endpoints, job.usable_count
    counted = f"{total:,} operation{'' if total == 1 else 's'}"
    if usable == total:
        return f"{counted}, all of them usable" if total else "no operations"
    return f"{counted}, {usable:,} of them usable"


def origin(job: ImportJob) -> str:
    """Where the document came from."""
    if job.kind == SourceKind.MCP:
        return f"MCP server {job.spec_url}"
    return job.spec_url or job.filename or "Pasted text"


def _title_of(status: ImportStatus) -> str:
    return dict(STAGES).get(status, status.label)


def _stage_name(job: ImportJob) -> str:
    known = dict(STAGES)
    stage = ImportStatus(job.error_stage) if job.error_stage in ImportStatus.values else None
    return known[stage] if stage in known else "This import"


def changes_of(made: Publication) -> str:
    """What a publication did, in a sentence or two."""
    return counted_changes([str(one.get("change")) for one in made.changes], made.agents)


def counted_changes(kinds: list[str], agents: list[dict[str, str]]) -> str:
    """The same, of the kind of each change of a tool and the changes of agents."""
    counted = Counter(kinds)
    order = ("added", "changed", "paused", "resumed", "removed", "deleted")
    known = [f"{counted[name]:,} {name}" for name in order if counted[name]]
    known += [f"{count:,} {name}" for name, count in sorted(counted.items()) if name not in order]
    tools = f"Tools: {', '.join(known)}." if known else "No tool has changed."
    made = sorted({one["agent"] for one in agents if one.get("change") == "created"})
    return f"{tools} New agents: {some(made)}." if made else tools


def some(names: list[str]) -> str:
    """The names, or the first of many and how many more there are."""
    more = len(names) - NAMES_TOLD
    return f"{', '.join(names[:NAMES_TOLD])} and {more:,} more" if more > 1 else ", ".join(names)


def judged_otherwise(row: Classification) -> str:
    """`It would be judged otherwise now: writes, moves money; approves: staff.` where what was decided earlier is kept
    and is not what is judged of the operation as it is now; "" otherwise."""
    judged = row.judged or {}
    kept = {"access_type": row.access_type, "risk": row.risk, "approval": row.approval}
    if row.judged_by != "kept" or all(judged.get(name, value) == value for name, value in kept.items()):
        return ""
    access, risk, approver = (judged.get(name, value) for name, value in kept.items())
    return (
        f"It would be judged otherwise now: {Access(access).label.lower()}, {Risk(risk).label.lower()}; "
        f"approves: {Approver(approver).label.lower()}."
    )
