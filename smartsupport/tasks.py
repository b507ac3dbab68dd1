"""What the jobs do for no app of the product."""

import structlog
from celery import shared_task

from smartsupport.lib import idempotency

log = structlog.get_logger(__name__)


@shared_task(name="smartsupport.tasks.forget_old_requests")
def forget_old_requests() -> int:
    """Delete the answers of requests with an `Idempotency-Key` that are older than a day."""
    gone = idempotency.purge()
    if gone:
        log.info("idempotent_requests_forgotten", count=gone)
    return gone
