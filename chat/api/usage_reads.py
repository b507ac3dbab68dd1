"""What customers have cost, for the usage routes: each page in a constant number of queries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, Sum

from agents.spending import periods
from agents.spending.limits import Standing, standings
from agents.spending.models import ModelCall, Period, SpendTotal
from chat.api import usage_shapes as shapes
from chat.models import Customer
from smartsupport.lib.rest import one_page


def deployment() -> dict[str, Any]:
    today, week = periods.begins(Period.DAY), periods.begins(Period.WEEK)
    totals = SpendTotal.objects.filter(day__gte=week)
    summed = totals.aggregate(
        week=Sum("micros"), today=Sum("micros", filter=Q(day=today)), unknown=Sum("unknown")
    )
    return {
        "spent_today_usd": shapes.dollars(summed["today"] or 0),
        "spent_week_usd": shapes.dollars(summed["week"] or 0),
        "unknown_calls_week": summed["unknown"] or 0,
        "limits": [shapes.limit(one) for one in standings()],
    }


def page(query: dict[str, Any]) -> dict[str, Any]:
    """Those for whom a model was called this week, dearest first, with their limits."""
    rows = _week().values("customer_id").annotate(spent=Sum("cost_micros", default=0))
    found, counts = one_page(rows.order_by("-spent", "customer_id"), query)
    return {"customers": told([row["customer_id"] for row in found]), **counts}


def told(ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """These customers with what they cost and their limits, in this order. Three queries."""
    today, week = _start(Period.DAY), _start(Period.WEEK)
    calls = ModelCall.objects.filter(customer_id__in=ids, at__gte=week).order_by().values("customer_id")
    spent = {
        row["customer_id"]: (row["today"] or 0, row["week"] or 0)
        for row in calls.annotate(week=Sum("cost_micros"), today=Sum("cost_micros", filter=Q(at__gte=today)))
    }
    known = Customer.objects.in_bulk(list(ids))
    limits: dict[UUID | None, list[Standing]] = {}
    for standing in standings(ids, deployment=False):
        limits.setdefault(standing.customer_id, []).append(standing)
    return [
        {
            "id": one,
            "customer": known[one].subject,
            "name": known[one].name,
            "spent_today_usd": shapes.dollars(spent.get(one, (0, 0))[0]),
            "spent_week_usd": shapes.dollars(spent.get(one, (0, 0))[1]),
            "limits": [shapes.limit(standing) for standing in limits.get(one, ())],
        }
        for one in ids
        if one in known
    ]


def _start(period: str) -> datetime:
    return periods.midnight(periods.begins(period))


def _week() -> Any:
    return ModelCall.objects.filter(at__gte=_start(Period.WEEK), customer_id__isnull=False).order_by()
