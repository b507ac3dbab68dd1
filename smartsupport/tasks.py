"""What the jobs do for no app of the product."""

from importlib import import_module

import structlog
from celery import shared_task
from django.conf import settings

from smartsupport.lib import idempotency

log = structlog.get_logger(__name__)


@shared_task(name="smartsupport.tasks.forget_old_requests")
def forget_old_requests() -> int:
    """Delete the answers of requests with an `Idempotency-Key` that are older than a day."""
    gone = idempotency.purge()
    if gone:
        log.info("idempotent_requests_forgotten", count=gone)
    return gone


@shared_task(name="smartsupport.tasks.forget_old_sessions", ignore_result=True)
def forget_old_sessions() -> None:
    """Delete the sessions of staff that have ended. Nobody else does: only who signs out takes theirs along."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
