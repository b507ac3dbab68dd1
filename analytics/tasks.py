"""Counting, run by Celery beat."""

import structlog
from celery import shared_task

from analytics import rollups

log = structlog.get_logger(__name__)


@shared_task(ignore_result=True)
def roll_up() -> None:
    """Count what has changed or settled since the last run."""
    rollups.roll_up()


@shared_task(ignore_result=True)
def compare_everything() -> None:
    """Compare every conversation with what was counted. Finds what the minute's run did not look at."""
    found = rollups.roll_up(everything=True, seconds=300)
    if found:
        log.info("conversations_counted", count=found)
