"""Deliveries are kept for WEBHOOK_KEEP_DAYS, then deleted, with their attempts."""

import structlog
from django.conf import settings
from django.db import connection, transaction

from chat.models import WebhookEndpoint

log = structlog.get_logger(__name__)

AT_ONCE = 2_000
MOST = 200_000
"""In one run; the next one goes on."""

# What ended; what waits for an endpoint that is paused all that time, or for a WEBHOOK_URL that is not set any more;
# and all that there is of an endpoint that was deleted.
_FORGET = """
WITH old AS MATERIALIZED (
    SELECT d.id, d.status FROM chat_webhookdelivery d LEFT JOIN chat_webhookendpoint e ON e.id = d.endpoint_id
    WHERE {which} AND (d.leased_until IS NULL OR d.leased_until < STATEMENT_TIMESTAMP())
    LIMIT %(most)s FOR UPDATE OF d SKIP LOCKED
), attempts AS (DELETE FROM chat_webhookattempt a USING old WHERE a.delivery_id = old.id)
DELETE FROM chat_webhookdelivery d USING old WHERE d.id = old.id RETURNING old.status IN ('pending', 'queued')
"""
_TOO_OLD = """
    d.created_at < STATEMENT_TIMESTAMP() - make_interval(days => %(days)s)
    AND (d.status NOT IN ('pending', 'queued') OR d.status = 'queued' AND e.paused_at IS NOT NULL
         OR d.status = 'pending' AND NOT %(told)s)
"""
_OF_DELETED = "e.deleted_at IS NOT NULL"


def forget() -> int:
    """Delete what is too old, in small transactions. Returns how many deliveries."""
    gone = 0
    for which in (_TOO_OLD, _OF_DELETED):
        while gone < MOST and (one := _some(which)):
            gone += one
    emptied = WebhookEndpoint.objects.filter(deleted_at__isnull=False, deliveries=None)
    for endpoint in emptied:
        with transaction.atomic():
            endpoint.delete()
    if gone:
        log.info("webhooks_forgotten", deliveries=gone)
    return gone


@transaction.atomic
def _some(which: str) -> int:
    with connection.cursor() as cursor:
        asked = {"most": AT_ONCE, "days": settings.WEBHOOK_KEEP_DAYS, "told": bool(settings.WEBHOOK_URL)}
        cursor.execute(_FORGET.format(which=which), asked)
        never_sent = [waited for (waited,) in cursor.fetchall()]
    if which is _TOO_OLD and any(never_sent):
        log.warning("webhooks_never_sent", deliveries=sum(never_sent), days=settings.WEBHOOK_KEEP_DAYS)
    return len(never_sent)
