"""Takes deliveries that are due, and keeps what came of them.

An attempt is claimed by compare-and-set under a lease and recorded before a byte leaves. Who dies on the way leaves a
lease that runs out, and the delivery is sent again under the same id: receivers compare `webhook-id`.

Each endpoint has an order of its own in each conversation, and a few attempts at once: EACH while it answers, one while
it fails. So one that hangs holds up nobody else. The row of an endpoint is locked while its deliveries are
taken; whoever finds it locked passes on.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from chat import webhook_bodies, webhook_standing
from chat.models import DELIVERY_WAITS, DeliveryStatus, WebhookAttempt, WebhookDelivery
from chat.webhook_posting import Attempt, Outcome
from chat.webhook_signing import secrets_of
from smartsupport.lib.ids import canonical_json
from smartsupport.lib.sealing import CannotUnseal

log = structlog.get_logger(__name__)

EACH = 4
"""Attempts at once for one endpoint, in all processes together."""
BACKOFF_SECONDS = 2
LEASE_MARGIN_SECONDS = 30
NOBODY_SAW = "Nobody saw what came of this attempt: the process that made it ended."


@dataclass(frozen=True, slots=True)
class Sent:
    """A finished attempt. `again_in`: seconds until the next one; None where there is none."""

    delivery_id: UUID
    delivered: bool
    again_in: float | None


_TAKEN = """
UPDATE chat_webhookdelivery d
SET attempts_made = d.attempts_made + 1, leased_until = STATEMENT_TIMESTAMP() + make_interval(secs => %(lease)s)
FROM chosen WHERE d.id = chosen.id RETURNING d.id
"""
_FREE = """
    d.next_attempt_at <= STATEMENT_TIMESTAMP()
    AND (d.leased_until IS NULL OR d.leased_until < STATEMENT_TIMESTAMP())
"""
_FOR_WEBHOOK_URL = """
WITH chosen AS MATERIALIZED (
    SELECT d.id FROM chat_webhookdelivery d
    WHERE d.status = 'pending' AND d.endpoint_id IS NULL AND {free}
      AND NOT EXISTS (
          SELECT 1 FROM chat_webhookdelivery o
          WHERE o.conversation_id = d.conversation_id AND o.status = 'pending'
            AND (o.created_at, o.id) < (d.created_at, d.id))
    ORDER BY d.next_attempt_at, d.created_at
    LIMIT LEAST(%(room)s, GREATEST(0, %(each)s - (
        SELECT count(*) FROM chat_webhookdelivery f
        WHERE f.status = 'pending' AND f.leased_until > STATEMENT_TIMESTAMP())))
    FOR UPDATE OF d SKIP LOCKED
) {taken}
"""
# Of each endpoint the first before the second of any: who has many does not come before who has one.
_FOR_ENDPOINTS = """
WITH live AS MATERIALIZED (
    SELECT e.id, CASE WHEN e.failing_since IS NULL THEN %(each)s ELSE 1 END AS most FROM chat_webhookendpoint e
    WHERE e.deleted_at IS NULL AND e.paused_at IS NULL
      AND (e.held_until IS NULL OR e.held_until <= STATEMENT_TIMESTAMP())
      AND EXISTS (
          SELECT 1 FROM chat_webhookdelivery d WHERE d.endpoint_id = e.id AND d.status = 'queued' AND {free})
    FOR NO KEY UPDATE OF e SKIP LOCKED
), due AS MATERIALIZED (
    SELECT one.id, one.next_attempt_at, row_number() OVER (PARTITION BY live.id ORDER BY one.place) AS turn
    FROM live CROSS JOIN LATERAL (
        SELECT d.id, d.next_attempt_at, d.place FROM chat_webhookdelivery d
        WHERE d.endpoint_id = live.id AND d.status = 'queued' AND {free}
          AND NOT EXISTS (
              SELECT 1 FROM chat_webhookdelivery o
              WHERE o.endpoint_id = d.endpoint_id AND o.conversation_id = d.conversation_id
                AND o.status = 'queued' AND o.place < d.place)
        ORDER BY d.next_attempt_at, d.place
        LIMIT GREATEST(0, live.most - (
            SELECT count(*) FROM chat_webhookdelivery f
            WHERE f.endpoint_id = live.id AND f.status = 'queued' AND f.leased_until > STATEMENT_TIMESTAMP()))
        FOR UPDATE OF d SKIP LOCKED
    ) AS one
), chosen AS MATERIALIZED (
    SELECT id FROM due ORDER BY turn, next_attempt_at LIMIT %(room)s
) {taken}
"""


_PARTS = {"free": _FREE, "taken": _TAKEN}


def take(room: int) -> list[Attempt]:
    """Take at most `room` deliveries that are due, for as long as an attempt may last. Nobody else takes them
    meanwhile, nor a later one of the same conversation for the same endpoint."""
    taken = _taken(_FOR_WEBHOOK_URL, room) if settings.WEBHOOK_URL else []
    return taken + _taken(_FOR_ENDPOINTS, room - len(taken)) if room > len(taken) else taken


@transaction.atomic
def _taken(statement: str, room: int) -> list[Attempt]:
    lease = settings.WEBHOOK_TIMEOUT_SECONDS + LEASE_MARGIN_SECONDS
    with connection.cursor() as cursor:
        cursor.execute(statement.format(**_PARTS), {"room": room, "each": EACH, "lease": lease})
        ids = [delivery_id for (delivery_id,) in cursor.fetchall()]
    if not ids:
        return []
    rows = WebhookDelivery.objects.filter(pk__in=ids).select_related("endpoint", "conversation__customer")
    deliveries = list(rows.order_by("place", "created_at"))
    webhook_bodies.fill(deliveries)
    WebhookAttempt.objects.filter(delivery__in=ids, duration_ms=None).update(error=NOBODY_SAW)
    WebhookAttempt.objects.bulk_create(
        WebhookAttempt(delivery=one, number=one.attempts_made, by_name=one.resent_by) for one in deliveries
    )
    return [attempt_of(one) for one in deliveries]


def attempt_of(delivery: WebhookDelivery) -> Attempt:
    """The attempt that this row has just been claimed for."""
    endpoint = delivery.endpoint
    try:
        keys = tuple(secrets_of(endpoint, timezone.now()))
    except CannotUnseal:
        keys = None
    return Attempt(
        delivery_id=delivery.pk,
        number=delivery.attempts_made,
        body=canonical_json(delivery.payload).encode(),
        url=endpoint.url if endpoint else settings.WEBHOOK_URL,
        keys=keys,
        endpoint_id=delivery.endpoint_id,
    )


@transaction.atomic
def record(attempt: Attempt, outcome: Outcome, *, duration_ms: int, trial: bool = False) -> Sent:
    """Keep what came of an attempt, and decide what comes next. That it arrived always counts; that it failed counts
    only where no later attempt has begun. A `trial` says nothing about the endpoint, and is not repeated."""
    WebhookAttempt.objects.filter(delivery_id=attempt.delivery_id, number=attempt.number).update(
        status=outcome.status, body_head=outcome.body_head, error=outcome.error, duration_ms=duration_ms
    )
    mine = WebhookDelivery.objects.filter(pk=attempt.delivery_id)
    again_in: float | None = None
    if outcome.delivered:
        # Also where it was given up meanwhile.
        mine.exclude(status=DeliveryStatus.DELIVERED).update(
            status=DeliveryStatus.DELIVERED, delivered_at=Now(), next_attempt_at=None, leased_until=None
        )
    else:
        waiting = mine.filter(status__in=DELIVERY_WAITS, attempts_made=attempt.number)
        again_in = _failed(waiting, outcome)
    told = {"delivery_id": str(attempt.delivery_id), "attempt": attempt.number, "status": outcome.status}
    if outcome.delivered:
        log.info("webhook_delivered", **told)
    else:
        log.warning("webhook_failed", **told, error=outcome.error, again_in=again_in)
    if attempt.endpoint_id and not trial:
        held = webhook_standing.note(attempt.endpoint_id, outcome)
        again_in = max(again_in, held) if again_in is not None else None
    return Sent(attempt.delivery_id, outcome.delivered, again_in)


def _failed(mine: Any, outcome: Outcome) -> float | None:
    row = mine.select_for_update().first()
    if row is None:
        return None
    failures = row.failures + 1
    if not outcome.again or failures > settings.WEBHOOK_MAX_RETRIES:
        mine.update(
            status=DeliveryStatus.FAILED, failures=F("failures") + 1, next_attempt_at=None, leased_until=None
        )
        return None
    pause: float = max(float(BACKOFF_SECONDS**failures), outcome.wait)
    mine.update(failures=failures, next_attempt_at=Now() + timedelta(seconds=pause), leased_until=None)
    return pause
