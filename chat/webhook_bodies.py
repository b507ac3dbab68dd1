"""The bodies that endpoints receive: `{"type", "timestamp", "data"}`, as Standard Webhooks recommends. They hold ids
and small facts; whoever may see more asks the REST API for it.

A delivery's body is made before its first attempt, of what its trigger noted and of events, which never change, and of
whether an action that is over had been sent again.
"""

from collections.abc import Sequence, Set
from datetime import datetime
from typing import Any

import structlog

from agents.models import Action
from chat.models import Conversation, Event, WebhookDelivery

log = structlog.get_logger(__name__)

Body = dict[str, Any]
EXECUTED = "action.executed"

_EVENTS = """
SELECT e.* FROM chat_event e JOIN unnest(%s::uuid[], %s::bigint[]) AS told (conversation, seq)
  ON e.conversation_id = told.conversation AND e.seq = told.seq
"""


def fill(deliveries: Sequence[WebhookDelivery]) -> list[WebhookDelivery]:
    """Give those without a body theirs; the caller stores it. Returns those for which none could be made: one that is
    odd holds up nobody else. `conversation__customer` is selected. Two queries at most."""
    bare = [one for one in deliveries if one.endpoint_id and not one.payload]
    told, repeated = _events(bare), _repeated(bare)
    odd = []
    for delivery in bare:
        event = told.get((delivery.conversation_id, (delivery.note or {}).get("seq")))
        try:
            delivery.payload = _body(delivery, event, repeated)
        except (KeyError, TypeError, AttributeError):
            log.exception("webhook_body_not_made", delivery_id=str(delivery.pk), kind=delivery.kind)
            odd.append(delivery)
    return odd


def wrapped(kind: str, at: datetime, facts: Body) -> Body:
    """`facts` about an event of this kind, as it is sent."""
    return {"type": kind, "timestamp": at.isoformat(), "data": facts}


def _events(deliveries: Sequence[WebhookDelivery]) -> dict[Any, Event]:
    named = [(one.conversation_id, one.note["seq"]) for one in deliveries if one.note and "seq" in one.note]
    rows = Event.objects.raw(_EVENTS, [list(column) for column in zip(*named, strict=True)]) if named else ()
    return {(row.conversation_id, row.seq): row for row in rows}


def _repeated(deliveries: Sequence[WebhookDelivery]) -> set[str]:
    """The actions that were carried out, or were not, after nobody had known and they were sent again: what the trigger
    saw before the outcome is that they were being sent."""
    noted = [one.note or {} for one in deliveries if one.kind == EXECUTED]
    ended = [note["action_id"] for note in noted if "action_id" in note]
    rows = Action.objects.filter(pk__in=ended, repeats__gt=0) if ended else Action.objects.none()
    return {str(pk) for pk in rows.values_list("pk", flat=True)}


def _body(delivery: WebhookDelivery, event: Event | None, repeated: Set[str]) -> Body:
    at = event.created_at if event else delivery.created_at
    facts = _about(delivery.conversation) if delivery.conversation else {}
    facts |= _of_event(event) if event else _of_note(delivery, repeated)
    return wrapped(delivery.kind, at, facts)


def _about(conversation: Conversation) -> Body:
    customer = conversation.customer
    return {
        "thread_id": conversation.thread_id,
        "customer": {"id": str(customer.pk), "subject": customer.subject or customer.business_id or None},
    }


def _of_event(event: Event) -> Body:
    told = event.payload
    if event.kind == "message_received":
        return {}
    if event.kind == "handoff_requested":
        return {
            "reason": told["reason"],
            "by": told["by"],
            "by_name": told.get("by_name"),
            "agent": event.agent or None,
            "ticket": told.get("ticket"),
            "available_at": told.get("available_at"),
        }
    by_customer = event.kind == "feedback_given"
    return {"by": "customer" if by_customer else "staff", "by_name": told.get("by_name")}


def _of_note(delivery: WebhookDelivery, repeated: Set[str]) -> Body:
    note = delivery.note or {}
    if not delivery.kind.startswith("action."):
        return {name: None if value == "" else value for name, value in note.items()}
    facts = {name: note.get(name) or None for name in ("action_id", "tool", "agent", "status", "approver")}
    if delivery.kind == "action.awaiting":
        return {**facts, "expires_at": note["expires_at"]}
    facts |= {"decided_by": note["decided_by"] or None, "decided_by_name": note["decided_by_name"] or None}
    if delivery.kind == "action.decided":
        return facts
    outcome = {"http_status": note["http_status"], "error_kind": note["error_kind"] or None}
    was_unknown = note["was_unknown"] or (delivery.kind == EXECUTED and note["action_id"] in repeated)
    return {**facts, **outcome, "was_unknown": was_unknown}
