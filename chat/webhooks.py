"""Webhooks: what other systems are told. A delivery is a row, written in the transaction of what it reports and sent
afterwards by the jobs (`chat.webhook_sending`), so that nothing is told that did not happen, and nothing is forgotten.

WEBHOOK_URL is told from here. What endpoints are told is written by triggers (migration 0011) on the rows that it is
about, in the same transaction; `chat.webhook_endpoints` keeps the endpoints.
"""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from agents.approvals import Decider
from agents.spending.limits import Standing
from agents.spending.models import BudgetAlert
from chat.models import DELIVERY_WAITS, Conversation, DeliveryStatus, Event, WebhookDelivery
from chat.webhook_events import BUDGET_ALERT, ESCALATED
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError

log = structlog.get_logger(__name__)

SUMMARY_LIMIT = 2_000
SUMMARY_MESSAGES = 30
OLDER_LIMIT = 1_000
LEAST_LINE = 20
SPEAKERS = {
    "message_received": "Customer",
    "replied": "Agent",
    "question_asked": "Agent",
    "staff_wrote": "Staff",
}
SUMMARISED = "summarised"


class DeliveryNotFound(ServiceError):
    code, status, message = "not_found", 404, "This delivery does not exist."


class StillPending(ServiceError):
    code, status = "still_pending", 409
    message = "This delivery is still being sent by itself. Send it again when it was delivered or given up."


class NowhereToSend(ServiceError):
    code, status = "no_webhook_url", 409
    message = "WEBHOOK_URL is not set, so there is nowhere to send this."


def escalated(conversation: Conversation, *, payload: dict[str, Any], agent: str, at: datetime) -> None:
    """Tell that somebody has to take over. `payload` is that of the event `handoff_requested`. Call it in the
    transaction of that event, after the event. Nothing is written where WEBHOOK_URL is not set."""
    if not settings.WEBHOOK_URL:
        return
    customer = conversation.customer
    metadata = {
        "event": ESCALATED,
        "at": at.isoformat(),
        "by": payload["by"],
        "agent": agent or None,
        "ticket": payload.get("ticket"),
        "available_at": payload.get("available_at"),
        "customer": {
            "id": customer.subject or customer.business_id or None,
            "name": customer.name or None,
            "email": customer.email or None,
        },
    }
    body = {
        "thread_id": conversation.thread_id,
        "reason": payload["reason"],
        "conversation_summary": summary(conversation.pk),
        "metadata": metadata,
    }
    _write(conversation, ESCALATED, body)


def budget_reached(sender: Any, *, alert: BudgetAlert, standing: Standing, **more: Any) -> None:
    """A receiver of `agents.spending.alerts.budget_reached`: tell that a budget is used up to a percentage, in the
    transaction that writes the alert."""
    customer = alert.customer
    facts = {
        "percent": alert.percent,
        "scope": standing.scope,
        "customer": {"id": customer.subject, "name": customer.name or None} if customer else None,
        "period": standing.period,
        "period_start": alert.period_start.isoformat(),
        "resets_at": standing.resets_at.isoformat(),
        "spent_usd": alert.spent_micros / 1_000_000,
        "limit_usd": alert.limit_micros / 1_000_000,
    }
    if settings.WEBHOOK_URL:
        _write(None, BUDGET_ALERT, {"event": BUDGET_ALERT, "at": alert.at.isoformat(), **facts})
    told = facts | {"customer": {"id": str(customer.pk), "subject": customer.subject} if customer else None}
    with connection.cursor() as cursor:
        cursor.execute("SELECT chat_webhook_tell(%s, NULL, %s::jsonb)", [BUDGET_ALERT, json.dumps(told)])


def _write(conversation: Conversation | None, kind: str, body: dict[str, Any]) -> None:
    from chat.tasks import kick_webhooks  # the task's module needs this one

    row = WebhookDelivery.objects.create(
        conversation=conversation, kind=kind, payload=body, next_attempt_at=Now()
    )
    log.info("webhook_written", delivery_id=str(row.pk), kind=kind)
    transaction.on_commit(kick_webhooks, robust=True)


def summary(conversation_id: UUID) -> str:
    """What was said, as plain text of at most 2,000 characters: the summary of the older part where there is one, then
    the newest messages, one a line, oldest first."""
    logged = Event.objects.filter(conversation_id=conversation_id)
    older = logged.filter(kind=SUMMARISED).order_by("-seq").values_list("payload", flat=True).first() or {}
    first = shortened(f"Before that: {older['text']}", OLDER_LIMIT) if older.get("text") else ""
    spoken = logged.filter(kind__in=SPEAKERS, seq__gt=older.get("through_seq", 0)).order_by("-seq")
    lines: list[str] = []
    room = SUMMARY_LIMIT - (len(first) + 1 if first else 0)
    for kind, payload in spoken.values_list("kind", "payload")[:SUMMARY_MESSAGES]:
        line = shortened(f"{SPEAKERS[kind]}: {payload.get('content') or payload.get('message') or ''}", room)
        lines.append(line)
        room -= len(line) + 1
        if room < LEAST_LINE:
            break
    return "\n".join([*([first] if first else []), *reversed(lines)])


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something was cut; line breaks stay."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def pretty(payload: Any) -> str:
    """A body as people read it."""
    return json.dumps(payload, indent=2, ensure_ascii=False)


def resend(*, delivery_id: UUID, by: Decider) -> WebhookDelivery:
    """Send a delivery once more, with the same webhook-id; its next attempt names who wanted it.

    Raises DeliveryNotFound, StillPending, NowhereToSend.
    """
    from chat.tasks import kick_webhooks

    known = WebhookDelivery.objects.select_related("endpoint").filter(pk=delivery_id).first()
    if known is None:
        raise DeliveryNotFound()
    if known.endpoint is None and not settings.WEBHOOK_URL:
        raise NowhereToSend()
    if known.endpoint is not None and known.endpoint.deleted_at is not None:
        raise NowhereToSend("The endpoint that this was for was deleted, so there is nowhere to send this.")
    waits = DeliveryStatus.QUEUED if known.endpoint else DeliveryStatus.PENDING
    with transaction.atomic():
        ended = WebhookDelivery.objects.filter(pk=delivery_id).exclude(status__in=DELIVERY_WAITS)
        if not ended.update(
            status=waits,
            failures=0,
            resent_by=by.name[:150],
            next_attempt_at=Now(),
            leased_until=None,
            delivered_at=None,
        ):
            if WebhookDelivery.objects.filter(pk=delivery_id).exists():
                raise StillPending()
            raise DeliveryNotFound()
        transaction.on_commit(kick_webhooks, robust=True)
    audit.changed("chat.webhookdelivery", delivery_id, after={"status": waits, "failures": 0})
    log.info("webhook_resent", delivery_id=str(delivery_id), by_name=by.name)
    return WebhookDelivery.objects.get(pk=delivery_id)
