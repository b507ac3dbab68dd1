"""The newest things that went wrong, of every kind that this person may see, each with what to do next."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import CharField, F, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce, Left
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from agents.credentials import refused_rows
from agents.models import Action, ActionStatus
from chat.models import DeliveryStatus, Turn, TurnStatus, WebhookDelivery, WebhookEndpoint
from chat.webhook_events import PING
from openapi_import.models import ImportJob, ImportStatus

SHOWN = 5
WEBHOOK_DAYS = 30
"""How far back deliveries are looked through: there is no index of those that were given up."""


@dataclass(frozen=True, slots=True)
class Failure:
    """`what` is our sentence, `said` what the fault itself said (data), `next` what to do."""

    what: str
    said: str
    next: str
    link: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Kind:
    permission: str
    route: str
    what: str
    next: str
    rows: Callable[[], QuerySet[Any]]


def _row(rows: QuerySet[Any], key: str, at: Any, said: Any) -> QuerySet[Any]:
    """The columns that all kinds share: key, moment, what was said."""
    return rows.annotate(
        failed_key=Cast(key, CharField()), failed_at=at, failed_said=Left(Cast(said, TextField()), 160)
    )


def _turns() -> QuerySet[Any]:
    rows = Turn.objects.filter(status=TurnStatus.FAILED, sealed_at__isnull=False)
    return _row(rows.order_by("-sealed_at"), "conversation_id", F("sealed_at"), F("error"))


def _imports() -> QuerySet[Any]:
    rows = _row(
        ImportJob.objects.filter(status=ImportStatus.FAILED),
        "id",
        Coalesce("finished_at", "created_at"),
        F("error_message"),
    )
    return rows.order_by("-failed_at")


def _unknown() -> QuerySet[Any]:
    rows = Action.objects.filter(status=ActionStatus.UNKNOWN).order_by("-created_at")
    return _row(rows, "id", Coalesce("dispatched_at", "created_at"), F("message"))


def _credentials() -> QuerySet[Any]:
    return _row(refused_rows().order_by("-refused_at"), "id", F("refused_at"), F("source__title"))


def _webhooks() -> QuerySet[Any]:
    since = timezone.now() - timedelta(days=WEBHOOK_DAYS)
    rows = WebhookDelivery.objects.filter(status=DeliveryStatus.FAILED, created_at__gte=since)
    seen = rows.exclude(kind=PING)  # whoever sends a test sees what comes of it
    return _row(seen.order_by("-created_at"), "id", F("created_at"), F("kind"))


def _endpoints() -> QuerySet[Any]:
    paused = WebhookEndpoint.objects.filter(paused_at__isnull=False, paused_by="", deleted_at=None)
    return _row(paused.order_by("-paused_at"), "id", F("paused_at"), F("pause_reason"))


KINDS = {
    "turn": Kind(
        "chat.view_conversation",
        "admin:chat_conversation_change",
        "A message could not be answered",
        "Read how far it came, then try again or write to the customer yourself.",
        _turns,
    ),
    "import": Kind(
        "openapi_import.view_importjob",
        "admin:openapi_import_importjob_change",
        "An import failed",
        "See in which stage and where in the document, mend it, and try again.",
        _imports,
    ),
    "unknown": Kind(
        "agents.view_action",
        "admin:agents_action_change",
        "Nobody knows whether this was done",
        "Look in the business system, then record what you found.",
        _unknown,
    ),
    "credential": Kind(
        "agents.view_credential",
        "admin:agents_credential_change",
        "A business system refused a credential",
        "Enter a new one: its tools fail until then.",
        _credentials,
    ),
    "webhook": Kind(
        "chat.view_webhookdelivery",
        "admin:chat_webhookdelivery_change",
        "A webhook was given up",
        "Read what the other side answered, mend it, and send it again.",
        _webhooks,
    ),
    "webhook endpoint": Kind(
        "chat.view_webhookendpoint",
        "admin:chat_webhookendpoint_change",
        "A webhook endpoint was paused by itself",
        "Send it a test, mend it, and resume it: what happened meanwhile waits.",
        _endpoints,
    ),
}


def newest(request: HttpRequest) -> list[Failure]:
    """At most SHOWN, newest first. One statement, or none for somebody who may see no kind."""
    parts = [
        kind.rows()
        .annotate(failed_kind=Value(name))
        .values_list("failed_kind", "failed_key", "failed_at", "failed_said")[:SHOWN]
        for name, kind in KINDS.items()
        if request.user.has_perm(kind.permission)
    ]
    if not parts:
        return []
    found = parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]
    newest_first = sorted(found, key=lambda row: row[2], reverse=True)
    return [_told(*row) for row in newest_first[:SHOWN]]


def _told(name: str, key: str, at: datetime, said: str) -> Failure:
    kind = KINDS[name]
    return Failure(kind.what, said.strip(), kind.next, reverse(kind.route, args=[key]), at)
