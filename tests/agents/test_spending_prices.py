"""What a call costs: by the price in force at that moment, as its provider reported it, or nobody knows."""

from datetime import timedelta
from math import inf, nan
from typing import Any

import pytest
from django.utils import timezone
from langchain_core.messages import AIMessage
from structlog.testing import capture_logs

from agents.spending import ledger, prices
from agents.spending.models import ModelCall, ModelPrice, SpendTotal
from agents.spending.prices import BadPrice, NewPrice, PastIsCharged, PriceExists
from agents.spending.usage import Usage, undated
from tests.agents.spending_rows import call, entered, price

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("dollars", "usage", "micros"),
    [
        ({"input": "0.75", "output": "4.5"}, {"tokens_in": 1_000, "tokens_out": 100}, 1_200),
        ({"input": "1", "output": "10"}, {"tokens_in": 3, "tokens_out": 1}, 13),
        ({"input": "1", "output": "1"}, {"tokens_in": 1, "tokens_out": 1, "tokens_cached": 1}, 2),
        (
            {"input": "1", "cached_input": "0.1", "output": "10"},
            {"tokens_in": 1_000, "tokens_out": 0, "tokens_cached": 900},
            190,
        ),
        (
            {"input": "4", "cached_input": "0.4", "cache_write": "5", "output": "20"},
            {"tokens_in": 1_000, "tokens_out": 10, "tokens_cached": 500, "tokens_cache_write": 300},
            200 * 4 + 200 + 1_500 + 200,
        ),
        (
            {"input": "1", "output": "10", "reasoning": "12"},
            {"tokens_in": 0, "tokens_out": 100, "tokens_reasoning": 80},
            20 * 10 + 80 * 12,
        ),
        ({"input": "0.000001", "output": "0"}, {"tokens_in": 499_999, "tokens_out": 0}, 0),
        ({"input": "0.000001", "output": "0"}, {"tokens_in": 500_000, "tokens_out": 0}, 1),
        (
            {"input": "999999", "output": "999999"},
            {"tokens_in": 2**31 - 1, "tokens_out": 0},
            2_147_481_499_516_353,
        ),
    ],
)
def test_a_call_costs_what_each_kind_of_its_tokens_costs(
    dollars: dict[str, str], usage: dict[str, int], micros: int
) -> None:
    made = price(**dollars)

    row = entered(call(**usage))

    assert (row.cost_micros, row.cost_source, row.price_id) == (micros, "price", made.pk)


def test_what_the_provider_reports_goes_before_the_price() -> None:
    price()

    row = entered(call(reported_micros=77))

    assert (row.cost_micros, row.cost_source, row.price_id) == (77, "provider", None)


def test_a_new_price_changes_nothing_that_was_charged() -> None:
    old = price(input="1", output="0")
    first = entered(call())
    new = prices.add(NewPrice("openai", "gpt-test", {"input": "5", "output": "0"}), by_name="sam")

    second = entered(call())

    first.refresh_from_db()
    assert (first.cost_micros, first.price_id) == (1_000, old.pk)
    assert (second.cost_micros, second.price_id) == (5_000, new.pk)


def test_a_price_of_the_future_does_not_count_yet() -> None:
    price(input="1", output="0")
    price(since=timezone.now() + timedelta(minutes=1), input="9", output="0")

    assert entered(call()).cost_micros == 1_000


def test_a_dated_snapshot_costs_what_its_model_does_unless_it_has_a_price_of_its_own() -> None:
    price(input="1", output="0")
    family = entered(call(model="gpt-test-2026-03-17")).cost_micros
    price("gpt-test-2026-03-18", input="2", output="0")

    own = entered(call(model="gpt-test-2026-03-18")).cost_micros

    assert (family, own) == (1_000, 2_000)
    assert entered(call(model="gpt-test-mini")).cost_micros is None


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-5.4-mini-2026-03-17", "gpt-5.4-mini"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("gpt-4-0613", "gpt-4-0613"),
        ("model-20261", "model-20261"),
    ],
)
def test_only_a_date_is_taken_off_a_name(model: str, family: str) -> None:
    assert undated(model) == family


@pytest.mark.parametrize(
    ("unknown", "why"),
    [
        ({"model": "nobody-knows"}, "no price"),
        ({"tokens_in": None}, "no tokens"),
        ({"tokens_out": None}, "no tokens"),
    ],
)
def test_a_cost_that_nobody_knows_is_no_guess_and_one_line_in_the_log(
    unknown: dict[str, Any], why: str
) -> None:
    price()

    with capture_logs() as lines:
        row = entered(call(**unknown))

    assert (row.cost_micros, row.cost_source, row.price_id) == (None, "unknown", None)
    told = [line for line in lines if line["event"] == "model_call_cost_unknown"]
    assert [(line["log_level"], line["provider"], line["model"], line["why"]) for line in told] == [
        ("error", "openai", row.model, why)
    ]
    assert sum(SpendTotal.objects.values_list("unknown", flat=True)) == 1


def test_the_offline_model_is_free_and_nothing_is_logged() -> None:
    with capture_logs() as lines:
        row = entered(call(provider="offline", model="offline-rules-1", tokens_in=None))

    assert (row.cost_micros, row.cost_source, lines) == (0, "free", [])


@pytest.mark.parametrize("cost", [nan, inf, -inf, -0.01, "0.5", True, 1e9, [1], {"usd": 1}])
def test_an_impossible_reported_cost_is_not_taken(cost: Any) -> None:
    metadata = {"model_name": "gpt-test", "token_usage": {"cost": cost}}

    with capture_logs() as lines:
        usage = Usage.of(AIMessage("", response_metadata=metadata))

    assert usage.reported_micros is None
    assert [line["event"] for line in lines] == ["model_call_cost_impossible"]


@pytest.mark.parametrize(
    ("cost", "micros"), [(0, 0), (0.0, 0), (0.00123, 1_230), (1.5e-07, 0), (5e-07, 1), (2, 2_000_000)]
)
def test_a_reported_cost_is_whole_micro_dollars(cost: float, micros: int) -> None:
    metadata = {"token_usage": {"cost": cost}}

    assert Usage.of(AIMessage("", response_metadata=metadata)).reported_micros == micros


def test_every_kind_of_token_is_read_from_an_answer() -> None:
    answer = AIMessage(
        "",
        usage_metadata={
            "input_tokens": 1_000,
            "output_tokens": 50,
            "total_tokens": 1_050,
            "input_token_details": {"cache_read": 700, "cache_creation": 0, "ephemeral_5m_input_tokens": 200},
            "output_token_details": {"reasoning": 40},
        },
    )

    assert Usage.of(answer) == Usage(1_000, 50, 700, 200, 40)
    assert Usage.of(AIMessage("")) == Usage() == Usage.of(None)


GOOD = {"input": "1", "output": "2"}


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("provider", NewPrice("openia", "gpt-test", GOOD)),
        ("provider", NewPrice("offline", "gpt-test", GOOD)),
        ("model", NewPrice("openai", "", GOOD)),
        ("model", NewPrice("openai", "gpt test", GOOD)),
        ("model", NewPrice("openai", "gpt-tést", GOOD)),
        ("model", NewPrice("openai", "x" * 121, GOOD)),
        ("input", NewPrice("openai", "gpt-test", {"output": "2"})),
        *[
            ("output", NewPrice("openai", "gpt-test", {"input": "1", "output": text}))
            for text in ("-1", "NaN", "inf", "1e3", "١", "１", "1,5", "0.0000001", "1000000", "", "+1", "0x1")
        ],
        ("reasoning", NewPrice("openai", "gpt-test", {**GOOD, "reasoning": "free"})),
    ],
)
def test_a_price_that_cannot_be_is_refused(field: str, wanted: NewPrice) -> None:
    with pytest.raises(BadPrice) as refused:
        prices.add(wanted, by_name="sam")

    assert list(refused.value.extra["fields"]) == [field]
    assert not ModelPrice.objects.exists()


@pytest.mark.parametrize("model", ["gpt-test", "gpt-test-2026-03-17"])
def test_no_price_begins_in_a_time_that_was_charged(model: str) -> None:
    entered(call(model=model))  # unknown, and it stays so

    with pytest.raises(PastIsCharged):
        price(since=timezone.now() - timedelta(minutes=1))

    assert not ModelPrice.objects.exists()
    assert price(since=timezone.now()).effective_from <= timezone.now()
    assert ModelCall.objects.get().cost_micros is None


def test_a_price_may_begin_in_a_past_that_did_not_need_one() -> None:
    entered(call(reported_micros=5))
    entered(call(model="gpt-other"))

    assert price().input_micros == 1_000_000


def test_two_prices_do_not_begin_at_the_same_moment() -> None:
    since = timezone.now() + timedelta(hours=1)
    price(since=since)

    with pytest.raises(PriceExists):
        price(since=since)

    assert ModelPrice.objects.count() == 1


def test_only_a_price_that_does_not_count_yet_is_withdrawn() -> None:
    now, later = price(), price(since=timezone.now() + timedelta(hours=1))

    assert (prices.withdraw(now.pk), prices.withdraw(later.pk)) == (False, True)
    assert list(ModelPrice.objects.all()) == [now]


def test_the_public_list_fills_in_what_is_missing_and_replaces_nothing() -> None:
    listed = prices.public_list()["prices"]
    own = price("gpt-5.4-mini", input="0.5", output="1")

    assert prices.add_public_list(only_first=True) == 0
    assert prices.add_public_list() == len(listed) - 1
    assert prices.add_public_list() == 0
    own.refresh_from_db()
    assert own.input_micros == 500_000
    assert ModelPrice.objects.count() == len(listed)
    assert all(one["source"].startswith("https://") for one in listed)


def test_a_day_is_the_sum_of_its_rows() -> None:
    for micros in (5, 7, None):
        ledger.record(call(reported_micros=micros))

    totals = SpendTotal.objects.all()
    assert sum(total.micros for total in totals) == 12
    assert (sum(total.calls for total in totals), sum(total.unknown for total in totals)) == (3, 1)
    assert ledger.spent_today() == 12
