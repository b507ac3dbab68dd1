"""What Celery beat does for retention."""

from celery import shared_task

from smartsupport.retention import forgetting


@shared_task(name="smartsupport.retention.forget", ignore_result=True)
def forget() -> None:
    """Forget what is older than RETENTION_DAYS."""
    forgetting.forget_what_is_due()
