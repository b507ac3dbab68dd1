"""The jobs' work on webhooks in single steps."""

from datetime import timedelta

from asgiref.sync import async_to_sync
from django.utils import timezone

from chat import webhook_claims, webhook_posting, webhook_sending
from chat.models import WebhookDelivery
from chat.webhook_claims import Sent
from chat.webhook_posting import Attempt


def claim() -> Attempt | None:
    """Take what is due first, as a job does."""
    taken = webhook_claims.take(1)
    return taken[0] if taken else None


def send_next() -> Sent | None:
    """Take what is due first, send it and record what came of it; None where nothing is due."""
    attempt = claim()
    return async_to_sync(_made)(attempt) if attempt else None


async def _made(attempt: Attempt) -> Sent:
    async with webhook_posting.client() as through:
        return await webhook_sending.attempt_now(attempt, through)


def later() -> None:
    """The time until the next attempts has passed."""
    past = timezone.now() - timedelta(seconds=1)
    WebhookDelivery.objects.filter(status__in=["pending", "queued"]).update(next_attempt_at=past)
