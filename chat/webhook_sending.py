"""Sends deliveries: one attempt at a time each, in the order of their conversation, signed by Standard Webhooks
(https://www.standardwebhooks.com, version 1 signatures).

An attempt is claimed by compare-and-set under a lease and recorded before a byte leaves. Who dies on the way leaves a
lease that runs out, and the delivery is sent again under the same id: receivers compare `webhook-id`.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from standardwebhooks import Webhook

from chat.models import DeliveryStatus, WebhookAttempt, WebhookDelivery
from smartsupport.lib import safe_http
from smartsupport.lib.ids import canonical_json
from smartsupport.lib.text import shorten, storable

log = structlog.get_logger(__name__)

BODY_HEAD = 2_000
BODY_BYTES = 16_384
BACKOFF_SECONDS = 2
RETRY_AFTER_LIMIT = 3_600
LEASE_MARGIN_SECONDS = 30
NOBODY_SAW = "Nobody saw what came of this attempt: the process that made it ended."
RETRIED_STATUSES = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that this process makes now. `number` counts from 1 and is the claim's fence."""

    delivery_id: UUID
    number: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. `wait` is what the other side asked for, in seconds."""

    delivered: bool
    again: bool
    status: int | None = None
    body_head: str = ""
    error: str = ""
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A finished attempt. `again_in`: seconds until the next one; None where there is none."""

    delivery_id: UUID
    delivered: bool
    again_in: float | None


_CLAIM = """
UPDATE chat_webhookdelivery
SET attempts_made = attempts_made + 1, leased_until = STATEMENT_TIMESTAMP() + make_interval(secs => %s)
WHERE id = (
    SELECT d.id FROM chat_webhookdelivery d
    WHERE d.status = 'pending' AND d.next_attempt_at <= STATEMENT_TIMESTAMP()
      AND (d.leased_until IS NULL OR d.leased_until < STATEMENT_TIMESTAMP())
      AND NOT EXISTS (
          SELECT 1 FROM chat_webhookdelivery o
          WHERE o.conversation_id = d.conversation_id AND o.status = 'pending'
            AND (o.created_at, o.id) < (d.created_at, d.id))
    ORDER BY d.next_attempt_at, d.created_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, attempts_made
"""


def send_next() -> Sent | None:
    """Make the attempt that is due first, and record it. None where nothing is due, or there is nowhere to send to."""
    if not settings.WEBHOOK_URL:
        return None
    attempt = claim()
    if attempt is None:
        return None
    started = time.monotonic()
    outcome: Outcome = async_to_sync(_post)(attempt)
    return record(attempt, outcome, duration_ms=round((time.monotonic() - started) * 1000))


def claim() -> Attempt | None:
    """Take the delivery that is due first, for as long as an attempt may last. Nobody else takes it meanwhile, nor a
    later one of the same conversation."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, [settings.WEBHOOK_TIMEOUT_SECONDS + LEASE_MARGIN_SECONDS])
        row = cursor.fetchone()
        if row is None:
            return None
        delivery_id, number = row
        delivery = WebhookDelivery.objects.get(pk=delivery_id)
        earlier = WebhookAttempt.objects.filter(delivery=delivery, duration_ms=None)
        earlier.update(error=NOBODY_SAW)
        WebhookAttempt.objects.create(delivery=delivery, number=number, by_name=delivery.resent_by)
    return Attempt(delivery_id, number, canonical_json(delivery.payload).encode())


def headers(attempt: Attempt, at: datetime) -> dict[str, str]:
    """The headers of an attempt made `at` (aware). Without WEBHOOK_SECRET (development only) nothing is signed."""
    made = {
        "Content-Type": "application/json",
        "webhook-id": str(attempt.delivery_id),
        "webhook-timestamp": str(int(at.timestamp())),
    }
    secret = settings.WEBHOOK_SECRET
    if not secret:
        return made
    # The library takes a text for base64; what is not marked as such is the key itself.
    signer = Webhook(secret if secret.startswith("whsec_") else secret.encode())
    signature = signer.sign(made["webhook-id"], at.astimezone(UTC), attempt.body.decode())
    return {**made, "webhook-signature": signature}


async def _post(attempt: Attempt) -> Outcome:
    async with safe_http.SafeClient(allowed_hosts=settings.SAFE_HTTP_ALLOWED_HOSTS) as client:
        try:
            answer = await client.request(
                "POST",
                settings.WEBHOOK_URL,
                headers=headers(attempt, timezone.now()),
                content=attempt.body,
                timeout=settings.WEBHOOK_TIMEOUT_SECONDS,
                max_bytes=BODY_BYTES,
                truncate=True,
                follow_redirects=False,
            )
        except safe_http.OutboundError as fault:
            return _unanswered(fault)
    return _answered(answer.status, answer.text, answer.headers.get("retry-after", ""))


def _unanswered(fault: safe_http.OutboundError) -> Outcome:
    log.warning("webhook_unanswered", code=fault.code, detail=fault.detail)
    if fault.status is not None:  # the answer came, and its body could not be read
        return _answered(fault.status, "", "")
    refused = safe_http.RefusedAddress | safe_http.InvalidUrl | safe_http.InvalidRequest
    return Outcome(False, again=not isinstance(fault, refused), error=shorten(fault.message, 300))


def _answered(status: int, text: str, retry_after: str) -> Outcome:
    head = storable(text)[:BODY_HEAD]
    if 200 <= status < 300:
        return Outcome(True, again=False, status=status, body_head=head)
    again = status in RETRIED_STATUSES or status >= 500
    error = "It answered with a redirect, which is not followed." if 300 <= status < 400 else ""
    return Outcome(False, again, status, head, error, seconds_asked(retry_after) if again else 0.0)


def seconds_asked(retry_after: str) -> float:
    """Seconds of a Retry-After header (seconds or an HTTP date; RFC 9110, 10.2.3), at most an hour; 0 for nonsense."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), RETRY_AFTER_LIMIT))
    try:
        wanted = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return 0.0
    wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    return min(max(0.0, (wanted - timezone.now()).total_seconds()), float(RETRY_AFTER_LIMIT))


@transaction.atomic
def record(attempt: Attempt, outcome: Outcome, *, duration_ms: int) -> Sent:
    """Keep what came of an attempt, and decide what comes next. That it arrived always counts; that it failed counts
    only where no later attempt has begun."""
    WebhookAttempt.objects.filter(delivery_id=attempt.delivery_id, number=attempt.number).update(
        status=outcome.status, body_head=outcome.body_head, error=outcome.error, duration_ms=duration_ms
    )
    pending = WebhookDelivery.objects.filter(pk=attempt.delivery_id, status=DeliveryStatus.PENDING)
    again_in: float | None = None
    if outcome.delivered:
        # Also where it was given up meanwhile.
        WebhookDelivery.objects.filter(pk=attempt.delivery_id).exclude(
            status=DeliveryStatus.DELIVERED
        ).update(status=DeliveryStatus.DELIVERED, delivered_at=Now(), next_attempt_at=None, leased_until=None)
    else:
        again_in = _failed(pending.filter(attempts_made=attempt.number), outcome)
    told = {"delivery_id": str(attempt.delivery_id), "attempt": attempt.number, "status": outcome.status}
    if outcome.delivered:
        log.info("webhook_delivered", **told)
    else:
        log.warning("webhook_failed", **told, error=outcome.error, again_in=again_in)
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
