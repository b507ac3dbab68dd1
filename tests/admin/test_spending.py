"""Costs, the ledger, prices and budgets in the console."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents.spending import ledger, slices
from agents.spending.models import (
    Budget,
    BudgetChange,
    ModelCall,
    ModelPrice,
    SpendSlice,
    SpendTotal,
)
from tests import rows
from tests.agents.spending_rows import budget, call, price, spent

pytestmark = pytest.mark.django_db

COSTS, LEDGER, PRICES, BUDGETS = (
    "/admin/agents/modelcall/costs/",
    "/admin/agents/modelcall/",
    "/admin/agents/modelprice/",
    "/admin/agents/budget/",
)
SEES = "agents.view_modelcall"
CHANGES = "agents.change_budget"


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(rows.staff("vera", SEES))
    return client


@pytest.fixture
def manager(client: Client) -> Client:
    client.force_login(rows.staff("mona", SEES, CHANGES, "chat.view_customer", "chat.view_conversation"))
    return client


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def limits_of(customer: Any) -> str:
    return reverse("admin:agents_budget_customer", args=[customer.pk])


def of_yesterday(micros: int, count: int = 1) -> None:
    """Calls of yesterday, with their day's total, as the day left them."""
    yesterday = timezone.now() - timedelta(days=1)
    for _ in range(count):
        spent(micros, at=yesterday)
    SpendTotal.objects.all().delete()
    SpendTotal.objects.create(day=yesterday.date(), shard=0, micros=micros * count, calls=count)


@pytest.fixture
def yesterday_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Right after midnight, too."""
    monkeypatch.setattr(slices, "SETTLED", timedelta())


def test_the_page_of_an_empty_house_says_what_to_do(manager: Client) -> None:
    page = manager.get(COSTS).content.decode()

    assert "No model was called in this time" in page
    assert "Set one under Budgets" in page
    assert "What some calls cost is not known" not in page


@pytest.mark.parametrize("summed", [True, False])
def test_every_table_adds_up_to_the_whole(viewer: Client, yesterday_is_settled: None, summed: bool) -> None:
    of_yesterday(700, count=2)
    if summed:
        assert slices.sum_up() == 1
    ledger.record(call(reported_micros=50, agent="order_lookup"))
    ledger.record(call(reported_micros=5, purpose="route", model="gpt-small"))

    found = viewer.get(COSTS).context["report"]

    assert [(part.micros, part.calls) for part in found.by_day[-2:]] == [(1_400, 2), (55, 2)]
    assert (found.whole.micros, found.whole.calls) == (1_455, 4)
    for what in ("model", "agent", "purpose"):
        parts = found.parts[what]
        assert (sum(part.micros for part in parts), sum(part.calls for part in parts)) == (1_455, 4)
    assert [(part.name, part.micros) for part in found.parts["purpose"]] == [
        ("Answering", 1_450),
        ("Choosing an agent", 5),
    ]


def test_a_day_is_left_alone_until_its_last_calls_are_in(monkeypatch: pytest.MonkeyPatch) -> None:
    of_yesterday(700)
    monkeypatch.setattr(slices, "SETTLED", timedelta(days=1))

    assert slices.sum_up() == 0
    assert not SpendSlice.objects.exists()


def test_a_finished_day_is_summed_up_once_and_again_when_its_total_differs(
    yesterday_is_settled: None,
) -> None:
    of_yesterday(700, count=2)

    assert (slices.sum_up(), slices.sum_up()) == (1, 0)
    SpendSlice.objects.update(calls=1)
    assert slices.sum_up() == 1
    [one] = SpendSlice.objects.all()
    assert (one.calls, one.micros, one.tokens_in) == (2, 1_400, 2_000)


def test_unknown_costs_stand_out_with_the_way_to_mend_them(manager: Client) -> None:
    ledger.record(call(model="nobody-knows"))

    page = manager.get(COSTS).content.decode()

    assert "What some calls cost is not known" in page
    assert "/admin/agents/modelprice/add/?provider=openai&amp;model=nobody-knows" in page
    price("nobody-knows", since=timezone.now())
    assert "it has a price now" in manager.get(COSTS).content.decode()


def test_the_ledger_pages_by_keyset_without_losing_or_repeating_a_call(viewer: Client) -> None:
    same = timezone.now()
    calls = [
        ModelCall(
            at=same, purpose="answer", provider="openai", model=f"m{n}", cost_micros=n, cost_source="provider"
        )
        for n in range(120)
    ]
    ModelCall.objects.bulk_create(calls)

    seen, url = [], LEDGER
    while url:
        page = viewer.get(url)
        seen += [row.model for row in page.context["page"].rows]
        url = LEDGER + page.context["next"] if page.context["next"] else ""

    assert seen == [f"m{n}" for n in reversed(range(120))]


def test_the_ledger_filters(viewer: Client) -> None:
    ada = rows.customer(name="Ada Stone")
    mine = spent(5, ada)
    route = rows.turn(rows.customer())
    ledger.record(call(purpose="route", model="other"), conversation_id=route.conversation_id)
    old = spent(7, at=timezone.now() - timedelta(days=20))

    def listed(query: str) -> set[int]:
        return {row.pk for row in viewer.get(f"{LEDGER}?{query}").context["page"].rows}

    everything = listed("")
    assert old.pk not in everything
    assert len(everything) == 2
    assert listed("purpose=answer") == {mine.pk}
    assert listed(f"customer={ada.pk}") == {mine.pk}
    assert listed(f"conversation={mine.conversation_id}") == {mine.pk}
    assert listed("cost_source=unknown") == everything - {mine.pk}
    assert listed("model=nothing") == set()
    assert listed(f"from={old.at:%Y-%m-%d}") == everything | {old.pk}
    assert listed(f"from={old.at:%Y-%m-%d}&to={old.at:%Y-%m-%d}") == {old.pk}
    assert listed(f"from={old.at - timedelta(days=40):%Y-%m-%d}") == everything | {old.pk}  # 31 days at most
    for nonsense in (
        "from=x&to=9999-99-99",
        "before=2026|z",
        "customer=%00&model=%00",
        "from=0001-01-01&to=0001-01-02",
    ):
        assert viewer.get(f"{LEDGER}?{nonsense}").status_code == 200


def price_form(**fields: str) -> dict[str, str]:
    return {"provider": "openai", "model": "gpt-test", "input": "0.75", "output": "4.5", **fields}


def test_a_price_is_added_and_told_who_did(manager: Client) -> None:
    answer = manager.post(f"{PRICES}add/", price_form(cached_input="0.075"))

    assert answer.status_code == 302, answer.context["form"].errors
    row = ModelPrice.objects.get()
    assert (row.input_micros, row.cached_input_micros, row.output_micros) == (750_000, 75_000, 4_500_000)
    assert row.created_by == "mona"
    page = manager.get(PRICES).content.decode()
    assert "gpt-test" in page
    assert "$0.0750" in page


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"input": "-1"}, "Dollars for a million tokens, in digits"),
        ({"output": ""}, "Dollars for a million tokens, in digits"),
        ({"input": "NaN"}, "Dollars for a million tokens, in digits"),
        ({"model": "gpt tést"}, "ASCII"),
        ({"provider": "offline"}, "Select a valid choice"),
        ({"effective_from": "2020-01-01T00:00"}, "what was charged stays"),
    ],
)
def test_a_price_that_cannot_be_is_refused_with_its_fault(
    manager: Client, fields: dict[str, str], fault: str
) -> None:
    ledger.record(call())

    answer = manager.post(f"{PRICES}add/", price_form(**fields))

    assert answer.status_code == 200
    assert fault in answer.content.decode()
    assert not ModelPrice.objects.exists()


def test_the_public_list_is_added_once_and_only_a_later_price_is_withdrawn(manager: Client) -> None:
    missing = len(manager.get(PRICES).context["listed_missing"])
    answer = manager.post(f"{PRICES}list-prices/")
    later = price(since=timezone.now() + timedelta(days=1))

    assert f"{missing} prices were added." in told(answer)
    assert ModelPrice.objects.count() == missing + 1
    manager.post(f"{PRICES}{later.pk}/withdraw/")
    counting = ModelPrice.objects.first()
    refused = manager.post(f"{PRICES}{counting.pk}/withdraw/")
    assert "stays" in told(refused)
    assert ModelPrice.objects.count() == missing
    assert manager.get(f"{PRICES}list-prices/").status_code == 302
    assert ModelPrice.objects.count() == missing


def test_a_limit_is_set_in_dollars_and_is_more_than_nothing(manager: Client) -> None:
    ada = rows.customer(name="Ada Stone")
    form = {
        "scope": "customer",
        "customer": str(ada.pk),
        "period": "day",
        "limit_micros": "12.50",
        "enabled": "on",
    }

    refused = [
        manager.post(f"{BUDGETS}add/", form | {"limit_micros": text}) for text in ("0", "-1", "x", "", "１")
    ]
    wrong = manager.post(f"{BUDGETS}add/", form | {"scope": "deployment"})
    assert [answer.status_code for answer in [*refused, wrong]] == [200] * 6
    assert not Budget.objects.exists()
    answer = manager.post(f"{BUDGETS}add/", form)
    twice = manager.post(f"{BUDGETS}add/", form)

    assert answer.status_code == 302, answer.context["errors"]
    assert twice.status_code == 200
    row = Budget.objects.get()
    assert (row.limit_micros, row.customer, row.updated_by) == (12_500_000, ada, "mona")
    assert 'value="12.5"' in manager.get(f"{BUDGETS}{row.pk}/change/").content.decode()


def test_staff_grant_reset_and_exempt_with_a_reason(manager: Client) -> None:
    ada = rows.customer(name="Ada Stone")
    budget(1_000)
    spent(1_000, ada)
    url = limits_of(ada)
    assert "Used up: new messages are refused" in manager.get(url).content.decode()

    manager.post(
        url, {"change": "grant", "grant-micros": "0.001", "grant-period": "day", "grant-reason": "VIP"}
    )
    assert "50 % used" in manager.get(url).content.decode()
    manager.post(url, {"change": "reset", "reset-period": "day", "reset-reason": "Our fault"})
    assert "0 % used" in manager.get(url).content.decode()
    manager.post(url, {"change": "exempt", "exempt-until": "", "exempt-reason": "Trade fair"})
    page = manager.get(url).content.decode()
    assert "nobody is refused" in page
    manager.post(url, {"change": "end_exempt", "end_exempt-reason": "Over"})

    kinds = [(one.kind, one.by_name, one.reason, one.micros) for one in BudgetChange.objects.order_by("at")]
    assert kinds == [
        ("grant", "mona", "VIP", 1_000),
        ("reset", "mona", "Our fault", 1_000),
        ("exempt", "mona", "Trade fair", 0),
        ("end_exempt", "mona", "Over", 0),
    ]
    assert "Trade fair" in manager.get(BUDGETS).content.decode()


@pytest.mark.parametrize(
    "posted",
    [
        {"change": "grant", "grant-micros": "-5", "grant-period": "day", "grant-reason": "x"},
        {"change": "grant", "grant-micros": "5", "grant-period": "month", "grant-reason": "x"},
        {"change": "grant", "grant-micros": "5", "grant-period": "day", "grant-reason": " "},
        {"change": "reset", "reset-period": "day"},
        {"change": "exempt", "exempt-until": "2020-01-01T00:00", "exempt-reason": "x"},
        {"change": "else"},
        {},
    ],
)
def test_a_change_that_cannot_be_changes_nothing(manager: Client, posted: dict[str, str]) -> None:
    answer = manager.post(limits_of(rows.customer()), posted)

    assert answer.status_code in (200, 404)
    assert not BudgetChange.objects.exists()


def test_limits_of_nobody_do_not_exist(manager: Client) -> None:
    assert manager.get(reverse("admin:agents_budget_customer", args=[uuid4()])).status_code == 404


def test_who_may_only_look_changes_nothing(viewer: Client) -> None:
    ada, kept = rows.customer(), price(since=timezone.now() + timedelta(days=1))
    row = budget(1_000)
    posts = [
        (f"{PRICES}add/", price_form(model="x")),
        (f"{PRICES}list-prices/", {}),
        (f"{PRICES}{kept.pk}/withdraw/", {}),
        (f"{BUDGETS}add/", {"scope": "deployment", "period": "day", "limit_micros": "1"}),
        (f"{BUDGETS}{row.pk}/change/", {"scope": "each_customer", "period": "day", "limit_micros": "9"}),
        (f"{BUDGETS}{row.pk}/delete/", {"post": "yes"}),
        (limits_of(ada), {"change": "reset", "reset-period": "day", "reset-reason": "x"}),
        (f"{BUDGETS}deployment/", {"change": "reset", "reset-period": "day", "reset-reason": "x"}),
    ]

    assert [viewer.post(url, form).status_code for url, form in posts] == [403] * len(posts)
    assert list(ModelPrice.objects.all()) == [kept]
    assert [one.limit_micros for one in Budget.objects.all()] == [1_000]
    assert not BudgetChange.objects.exists()
    for url in (COSTS, LEDGER, PRICES, BUDGETS, limits_of(ada), f"{BUDGETS}deployment/"):
        page = viewer.get(url)
        assert page.status_code == 200
        assert f"{PRICES}add/" not in page.content.decode()
        assert 'name="change"' not in page.content.decode()


def test_who_may_not_look_sees_neither_the_pages_nor_a_link(client: Client) -> None:
    ada, row = rows.customer(), spent(5)
    client.force_login(rows.staff("nina", "chat.view_customer"))
    pages = [
        COSTS,
        LEDGER,
        f"{LEDGER}{row.pk}/change/",
        PRICES,
        BUDGETS,
        limits_of(ada),
        f"{BUDGETS}deployment/",
    ]

    assert [client.get(url).status_code for url in pages] == [403] * len(pages)
    for url in ("/admin/", reverse("admin:chat_customer_change", args=[ada.pk])):
        page = client.get(url).content.decode()
        assert COSTS not in page
        assert "/admin/agents/budget/" not in page


def test_no_page_asks_more_than_fifteen_times(manager: Client) -> None:
    everybody = [rows.customer(name=f"Customer {n}") for n in range(12)]
    budget(1_000_000)
    budget(5_000_000, "deployment", "week")
    for owner in everybody:
        spent(500, owner)
        budget(2_000_000, "customer", "day", owner.pk)
        ledger.record(call())
        price(f"gpt-{owner.subject}")

    for url in (COSTS, f"{COSTS}?days=90", LEDGER, PRICES, BUDGETS, limits_of(everybody[0])):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert manager.get(url).status_code == 200
        assert len(queries) <= 15, f"{url}: {[query['sql'][:90] for query in queries]}"


def test_the_page_of_a_call_and_of_a_price_tell_money_and_ages(viewer: Client) -> None:
    one = spent(12_345_678, at=timezone.now() - timedelta(hours=3))
    of = price(since=timezone.now() - timedelta(days=2), input="2.5")

    told_of_call = viewer.get(f"{LEDGER}{one.pk}/change/").content.decode()
    told_of_price = viewer.get(f"{PRICES}{of.pk}/change/").content.decode()

    assert "$12.35" in told_of_call
    assert "3 h ago" in told_of_call
    assert "12345678" not in told_of_call
    assert "$2.50" in told_of_price
    assert "As input" in told_of_price
    assert "2 days ago" in told_of_price
    assert "2500000" not in told_of_price


def test_a_price_that_does_not_count_yet_says_from_when(viewer: Client) -> None:
    later = price(since=timezone.now() + timedelta(days=40))

    assert " UTC" in viewer.get(f"{PRICES}{later.pk}/change/").content.decode()
