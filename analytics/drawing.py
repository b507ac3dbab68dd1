"""What the console's page of analytics shows of a report: cards, the bar of outcomes, lines by day. Rows for a
template."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from analytics import summary, words
from analytics.definitions import (
    METRICS,
    Metric,
    Outcome,
    Totals,
    escalation_rate,
    meaning_of,
    resolution_rate,
)
from analytics.summary import Report
from smartsupport.lib.console import money

GROUPS = {
    "Outcome": ("total_conversations", "resolution_rate", "escalation_rate", "containment_rate"),
    "Speed": (
        "first_response_median",
        "first_response_p95",
        "person_response_median",
        "person_response_p95",
        "resolution_time_median",
        "resolution_time_p95",
        "avg_turns",
    ),
    "Cost": ("cost_per_conversation", "cost_per_resolution"),
    "Approvals": ("approvals", "approvals_approved", "approval_wait_median"),
    "Satisfaction": ("satisfaction", "average_score", "feedback_response_rate"),
}
LISTS: dict[str, dict[str, str]] = {
    "total_conversations": {},
    "resolution_rate": {"outcome": "resolved"},
    "escalation_rate": {"with_person": "1"},
    "containment_rate": {"without_person": "1"},
}
"""The metrics that count conversations, and what their list is narrowed to."""
Days = list[tuple[date, int, float, float]]
"""As `summary.Headline.days`."""
RESOLVED_LINE, ESCALATED_LINE = "var(--color-primary-500)", "#d97706"


@dataclass(frozen=True, slots=True)
class Card:
    """A number, what it was in the period before, what it means, and the list that it counts ("" where it counts
    none)."""

    metric: Metric
    value: str
    before: str
    change: str
    note: str
    link: str


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the bar of outcomes. `start` and `width` are hundredths of the bar."""

    outcome: Outcome
    count: int
    share: str
    start: str
    width: str
    meaning: str
    link: str


def list_link(days: int, **narrowed: Any) -> str:
    """The list of the conversations that a number counts."""
    query = urlencode({"range": f"{days}d", **{name: str(value) for name, value in narrowed.items()}})
    return f"{reverse('analytics-conversations')}?{query}"


def groups(report: Report, before: Totals, *, links: bool) -> dict[str, list[Card]]:
    """The cards under their headings. `links`: this person may see conversations."""
    return {
        title: [_card(METRICS[name], report, before, links) for name in names]
        for title, names in GROUPS.items()
    }


def _card(metric: Metric, report: Report, before: Totals, links: bool) -> Card:
    now, then = metric.of(report.totals), metric.of(before)
    listed = links and metric.name in LISTS and report.totals.total
    return Card(
        metric=metric,
        value=words.written(now, metric.unit),
        before=words.written(then, metric.unit) if before.total else "",
        change=words.difference(now, then, metric.unit) if before.total else "",
        note=_note(metric.name, report.totals),
        link=list_link(report.period.days, **LISTS[metric.name]) if listed else "",
    )


def _note(name: str, totals: Totals) -> str:
    if name == "cost_per_conversation" and totals.unpriced_calls:
        return f"Without {totals.unpriced_calls:,} calls whose cost nobody knows."
    if name == "approvals":
        return (
            f"{totals.rejected:,} declined, {totals.expired:,} expired, {totals.cancelled:,} cancelled, "
            f"{totals.awaiting:,} waiting."
        )
    if name == "satisfaction":
        return f"{totals.scored:,} scores."
    return ""


def slices(report: Report, *, links: bool) -> list[Slice]:
    """The partition, in its order; the shares add up to 100 %."""
    days, found, start = report.period.days, [], 0.0
    for one, share in summary.shares(report.totals, steps=1_000).items():
        count = getattr(report.totals, one.value)
        found.append(
            Slice(
                outcome=one,
                count=count,
                share=f"{share * 100:.1f} %",
                start=f"{start * 100:.1f}",
                width=f"{share * 100:.1f}",
                meaning=meaning_of(one),
                link=list_link(days, outcome=one.value) if links and count else "",
            )
        )
        start += share
    return found


def rates_chart(report: Report) -> str:
    """Chart.js data: resolution and escalation by day, in percent; a gap on days without conversations."""
    return json.dumps(
        {
            "labels": [_short(day) for day, _ in report.days],
            "datasets": [
                _line(
                    "Resolution", RESOLVED_LINE, [_percent(resolution_rate, one) for _, one in report.days]
                ),
                _line(
                    "Escalation", ESCALATED_LINE, [_percent(escalation_rate, one) for _, one in report.days]
                ),
            ],
        }
    )


def small_rates(days: Days) -> str:
    """The same for the home page, from a headline's days."""
    return json.dumps(
        {
            "labels": [_short(day) for day, *_ in days],
            "datasets": [
                _line("Resolution", RESOLVED_LINE, [_hundredths(one, rate) for _, one, rate, _ in days]),
                _line("Escalation", ESCALATED_LINE, [_hundredths(one, rate) for _, one, _, rate in days]),
            ],
        }
    )


def small_rows(days: Days) -> list[list[str]]:
    """The rows of the home page's table beside its chart, newest first, without empty days."""
    return [
        [f"{day.day} {day:%b %Y}", f"{total:,}", words.percent(resolution), words.percent(escalation)]
        for day, total, resolution, escalation in reversed(days)
        if total
    ]


def _hundredths(total: int, rate: float) -> float | None:
    return round(rate * 100, 1) if total else None


def conversations_chart(report: Report) -> str:
    """Chart.js data: conversations by day."""
    counts = [one.total for _, one in report.days]
    own = {"label": "Conversations", "data": counts, "backgroundColor": RESOLVED_LINE, "borderRadius": 2}
    dataset = {**own, "displayYAxis": True, "maxTicksXLimit": 8, "maxBarThickness": 40}
    return json.dumps({"labels": [_short(day) for day, _ in report.days], "datasets": [dataset]})


def _line(label: str, colour: str, values: list[float | None]) -> dict[str, Any]:
    look = {"borderColor": colour, "backgroundColor": colour, "tension": 0, "spanGaps": True}
    axis = {"displayYAxis": True, "suffixYAxis": "%", "maxTicksXLimit": 8}
    dot = {"pointStyle": "circle", "pointRadius": 3} if len(values) <= 31 else {}
    return {"label": label, "data": values, **look, **axis, **dot}


def _percent(rate: Any, totals: Totals) -> float | None:
    return round(rate(totals) * 100, 1) if totals.total else None


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"


def day_rows(report: Report) -> list[list[str]]:
    """The rows of the table beside the charts, newest first."""
    return [
        [
            f"{day.day} {day:%b %Y}",
            f"{one.total:,}",
            words.percent(resolution_rate(one)) if one.total else words.NOTHING,
            words.percent(escalation_rate(one)) if one.total else words.NOTHING,
        ]
        for day, one in reversed(report.days)
    ]


def agent_rows(report: Report, *, links: bool) -> list[dict[str, str]]:
    return [
        {
            "name": one.agent,
            "conversations": f"{one.conversations:,}",
            "share": words.percent(one.share),
            "resolved": words.percent(one.resolved / one.conversations),
            "with_person": words.percent(one.with_person / one.conversations),
            "cost": money(one.cost_micros),
            "link": list_link(report.period.days, agent=one.agent) if links else "",
        }
        for one in report.agents
    ]


def tool_rows(report: Report, *, links: bool) -> list[dict[str, str]]:
    return [
        {
            "name": one.tool,
            "calls": f"{one.calls:,}",
            "failures": f"{one.failures:,}",
            "rate": words.percent(one.failure_rate),
            "p95": words.written(one.p95_ms, "ms"),
            "link": list_link(report.period.days, tool=one.tool) if links else "",
        }
        for one in report.tools
    ]
