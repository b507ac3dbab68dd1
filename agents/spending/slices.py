"""Finished days of the ledger, summed up: what the pages read of days that are over."""

from datetime import date, timedelta

import structlog
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from agents.spending import periods
from agents.spending.models import Period, SpendSlice, SpendTotal
from smartsupport.lib.locks import one_at_a_time

log = structlog.get_logger(__name__)

SETTLED = timedelta(minutes=10)
"""How long after midnight the last calls of a day are surely in: what writes them has ended by then."""
DAYS_AT_ONCE = 30

_SUM_UP = """
INSERT INTO agents_spendslice (day, provider, model, agent, purpose, calls, unknown, micros, tokens_in, tokens_out)
SELECT %(day)s, provider, model, agent, purpose, count(*), count(*) FILTER (WHERE cost_micros IS NULL),
    COALESCE(sum(cost_micros), 0), COALESCE(sum(tokens_in), 0), COALESCE(sum(tokens_out), 0)
FROM agents_modelcall WHERE at >= %(from)s AND at < %(to)s
GROUP BY provider, model, agent, purpose
"""


def sum_up() -> int:
    """Sum up the finished days that are not, or that do not agree with the day's total; how many."""
    before = periods.begins(Period.DAY, timezone.now() - SETTLED)
    wanted = {day: (calls, micros) for day, calls, micros in _by_day(SpendTotal, before)}
    found = {day: (calls, micros) for day, calls, micros in _by_day(SpendSlice, before)}
    days = sorted((day for day in wanted if wanted[day] != found.get(day)), reverse=True)
    for day in days[:DAYS_AT_ONCE]:
        _sum_up(day)
    return len(days[:DAYS_AT_ONCE])


def _by_day(model: type[SpendTotal] | type[SpendSlice], before: date) -> list[tuple[date, int, int]]:
    rows = model._default_manager.filter(day__lt=before).order_by().values("day")
    return list(rows.annotate(c=Sum("calls"), m=Sum("micros")).values_list("day", "c", "m"))


@transaction.atomic
def _sum_up(day: date) -> None:
    one_at_a_time(f"spend slices {day}")
    SpendSlice.objects.filter(day=day).delete()
    values = {"day": day, "from": periods.midnight(day), "to": periods.midnight(day + timedelta(days=1))}
    with connection.cursor() as cursor:
        cursor.execute(_SUM_UP, values)
    log.info("spending_summed_up", day=str(day))
