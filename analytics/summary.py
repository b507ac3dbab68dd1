"""Numbers of a period, from the day tables: what the API, the console's page and its home page show. Only reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from analytics import definitions, histogram, rollups
from analytics.definitions import HISTOGRAMS, METRICS, NUMBERS, Outcome, Totals
from analytics.models import Day, DayAgent, DayTool, Month, MonthTool
from analytics.ranges import Period


@dataclass(frozen=True, slots=True)
class AgentUse:
    """`share`: of all conversations of the period, 0 to 1."""

    agent: str
    conversations: int
    share: float
    resolved: int
    with_person: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class ToolUse:
    tool: str
    calls: int
    failures: int
    failure_rate: float
    p95_ms: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about a period. `days` has the numbers of each of its days, also of empty ones; no histograms."""

    period: Period
    totals: Totals
    days: list[tuple[date, Totals]]
    agents: list[AgentUse]
    tools: list[ToolUse]
    as_of: datetime | None
    pending: int

    def value(self, metric: str) -> Any:
        return METRICS[metric].of(self.totals)


@dataclass(frozen=True, slots=True)
class Headline:
    """What the home page shows of a period. Rates are 0 to 1; `days`: (day, conversations, resolution, escalation)."""

    total: int
    resolution_rate: float
    escalation_rate: float
    first_response_p95_ms: int | None
    days: list[tuple[date, int, float, float]]
    as_of: datetime | None


def period_of(days: int, now: datetime | None = None) -> Period:
    return Period.up_to((now or timezone.now()).astimezone(UTC), days)


def headline(days: int, *, now: datetime | None = None) -> Headline:
    """Four queries of a few hundred small rows."""
    period = period_of(days, now)
    by_day = totals_by_day(period)
    whole = summed(by_day)
    waits = histograms(period, ("first_answers",))["first_answers"]
    return Headline(
        total=whole.total,
        resolution_rate=definitions.resolution_rate(whole),
        escalation_rate=definitions.escalation_rate(whole),
        first_response_p95_ms=histogram.percentile(waits, 95),
        days=[
            (day, one.total, definitions.resolution_rate(one), definitions.escalation_rate(one))
            for day, one in by_day
        ],
        as_of=rollups.complete(),
    )


def report(period: Period, *, by_day: list[tuple[date, Totals]] | None = None) -> Report:
    """Eight queries, all of small tables but for the newest conversations. `by_day`: where they were read already."""
    by_day = by_day or totals_by_day(period)
    totals = totals_of(period, by_day)
    complete = rollups.complete()
    return Report(
        period=period,
        totals=totals,
        days=by_day,
        agents=agents(period, totals),
        tools=tools(period),
        as_of=complete,
        pending=rollups.pending(since=complete),
    )


def totals_by_day(period: Period, *, waits: bool = False) -> list[tuple[date, Totals]]:
    """One query. Days on which no conversation began are empty totals. Histograms only with `waits`."""
    names = (*NUMBERS, *(HISTOGRAMS if waits else ()))
    rows = Day.objects.filter(day__range=(period.first, period.last)).values_list("day", *names)
    known = {day: Totals(**dict(zip(names, values, strict=True))) for day, *values in rows}
    return [(day, known.get(day) or Totals()) for day in period.each()]


def totals_of(period: Period, by_day: list[tuple[date, Totals]] | None = None) -> Totals:
    """The whole period, histograms included. Two queries, and one where `by_day` was not read already."""
    whole = summed(by_day or totals_by_day(period))
    for name, counts in histograms(period, HISTOGRAMS).items():
        setattr(whole, name, counts)
    return whole


def summed(by_day: list[tuple[date, Totals]]) -> Totals:
    """The numbers of these days; no histograms."""
    own = [one for _, one in by_day if one.total]
    return Totals(**{name: sum(getattr(one, name) for one in own) for name in NUMBERS})


def histograms(period: Period, names: Sequence[str]) -> dict[str, histogram.Histogram]:
    """From whole months as far as there are any, and the days around them. Two queries."""
    months, days = period.parts()
    rows = [
        *Month.objects.filter(month__in=months).values_list(*names),
        *Day.objects.filter(day__in=days).values_list(*names),
    ]
    return {name: histogram.added(row[place] for row in rows) for place, name in enumerate(names)}


def agents(period: Period, totals: Totals) -> list[AgentUse]:
    """Those with the most conversations first."""
    rows = DayAgent.objects.filter(day__range=(period.first, period.last)).values("agent").order_by("agent")
    sums = rows.annotate(
        own=Sum("conversations"), solved=Sum("resolved"), people=Sum("with_person"), cost=Sum("cost_micros")
    )
    found = [
        AgentUse(
            agent=row["agent"],
            conversations=row["own"],
            share=definitions.agent_share(row["own"], totals),
            resolved=row["solved"],
            with_person=row["people"],
            cost_micros=row["cost"],
        )
        for row in sums
    ]
    return sorted(found, key=lambda one: (-one.conversations, one.agent))


def tools(period: Period) -> list[ToolUse]:
    """Those with the most calls first. Two queries: of whole months, and of the days around them."""
    months, days = period.parts()
    columns = ("tool", "calls", "failures", "durations")
    rows = [
        *MonthTool.objects.filter(month__in=months).values_list(*columns),
        *DayTool.objects.filter(day__in=days).values_list(*columns),
    ]
    own: dict[str, list[tuple[int, int, Mapping[str, int]]]] = {}
    for tool, calls, failures, durations in rows:
        own.setdefault(tool, []).append((calls, failures, durations))
    found = []
    for tool, spans in own.items():
        calls, failures = sum(span[0] for span in spans), sum(span[1] for span in spans)
        rate, p95 = definitions.tool_failure_rate(failures, calls), histogram.added(span[2] for span in spans)
        found.append(ToolUse(tool, calls, failures, rate, definitions.tool_p95(p95)))
    return sorted(found, key=lambda one: (-one.calls, one.tool))


def shares(totals: Totals, *, steps: int = 10_000) -> dict[Outcome, float]:
    """The partition in shares of 1/`steps` that add up to exactly 1: what rounding leaves over goes to the largest
    remainders. All 0 where there is no conversation."""
    if not totals.total:
        return dict.fromkeys(Outcome, 0.0)
    counts = {one: getattr(totals, one.value) for one in Outcome}
    parts = {one: count * steps // totals.total for one, count in counts.items()}
    by_remainder = sorted(Outcome, key=lambda one: -(counts[one] * steps % totals.total))
    for one in by_remainder[: steps - sum(parts.values())]:
        parts[one] += 1
    return {one: part / steps for one, part in parts.items()}
