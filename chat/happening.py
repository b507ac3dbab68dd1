"""Which conversations count as happening now, or as failed today: the same for the home page's number and for the list
behind it."""

from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from chat.models import ConversationStatus, Turn, TurnStatus

LIVE_MINUTES = 10


def start_of_today() -> datetime:
    """Midnight UTC."""
    return timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def live_now() -> Q:
    """Not resolved, and something was said or done in the last LIVE_MINUTES."""
    since = timezone.now() - timedelta(minutes=LIVE_MINUTES)
    return Q(last_activity_at__gte=since) & ~Q(status=ConversationStatus.RESOLVED)


def active_today() -> Q:
    return Q(last_activity_at__gte=start_of_today())


def failed_today() -> Q:
    """With a turn that ended in failure since midnight UTC."""
    failed = Turn.objects.filter(status=TurnStatus.FAILED, sealed_at__gte=start_of_today())
    return Q(pk__in=failed.values("conversation_id"))
