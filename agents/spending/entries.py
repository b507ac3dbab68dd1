"""Pages of the ledger, newest first, by keyset: the thousandth page costs what the first does."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from agents.spending import periods
from agents.spending.models import ModelCall

PAGE = 50
MOST_DAYS = 31


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls. Between two days (both included), unless it is those of one conversation or one customer, which have
    an index of their own. `exact` maps fields (purpose, cost_source, provider, model, agent) to values."""

    first: date
    last: date
    exact: dict[str, str] = field(default_factory=dict)
    conversation_id: UUID | None = None
    customer_id: UUID | None = None
    before: tuple[datetime, int] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[ModelCall]
    before: tuple[datetime, int] | None
    """What `Wanted.before` is on the next page; None: this is the last one."""


def page(wanted: Wanted) -> Page:
    """At most PAGE calls. One statement."""
    rows = _rows(wanted).select_related("conversation", "customer")
    if wanted.before:
        at, row_id = wanted.before
        rows = rows.filter(at__lte=at).exclude(at=at, id__gte=row_id)
    found = list(rows.order_by("-at", "-id")[: PAGE + 1])
    more = len(found) > PAGE
    found = found[:PAGE]
    return Page(found, (found[-1].at, found[-1].pk) if more else None)


def _rows(wanted: Wanted) -> QuerySet[ModelCall]:
    rows: QuerySet[ModelCall] = ModelCall.objects.filter(**_exact(wanted))
    if wanted.conversation_id:
        return rows.filter(conversation_id=wanted.conversation_id)
    if wanted.customer_id:
        return rows.filter(customer_id=wanted.customer_id)
    until = periods.midnight(wanted.last + timedelta(days=1))
    return rows.filter(at__gte=periods.midnight(wanted.first), at__lt=until)


def _exact(wanted: Wanted) -> dict[str, Any]:
    return {name: value for name, value in wanted.exact.items() if value}
