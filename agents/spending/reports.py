"""What was spent, by day, model, agent and purpose. Finished days are read from their sums, today from the ledger.

A day whose sums do not agree with its total yet is read from the ledger, too: the parts always add up to the whole."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django.db import connection
from django.db.models import Count, Sum

from agents.spending import periods
from agents.spending.models import ModelCall, ModelPrice, Period, SpendSlice, SpendTotal

PURPOSES = dict(ModelCall.Purpose.choices)


class Slice(NamedTuple):
    day: date
    provider: str
    model: str
    agent: str
    purpose: str
    calls: int
    unknown: int
    micros: int


@dataclass(slots=True)
class Part:
    """One line of a table: `percent` of the whole, and for a model what its filter in the ledger is."""

    name: str
    micros: int = 0
    calls: int = 0
    unknown: int = 0
    percent: float = 0.0
    key: dict[str, str] = field(default_factory=dict)

    @property
    def query(self) -> str:
        """The ledger's filter for it."""
        return urlencode(self.key)

    def add(self, calls: int, unknown: int, micros: int) -> None:
        self.calls, self.unknown, self.micros = (
            self.calls + calls,
            self.unknown + unknown,
            self.micros + micros,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """The last `days` days, today included. `parts` maps model, agent and purpose to their lines, dearest first."""

    days: int
    whole: Part
    by_day: list[Part]
    parts: dict[str, list[Part]]

    @property
    def today(self) -> Part:
        return self.by_day[-1]


_FROM_LEDGER = """
SELECT (at AT TIME ZONE 'UTC')::date AS day, provider, model, agent, purpose, count(*),
    count(*) FILTER (WHERE cost_micros IS NULL), COALESCE(sum(cost_micros), 0)
FROM agents_modelcall WHERE at >= %s AND (at AT TIME ZONE 'UTC')::date = ANY(%s)
GROUP BY day, provider, model, agent, purpose
"""


def report(days: int) -> Report:
    """What was spent in the last `days` days (1: today). Three statements."""
    today = periods.begins(Period.DAY)
    first = today - timedelta(days=days - 1)
    totals = SpendTotal.objects.filter(day__gte=first).order_by().values("day")
    of_day = {
        row["day"]: Part(f"{row['day']:%d %b}", row["m"], row["c"], row["u"])
        for row in totals.annotate(m=Sum("micros"), c=Sum("calls"), u=Sum("unknown"))
    }
    slices = _slices(first, today, of_day)
    all_days = [first + timedelta(days=number) for number in range(days)]
    by_day = [of_day.get(day, Part(f"{day:%d %b}")) for day in all_days]
    whole = Part("Altogether")
    for part in by_day:
        whole.add(part.calls, part.unknown, part.micros)
    names = {"model": _model, "agent": _agent, "purpose": _purpose}
    parts = {what: _parts(slices, name, whole.micros) for what, name in names.items()}
    return Report(days, whole, by_day, parts)


def _slices(first: date, today: date, of_day: dict[date, Part]) -> list[Slice]:
    rows = SpendSlice.objects.filter(day__gte=first, day__lt=today).order_by()
    summed = [Slice(*row) for row in rows.values_list(*Slice._fields)]
    found: dict[date, Part] = defaultdict(lambda: Part(""))
    for one in summed:
        found[one.day].add(one.calls, one.unknown, one.micros)
    agree = {
        day
        for day, part in of_day.items()
        if day != today and (part.calls, part.micros) == (found[day].calls, found[day].micros)
    }
    missing = sorted(of_day.keys() - agree)
    kept = [one for one in summed if one.day in agree]
    return kept + _from_ledger(missing) if missing else kept


def _from_ledger(days: list[date]) -> list[Slice]:
    with connection.cursor() as cursor:
        cursor.execute(_FROM_LEDGER, [periods.midnight(days[0]), days])
        return [Slice._make([*row[:7], int(row[7])]) for row in cursor.fetchall()]


def _model(one: Slice) -> tuple[str, dict[str, str]]:
    return f"{one.model or 'unnamed'} ({one.provider})", {"provider": one.provider, "model": one.model}


def _agent(one: Slice) -> tuple[str, dict[str, str]]:
    return one.agent.replace("_", " ") or "No agent", {"agent": one.agent} if one.agent else {}


def _purpose(one: Slice) -> tuple[str, dict[str, str]]:
    return PURPOSES.get(one.purpose, one.purpose), {"purpose": one.purpose}


def _parts(slices: Iterable[Slice], name: Any, whole: int) -> list[Part]:
    parts: dict[str, Part] = {}
    for one in slices:
        title, key = name(one)
        part = parts.setdefault(title, Part(title, key=key))
        part.add(one.calls, one.unknown, one.micros)
    for part in parts.values():
        part.percent = round(part.micros * 100 / whole, 1) if whole else 0.0
    return sorted(parts.values(), key=lambda part: (-part.micros, -part.calls, part.name))


class Unpriced(NamedTuple):
    """Calls of a model whose cost nobody knows. `has_price`: a price is in force by now, for the calls to come."""

    provider: str
    model: str
    calls: int
    has_price: bool


def unpriced(found: Report) -> list[Unpriced]:
    """The models with calls of unknown cost in a report."""
    lines = [part for part in found.parts["model"] if part.unknown]
    if not lines:
        return []
    known = set(ModelPrice.objects.values_list("provider", "model"))
    return [
        Unpriced(part.key["provider"], part.key["model"], part.unknown, tuple(part.key.values()) in known)
        for part in lines
    ]


def dearest_customers_today(limit: int = 10) -> list[tuple[UUID, int, int]]:
    """(customer, micro-dollars, calls) of those who have cost most since midnight."""
    since = periods.midnight(periods.begins(Period.DAY))
    rows = ModelCall.objects.filter(at__gte=since, customer_id__isnull=False).order_by().values("customer_id")
    summed = rows.annotate(m=Sum("cost_micros"), c=Count("id")).filter(m__gt=0).order_by("-m", "customer_id")
    return list(summed.values_list("customer_id", "m", "c")[:limit])
