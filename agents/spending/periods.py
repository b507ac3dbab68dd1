"""The periods of budgets: days begin at midnight UTC, weeks on Monday."""

from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone

from agents.spending.models import Period


def begins(period: str, now: datetime | None = None) -> date:
    """The first day of the period that `now` (default: this moment) is in."""
    today = (now or timezone.now()).astimezone(UTC).date()
    return today - timedelta(days=today.weekday()) if period == Period.WEEK else today


def ends(period: str, now: datetime | None = None) -> datetime:
    """When it is over, and the next one begins."""
    return midnight(begins(period, now) + timedelta(days=7 if period == Period.WEEK else 1))


def midnight(day: date) -> datetime:
    """The moment at which this UTC day begins."""
    return datetime.combine(day, time(), tzinfo=UTC)
