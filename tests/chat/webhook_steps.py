"""The jobs' work on webhooks in single steps."""

from datetime import timedelta

from asgiref.sync import async_to_sync
from django.utils import timezone

from chat import webhook_claims, webhook_posting, webhook_recording
from chat.models import WebhookDelivery
from chat.webhook_posting import Attempt, Finished, Outcome
from chat.webhook_recording import Sent


def claim() -> Attempt | None:
    """Take what is due first, as a job does."""
    taken = webhook_claims.take(1)
    return taken[0] if taken else None


def record(attempt: Attempt, outcome: Outcome) -> Sent:
    """Record what came of an attempt."""
    [sent] = webhook_recording.record([Finished(attempt, outcome, duration_ms=1)])
    return sent


def send_next() -> Sent | None:
    """Take what is due first, send it and record what came of it; None where nothing is due."""
    attempt = claim()
    if attempt is None:
        return None
    [sent] = webhook_recording.record([async_to_sync(_made)(attempt)])
    return sent


async def _made(attempt: Attempt) -> Finished:
    async with webhook_posting.client(at_once=1) as through:
        return await webhook_posting.make(attempt, through)


def later() -> None:
    """The time until the next attempts has passed."""
    past = timezone.now() - timedelta(seconds=1)
    WebhookDelivery.objects.filter(status__in=["pending", "queued"]).update(next_attempt_at=past)
