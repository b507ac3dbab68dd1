"""How an endpoint stands: whether it fails, how long it is left alone between attempts, and when it is paused by
itself."""

from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from chat.models import WebhookEndpoint
from chat.webhook_posting import Outcome
from smartsupport.lib import audit

log = structlog.get_logger(__name__)

GONE = 410
PATIENT_FAILURES = 4
"""So many failures in a row, and it is left alone for a while after each: what waits is kept, not used up."""
LONGEST_HOLD = 60
LEAST_FAILURES = 10
"""Fewer in a row do not pause an endpoint, however long ago the first was."""
REMEMBERED_EVERY = timedelta(seconds=5)

_FAILED = """
UPDATE chat_webhookendpoint
SET failures = failures + 1, failing_since = COALESCE(failing_since, STATEMENT_TIMESTAMP()),
    held_until = CASE WHEN failures + 1 >= %(patient)s
                 THEN STATEMENT_TIMESTAMP() + make_interval(secs => LEAST(%(longest)s, 2 ^ LEAST(failures, 10)))
                 END
WHERE id = %(id)s
RETURNING failures, failing_since, EXTRACT(EPOCH FROM held_until - STATEMENT_TIMESTAMP())
"""


def note(endpoint_id: UUID, outcome: Outcome) -> float:
    """Keep what an attempt says about its endpoint; the seconds for which it is left alone now. In the transaction that
    records the attempt, at its end."""
    if outcome.delivered:
        _succeeded(endpoint_id)
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute(_FAILED, {"id": endpoint_id, "patient": PATIENT_FAILURES, "longest": LONGEST_HOLD})
        row = cursor.fetchone()
    if row is None:
        return 0.0
    failures, since, held = row
    if outcome.status == GONE:
        _pause(endpoint_id, "It answered 410 Gone: it does not want to be told of anything any more.")
    elif failures >= LEAST_FAILURES and timezone.now() - since >= timedelta(
        hours=settings.WEBHOOK_PAUSE_AFTER_HOURS
    ):
        hours = settings.WEBHOOK_PAUSE_AFTER_HOURS
        _pause(endpoint_id, f"Every attempt has failed for more than {hours} hours: {failures} in a row.")
    return float(held or 0.0)


def _succeeded(endpoint_id: UUID) -> None:
    stale = timezone.now() - REMEMBERED_EVERY
    worth_writing = Q(failures__gt=0) | Q(last_delivered_at=None) | Q(last_delivered_at__lt=stale)
    WebhookEndpoint.objects.filter(worth_writing, pk=endpoint_id).update(
        failures=0, failing_since=None, held_until=None, last_delivered_at=Now()
    )


def _pause(endpoint_id: UUID, reason: str) -> None:
    live = WebhookEndpoint.objects.filter(pk=endpoint_id, paused_at=None, deleted_at=None)
    if not live.update(paused_at=Now(), paused_by="", pause_reason=reason):
        return
    log.error("webhook_endpoint_paused", endpoint_id=str(endpoint_id), reason=reason)
    audit.write(
        actor=audit.SYSTEM,
        verb="webhook endpoint: pause",
        object_type="chat.webhookendpoint",
        object_id=endpoint_id,
        object_label=str(WebhookEndpoint.objects.get(pk=endpoint_id)),
        before={"paused": False},
        after={"paused": True, "reason": reason},
    )
