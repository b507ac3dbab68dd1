"""Housekeeping of approvals, run by Celery beat."""

import structlog
from celery import shared_task

from agents import approvals

log = structlog.get_logger(__name__)


@shared_task(acks_late=True, ignore_result=True)
def expire_approvals() -> None:
    """Mark approvals that nobody decided in time; their turns go on and say so."""
    expired = approvals.expire_overdue()
    if expired:
        log.info("approvals_expired", count=expired)
