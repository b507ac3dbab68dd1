"""What the list of conversations shows and is filtered by."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone

from chat.models import Conversation, ConversationStatus, Event, TurnStatus

BADGES = {
    ConversationStatus.OPEN: "info",
    ConversationStatus.WAITING: "warning",
    ConversationStatus.HELD: "primary",
    ConversationStatus.RESOLVED: "success",
}
"""The colour of a status's badge, in one place."""


def state_of(row: Conversation) -> tuple[str, str]:
    """(status, what its badge says): who has it, where somebody has."""
    held = row.status == ConversationStatus.HELD and row.held_by
    return row.status, f"With {row.held_by}" if held else row.get_status_display()


class HappenedFilter(admin.SimpleListFilter):
    title = "what happened"
    parameter_name = "happened"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("mine", "You have it"),
            ("unanswered", "With a colleague, customer wrote last"),
            ("today", "Active today"),
            ("approval", "Waits for an approval"),
            ("failed_today", "A turn failed today"),
            ("failed", "A turn failed"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> QuerySet[Conversation]:
        today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        match self.value():
            case "mine":
                held = queryset.filter(status=ConversationStatus.HELD)
                return held.filter(held_by=request.user.get_username())
            case "unanswered":
                return unanswered(queryset)
            case "today":
                return queryset.filter(last_activity_at__gte=today)
            case "approval":
                return queryset.filter(turns__status=TurnStatus.WAITING).distinct()
            case "failed_today":
                return queryset.filter(
                    turns__status=TurnStatus.FAILED, turns__sealed_at__gte=today
                ).distinct()
            case "failed":
                return queryset.filter(turns__status=TurnStatus.FAILED).distinct()
        return queryset


def unanswered(rows: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Those that a person has and whose customer wrote last."""
    spoken = Event.objects.filter(
        conversation=OuterRef("pk"), kind__in=["message_received", "staff_wrote"]
    ).order_by("-seq")
    last = Subquery(spoken.values("kind")[:1])
    return rows.filter(status=ConversationStatus.HELD).alias(last=last).filter(last="message_received")
