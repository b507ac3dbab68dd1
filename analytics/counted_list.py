"""The conversations behind a number. The day tables know how many there are on each day, so only days that have some
are read, and no more of them than fill a page."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils.dateparse import parse_datetime

from analytics.definitions import RESOLVED, Outcome
from analytics.models import ConversationFact, Day, DayAgent, DayTool
from analytics.ranges import Period
from smartsupport.lib.ids import parse_uuid

PAGE = 50


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Which conversations of a period: all (`by` is ""), or those of one "outcome" ("resolved" stands for three),
    "with_person", "without_person", in which an "agent" worked or a "tool" was called."""

    by: str = ""
    value: str = ""

    @classmethod
    def of(cls, query: Any) -> "Narrowed":
        """From a query string; what is not known narrows nothing."""
        for by in ("outcome", "with_person", "without_person", "agent", "tool"):
            value = query.get(by, "")[:64].replace("\x00", "")
            if value and (by != "outcome" or value in [*Outcome.values, "resolved"]):
                return cls(by, value)
        return cls()

    @property
    def title(self) -> str:
        if self.by == "outcome":
            return "resolved" if self.value == "resolved" else Outcome(self.value).label.lower()
        return {
            "": "",
            "with_person": "with a person",
            "without_person": "answered by agents alone",
            "agent": f"in which {self.value} worked",
            "tool": f"in which {self.value} was called",
        }[self.by]

    def query(self) -> Q:
        match self.by:
            case "outcome":
                return Q(outcome__in=RESOLVED if self.value == "resolved" else [self.value])
            case "with_person" | "without_person":
                return Q(**{self.by: True})
            case "agent" | "tool":
                return Q(**{f"{self.by}s__has_key": self.value})
        return Q()

    def counts(self, period: Period) -> list[tuple[date, int]]:
        """How many there are on each day that has some, newest first; for a tool its calls, which may be more."""
        if self.by == "tool":
            return _counts(DayTool.objects.filter(tool=self.value), F("calls"), period)
        if self.by == "agent":
            return _counts(DayAgent.objects.filter(agent=self.value), F("conversations"), period)
        if self.value == "resolved":
            return _counts(Day.objects.all(), F("confirmed") + F("evidence") + F("contained"), period)
        column = self.value if self.by == "outcome" else self.by or "total"
        return _counts(Day.objects.all(), F(column), period)


def _counts(rows: QuerySet[Any], count: Any, period: Period) -> list[tuple[date, int]]:
    found = rows.filter(day__range=(period.first, period.last)).annotate(n=count).filter(n__gt=0)
    return list(found.order_by("-day").values_list("day", "n"))


@dataclass(frozen=True, slots=True)
class Page:
    """`older`: where the next page begins; "" at the end. `counted`: how many the day tables know of."""

    rows: list[ConversationFact]
    older: str
    counted: int


def page(period: Period, narrowed: Narrowed, before: str = "") -> Page:
    """Newest first. `before` is a page's `older`. Two queries."""
    by_day = narrowed.counts(period)
    cursor = _cursor(before)
    days = [(day, count) for day, count in by_day if cursor is None or day <= cursor[0].date()]
    enough = _enough(days)
    rows = ConversationFact.objects.filter(narrowed.query(), day__in=enough)
    rows = rows.select_related("conversation", "customer").order_by("-day", "-started_at", "-conversation_id")
    if cursor:
        at, known = cursor
        rows = rows.filter(Q(started_at__lt=at) | Q(started_at=at, conversation_id__lt=known))
    found = list(rows[: PAGE + 1])
    older = ""
    if len(found) > PAGE or (found and len(enough) < len(days)):
        last = found[:PAGE][-1]
        older = f"{last.started_at.isoformat()}_{last.conversation_id}"
    return Page(found[:PAGE], older, sum(count for _, count in by_day))


def _enough(days: list[tuple[date, int]]) -> list[date]:
    """The newest days that fill a page, and one more for the day in which the page before ended."""
    found, total = [], 0
    for place, (day, count) in enumerate(days):
        found.append(day)
        total += count if place else 0
        if total > PAGE:
            break
    return found


def _cursor(text: str) -> tuple[datetime, UUID] | None:
    at, _, known = text.partition("_")
    try:
        moment, identity = parse_datetime(at), parse_uuid(known)
    except ValueError:
        return None
    return (moment, identity) if moment and moment.tzinfo and identity else None
