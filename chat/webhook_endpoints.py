"""Endpoints: added, changed, paused, resumed, given a new secret, deleted; and sent again what they missed.

Secrets are made here, returned once, and sealed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from agents.approvals import Decider
from chat.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from chat.webhook_addresses import checked_url, host_of
from chat.webhook_events import EVENTS, PING
from chat.webhook_signing import new_secret
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.locks import one_at_a_time
from smartsupport.lib.sealing import CannotUnseal, seal, unseal
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)

OBJECT = "chat.webhookendpoint"
MOST_ENDPOINTS = 20
MOST_AGAIN = 5_000
LONGEST_TEXT = 200
LONGEST_OVERLAP_HOURS = 7 * 24


class EndpointNotFound(ServiceError):
    code, status, message = "not_found", 404, "This webhook endpoint does not exist."


class TooManyEndpoints(ServiceError):
    code, status = "too_many_endpoints", 409
    message = f"There are {MOST_ENDPOINTS} webhook endpoints, which is the most. Delete one first."


class InvalidEvents(ServiceError):
    code, status = "invalid_events", 400


class AlreadyPaused(ServiceError):
    code, status, message = "already_paused", 409, "This webhook endpoint is paused already."


class NotPaused(ServiceError):
    code, status, message = "not_paused", 409, "This webhook endpoint is not paused."


class InvalidOverlap(ServiceError):
    code, status = "invalid_overlap", 400
    message = f"The old secret can go on for 0 to {LONGEST_OVERLAP_HOURS} hours."


def find(endpoint_id: UUID | None) -> WebhookEndpoint:
    """Raises EndpointNotFound."""
    row = WebhookEndpoint.objects.filter(pk=endpoint_id, deleted_at=None).first() if endpoint_id else None
    if row is None:
        raise EndpointNotFound()
    return row


@dataclass(frozen=True, slots=True)
class Checked:
    """Fields of an endpoint as they may be stored; `checked` makes them."""

    fields: dict[str, Any]


def checked(
    before: WebhookEndpoint | None = None,
    *,
    url: str | None = None,
    events: Iterable[str] | None = None,
    description: str | None = None,
) -> Checked:
    """What is given, for a new endpoint or a change of `before`. It looks an address up that is another than before:
    call it outside of a transaction. Raises InvalidUrl, InvalidEvents."""
    fields: dict[str, Any] = {}
    if events is not None:
        fields["events"] = checked_events(events)
    if description is not None:
        fields["description"] = _text(description)
    if url is not None and (before is None or url != before.url):
        # What is known of how it answers was of the other address.
        fields |= {"url": checked_url(url), "failures": 0, "failing_since": None, "held_until": None}
    return Checked(fields)


def add(wanted: Checked, *, by: Decider) -> tuple[WebhookEndpoint, str]:
    """Store a new endpoint, which needs a `url` and `events`; with it the secret, which nobody can read again. Raises
    TooManyEndpoints."""
    secret = new_secret()
    with transaction.atomic():
        one_at_a_time("webhook endpoints")
        if WebhookEndpoint.objects.filter(deleted_at=None).count() >= MOST_ENDPOINTS:
            raise TooManyEndpoints()
        row = WebhookEndpoint(**wanted.fields, secret=seal(secret), created_by=by.name[:150])
        WebhookEndpoint.objects.bulk_create([row])  # the audit gets `_shown` below, and not the whole address
    audit.changed(OBJECT, row.pk, after=_shown(row))
    log.info("webhook_endpoint_added", endpoint_id=str(row.pk), events=row.events, by_name=by.name)
    return row, secret


def change(before: WebhookEndpoint, wanted: Checked, *, by: Decider) -> WebhookEndpoint:
    """Change what is given. What waits already goes to the new address. Raises EndpointNotFound."""
    if wanted.fields and not WebhookEndpoint.objects.filter(pk=before.pk, deleted_at=None).update(
        **wanted.fields
    ):
        raise EndpointNotFound()
    after = find(before.pk)
    audit.changed(OBJECT, after.pk, before=_shown(before), after=_shown(after))
    told = {"endpoint_id": str(after.pk), "fields": sorted(wanted.fields)}
    log.info("webhook_endpoint_changed", **told, by_name=by.name)
    return after


def pause(endpoint_id: UUID | None, *, by: Decider, reason: str = "") -> WebhookEndpoint:
    """Send nothing more; what happens meanwhile waits. Raises EndpointNotFound, AlreadyPaused."""
    row = find(endpoint_id)
    live = WebhookEndpoint.objects.filter(pk=row.pk, paused_at=None, deleted_at=None)
    if not live.update(paused_at=Now(), paused_by=by.name[:150], pause_reason=storable(reason)[:300]):
        raise AlreadyPaused()
    audit.changed(OBJECT, row.pk, before={"paused": False}, after={"paused": True, "reason": reason})
    log.info("webhook_endpoint_paused", endpoint_id=str(row.pk), by_name=by.name)
    return find(row.pk)


class Resumed(NamedTuple):
    """How many deliveries waited, and whether they were skipped."""

    waited: int
    skipped: bool


@transaction.atomic
def resume(endpoint_id: UUID | None, *, by: Decider, skip: bool = False) -> Resumed:
    """Send again, first what waited; or `skip` that. Raises EndpointNotFound, NotPaused."""
    from chat.tasks import kick_webhooks  # the task's module needs this one

    row = find(endpoint_id)
    paused = WebhookEndpoint.objects.filter(pk=row.pk, deleted_at=None).exclude(paused_at=None)
    if not paused.update(
        paused_at=None, paused_by="", pause_reason="", failures=0, failing_since=None, held_until=None
    ):
        raise NotPaused()
    waiting = WebhookDelivery.objects.filter(endpoint=row, status=DeliveryStatus.QUEUED)
    free = waiting.filter(leased_until=None) | waiting.filter(leased_until__lt=Now())
    if skip:
        waited = free.update(status=DeliveryStatus.SKIPPED, next_attempt_at=None)
    else:
        waited = free.update(next_attempt_at=Now())
        transaction.on_commit(kick_webhooks, robust=True)
    audit.changed(
        OBJECT, row.pk, before={"paused": True}, after={"paused": False, "waited": waited, "skipped": skip}
    )
    log.info(
        "webhook_endpoint_resumed", endpoint_id=str(row.pk), waited=waited, skipped=skip, by_name=by.name
    )
    return Resumed(waited, skip)


def rotate(endpoint_id: UUID | None, *, by: Decider, overlap_hours: object = 24) -> str:
    """Make a new secret and return it, once. The one before signs beside it for `overlap_hours` (0 to 168); one that
    went on from an earlier change ends now, and so does one that cannot be opened any more. Raises EndpointNotFound,
    InvalidOverlap."""
    if isinstance(overlap_hours, bool) or not isinstance(overlap_hours, int):
        raise InvalidOverlap()
    if not 0 <= overlap_hours <= LONGEST_OVERLAP_HOURS:
        raise InvalidOverlap()
    row = find(endpoint_id)
    secret = new_secret()
    overlaps = overlap_hours and _opens(row.secret)
    until = timezone.now() + timedelta(hours=overlap_hours) if overlaps else None
    mine = WebhookEndpoint.objects.filter(pk=row.pk, secret=row.secret, deleted_at=None)
    if not mine.update(secret=seal(secret), old_secret=F("secret") if until else "", old_secret_until=until):
        raise EndpointNotFound("Somebody else has changed the secret or deleted the endpoint just now.")
    audit.changed(OBJECT, row.pk, after={"rotated": True, "old_one_signs_until": until})
    log.info("webhook_secret_rotated", endpoint_id=str(row.pk), overlap_hours=overlap_hours, by_name=by.name)
    return secret


def _opens(sealed: str) -> bool:
    try:
        unseal(sealed)
    except CannotUnseal:
        return False
    return True


def delete(endpoint_id: UUID | None, *, by: Decider) -> None:
    """Send nothing more to it and forget its secrets; the jobs delete the rest. Raises EndpointNotFound."""
    row = find(endpoint_id)
    live = WebhookEndpoint.objects.filter(pk=row.pk, deleted_at=None)
    if not live.update(deleted_at=Now(), secret="", old_secret="", old_secret_until=None):
        raise EndpointNotFound()
    audit.changed(OBJECT, row.pk, before=_shown(row), after={"deleted": True})
    log.info("webhook_endpoint_deleted", endpoint_id=str(row.pk), by_name=by.name)


@transaction.atomic
def send_failed_again(
    endpoint_id: UUID | None, *, by: Decider, since: datetime | None = None, until: datetime | None = None
) -> tuple[int, bool]:
    """Send what was given up once more, the oldest 5,000 that were written from `since` to `until`. Returns how many,
    and whether there are more. Raises EndpointNotFound."""
    from chat.tasks import kick_webhooks

    row = find(endpoint_id)
    given_up = WebhookDelivery.objects.filter(endpoint=row, status=DeliveryStatus.FAILED).exclude(kind=PING)
    if since is not None:
        given_up = given_up.filter(created_at__gte=since)
    if until is not None:
        given_up = given_up.filter(created_at__lte=until)
    oldest = list(given_up.order_by("created_at").values_list("pk", flat=True)[: MOST_AGAIN + 1])
    again = WebhookDelivery.objects.filter(pk__in=oldest[:MOST_AGAIN], status=DeliveryStatus.FAILED).update(
        status=DeliveryStatus.QUEUED,
        failures=0,
        resent_by=by.name[:150],
        next_attempt_at=Now(),
        leased_until=None,
    )
    if again:
        transaction.on_commit(kick_webhooks, robust=True)
    audit.changed(OBJECT, row.pk, after={"sent_again": again})
    log.info("webhooks_sent_again", endpoint_id=str(row.pk), deliveries=again, by_name=by.name)
    return again, len(oldest) > MOST_AGAIN


def checked_events(names: Iterable[str]) -> list[str]:
    """The events in their usual order, each once. Raises InvalidEvents, also for none."""
    wanted = set(names)
    if unknown := sorted(wanted - EVENTS.keys()):
        raise InvalidEvents(f"There is no event {unknown[0]!r}. Events are {', '.join(EVENTS)}.")
    if not wanted:
        raise InvalidEvents("Choose at least one event.")
    return [name for name in EVENTS if name in wanted]


def _text(text: str) -> str:
    cleaned: str = storable(" ".join(text.split()))
    return cleaned[:LONGEST_TEXT]


def _shown(row: WebhookEndpoint) -> dict[str, Any]:
    """For the audit."""
    return {"host": host_of(row.url), "events": row.events, "description": row.description}
