"""The price list. A price is a row that counts from a moment on; the past keeps the price that it was charged with."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import structlog
import yaml
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from agents.providers.catalogue import PROVIDERS
from agents.spending.models import ModelPrice
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.locks import one_at_a_time

log = structlog.get_logger(__name__)

LIST = Path(__file__).with_name("list_prices.yaml")
KINDS = ("input", "cached_input", "cache_write", "output", "reasoning")
REQUIRED = ("input", "output")
PATIENCE_SECONDS = 3
_DOLLARS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_NAME = re.compile(r"[!-~]{1,120}", re.ASCII)


class BadPrice(ServiceError):
    """`extra["fields"]`: {field: what is wrong with it}."""

    code, message = "bad_price", "This price cannot be taken."


class PastIsCharged(ServiceError):
    code, status = "past_is_charged", 409
    message = (
        "This model was called in that time, and what was charged stays. Let the price begin now or later."
    )


class CallsAreWritten(ServiceError):
    code, status = "calls_are_written", 409
    message = "Calls are being written just now, and nothing was changed. Try again in a moment."


class PriceExists(ServiceError):
    code, status = "price_exists", 409
    message = "This model has a price from that very moment already. Choose another one."


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price in dollars for a million tokens, as it was written: {kind: "0.75"}; kinds left out cost what their parent
    does. `effective_from` None: from now on."""

    provider: str
    model: str
    dollars: dict[str, str]
    effective_from: datetime | None = None


def micros_of(text: str) -> int:
    """Micro-dollars of a decimal number of dollars in plain ASCII digits: `0.075` is 75,000. Raises ValueError for
    anything else (a sign, an exponent, `NaN`, digits of other scripts, more than six decimals)."""
    if not _DOLLARS.fullmatch(text):
        raise ValueError("Not an amount of dollars like 0.75.")
    return int(Decimal(text) * 1_000_000)


_INSERT = """
INSERT INTO agents_modelprice (id, provider, model, effective_from, input_micros, cached_input_micros,
    cache_write_micros, output_micros, reasoning_micros, created_by, created_at)
SELECT %(id)s, %(provider)s, %(model)s, moment, %(input)s, %(cached_input)s, %(cache_write)s, %(output)s,
    %(reasoning)s, %(by)s, %(now)s
FROM (SELECT COALESCE(%(from)s::timestamptz, %(now)s::timestamptz) AS moment) AS wanted
WHERE NOT EXISTS (
    SELECT 1 FROM agents_modelcall call
    WHERE call.at >= moment AND call.provider = %(provider)s
      AND (call.model = %(model)s
           OR regexp_replace(call.model, '[-@](20\\d{2}-\\d{2}-\\d{2}|20\\d{6})$', '') = %(model)s)
      AND call.cost_source IN ('price', 'unknown'))
"""


def add(price: NewPrice, *, by_name: str) -> ModelPrice:
    """Write a price. Raises BadPrice with what is wrong in each field, CallsAreWritten, PastIsCharged, PriceExists."""
    row = {**_checked(price), "id": uuid4(), "by": by_name[:150]}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            _let_no_call_in(cursor)
            cursor.execute(_INSERT, {**row, "now": timezone.now()})
            if not cursor.rowcount:
                raise PastIsCharged()
    except IntegrityError as collision:
        raise PriceExists() from collision
    made = ModelPrice.objects.get(pk=row["id"])
    told = {"provider", "model", "effective_from", *(f"{kind}_micros" for kind in KINDS)}
    audit.changed("agents.modelprice", made.pk, after={name: getattr(made, name) for name in sorted(told)})
    log.info("model_price_added", provider=price.provider, model=price.model, by_name=by_name)
    return made


def _let_no_call_in(cursor: Any) -> None:
    """Until the transaction ends, so that no call is written beside the new price and without it: what others are
    writing is waited for. Raises CallsAreWritten where that takes too long."""
    try:
        cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE_SECONDS}s'")
        cursor.execute("LOCK TABLE agents_modelcall IN SHARE MODE")
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError as busy:
        raise CallsAreWritten() from busy


def _checked(price: NewPrice) -> dict[str, Any]:
    faults: dict[str, str] = {}
    if price.provider not in PROVIDERS or price.provider == "offline":
        faults["provider"] = "Choose a provider. The offline model costs nothing."
    if not _NAME.fullmatch(price.model):
        faults["model"] = "The model's name as its provider writes it: 1 to 120 ASCII characters, no spaces."
    amounts: dict[str, int | None] = {}
    for kind in KINDS:
        text = price.dollars.get(kind, "").strip()
        try:
            amounts[kind] = micros_of(text) if text or kind in REQUIRED else None
        except ValueError:
            faults[kind] = "Dollars for a million tokens, in digits: 0.75. At most six decimals."
    if faults:
        raise BadPrice(" ".join(faults.values()), fields=faults)
    return {"provider": price.provider, "model": price.model, "from": price.effective_from, **amounts}


def withdraw(price_id: UUID) -> bool:
    """Delete a price that has not begun to count. False: it has, and stays."""
    rows = ModelPrice.objects.filter(pk=price_id, effective_from__gt=timezone.now())
    return bool(rows.delete()[0])


def public_list() -> dict[str, Any]:
    """The list prices that come with the product: {"checked", "note", "prices": [{provider, model, source, ...}]}."""
    listed: dict[str, Any] = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return listed


@transaction.atomic
def add_public_list(*, only_first: bool = False) -> int:
    """Add the list prices of models that have no price yet, from now on; how many. `only_first`: only where there is no
    price at all, so that what staff have withdrawn does not come back."""
    one_at_a_time("list prices")
    if only_first and ModelPrice.objects.exists():
        return 0
    listed = public_list()
    known = set(ModelPrice.objects.values_list("provider", "model"))
    wanted = [one for one in listed["prices"] if (one["provider"], one["model"]) not in known]
    by_name = f"Public list, {listed['checked']}"
    for one in wanted:
        dollars = {kind: str(one[kind]) for kind in KINDS if kind in one}
        add(NewPrice(one["provider"], one["model"], dollars), by_name=by_name)
    return len(wanted)
