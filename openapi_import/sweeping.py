"""Imports that nobody works on are found again, and old documents are let go."""

import uuid
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from openapi_import import many_rows, wakeups
from openapi_import.holding import ended, forget_rows
from openapi_import.jobs import ATTEMPTS, RUNNING_AT_ONCE, announce, takeable
from openapi_import.models import RUNNING, Classification, ImportJob, ImportStatus

log = structlog.get_logger(__name__)

CONTENT_KEPT = timedelta(days=30)
UNPUBLISHED_KEPT = timedelta(days=180)
UNPUBLISHED = (ImportStatus.DONE, ImportStatus.FAILED, ImportStatus.CANCELLED)
MOST = 1_000
"""Imports that one run deletes; the next one goes on."""


def sweep() -> int:
    """Take up again what waits or was left by a dead worker; what was left too often has failed. Returns how many."""
    now = timezone.now()
    given_up = _give_up(now)
    for job_id in given_up:
        log.warning("import_failed", job_id=str(job_id), reason="its workers died")
        announce(job_id)
    waiting = takeable(now).filter(attempts__lt=ATTEMPTS).order_by("created_at")
    found = list(waiting.values_list("pk", flat=True)[:RUNNING_AT_ONCE])
    for job_id in found:
        wakeups.kick(job_id)
    return len(found) + len(given_up)


def empty_old() -> int:
    """Let go of documents that were never published and are old. Returns of how many imports."""
    old = ImportJob.objects.filter(
        created_at__lte=timezone.now() - CONTENT_KEPT,
        content__isnull=False,
        status__in=UNPUBLISHED,
    )
    return old.update(content=None, etag="")


def forget_old() -> int:
    """Delete imports that were never published and that nobody has reviewed anything of for UNPUBLISHED_KEPT, with
    their operations: whoever imports the same document every night would fill the disk. Returns how many."""
    gone = 0
    while gone < MOST and _forget_one():
        gone += 1
    return gone


@transaction.atomic
def _forget_one() -> bool:
    before = timezone.now() - UNPUBLISHED_KEPT
    reviewed = Classification.objects.filter(job=OuterRef("pk"), reviewed_at__gt=before)
    old = ImportJob.objects.filter(
        Q(finished_at__lte=before) | Q(finished_at=None), created_at__lte=before, status__in=UNPUBLISHED
    )
    unseen = old.filter(~Exists(reviewed), publications=None).order_by("created_at")
    found = unseen.select_for_update(of=("self",), skip_locked=True).values_list("pk", flat=True).first()
    if found is None:
        return False
    forget_rows([found])
    many_rows.delete(ImportJob.objects.filter(pk=found))
    return True


@transaction.atomic
def _give_up(now: datetime) -> list[uuid.UUID]:
    lost = ImportJob.objects.filter(status__in=RUNNING, leased_until__lte=now, attempts__gte=ATTEMPTS)
    found = dict(lost.select_for_update(skip_locked=True).values_list("pk", "status"))
    ImportJob.objects.filter(pk__in=found).update(
        status=ImportStatus.FAILED,
        error_stage=F("status"),
        error_message=(
            f"The worker stopped without a word, {ATTEMPTS} times. Try again; if that happens once more, the document "
            "may need more memory than there is."
        ),
        finished_at=now,
        **ended(),
    )
    forget_rows(pk for pk, status in found.items() if status != ImportStatus.CLASSIFYING)
    return list(found)
