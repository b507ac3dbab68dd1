"""What providers, programs and people send that cannot be: it costs a line in the log, and never an answer."""

import threading
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import Client
from langchain_core.messages import AIMessage

from agents.spending import alerts, changes, ledger, prices
from agents.spending.limits import standings
from agents.spending.models import Budget, BudgetAlert, BudgetChange, ModelCall, ModelPrice
from agents.spending.usage import MOST_TOKENS, Usage, reported_micros
from tests import rows
from tests.agents.spending_rows import budget, call, entered, price, spent
from tests.at_once import at_once

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "cost", [10**400, -(10**400), 1e308, -1e-9, float("nan"), float("inf"), "1", True, [1]]
)
def test_a_cost_that_cannot_be_is_not_taken_and_breaks_nothing(cost: Any) -> None:
    assert reported_micros({"usage": {"cost": cost}}) is None


def test_tokens_of_a_kind_that_add_up_to_more_than_there_can_be_are_not_known() -> None:
    message = AIMessage(
        content="Hello",
        usage_metadata={
            "input_tokens": MOST_TOKENS,
            "output_tokens": MOST_TOKENS,
            "total_tokens": MOST_TOKENS,
            "input_token_details": {"cache_creation": MOST_TOKENS, "ephemeral_5m_input_tokens": 1},
        },
    )
    usage = Usage.of(message)
    price(input="999999.999999", output="999999.999999")

    row = entered(call(usage.tokens_in, usage.tokens_out, tokens_cache_write=usage.tokens_cache_write))

    assert usage.tokens_cache_write is None
    assert row.cost_micros == round(2 * MOST_TOKENS * 999_999_999_999 / 1_000_000)


@pytest.mark.parametrize("name", ["gpt\x00test", "gpt\ud800test"])
def test_a_models_name_that_cannot_be_stored_is_entered_all_the_same(name: str) -> None:
    ledger.record(call(model=name, provider=name, agent=name))

    assert "gpt" in ModelCall.objects.get().model


def test_a_key_that_was_used_for_something_else_is_refused_and_grants_nothing() -> None:
    ada, bob = rows.customer(), rows.customer()
    once = uuid4()
    given: dict[str, Any] = {"period": "day", "reason": "A long claim", "by_name": "sam", "id": once}
    first = changes.grant(customer_id=ada.pk, micros=5, **given)

    assert changes.grant(customer_id=ada.pk, micros=5, **given) == first
    for customer_id, micros in ((bob.pk, 5), (ada.pk, 6), (None, 5)):
        with pytest.raises(changes.KeyReused):
            changes.grant(customer_id=customer_id, micros=micros, **given)
    with pytest.raises(changes.KeyReused):
        changes.reset(customer_id=ada.pk, **given)
    with pytest.raises(changes.KeyReused):
        changes.end_exemption(customer_id=ada.pk, reason="Over", by_name="sam", id=once)
    assert BudgetChange.objects.get() == first


def test_one_alert_that_cannot_be_told_does_not_keep_the_others_from_being_told() -> None:
    """A budget is deleted between the look and the alert."""
    ada = rows.customer()
    gone, stays = budget(1_000), budget(1_000, period="week")
    spent(1_000, ada)
    found = standings([ada.pk], deployment=False)
    assert {one.budget_id for one in found} == {gone.pk, stays.pk}
    Budget.objects.filter(pk=gone.pk).delete()

    assert alerts._tell(found) == 2
    assert set(BudgetAlert.objects.values_list("budget_id", "percent")) == {(stays.pk, 80), (stays.pk, 100)}
    connection.check_constraints()


@pytest.mark.django_db(transaction=True)
def test_no_price_slips_in_beside_a_call_that_is_being_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call saw no price, and would stand there as not known although one was in force."""
    monkeypatch.setattr(prices, "PATIENCE_SECONDS", 60)
    written, waits = threading.Event(), threading.Event()

    def calls() -> None:
        with transaction.atomic():
            ledger.record(call())
            written.set()
            assert waits.wait(60)

    def prices_it() -> str:
        assert written.wait(60)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            [pid] = cursor.fetchone()
        watcher = threading.Thread(target=_set_when_waiting, args=(pid, waits))
        watcher.start()
        try:
            price()
        except prices.PastIsCharged as refusal:
            return refusal.code
        finally:
            waits.set()
            watcher.join()
        return ""

    assert at_once([calls, prices_it]) == [None, "past_is_charged"]
    assert (ModelPrice.objects.count(), ModelCall.objects.get().cost_source) == (0, "unknown")


def _set_when_waiting(pid: int, event: threading.Event) -> None:
    """Tell when that connection waits for a lock, or when somebody else has told."""
    try:
        while not event.is_set():
            with connection.cursor() as cursor:
                cursor.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [pid])
                if cursor.fetchone() == ("Lock",):
                    event.set()
    finally:
        connection.close()


def test_an_amount_beyond_all_bounds_is_refused_and_grants_nothing(client: Client) -> None:
    ada = rows.customer()
    headers = {"X-API-Key": rows.key("usage:write")}
    for amount in ("1e400", "1" + "0" * 400, "-1", "0", '"NaN"', '"Infinity"', "true", "null", "[1]"):
        body = f'{{"customer": "{ada.pk}", "period": "day", "amount_usd": {amount}, "reason": "x"}}'
        answer = client.post("/api/v1/budgets/grants", body, content_type="application/json", headers=headers)
        assert answer.status_code == 400, amount

    assert not BudgetChange.objects.exists()


def test_the_ledger_of_one_model_is_read_from_an_index_of_its_own() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'agents_modelcall'")
        found = " ".join(one for (one,) in cursor.fetchall())

    assert "(model, at DESC, id DESC)" in found
