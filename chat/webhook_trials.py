"""Trying an endpoint out: a `test.ping` at once, and what it answers."""

import threading
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog
from django.db import connection, transaction
from django.utils import timezone

from agents.approvals import Decider
from chat import webhook_bodies, webhook_claims, webhook_endpoints, webhook_posting, webhook_recording
from chat.models import DeliveryStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from chat.webhook_events import PING
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.own_loop import on_own_loop

log = structlog.get_logger(__name__)

AT_ONCE = 4
"""In one process. A test waits for the other side as long as that likes, and holds a thread meanwhile."""
_places = threading.BoundedSemaphore(AT_ONCE)


class TooManyTests(ServiceError):
    code, status, retry_after = "too_many_tests", 429, 5
    message = "As many tests as can be made at once are waiting for an answer. Try again in a few seconds."


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a test. `body_head` is what the other side said, at most 2,000 characters."""

    delivery_id: UUID
    delivered: bool
    status: int | None
    body_head: str
    error: str
    duration_ms: int


def test(endpoint_id: UUID | None, *, by: Decider) -> Trial:
    """Send a `test.ping` at once, also to one that is paused, and say what came of it. It is not repeated, and counts
    neither for nor against the endpoint. Takes up to WEBHOOK_TIMEOUT_SECONDS. Raises EndpointNotFound, TooManyTests."""
    endpoint = webhook_endpoints.find(endpoint_id)
    if not _places.acquire(blocking=False):
        raise TooManyTests()
    try:
        return _tried(endpoint, by)
    finally:
        _places.release()


def _tried(endpoint: WebhookEndpoint, by: Decider) -> Trial:
    now = timezone.now()
    said = {"endpoint_id": str(endpoint.pk), "message": "This is a test. Nothing has happened."}
    with transaction.atomic():
        # Given up until the answer is there: who dies on the way leaves nothing that is sent by itself.
        delivery = WebhookDelivery.objects.create(
            id=uuid4(),
            endpoint=endpoint,
            kind=PING,
            payload=webhook_bodies.wrapped(PING, now, said),
            status=DeliveryStatus.FAILED,
            attempts_made=1,
            resent_by=by.name[:150],
        )
        WebhookAttempt.objects.create(delivery=delivery, number=1, by_name=delivery.resent_by)
    attempt = webhook_claims.first_attempt(delivery, now)
    if not connection.in_atomic_block:
        connection.close()  # Postgres has few, and nobody knows how long the other side takes
    finished = on_own_loop(_alone(attempt))
    webhook_recording.record([finished], trial=True)
    outcome = finished.outcome
    log.info("webhook_tested", endpoint_id=str(endpoint.pk), status=outcome.status, by_name=by.name)
    return Trial(
        delivery.pk,
        outcome.delivered,
        outcome.status,
        outcome.body_head,
        outcome.error,
        finished.duration_ms,
    )


async def _alone(attempt: webhook_posting.Attempt) -> webhook_posting.Finished:
    async with webhook_posting.client(at_once=1) as through:
        return await webhook_posting.make(attempt, through)
