"""The hold of one worker on one job: nothing is written by anybody whose lease has passed to another, or whose job was
cancelled."""

import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from openapi_import import many_rows
from openapi_import.models import RUNNING, Classification, ImportJob, ImportStatus

LEASE = timedelta(seconds=30)
"""A worker that was not heard of for so long has died: another one may go on."""
WRITE_EVERY = 0.5
"""Seconds between two writes of progress, each of which renews the lease and notices a cancellation."""


class LeaseLost(Exception):
    """The job was cancelled, or another worker has it: stop, and write nothing."""


class Held:
    """A claimed job. Every method writes in one statement, under the condition that the job is still ours."""

    def __init__(self, job_id: uuid.UUID, lease: uuid.UUID) -> None:
        self.job_id = job_id
        self.lease = lease
        self.stage = ""
        self._done = self._total = 0
        self._written = time.monotonic()
        self._lost = False

    def write(self, **fields: Any) -> None:
        """Set fields of the job and renew the lease. Raises LeaseLost, and has then changed nothing."""
        self._written = time.monotonic()
        fields = {"leased_until": timezone.now() + LEASE, **fields}
        ours = ImportJob.objects.filter(pk=self.job_id, lease=self.lease, status__in=RUNNING)
        if not ours.update(**fields):
            self._lost = True
            raise LeaseLost()

    def enter(self, stage: ImportStatus, *, total: int = 0, **fields: Any) -> None:
        """Begin a stage. Raises LeaseLost."""
        self.stage, self._done, self._total = str(stage), 0, total
        self.write(status=stage, stage_done=0, stage_total=total, **fields)

    def note(self, done: int, total: int) -> None:
        """How far the stage is; the next write tells."""
        self._done, self._total = done, total

    def progress(self, done: int, total: int) -> None:
        """How far the stage is; written about twice a second. Raises LeaseLost."""
        self.note(done, total)
        if self.stop():
            raise LeaseLost()

    def stop(self) -> bool:
        """Whether to stop now. Cheap: it asks the database at most every half a second, and renews the lease then."""
        if not self._lost and time.monotonic() - self._written >= WRITE_EVERY:
            try:
                self.write(stage_done=self._done, stage_total=self._total)
            except LeaseLost:
                return True
        return self._lost

    @contextmanager
    def writing(self, **fields: Any) -> Iterator[None]:
        """A transaction for rows that belong to the job. It begins with our own write, which locks the job: whoever
        cancels it or takes it over waits for the end, and whoever is late gets LeaseLost before any row is written."""
        with transaction.atomic():
            self.write(stage_done=self._done, stage_total=self._total, **fields)
            yield

    def end(self, status: ImportStatus, *, keep_rows: bool = True, **fields: Any) -> None:
        """Let the job go, done or failed. Raises LeaseLost."""
        with transaction.atomic():
            self.write(status=status, finished_at=timezone.now(), **ended(), **fields)
            if not keep_rows:
                forget_rows([self.job_id])


def ended() -> dict[str, Any]:
    """What an ended job no longer has."""
    return {"lease": None, "leased_until": None, "fetch_secret": ""}


def forget_rows(job_ids: Iterable[uuid.UUID]) -> None:
    """Delete what was read of operations: of an attempt that will not be finished."""
    many_rows.delete(Classification.objects.filter(job_id__in=list(job_ids)))
