"""Imports in the background, run by Celery. `openapi_import.wakeups` asks for them."""

from uuid import UUID

import structlog
from celery import shared_task

from openapi_import import jobs, sweeping
from smartsupport.lib import audit

log = structlog.get_logger(__name__)


@shared_task(ignore_result=True)
def run_import(job_id: str) -> None:
    """Carry out one import, unless another worker has it."""
    jobs.run(UUID(job_id))


@shared_task(ignore_result=True)
def sweep_imports() -> None:
    """Take up imports again whose worker died or whose message was lost."""
    sweeping.sweep()


@shared_task(ignore_result=True)
def empty_old_imports() -> None:
    """Let go of old documents that were never published, and at last of all that was made of them."""
    for done, count in (("emptied", sweeping.empty_old()), ("deleted", sweeping.forget_old())):
        if count:
            log.info(f"old_imports_{done}", count=count)
            kind = "openapi_import.importjob"
            audit.write(actor=audit.SYSTEM, verb="purge", object_type=kind, detail={done: count})
