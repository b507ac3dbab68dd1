"""Keeps what came of attempts, and decides what comes next: as many as have finished, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from chat import webhook_standing
from chat.models import DELIVERY_WAITS, DeliveryStatus, WebhookDelivery
from chat.webhook_posting import Finished

log = structlog.get_logger(__name__)

BACKOFF_SECONDS = 2

_ATTEMPTS = """
UPDATE chat_webhookattempt a
SET status = made.status, body_head = made.head, error = made.error, duration_ms = made.ms
FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::text[], %s::text[], %s::int[])
     AS made (delivery, number, status, head, error, ms)
WHERE a.delivery_id = made.delivery AND a.number = made.number
"""
_DELIVERIES = """
UPDATE chat_webhookdelivery d
SET status = next.status, failures = next.failures, leased_until = NULL,
    next_attempt_at = STATEMENT_TIMESTAMP() + make_interval(secs => next.pause),
    delivered_at = CASE WHEN next.status = 'delivered' THEN STATEMENT_TIMESTAMP() ELSE d.delivered_at END
FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::float[]) AS next (id, status, failures, pause)
WHERE d.id = next.id
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """A recorded attempt. `again_in`: seconds until the next one; None where there is none."""

    delivery_id: UUID
    delivered: bool
    again_in: float | None


@dataclass(frozen=True, slots=True)
class _Next:
    """What becomes of a delivery. `pause`: seconds until its next attempt."""

    status: str
    failures: int
    pause: float | None = None


@transaction.atomic(savepoint=False)
def record(finished: Sequence[Finished], *, trial: bool = False) -> list[Sent]:
    """Keep these, in the order in which they finished. That one arrived always counts; that it failed counts only where
    no later attempt has begun. A `trial` says nothing about the endpoint, and is not repeated.

    Rows are locked in one order: deliveries by id, attempts, endpoints by id.
    """
    if not finished:
        return []
    wanted = {one.attempt.delivery_id for one in finished}
    locked = WebhookDelivery.objects.filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True)
    rows = {row.pk: row for row in locked.only("status", "failures", "attempts_made")}
    becomes = {
        one.attempt.delivery_id: next_
        for one in finished
        if (row := rows.get(one.attempt.delivery_id)) is not None and (next_ := _next(row, one)) is not None
    }
    with connection.cursor() as cursor:
        cursor.execute(_ATTEMPTS, _columns([_attempt_row(one) for one in finished]))
        if becomes:
            told = [(pk, str(one.status), one.failures, one.pause) for pk, one in becomes.items()]
            cursor.execute(_DELIVERIES, _columns(told))
    held = {} if trial else _note_standing(finished)
    return [_told(one, becomes.get(one.attempt.delivery_id), held) for one in finished]


def _next(row: WebhookDelivery, one: Finished) -> _Next | None:
    """None: it stays as it is."""
    if one.outcome.delivered:  # also where it was given up meanwhile
        arrived = row.status == DeliveryStatus.DELIVERED
        return None if arrived else _Next(DeliveryStatus.DELIVERED, row.failures)
    if row.status not in DELIVERY_WAITS or row.attempts_made != one.attempt.number:
        return None
    failures = row.failures + 1
    if not one.outcome.again or failures > settings.WEBHOOK_MAX_RETRIES:
        return _Next(DeliveryStatus.FAILED, failures)
    return _Next(row.status, failures, max(float(BACKOFF_SECONDS**failures), one.outcome.wait))


def _attempt_row(one: Finished) -> tuple[object, ...]:
    outcome = one.outcome
    key = one.attempt.delivery_id, one.attempt.number
    return *key, outcome.status, outcome.body_head, outcome.error, one.duration_ms


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _note_standing(finished: Sequence[Finished]) -> dict[UUID, float]:
    """{endpoint: the seconds for which it is left alone now}."""
    of: dict[UUID, list[Finished]] = {}
    for one in finished:
        if one.attempt.endpoint_id is not None:
            of.setdefault(one.attempt.endpoint_id, []).append(one)
    verdicts = {pk: webhook_standing.note(pk, of[pk]) for pk in sorted(of)}
    for pk, verdict in verdicts.items():
        if verdict.pause:
            webhook_standing.pause(pk, verdict.pause)
    return {pk: verdict.held for pk, verdict in verdicts.items()}


def _told(one: Finished, next_: _Next | None, held: dict[UUID, float]) -> Sent:
    attempt, outcome = one.attempt, one.outcome
    pause = next_.pause if next_ else None
    if pause is not None and attempt.endpoint_id is not None:
        pause = max(pause, held.get(attempt.endpoint_id, 0.0))
    said = {"delivery_id": str(attempt.delivery_id), "attempt": attempt.number, "status": outcome.status}
    if outcome.delivered:
        log.info("webhook_delivered", **said)
    else:
        log.warning("webhook_failed", **said, error=outcome.error, again_in=pause)
    return Sent(attempt.delivery_id, outcome.delivered, pause)
