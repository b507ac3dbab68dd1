"""Takes deliveries that are due.

An attempt is claimed by compare-and-set under a lease and recorded before a byte leaves. Who dies on the way leaves a
lease that runs out, and the delivery is sent again under the same id: receivers compare `webhook-id`.

Of each conversation an endpoint gets one at a time, the oldest; of several conversations EACH at once while it answers,
one while it fails. So one that hangs holds up nobody else. The row of an endpoint is locked while its deliveries are
taken; whoever finds it locked passes on.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from chat import webhook_bodies
from chat.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from chat.webhook_posting import Attempt
from chat.webhook_signing import secrets_of
from smartsupport.lib.ids import canonical_json
from smartsupport.lib.sealing import CannotUnseal

Keys = tuple[str, ...] | None

EACH = 16
"""Attempts at once for one endpoint, in all processes together."""
LEASE_MARGIN_SECONDS = 30
NOBODY_SAW = "Nobody saw what came of this attempt: the process that made it ended."
NO_BODY = "What it has to say could not be put together. The log of the jobs says why."

_FREE = """
    d.next_attempt_at <= STATEMENT_TIMESTAMP()
    AND (d.leased_until IS NULL OR d.leased_until < STATEMENT_TIMESTAMP())
"""
_FOR_WEBHOOK_URL = f"""
SELECT d.id, STATEMENT_TIMESTAMP() FROM chat_webhookdelivery d
WHERE d.status = 'pending' AND d.endpoint_id IS NULL AND {_FREE}
  AND NOT EXISTS (
      SELECT 1 FROM chat_webhookdelivery o
      WHERE o.conversation_id = d.conversation_id AND o.status = 'pending'
        AND (o.created_at, o.id) < (d.created_at, d.id))
ORDER BY d.next_attempt_at, d.created_at
LIMIT LEAST(%(room)s, GREATEST(0, %(each)s - (
    SELECT count(*) FROM chat_webhookdelivery f
    WHERE f.endpoint_id IS NULL AND f.status = 'pending' AND f.leased_until > STATEMENT_TIMESTAMP())))
FOR UPDATE OF d SKIP LOCKED
"""  # noqa: S608 - our own text
# Of each endpoint the first before the second of any: who has many does not come before who has one. Whether there is
# anything, and which is the oldest of a conversation, is asked of an index row by row (ORDER BY ... LIMIT 1): a join
# would read the whole of a long queue at each look.
_FOR_ENDPOINTS = f"""
WITH live AS MATERIALIZED (
    SELECT e.id, CASE WHEN e.failing_since IS NULL THEN %(each)s ELSE 1 END AS most FROM chat_webhookendpoint e
    WHERE e.deleted_at IS NULL AND e.paused_at IS NULL
      AND (e.held_until IS NULL OR e.held_until <= STATEMENT_TIMESTAMP())
      AND (SELECT true FROM chat_webhookdelivery d WHERE d.endpoint_id = e.id AND d.status = 'queued' AND {_FREE}
           ORDER BY d.next_attempt_at LIMIT 1)
    FOR NO KEY UPDATE OF e SKIP LOCKED
), due AS MATERIALIZED (
    SELECT one.id, one.next_attempt_at, row_number() OVER (PARTITION BY live.id ORDER BY one.place) AS turn
    FROM live CROSS JOIN LATERAL (
        SELECT d.id, d.next_attempt_at, d.place FROM chat_webhookdelivery d
        WHERE d.endpoint_id = live.id AND d.status = 'queued' AND {_FREE}
          AND (d.conversation_id IS NULL OR d.place = (
              SELECT o.place FROM chat_webhookdelivery o
              WHERE o.endpoint_id = d.endpoint_id AND o.conversation_id = d.conversation_id AND o.status = 'queued'
              ORDER BY o.place LIMIT 1))
        ORDER BY d.next_attempt_at, d.place
        LIMIT GREATEST(0, live.most - (
            SELECT count(*) FROM chat_webhookdelivery f
            WHERE f.endpoint_id = live.id AND f.status = 'queued' AND f.leased_until > STATEMENT_TIMESTAMP()))
        FOR UPDATE OF d SKIP LOCKED
    ) AS one
)
SELECT id, STATEMENT_TIMESTAMP() FROM due ORDER BY turn, next_attempt_at LIMIT %(room)s
"""  # noqa: S608 - our own text
_TAKE = """
UPDATE chat_webhookdelivery d
SET attempts_made = d.attempts_made + 1, payload = taken.payload::jsonb,
    leased_until = STATEMENT_TIMESTAMP() + make_interval(secs => %s)
FROM unnest(%s::uuid[], %s::text[]) AS taken (id, payload) WHERE d.id = taken.id
"""
_GIVE_UP = """
UPDATE chat_webhookdelivery SET attempts_made = attempts_made + 1, failures = failures + 1, status = 'failed',
    next_attempt_at = NULL, leased_until = NULL
WHERE id = ANY(%s)
"""


@transaction.atomic(savepoint=False)
def take(room: int) -> list[Attempt]:
    """Take at most `room` deliveries that are due, for as long as an attempt may last. Nobody else takes them
    meanwhile, nor a later one of the same conversation for the same endpoint."""
    taken = _taken(_FOR_WEBHOOK_URL, room) if settings.WEBHOOK_URL else []
    return taken + _taken(_FOR_ENDPOINTS, room - len(taken)) if room > len(taken) else taken


def _taken(statement: str, room: int) -> list[Attempt]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"room": room, "each": EACH})
        found = cursor.fetchall()
        if not found:
            return []
        begun_at = found[0][1]
        rows = WebhookDelivery.objects.filter(pk__in=[pk for pk, _ in found])
        deliveries = list(
            rows.select_related("endpoint", "conversation__customer").order_by("place", "created_at")
        )
        bodiless = webhook_bodies.fill(deliveries)
        sent = [one for one in deliveries if one not in bodiless]
        texts = [canonical_json(one.payload) for one in sent]
        lease = settings.WEBHOOK_TIMEOUT_SECONDS + LEASE_MARGIN_SECONDS
        cursor.execute(_TAKE, [lease, [one.pk for one in sent], texts])
        if bodiless:
            cursor.execute(_GIVE_UP, [[one.pk for one in bodiless]])
    _note_attempts(deliveries, bodiless)
    keys: dict[UUID | None, Keys] = {}
    for one in sent:
        if one.endpoint_id not in keys:
            keys[one.endpoint_id] = _keys(one.endpoint, begun_at)
    return [
        Attempt(
            delivery_id=one.pk,
            number=one.attempts_made + 1,
            body=text.encode(),
            url=one.endpoint.url if one.endpoint else settings.WEBHOOK_URL,
            keys=keys[one.endpoint_id],
            begun_at=begun_at,
            endpoint_id=one.endpoint_id,
        )
        for one, text in zip(sent, texts, strict=True)
    ]


def _note_attempts(deliveries: Sequence[WebhookDelivery], bodiless: Sequence[WebhookDelivery]) -> None:
    """The rows of the attempts that begin now. What an earlier one left open, nobody will close any more."""
    again = [one.pk for one in deliveries if one.attempts_made]
    if again:
        WebhookAttempt.objects.filter(delivery__in=again, duration_ms=None).update(error=NOBODY_SAW)
    WebhookAttempt.objects.bulk_create(
        WebhookAttempt(
            delivery=one,
            number=one.attempts_made + 1,
            by_name=one.resent_by,
            **({"error": NO_BODY, "duration_ms": 0} if one in bodiless else {}),
        )
        for one in deliveries
    )


def _keys(endpoint: WebhookEndpoint | None, now: datetime) -> Keys:
    """What signs for this endpoint; None where that cannot be opened."""
    try:
        return tuple(secrets_of(endpoint, now))
    except CannotUnseal:
        return None


def first_attempt(delivery: WebhookDelivery, now: datetime) -> Attempt:
    """The first attempt of a row that was written with it."""
    assert delivery.endpoint is not None
    return Attempt(
        delivery_id=delivery.pk,
        number=1,
        body=canonical_json(delivery.payload).encode(),
        url=delivery.endpoint.url,
        keys=_keys(delivery.endpoint, now),
        begun_at=now,
        endpoint_id=delivery.endpoint_id,
    )
