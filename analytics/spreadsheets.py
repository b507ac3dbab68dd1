"""Tables as CSV, to be opened in a spreadsheet: no cell of ours is taken for a formula there."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from analytics import definitions, summary
from analytics.definitions import Outcome
from analytics.ranges import Period
from smartsupport.lib.errors import ServiceError

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class UnknownTable(ServiceError):
    code, status, message = "invalid_table", 400, "What to export must be one of: days, agents, tools."


def written(rows: Iterable[Sequence[Any]]) -> str:
    """RFC 4180. Text that a spreadsheet would take for a formula begins with an apostrophe; None is an empty cell."""
    text = io.StringIO()
    lines = csv.writer(text)
    for row in rows:
        lines.writerow([_defused(cell) for cell in row])
    return text.getvalue()


def _defused(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULAS) else cell


def table(what: str, period: Period) -> str:
    """The table `what` ("days", "agents", "tools") of the period as CSV, with a line of headings. Money is in
    dollars, durations in milliseconds, rates 0 to 1. Raises UnknownTable."""
    if what not in TABLES:
        raise UnknownTable()
    return written(TABLES[what](period))


def _dollars(micros: int) -> str:
    return f"{micros / 1_000_000:.6f}"


def _days(period: Period) -> list[list[Any]]:
    outcomes = [one.value for one in Outcome]
    rows: list[list[Any]] = [
        [
            *("day", "conversations", *outcomes, "resolution_rate", "escalation_rate", "containment_rate"),
            *("first_response_p95_ms", "person_response_p95_ms", "time_to_resolution_median_ms", "turns"),
            *("cost_usd", "calls_without_cost", "approvals", "approved", "rejected", "expired", "cancelled"),
            *("waiting", "feedback_asked", "feedback_answered", "scored", "scored_4_or_5"),
        ]
    ]
    for day, totals in summary.totals_by_day(period, waits=True):
        rows.append(
            [
                *(day.isoformat(), totals.total, *(getattr(totals, one) for one in outcomes)),
                *(
                    round(definitions.resolution_rate(totals), 4),
                    round(definitions.escalation_rate(totals), 4),
                ),
                *(round(definitions.containment_rate(totals), 4), definitions.first_response_p95(totals)),
                *(definitions.person_response_p95(totals), definitions.resolution_time_median(totals)),
                *(totals.turns, _dollars(totals.cost_micros), totals.unpriced_calls, totals.approvals),
                *(totals.approved, totals.rejected, totals.expired, totals.cancelled, totals.awaiting),
                *(totals.asked, totals.answered, totals.scored, totals.good),
            ]
        )
    return rows


def _agents(period: Period) -> list[list[Any]]:
    rows: list[list[Any]] = [["agent", "conversations", "share", "resolved", "with_a_person", "cost_usd"]]
    for one in summary.agents(period, summary.summed(summary.totals_by_day(period))):
        cost = _dollars(one.cost_micros)
        rows.append([one.agent, one.conversations, round(one.share, 4), one.resolved, one.with_person, cost])
    return rows


def _tools(period: Period) -> list[list[Any]]:
    rows: list[list[Any]] = [["tool", "calls", "failures", "failure_rate", "p95_ms"]]
    for one in summary.tools(period):
        rows.append([one.tool, one.calls, one.failures, round(one.failure_rate, 4), one.p95_ms])
    return rows


TABLES: dict[str, Callable[[Period], list[list[Any]]]] = {"days": _days, "agents": _agents, "tools": _tools}
