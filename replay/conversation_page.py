"""What the page of one conversation shows, and what it is compared by while it stays open."""

from typing import Any
from uuid import uuid4

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from chat import handoff
from chat.models import Conversation, ConversationStatus, Event, TurnStatus
from replay.list_page import KIND, Line
from replay.listed import BADGES, state_of
from replay.offers import offers
from replay.pages import live_state, page_of
from smartsupport.lib import presence
from smartsupport.lib.console import age

TURN_BADGES = {
    TurnStatus.QUEUED: "",
    TurnStatus.RUNNING: "info",
    TurnStatus.WAITING: "warning",
    TurnStatus.COMPLETED: "success",
    TurnStatus.FAILED: "danger",
    TurnStatus.STOPPED: "",
}


def number_in(text: str) -> int | None:
    """A number of an address; None for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def seen_state(request: HttpRequest, row: Conversation) -> tuple[str, list[str], list[str]]:
    """(what the page is compared by, who else looks, tags), and say that this person looks. Two queries."""
    here = presence.seen(KIND, row.pk, request.user.get_username())
    tags = [tag.name for tag in row.tags.all()]
    return live_state(row, here, tags), here, tags


def shown(request: HttpRequest, row: Conversation) -> dict[str, Any]:
    """The page's context, but for the frame around it. Seven queries at most."""
    state, here, tags = seen_state(request, row)
    asked = number_in(request.GET.get("page", ""))
    page = page_of(row, asked, at=number_in(request.GET.get("at", "")))
    user, held = request.user, row.status == ConversationStatus.HELD
    return {
        "title": f"Conversation with {row.customer}",
        "conversation": row,
        "ticket": handoff.ticket_of(row.pk),
        "badge": BADGES[ConversationStatus(row.status)],
        "state_text": state_of(row)[1],
        "held": held,
        "held_by_you": held and row.held_by == user.get_username(),
        "held_for": age(row.held_at) if row.held_at else "",
        "line": Line.now(row, here),
        "offers": offers(row, page.statuses),
        "turn_badges": TURN_BADGES,
        "page": page,
        "state": state,
        "here": here,
        "tags": tags,
        "comment": _comment(row),
        "mode": "held" if held else "free",
        "live_url": reverse("admin:chat_conversation_live", args=[row.pk]),
        "replay_url": replay_url(row),
        "may_answer": user.has_perm("chat.change_conversation"),
        "sees_approvals": user.has_perm("agents.view_action"),
        "sees_customers": user.has_perm("chat.view_customer"),
        "sees_costs": user.has_perm("agents.view_modelcall"),
        "sees_replies": user.has_perm("chat.view_cannedreply"),
        "reply_once": str(uuid4()),
        "note_once": str(uuid4()),
    }


def _comment(row: Conversation) -> str:
    """What the customer wrote when asked how it went; no query where they have not answered."""
    if row.score is None and row.solved is None:
        return ""
    given = Event.objects.filter(conversation=row, kind="feedback_given").order_by("-seq")
    payload = given.values_list("payload", flat=True).first() or {}
    comment = payload.get("comment", "")
    return comment if isinstance(comment, str) else ""


def replay_url(row: Conversation) -> str:
    """Where the conversation is replayed step by step; "" in an installation without that."""
    try:
        return reverse("admin:chat_conversation_replay", args=[row.pk])
    except NoReverseMatch:
        return ""
