"""Calls, prices and budgets for the tests of spending."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.spending import ledger, prices
from agents.spending.models import Budget, ModelCall, ModelPrice
from agents.spending.usage import Call, Usage
from tests import rows

MODEL = "gpt-test"


def price(model: str = MODEL, since: datetime | None = None, **dollars: str) -> ModelPrice:
    """A price in dollars for a million tokens, in force for an hour unless told otherwise."""
    wanted = {"input": "1", "output": "10", **dollars}
    begins = since or timezone.now() - timedelta(hours=1)
    return prices.add(prices.NewPrice("openai", model, wanted, begins), by_name="sam")


def call(tokens_in: int | None = 1_000, tokens_out: int | None = 100, **fields: Any) -> Call:
    known = {"purpose": "answer", "provider": "openai", "model": MODEL}
    usage = {name: fields.pop(name) for name in list(fields) if name.startswith(("tokens_", "reported_"))}
    return Call(**{**known, **fields}, usage=Usage(tokens_in, tokens_out, **usage))


def entered(one: Call, **of: Any) -> ModelCall:
    """The row of a call that no event tells of."""
    ledger.record(one, **of)
    return ModelCall.objects.latest("id")


def spent(micros: int, owner: Any = None, *, at: datetime | None = None) -> ModelCall:
    """A call whose provider reported this cost; of a conversation of `owner`."""
    known = owner.conversations.first() or rows.turn(owner).conversation if owner else None
    row = entered(call(reported_micros=micros), conversation_id=known.pk if known else None)
    if at:
        ModelCall.objects.filter(pk=row.pk).update(at=at)
        row.refresh_from_db()
    return row


def budget(
    micros: int, scope: str = "each_customer", period: str = "day", customer: UUID | None = None
) -> Budget:
    return Budget.objects.create(scope=scope, period=period, limit_micros=micros, customer_id=customer)
