"""The demo business's tools: its document is imported like any other, and reviewed as `demo_review.yaml` says."""

from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.db import transaction

from agents.approvals import Decider
from agents.models import Tool
from openapi_import import jobs, review
from openapi_import.errors import SpecInvalid, SpecUnavailable
from openapi_import.models import Change, Classification, ImportJob, ImportStatus, Publication, SpecSource
from openapi_import.publish import publish
from smartsupport.lib.locks import one_at_a_time

REVIEW = Path(__file__).with_name("demo_review.yaml")
SOURCE = "demo-business"
REVIEWER = Decider("staff", "Smart Support", id="seed")


def document_url() -> str:
    return f"http://127.0.0.1:{settings.DEMO_PORT}/openapi.json"


def read_review() -> dict[str, dict[str, Any]]:
    """What `demo_review.yaml` decides about each operation, as a reviewer's changes, by operation id."""
    found: dict[str, Any] = yaml.safe_load(REVIEW.read_text(encoding="utf-8"))
    return {
        operation_id: {
            "access_type": "write" if "approval" in decided else "read",
            "agent_group": None,  # the templates say which agent has which tool
            **found["defaults"],
            **decided,
        }
        for operation_id, decided in found["operations"].items()
    }


def publish_demo_tools() -> list[Tool]:
    """Make the demo's tools what its document says; empty where neither it nor its address has changed since it was
    last published.

    Decisions are for operations that have no tool yet: what staff changed about the others stays. Everything is one
    transaction, and one that waits for another finds nothing left to do. Raises SpecInvalid and SpecUnavailable, and
    has then changed nothing.
    """
    with transaction.atomic():
        one_at_a_time("demo tools")
        job = jobs.submit(by=REVIEWER.name, url=document_url(), name=SOURCE)
        jobs.run(job.pk)
        job.refresh_from_db()
        _check(job)
        if _is_published(job):
            transaction.set_rollback(True)
            return []
        _review(job)
        publish(job.pk, REVIEWER)
        return list(Tool.objects.filter(source__name=SOURCE, enabled=True))


def _check(job: ImportJob) -> None:
    if job.status == ImportStatus.DONE:
        return
    if job.error_stage in ("", ImportStatus.FETCHING):
        raise SpecUnavailable(job.error_message or "Other imports are being read. Try again in a minute.")
    raise SpecInvalid(job.error_message)


def _is_published(job: ImportJob) -> bool:
    source = SpecSource.objects.filter(name=SOURCE, url=job.spec_url).first()
    made = Publication.objects.filter(source=source, kind=Publication.Kind.PUBLISH).order_by("-number")
    last = made.first() if source else None
    return last is not None and last.document_hash == job.document_hash


def _review(job: ImportJob) -> None:
    """Decide what is new as the file says; the rest was decided when it was new."""
    decided = read_review()
    new = list(Classification.objects.filter(job=job, change=Change.ADDED, unusable=""))
    for row in new:
        changes = {"agent_group": None, **decided.get(row.operation_id, {})}
        known = {name: value for name, value in changes.items() if name != "read_back"}
        review.edit(job.pk, row.index, known, by=REVIEWER, logged=False)
    for row in new:  # once it is known what reads
        if wanted := decided.get(row.operation_id, {}).get("read_back"):
            review.edit(job.pk, row.index, {"read_back": wanted}, by=REVIEWER, logged=False)
    review.look(job.pk, None, REVIEWER)
