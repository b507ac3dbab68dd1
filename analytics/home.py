"""What the console's home page counts, each number with the list that it counts. Only what a person may look at is
counted for them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from agents.models import Action, ActionStatus
from chat.models import Conversation, ConversationStatus, Turn, TurnStatus
from smartsupport.lib.console import age


@dataclass(frozen=True, slots=True)
class Card:
    """One number of the home page, and the list that it counts."""

    title: str
    number: int
    note: str
    link: str
    icon: str
    urgent: bool = False


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The home page's context: only what this person may look at is counted."""
    cards: list[Card] = []
    if request.user.has_perm("agents.view_action"):
        cards.append(_approvals())
        cards += _unknown_outcomes()
    hint = ""
    if request.user.has_perm("chat.view_conversation"):
        cards += _conversations()
        hint = "" if Conversation.objects.exists() else "first_run"
    return {**context, "title": "Home", "cards": cards, "hint": hint, "chat_url": "/"}


def _approvals() -> Card:
    since = list(Action.objects.open_for_staff().values_list("created_at", flat=True))
    return Card(
        title="Approvals waiting for you",
        number=len(since),
        note=f"The oldest has waited {age(since[0])}." if since else "Nothing waits for a decision.",
        link=reverse("admin:agents_action_changelist"),
        icon="gavel",
        urgent=bool(since),
    )


def _unknown_outcomes() -> list[Card]:
    """Shown only when there are any: nobody saw whether these took place, so somebody has to look."""
    count = Action.objects.filter(status=ActionStatus.UNKNOWN).count()
    if not count:
        return []
    return [
        Card(
            title="Outcome unknown",
            number=count,
            note="Sent, and no clear answer came. Check the business system, then say what you found.",
            link=f"{reverse('admin:agents_action_changelist')}?which=unknown",
            icon="help",
            urgent=True,
        )
    ]


def _conversations() -> list[Card]:
    today = start_of_today()
    link = reverse("admin:chat_conversation_changelist")
    waiting = list(
        Conversation.objects.filter(status=ConversationStatus.WAITING)
        .order_by("handoff_at")
        .values_list("handoff_at", flat=True)
    )
    oldest = waiting[0] if waiting else None
    failed = Turn.objects.filter(status=TurnStatus.FAILED, sealed_at__gte=today)
    conversations = failed.values("conversation").distinct().count()
    return [
        Card(
            title="Waiting for a person",
            number=len(waiting),
            note=f"The first asked {age(oldest)} ago." if oldest else "Nobody has asked for a person.",
            link=f"{link}?status__exact={ConversationStatus.WAITING}",
            icon="support_agent",
            urgent=bool(waiting),
        ),
        _held(link),
        Card(
            title="Conversations today",
            number=Conversation.objects.filter(last_activity_at__gte=today).count(),
            note="With anything said since midnight UTC.",
            link=f"{link}?happened=today",
            icon="forum",
        ),
        Card(
            title="Conversations with a failure today",
            number=conversations,
            note=_failures(failed.count()),
            link=f"{link}?happened=failed_today",
            icon="report",
            urgent=bool(conversations),
        ),
    ]


def _held(link: str) -> Card:
    since = list(
        Conversation.objects.filter(status=ConversationStatus.HELD)
        .order_by("held_at")
        .values_list("held_at", flat=True)
    )
    longest = since[0] if since else None
    return Card(
        title="With a colleague",
        number=len(since),
        note=f"The longest for {age(longest)}." if longest else "Nobody has taken one over.",
        link=f"{link}?status__exact={ConversationStatus.HELD}",
        icon="front_hand",
    )


def _failures(count: int) -> str:
    if not count:
        return "Every turn worked."
    return "One turn failed." if count == 1 else f"{count} turns failed."


def start_of_today() -> datetime:
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
