"""What staff do to somebody's budget: grants, resets, exemptions. Each is a row that stays, with who and why.

`customer_id` None is the deployment. Each takes an optional `id`: with the id of an earlier one, that one is returned
and nothing is written, so a request that is sent again does nothing twice. Where that one was something else, the
request is refused (KeyReused).
"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.utils import timezone

from agents.spending import limits, periods
from agents.spending.models import BudgetChange, Period
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)

REASON_LIMIT = 300
MOST_MICROS = 10**15
"""A billion dollars: beyond it, it is a slip."""


class MissingReason(ServiceError):
    code, message = "missing_reason", "Say why: it is kept with the change."


class ImpossibleAmount(ServiceError):
    code, message = "impossible_amount", "The amount has to be more than nothing, and at most $1,000,000,000."


class UnknownPeriod(ServiceError):
    code, message = "unknown_period", "The period is day or week."


class EndsInThePast(ServiceError):
    code, message = (
        "ends_in_the_past",
        "The exemption would be over already. Choose a time that is still to come.",
    )


class KeyReused(ServiceError):
    code, status = "key_reused", 409
    message = "This key was used for another change before. Nothing was changed now: take a new key."


def grant(
    *, customer_id: UUID | None, period: str, micros: int, reason: str, by_name: str, id: UUID | None = None
) -> BudgetChange:
    """`micros` more, in the period that is now. Raises ImpossibleAmount, UnknownPeriod, MissingReason."""
    if not 0 < micros <= MOST_MICROS:
        raise ImpossibleAmount()
    start = periods.begins(_checked_period(period))
    return _write(
        BudgetChange.Kind.GRANT,
        customer_id,
        reason,
        by_name,
        id,
        period=period,
        period_start=start,
        micros=micros,
    )


def reset(
    *, customer_id: UUID | None, period: str, reason: str, by_name: str, id: UUID | None = None
) -> BudgetChange:
    """What was spent until now does not count in the period that is now. Raises UnknownPeriod, MissingReason."""
    start = periods.begins(_checked_period(period))
    spent = limits.spent_in_period(customer_id, period)
    return _write(
        BudgetChange.Kind.RESET,
        customer_id,
        reason,
        by_name,
        id,
        period=period,
        period_start=start,
        micros=spent,
    )


def exempt(
    *, customer_id: UUID | None, until: datetime | None, reason: str, by_name: str, id: UUID | None = None
) -> BudgetChange:
    """No limit until then (None: for good). Raises EndsInThePast, MissingReason."""
    if until is not None and until <= timezone.now():
        raise EndsInThePast()
    return _write(BudgetChange.Kind.EXEMPT, customer_id, reason, by_name, id, until=until)


def end_exemption(
    *, customer_id: UUID | None, reason: str, by_name: str, id: UUID | None = None
) -> BudgetChange:
    """Limits count again. Raises MissingReason."""
    return _write(BudgetChange.Kind.END_EXEMPT, customer_id, reason, by_name, id)


def _checked_period(period: str) -> str:
    if period not in Period.values:
        raise UnknownPeriod()
    return period


def _write(
    kind: str, customer_id: UUID | None, reason: str, by_name: str, id: UUID | None, **fields: Any
) -> BudgetChange:
    text = storable(reason).strip()
    if not text:
        raise MissingReason()
    wanted = {"kind": kind, "customer_id": customer_id, "reason": text[:REASON_LIMIT], **fields}
    row, made = BudgetChange.objects.get_or_create(
        pk=id or uuid4(), defaults={**wanted, "by_name": by_name[:150]}
    )
    if made:
        whose = ("chat.customer", customer_id) if customer_id else ("agents.budget", "deployment")
        told = {name: value for name, value in wanted.items() if name != "customer_id"}
        audit.changed(*whose, after=told | {"change": row.pk})
        log.info("budget_changed", kind=kind, customer_id=str(customer_id or ""), by_name=by_name)
    elif any(getattr(row, name) != value for name, value in wanted.items() if not _moves(kind, name)):
        raise KeyReused()
    return row


def _moves(kind: str, field: str) -> bool:
    """What differs between a request and the same one sent again later: the period, and what was spent so far."""
    return field == "period_start" or (kind == BudgetChange.Kind.RESET and field == "micros")
