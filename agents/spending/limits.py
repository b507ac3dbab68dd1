"""Budgets: how much of each is used up, and whether another turn may begin.

The check before a turn is soft: what a turn costs is known when it is over, so the last one may go beyond the limit.
The record is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import ceil
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from agents.spending import periods
from agents.spending.models import ModelCall, Period, SpendTotal
from smartsupport.lib.errors import ServiceError


class UsageLimitReached(ServiceError):
    """`extra` has `resets_at`: when all limits that are used up begin anew (ISO 8601)."""

    code, status, message = "usage_limit_reached", 429, "Usage limit reached"

    @classmethod
    def until(cls, resets_at: datetime) -> "UsageLimitReached":
        refusal = cls(resets_at=resets_at.isoformat())
        # Rounded up: who comes after so many seconds is not too early.
        refusal.retry_after = max(1, ceil((resets_at - timezone.now()).total_seconds()))
        return refusal


TOLD_FROM = 80
"""Percent of their own limit from which on a customer is told how much of it is used."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one budget stands for whom it limits: `customer_id`, or the deployment (None). Amounts in micro-dollars.

    `spent` counts from the last reset on; `spent_in_all` is the whole period's. `limit` includes what was `granted`.
    """

    budget_id: UUID
    customer_id: UUID | None
    scope: str
    period: str
    period_start: date
    resets_at: datetime
    limit: int
    granted: int
    spent: int
    spent_in_all: int
    exempt: bool
    exempt_until: datetime | None

    @property
    def reached(self) -> bool:
        """Whether no other turn may begin."""
        return not self.exempt and self.spent >= self.limit

    @property
    def percent(self) -> float:
        """With one decimal, rounded down: 100 only where nothing is left. More, where the last turn went beyond."""
        return self.spent * 1000 // self.limit / 10


_STANDINGS = """
WITH period(name, day, at, ends) AS (
    VALUES ('day', %(day)s::date, %(day_at)s::timestamptz, %(day_ends)s::timestamptz),
        ('week', %(week)s::date, %(week_at)s::timestamptz, %(week_ends)s::timestamptz)
), limits AS (
    (SELECT DISTINCT ON (who.id, b.period) who.id AS customer, b.id, b.scope, b.period, b.limit_micros
     FROM unnest(%(customers)s::uuid[]) AS who(id)
     JOIN agents_budget b ON b.enabled AND (b.customer_id = who.id OR b.scope = 'each_customer')
     ORDER BY who.id, b.period, b.customer_id IS NULL)
    UNION ALL
    SELECT NULL, b.id, b.scope, b.period, b.limit_micros
    FROM agents_budget b WHERE b.enabled AND b.scope = 'deployment' AND %(deployment)s
)
SELECT limits.customer, limits.id, limits.scope, limits.period, limits.limit_micros, period.day,
    COALESCE(spent.micros, 0)::bigint, COALESCE(granted.micros, 0)::bigint, COALESCE(forgiven.micros, 0)::bigint,
    COALESCE(exempt.kind = 'exempt' AND (exempt.until IS NULL OR exempt.until > %(now)s), false), exempt.until
FROM limits JOIN period ON period.name = limits.period
LEFT JOIN LATERAL (SELECT CASE WHEN limits.customer IS NULL
    THEN (SELECT sum(total.micros) FROM agents_spendtotal total
        WHERE total.day >= period.day AND total.day < (period.ends AT TIME ZONE 'UTC')::date)
    ELSE (SELECT sum(call.cost_micros) FROM agents_modelcall call
          WHERE call.customer_id = limits.customer AND call.at >= period.at AND call.at < period.ends)
    END AS micros) AS spent ON true
LEFT JOIN LATERAL (SELECT sum(c.micros) AS micros FROM agents_budgetchange c
    WHERE (c.customer_id = limits.customer OR c.customer_id IS NULL AND limits.customer IS NULL)
      AND c.kind = 'grant' AND c.period = limits.period AND c.period_start = period.day) AS granted ON true
LEFT JOIN LATERAL (SELECT max(c.micros) AS micros FROM agents_budgetchange c
    WHERE (c.customer_id = limits.customer OR c.customer_id IS NULL AND limits.customer IS NULL)
      AND c.kind = 'reset' AND c.period = limits.period AND c.period_start = period.day) AS forgiven ON true
LEFT JOIN LATERAL (SELECT c.kind, c.until FROM agents_budgetchange c
    WHERE (c.customer_id = limits.customer OR c.customer_id IS NULL AND limits.customer IS NULL)
      AND c.kind IN ('exempt', 'end_exempt') AND c.at < period.ends
    ORDER BY c.at DESC, c.id DESC LIMIT 1) AS exempt ON true
ORDER BY limits.customer, limits.period
"""


def standings(
    customers: Sequence[UUID] = (), *, deployment: bool = True, at: datetime | None = None
) -> list[Standing]:
    """How the budgets of these customers stand, and the deployment's. One statement, however many they are. at: in the
    periods of that moment (default: now); of those that are over, as they stood at their end."""
    now = at or timezone.now()
    day, week = periods.begins(Period.DAY, now), periods.begins(Period.WEEK, now)
    parameters: dict[str, Any] = {
        "customers": list(customers),
        "deployment": deployment,
        "now": now,
        "day": day,
        "day_at": periods.midnight(day),
        "day_ends": periods.ends(Period.DAY, now),
        "week": week,
        "week_at": periods.midnight(week),
        "week_ends": periods.ends(Period.WEEK, now),
    }
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS, parameters)
        rows = cursor.fetchall()
    return [
        Standing(
            customer_id=customer,
            budget_id=budget,
            scope=scope,
            period=period,
            period_start=start,
            resets_at=periods.ends(period, now),
            limit=limit + granted,
            granted=granted,
            spent=max(0, spent - forgiven),
            spent_in_all=spent,
            exempt=exempt,
            exempt_until=until if exempt else None,
        )
        for customer, budget, scope, period, limit, start, spent, granted, forgiven, exempt, until in rows
    ]


def check(customer_id: UUID | None) -> Standing | None:
    """Whether another turn of this customer may begin (None: anything else that asks a model, which the deployment's
    budget alone limits). Raises UsageLimitReached; writes nothing.

    Of the customer's own limits, the one that is used up the most, where that is from 80 percent on.
    """
    found = standings([customer_id] if customer_id else [])
    reached = [standing for standing in found if standing.reached]
    if reached:
        raise UsageLimitReached.until(max(standing.resets_at for standing in reached))
    own = [one for one in found if one.customer_id and not one.exempt and one.percent >= TOLD_FROM]
    return max(own, key=lambda one: one.percent, default=None)


def spent_in_period(customer_id: UUID | None, period: str) -> int:
    """Micro-dollars of all calls for a customer (None: for anybody) in the period that is now."""
    start = periods.begins(period)
    if customer_id is None:
        totals = SpendTotal.objects.filter(day__gte=start)
        return totals.aggregate(spent=Sum("micros"))["spent"] or 0
    calls = ModelCall.objects.filter(customer_id=customer_id, at__gte=periods.midnight(start))
    return calls.aggregate(spent=Sum("cost_micros"))["spent"] or 0
