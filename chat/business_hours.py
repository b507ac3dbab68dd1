"""When people are there: BUSINESS_HOURS in BUSINESS_TIMEZONE. Pure functions of a text, a zone and a moment."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
EXAMPLE = "Mon-Fri 09:00-17:00, Sat 10:00-14:00"
_PART = re.compile(r"([a-z]{3})(?:\s*-\s*([a-z]{3}))?\s+(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to `end` (minutes after midnight, `end` not included) on one weekday (0 is Monday)."""

    day: int
    start: int
    end: int


@lru_cache(maxsize=16)
def parse(text: str) -> tuple[Span, ...]:
    """The spans of a text like `Mon-Fri 09:00-17:00, Sat 10:00-14:00`; none for an empty one, which means always.

    Raises ValueError with what is wrong, to be read after the variable's name.
    """
    if not text.strip():
        return ()
    return tuple(span for part in text.split(",") for span in _spans(part))


def _spans(part: str) -> list[Span]:
    found = _PART.fullmatch(part.strip().lower())
    if found is None or not {found[1], found[2] or found[1]} <= set(DAYS):
        raise ValueError(f"must look like {EXAMPLE!r}, and {part.strip()!r} does not")
    start, end = _minutes(found[3], found[4]), _minutes(found[5], found[6])
    if end > DAY_MINUTES or int(found[4]) > 59 or int(found[6]) > 59:
        raise ValueError(f"must have times from 00:00 to 24:00, and {part.strip()!r} has not")
    if start >= end:
        raise ValueError(
            f"must have an end after each beginning, and {part.strip()!r} has not (a night is two parts: "
            "'Fri 22:00-24:00, Sat 00:00-06:00')"
        )
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    days = range(first, last + 1 if last >= first else last + 1 + len(DAYS))
    return [Span(day % len(DAYS), start, end) for day in days]


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)


@lru_cache(maxsize=16)
def zone(name: str) -> ZoneInfo:
    """The time zone of this name (`Europe/Berlin`). Raises ValueError, to be read after the variable's name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"must be the name of a time zone like 'Europe/Berlin', not {name!r}") from None


def opens_at(now: datetime, *, hours: str, timezone: str) -> datetime | None:
    """When somebody will be there, in the business's own time; None where somebody is there `now` (aware)."""
    spans = parse(hours)
    if not spans:
        return None
    here = zone(timezone)
    today = now.astimezone(here).date()
    # From yesterday, whose last span may reach into today where clocks were set; a week on is the same span again.
    found = [
        (_moment(day, span.start, here), _moment(day, span.end, here))
        for day in (today + timedelta(days=offset) for offset in range(-1, 9))
        for span in spans
        if span.day == day.weekday()
    ]
    if any(start <= now < end for start, end in found):
        return None
    return min(start for start, _ in found if start > now).astimezone(here)


def _moment(day: date, minutes: int, here: ZoneInfo) -> datetime:
    """That time of that day, in UTC: comparing two times of one zone would ignore that clocks are set."""
    day += timedelta(days=minutes // DAY_MINUTES)
    minutes %= DAY_MINUTES
    return datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=here).astimezone(UTC)
