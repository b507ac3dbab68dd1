"""Numbers of a period, from the day tables: what the API, the console's page and its home page show. Only reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from analytics import definitions, histogram, rollups
from analytics.definitions import METRICS, Outcome, Totals
from analytics.models import Day, DayAgent, DayTool
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
    """Everything about a period. `days` has a row for each of its days, also for empty ones."""

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
    """Two queries, of at most 365 small rows."""
    period = period_of(days, now)
    by_day = totals_by_day(period)
    whole = summed(by_day)
    return Headline(
        total=whole.total,
        resolution_rate=definitions.resolution_rate(whole),
        escalation_rate=definitions.escalation_rate(whole),
        first_response_p95_ms=definitions.first_response_p95(whole),
        days=[
            (day, one.total, definitions.resolution_rate(one), definitions.escalation_rate(one))
            for day, one in by_day
        ],
        as_of=rollups.complete(),
    )


def report(period: Period, *, by_day: list[tuple[date, Totals]] | None = None) -> Report:
    """Five queries, all of small tables but for the newest conversations. `by_day`: where they were read already."""
    by_day = by_day or totals_by_day(period)
    totals = summed(by_day)
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


def totals_by_day(period: Period) -> list[tuple[date, Totals]]:
    """One query. Days on which no conversation began are empty totals."""
    rows = {row.day: row for row in Day.objects.filter(day__range=(period.first, period.last))}
    found = []
    for day in period.each():
        totals = Totals()
        if day in rows:
            totals.add(rows[day])
        found.append((day, totals))
    return found


def totals_of(period: Period) -> Totals:
    return summed(totals_by_day(period))


def summed(by_day: list[tuple[date, Totals]]) -> Totals:
    whole = Totals()
    for _, one in by_day:
        if one.total:
            whole.add(one)
    return whole


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
    """Those with the most calls first."""
    rows = DayTool.objects.filter(day__range=(period.first, period.last))
    sums: dict[str, list[int]] = {}
    durations: dict[str, list[Mapping[str, int]]] = {}
    for tool, calls, failures, own in rows.values_list("tool", "calls", "failures", "durations"):
        known = sums.setdefault(tool, [0, 0])
        known[0] += calls
        known[1] += failures
        durations.setdefault(tool, []).append(own)
    found = [
        ToolUse(
            tool=tool,
            calls=calls,
            failures=failures,
            failure_rate=definitions.tool_failure_rate(failures, calls),
            p95_ms=definitions.tool_p95(histogram.added(durations[tool])),
        )
        for tool, (calls, failures) in sums.items()
    ]
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
