"""What the page of one approval shows."""

import json
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.utils import timezone

from agents import approvals, read_back, repetition
from agents.admin.inbox_reasons import why
from agents.admin.shown import BADGES, argument_rows, bound_rows, difference_rows, proposed_rows, shown_value
from agents.models import Action, ActionStatus, Approver
from smartsupport.lib.console import age
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import decider_id

SHOWN_MESSAGES = 6


def page_context(row: Action, user: Any) -> dict[str, Any]:
    waiting = row.status == ActionStatus.AWAITING
    may_decide = user.has_perm("agents.decide_action")
    for_customer = row.approver == Approver.CUSTOMER
    overdue = waiting and row.expires_at <= timezone.now()
    own = decider_id(user)
    fresh = approvals.drift(row) if waiting else []
    sees_conversations = user.has_perm("chat.view_conversation")
    return {
        "title": "Approval",
        "approval": row,
        "tool_title": row.tool.title,
        "badge": BADGES[ActionStatus(row.status)],
        "arguments": argument_rows(row),
        "proposed": proposed_rows(row),
        "bound": bound_rows(row),
        "difference": difference_rows(fresh or row.difference),
        "fresh_difference": bool(fresh),
        "switched_off": waiting and not row.tool.enabled,
        "voted": any(vote["id"] == own for vote in row.votes),
        "agreed": [vote["name"] for vote in row.votes],
        "asked_by_you": approvals.has_asked(row, own),
        "asked_by": _name_of(row.turn.asked_by),
        "said": _said(row),
        "waiting": waiting,
        "unknown": row.status == ActionStatus.UNKNOWN,
        "repeatable": repetition.is_repeatable(row),
        "readable": read_back.is_possible(row),
        "sent": _sent(row),
        "settlement": row.turn.events.filter(kind="action_settled", key=f"settlement:{row.pk}").first(),
        "repetitions": list(_repetitions(row)),
        "overdue": overdue,
        "for_customer": for_customer,
        "decidable": waiting and may_decide and not for_customer and not overdue,
        "age": age(row.created_at),
        "may_decide": may_decide,
        "sees_customers": user.has_perm("chat.view_customer"),
        "sees_conversations": sees_conversations,
        "why": why(row) if sees_conversations else None,
    }


def _name_of(decider: str) -> str:
    """Who sent the message for the customer; "" where the customer did."""
    kind, _, own = decider.partition(":")
    if kind == "user":
        user = get_user_model().objects.filter(pk=own).first() if own.isdecimal() else None
        return user.get_username() if user else "somebody who is gone"
    if kind == "key":
        known = parse_uuid(own)
        key = apps.get_model("chat.ApiKey").objects.filter(pk=known).first() if known else None
        return f"the API key {key.name}" if key else "an API key that is gone"
    return ""


def _sent(row: Action) -> dict[str, Any] | None:
    """The request as it left, for people; None where nothing did."""
    if row.dispatched_at is None:
        return None
    request = row.sent or {}
    body = request.get("body")
    return {
        "method": request.get("method") or row.tool.method,
        "url": request.get("url") or row.tool.path,
        "query": [(str(name), shown_value(value)) for name, value in request.get("query", [])],
        "body": json.dumps(body, indent=2, ensure_ascii=False) if body is not None else "",
    }


def _repetitions(row: Action) -> Any:
    return row.turn.events.filter(kind="action_repeated", key__startswith=f"repeat:{row.pk}:").order_by("seq")


def _said(row: Action) -> list[dict[str, Any]]:
    spoken = row.turn.conversation.events.filter(
        kind__in=["message_received", "replied", "question_asked", "staff_wrote"]
    )
    return [_line(event) for event in reversed(spoken.order_by("-seq")[:SHOWN_MESSAGES])]


def _line(event: Any) -> dict[str, Any]:
    customer = event.kind == "message_received"
    return {
        "customer": customer,
        "staff": event.kind == "staff_wrote",
        "who": "Customer" if customer else event.agent or event.payload.get("by_name") or "Agent",
        "text": event.payload.get("content") or event.payload.get("message") or "",
        "at": event.created_at,
    }
