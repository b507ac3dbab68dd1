"""Housekeeping of approvals and actions, run by Celery beat."""

import structlog
from celery import shared_task

from agents import approvals, executor, repetition

log = structlog.get_logger(__name__)


@shared_task(ignore_result=True)
def expire_approvals() -> None:
    """Mark approvals that nobody decided in time; their turns go on and say so."""
    expired = approvals.expire_overdue()
    if expired:
        log.info("approvals_expired", count=expired)


@shared_task(ignore_result=True)
def settle_abandoned_actions() -> None:
    """Tell staff of actions whose worker died with them and whose turn has ended: nobody knows what came of them."""
    settled = executor.settle_abandoned()
    if settled:
        log.warning("abandoned_actions_settled", count=settled)


@shared_task(ignore_result=True)
def repeat_unknown_actions() -> None:
    """Send again, under the same key, what is safe to repeat and whose outcome nobody saw."""
    repeated = repetition.repeat_due()
    if repeated:
        log.info("unknown_actions_repeated", count=repeated)
