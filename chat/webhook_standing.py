"""How an endpoint stands: whether it fails, how long it is left alone between attempts, and when it is paused by
itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from chat.models import WebhookEndpoint
from chat.webhook_posting import Finished
from smartsupport.lib import audit

log = structlog.get_logger(__name__)

GONE = 410
PATIENT_FAILURES = 4
"""So many failures in a row, and it is left alone for a while after each: what waits is kept, not used up."""
LONGEST_HOLD = 60
LEAST_FAILURES = 10
"""Fewer in a row do not pause an endpoint, however long ago the first was."""
REMEMBERED_EVERY = timedelta(seconds=5)

# Those that were under way when the first one failed are one failure with it: an endpoint that is started anew is not
# left alone for a minute because many were.
_FAILED = """
UPDATE chat_webhookendpoint
SET failures = failures + 1, failing_since = COALESCE(failing_since, STATEMENT_TIMESTAMP()),
    held_until = CASE WHEN failures + 1 >= %(patient)s
                 THEN STATEMENT_TIMESTAMP() + make_interval(secs => LEAST(%(longest)s, 2 ^ LEAST(failures, 10)))
                 END
WHERE id = %(id)s AND (failing_since IS NULL OR failing_since <= %(begun_at)s)
RETURNING failures, failing_since, EXTRACT(EPOCH FROM held_until - STATEMENT_TIMESTAMP())
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`held`: the seconds for which an endpoint is left alone now. `pause`: why it is to be paused, if it is."""

    held: float = 0.0
    pause: str = ""


def note(endpoint_id: UUID, finished: Sequence[Finished]) -> Verdict:
    """Keep what attempts, in the order in which they finished, say about their endpoint."""
    held, pause = 0.0, ""
    for delivered, some in groupby(finished, key=lambda one: one.outcome.delivered):
        if delivered:
            _succeeded(endpoint_id)
            held = 0.0
            continue
        for one in some:
            verdict = _failed(endpoint_id, one.attempt.begun_at)
            held, pause = max(held, verdict.held), pause or verdict.pause
            if one.outcome.status == GONE:
                pause = "It answered 410 Gone: it does not want to be told of anything any more."
    return Verdict(held, pause)


def _failed(endpoint_id: UUID, begun_at: datetime) -> Verdict:
    asked: dict[str, Any] = {
        "id": endpoint_id,
        "patient": PATIENT_FAILURES,
        "longest": LONGEST_HOLD,
        "begun_at": begun_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FAILED, asked)
        row = cursor.fetchone()
    if row is None:
        return Verdict()
    failures, since, held = row
    hours = settings.WEBHOOK_PAUSE_AFTER_HOURS
    hopeless = failures >= LEAST_FAILURES and timezone.now() - since >= timedelta(hours=hours)
    why = f"Every attempt has failed for more than {hours} hours: {failures} in a row." if hopeless else ""
    return Verdict(float(held or 0.0), why)


def _succeeded(endpoint_id: UUID) -> None:
    stale = timezone.now() - REMEMBERED_EVERY
    worth_writing = Q(failures__gt=0) | Q(last_delivered_at=None) | Q(last_delivered_at__lt=stale)
    WebhookEndpoint.objects.filter(worth_writing, pk=endpoint_id).update(
        failures=0, failing_since=None, held_until=None, last_delivered_at=Now()
    )


def pause(endpoint_id: UUID, reason: str) -> None:
    """Pause it by itself, once. At the end of a transaction: whoever writes to the audit waits for it."""
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
