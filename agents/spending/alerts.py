"""Tells when a budget has reached 80 and 100 percent: once in each of its periods.

The jobs look for it. `budget_reached` is sent in the transaction that writes the alert, so that whoever tells other
systems can write that down in the same one.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.dispatch import Signal
from django.utils import timezone

from agents.spending import periods
from agents.spending.limits import Standing, standings
from agents.spending.models import Budget, BudgetAlert, ModelCall, Period

log = structlog.get_logger(__name__)

PERCENTS = (80, 100)
RECENT = timedelta(minutes=15)
AT_ONCE = 500

budget_reached = Signal()
"""A budget has reached a percentage. Arguments: `alert` (BudgetAlert), `standing` (Standing). In the transaction."""

_INSERT = """
INSERT INTO agents_budgetalert (budget_id, customer_id, period_start, percent, spent_micros, limit_micros, at)
SELECT budget.id, %(customer)s, %(start)s, %(percent)s, %(spent)s, %(limit)s, %(now)s
FROM agents_budget AS budget
WHERE budget.id = %(budget)s
  AND (%(customer)s::uuid IS NULL OR EXISTS (SELECT 1 FROM chat_customer WHERE id = %(customer)s FOR KEY SHARE))
FOR KEY SHARE OF budget
ON CONFLICT (budget_id, customer_id, period_start, percent) DO NOTHING RETURNING id
"""
"""No row where the budget or the customer was deleted meanwhile, and neither is until this one is written."""


def look(*, whole_period: bool = False, now: datetime | None = None) -> int:
    """Tell of budgets that have reached a percentage which nobody was told of; how many times. It looks at
    customers for whom a model was called lately, or in the whole week: what was missed while no jobs ran. What a
    period has reached in its last moments, or while no jobs ran, is told in the next one."""
    now = now or timezone.now()
    today = periods.midnight(periods.begins(Period.DAY, now))
    before = today - timedelta(microseconds=1)
    moments = [now, before] if whole_period or now - RECENT < today else [now]
    since = periods.midnight(periods.begins(Period.WEEK, before)) if whole_period else now - RECENT
    told = sum(_tell(standings(at=at)) for at in moments)
    if not Budget.objects.filter(enabled=True).exclude(scope=Budget.Scope.DEPLOYMENT).exists():
        return told
    customers = _customers(since)
    for start in range(0, len(customers), AT_ONCE):
        these = customers[start : start + AT_ONCE]
        told += sum(_tell(standings(these, deployment=False, at=at)) for at in moments)
    return told


def _customers(since: datetime) -> list[UUID]:
    called = ModelCall.objects.filter(at__gte=since, customer_id__isnull=False).order_by()
    return list(called.values_list("customer_id", flat=True).distinct())


def _tell(found: Sequence[Standing]) -> int:
    due = [(one, percent) for one in found for percent in PERCENTS if _has_reached(one, percent)]
    if not due:
        return 0
    budgets = {one.budget_id for one, _ in due}
    of_these = BudgetAlert.objects.filter(
        budget_id__in=budgets, period_start__in={one.period_start for one, _ in due}
    )
    told = set(of_these.values_list("budget_id", "customer_id", "period_start", "percent"))
    # A limit that was set since a period ended was none in it.
    since = dict(Budget.objects.filter(pk__in=budgets).values_list("pk", "updated_at"))
    new = [
        (one, percent)
        for one, percent in due
        if (*_named(one), percent) not in told and since.get(one.budget_id, one.resets_at) < one.resets_at
    ]
    return sum(_tell_once(standing, percent) for standing, percent in new)


def _named(standing: Standing) -> tuple[UUID, UUID | None, date]:
    return standing.budget_id, standing.customer_id, standing.period_start


def _has_reached(standing: Standing, percent: int) -> bool:
    return not standing.exempt and standing.spent * 100 >= standing.limit * percent


@transaction.atomic
def _tell_once(standing: Standing, percent: int) -> bool:
    """Whether it was this one who told."""
    values = {
        "budget": standing.budget_id,
        "customer": standing.customer_id,
        "start": standing.period_start,
        "percent": percent,
        "spent": standing.spent,
        "limit": standing.limit,
        "now": timezone.now(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        row = cursor.fetchone()
    if row is None:
        return False
    alert = BudgetAlert.objects.select_related("budget", "customer").get(pk=row[0])
    budget_reached.send(BudgetAlert, alert=alert, standing=standing)
    log.warning(
        "budget_reached",
        percent=percent,
        scope=standing.scope,
        period=standing.period,
        customer_id=str(standing.customer_id or ""),
        spent_micros=standing.spent,
        limit_micros=standing.limit,
    )
    return True
