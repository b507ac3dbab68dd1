"""Budgets: what they count, when they are used up, what staff do to them, and who is told."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.spending import alerts, changes, periods
from agents.spending.limits import Standing, UsageLimitReached, check, standings
from agents.spending.models import Budget, BudgetAlert, BudgetChange, Period, SpendTotal
from chat.models import Customer, WebhookDelivery
from tests import rows
from tests.agents.spending_rows import budget, spent
from tests.at_once import at_once

pytestmark = pytest.mark.django_db


def standing(owner: Customer | None = None) -> Standing:
    [one] = standings([owner.pk] if owner else [], deployment=owner is None)
    return one


def refused(owner: Customer) -> str:
    """When the limit that refuses a message of this customer begins anew; "" where none does."""
    try:
        check(owner.pk)
    except UsageLimitReached as refusal:
        return str(refusal.extra["resets_at"])
    return ""


@pytest.mark.parametrize(
    ("period", "now", "start", "end"),
    [
        ("day", "2026-11-20T00:00:00Z", date(2026, 11, 20), "2026-11-21T00:00:00+00:00"),
        ("day", "2026-11-20T23:59:59Z", date(2026, 11, 20), "2026-11-21T00:00:00+00:00"),
        ("day", "2026-11-21T01:00:00+02:00", date(2026, 11, 20), "2026-11-21T00:00:00+00:00"),
        ("week", "2026-11-16T00:00:00Z", date(2026, 11, 16), "2026-11-23T00:00:00+00:00"),
        ("week", "2026-11-22T23:59:59Z", date(2026, 11, 16), "2026-11-23T00:00:00+00:00"),
    ],
)
def test_days_begin_at_midnight_utc_and_weeks_on_monday(period: str, now: str, start: date, end: str) -> None:
    at = datetime.fromisoformat(now)

    assert periods.begins(period, at) == start
    assert periods.ends(period, at).isoformat() == end
    assert periods.midnight(start).tzinfo == UTC


def test_a_limit_refuses_when_it_is_used_up_and_says_until_when() -> None:
    ada, bob = rows.customer(), rows.customer()
    budget(1_000)
    spent(999, ada)
    assert refused(ada) == ""

    spent(1, ada)

    assert refused(ada) == periods.ends(Period.DAY).isoformat()
    assert refused(bob) == ""


@pytest.mark.parametrize(
    ("micros", "limit", "percent"),
    [
        (9_996, 10_000, 99.9),
        (9_999_999, 10_000_000, 99.9),
        (10_000, 10_000, 100.0),
        (0, 1, 0.0),
        (1, 3, 33.3),
        (15, 10, 150.0),
    ],
)
def test_a_hundred_percent_is_shown_only_where_messages_are_refused(
    micros: int, limit: int, percent: float
) -> None:
    ada = rows.customer()
    budget(limit)
    spent(micros, ada)

    one = standing(ada)

    assert one.percent == percent
    assert (one.percent >= 100) == one.reached == bool(refused(ada))


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_more_than_nothing(limit: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        budget(limit)

    assert not Budget.objects.exists()


def test_what_was_spent_before_the_period_does_not_count() -> None:
    ada = rows.customer()
    budget(1_000)
    spent(5_000, ada, at=periods.midnight(periods.begins(Period.DAY)) - timedelta(microseconds=1))

    assert refused(ada) == ""


def test_the_later_of_two_resets_counts_where_both_limits_are_used_up() -> None:
    ada = rows.customer()
    budget(1_000)
    budget(1_000, period="week")
    spent(1_000, ada)

    assert refused(ada) == periods.ends(Period.WEEK).isoformat()


def test_a_customers_own_limit_goes_before_that_of_each() -> None:
    ada, bob = rows.customer(), rows.customer()
    budget(1_000)
    own = budget(9_000, "customer", "day", ada.pk)
    spent(1_000, ada)
    spent(1_000, bob)

    assert (refused(ada), bool(refused(bob))) == ("", True)
    Budget.objects.filter(pk=own.pk).update(enabled=False)
    assert refused(ada)


def test_the_deployments_limit_refuses_everybody() -> None:
    ada, new = rows.customer(), rows.customer()
    budget(1_000, "deployment")
    spent(600, ada)
    assert refused(new) == ""

    spent(400)  # an import was judged

    assert refused(new)
    assert refused(ada)


def test_a_grant_is_for_its_period_alone() -> None:
    ada = rows.customer()
    budget(1_000)
    spent(1_000, ada)
    grant = changes.grant(customer_id=ada.pk, period="day", micros=500, reason="VIP", by_name="sam")

    assert (standing(ada).limit, standing(ada).granted, refused(ada)) == (1_500, 500, "")
    BudgetChange.objects.filter(pk=grant.pk).update(period_start=grant.period_start - timedelta(days=1))
    assert refused(ada)
    BudgetChange.objects.filter(pk=grant.pk).update(period_start=grant.period_start, period="week")
    assert refused(ada)


def test_a_reset_forgets_what_was_spent_until_then_and_no_more() -> None:
    ada = rows.customer()
    budget(1_000)
    spent(1_200, ada)

    changes.reset(customer_id=ada.pk, period="day", reason="Our fault", by_name="sam")

    assert (standing(ada).spent, standing(ada).spent_in_all) == (0, 1_200)
    spent(999, ada)
    assert refused(ada) == ""
    spent(1, ada)
    assert refused(ada)
    changes.reset(customer_id=ada.pk, period="day", reason="Again", by_name="sam")
    assert standing(ada).spent == 0


def test_an_exemption_holds_until_it_ends_and_not_for_the_deployment() -> None:
    ada = rows.customer()
    budget(1_000)
    spent(5_000, ada)
    until = timezone.now() + timedelta(hours=1)

    made = changes.exempt(customer_id=ada.pk, until=until, reason="Fair", by_name="sam")
    assert (refused(ada), standing(ada).exempt, standing(ada).exempt_until) == ("", True, until)
    BudgetChange.objects.filter(pk=made.pk).update(until=timezone.now())
    assert refused(ada)
    changes.exempt(customer_id=ada.pk, until=None, reason="For good", by_name="sam")
    assert refused(ada) == ""
    budget(1_000, "deployment")
    assert refused(ada)
    changes.exempt(customer_id=None, until=None, reason="Launch", by_name="sam")
    assert refused(ada) == ""
    changes.end_exemption(customer_id=ada.pk, reason="Over", by_name="sam")
    assert refused(ada)


def test_changes_of_one_are_no_changes_of_another() -> None:
    ada, bob = rows.customer(), rows.customer()
    budget(1_000)
    budget(2_000, "deployment")
    spent(1_000, ada)
    spent(1_000, bob)
    changes.reset(customer_id=ada.pk, period="day", reason="x", by_name="sam")
    changes.exempt(customer_id=ada.pk, until=None, reason="x", by_name="sam")

    assert [one.reached for one in standings([bob.pk])] == [True, True]
    changes.grant(customer_id=None, period="day", micros=1, reason="x", by_name="sam")
    assert refused(ada) == ""
    assert refused(bob)


@pytest.mark.parametrize(
    ("change", "values", "fault"),
    [
        (changes.grant, {"period": "day", "micros": 0, "reason": "x"}, changes.ImpossibleAmount),
        (changes.grant, {"period": "day", "micros": 10**15 + 1, "reason": "x"}, changes.ImpossibleAmount),
        (changes.grant, {"period": "month", "micros": 1, "reason": "x"}, changes.UnknownPeriod),
        (changes.reset, {"period": "day", "reason": " \n"}, changes.MissingReason),
        (changes.exempt, {"until": datetime(2020, 1, 1, tzinfo=UTC), "reason": "x"}, changes.EndsInThePast),
    ],
)
def test_a_change_that_cannot_be_writes_nothing(
    change: Any, values: dict[str, Any], fault: type[Exception]
) -> None:
    with pytest.raises(fault):
        change(customer_id=None, by_name="sam", **values)

    assert not BudgetChange.objects.exists()


def test_asking_about_many_customers_is_one_statement() -> None:
    everybody = [rows.customer() for _ in range(5)]
    budget(1_000)
    budget(1_000, period="week")
    budget(1_000, "deployment")

    with CaptureQueriesContext(connection) as queries:
        found = standings([one.pk for one in everybody])

    assert len(queries) == 1
    assert len(found) == 11


def test_eighty_and_a_hundred_percent_are_told_once_in_each_period(settings: LazySettings) -> None:
    settings.WEBHOOK_URL = "https://example.com/hook"
    ada, bob = rows.customer(name="Ada Stone"), rows.customer()
    budget(1_000)
    budget(1_000_000, "deployment", "week")
    spent(799, ada)
    spent(100, bob)
    assert alerts.look() == 0

    spent(1, ada)
    assert (alerts.look(), alerts.look()) == (1, 0)
    spent(200, ada)
    assert (alerts.look(), alerts.look()) == (1, 0)

    assert list(
        BudgetAlert.objects.order_by("percent").values_list("percent", "customer", "spent_micros")
    ) == [
        (80, ada.pk, 800),
        (100, ada.pk, 1_000),
    ]
    sent = [row.payload for row in WebhookDelivery.objects.filter(kind="budget.alert").order_by("created_at")]
    assert [one["percent"] for one in sent] == [80, 100]
    assert sent[0] | {"at": ""} == {
        "event": "budget.alert",
        "at": "",
        "percent": 80,
        "scope": "each_customer",
        "customer": {"id": ada.subject, "name": "Ada Stone"},
        "period": "day",
        "period_start": periods.begins("day").isoformat(),
        "resets_at": periods.ends("day").isoformat(),
        "spent_usd": 0.0008,
        "limit_usd": 0.001,
    }
    BudgetAlert.objects.update(period_start=periods.begins("day") - timedelta(days=1))
    assert alerts.look() == 2


def test_the_deployments_alert_and_none_for_whoever_is_exempt() -> None:
    ada = rows.customer()
    budget(1_000)
    budget(1_000, "deployment")
    changes.exempt(customer_id=ada.pk, until=None, reason="Fair", by_name="sam")
    spent(2_000, ada)

    assert alerts.look() == 2
    assert set(BudgetAlert.objects.values_list("customer", "percent")) == {(None, 80), (None, 100)}
    assert not WebhookDelivery.objects.exists()


def test_what_was_missed_while_no_jobs_ran_is_told_by_the_look_at_the_whole_week() -> None:
    ada = rows.customer()
    budget(1_000, period="week")
    start = periods.midnight(periods.begins("week"))
    earlier = max(start, timezone.now() - timedelta(minutes=20))
    spent(1_000, ada, at=earlier)

    assert alerts.look(whole_period=True) == 2


def yesterday(micros: int, owner: Customer) -> datetime:
    """Spent in the last second of it; the moment at which it ended. All budgets that there are by now were there."""
    end = periods.midnight(periods.begins(Period.DAY))
    spent(micros, owner, at=end - timedelta(seconds=1))
    SpendTotal.objects.update(day=end.date() - timedelta(days=1))
    Budget.objects.update(updated_at=end - timedelta(hours=1))
    return end


@pytest.mark.parametrize("scope", ["each_customer", "deployment"])
@pytest.mark.parametrize(
    ("late", "whole_period"), [(timedelta(seconds=20), False), (timedelta(hours=9), True)]
)
def test_what_a_day_reached_at_its_end_or_while_no_jobs_ran_is_told_in_the_next(
    scope: str, late: timedelta, whole_period: bool, settings: LazySettings
) -> None:
    settings.WEBHOOK_URL = "https://example.com/hook"
    ada = rows.customer()
    budget(1_000, scope)
    end = yesterday(900, ada)

    told = [alerts.look(whole_period=whole_period, now=end + late) for _ in range(2)]

    assert told == [1, 0]
    alert = BudgetAlert.objects.get()
    assert (alert.percent, alert.period_start) == (80, end.date() - timedelta(days=1))
    [sent] = WebhookDelivery.objects.filter(kind="budget.alert")
    assert sent.payload["resets_at"] == end.isoformat()
    assert (sent.payload["period_start"], sent.payload["spent_usd"]) == (str(alert.period_start), 0.0009)
    assert refused(ada) == ""


def test_what_is_spent_today_and_a_limit_that_is_set_today_change_nothing_of_yesterday() -> None:
    ada = rows.customer()
    budget(1_000)
    end = yesterday(700, ada)
    spent(700, ada, at=end)
    own = budget(100, "customer", "day", ada.pk)
    assert own.updated_at >= end

    assert alerts.look(whole_period=True, now=end + timedelta(minutes=1)) == 2

    assert set(BudgetAlert.objects.values_list("budget", "period_start", "percent")) == {
        (own.pk, end.date(), 80),
        (own.pk, end.date(), 100),
    }


@pytest.mark.django_db(transaction=True)
def test_two_jobs_at_once_tell_once(settings: LazySettings) -> None:
    settings.WEBHOOK_URL = "https://example.com/hook"
    ada = rows.customer()
    budget(1_000)
    spent(1_000, ada)

    told = at_once([alerts.look] * 4)

    assert sum(one for one in told if isinstance(one, int)) == 2
    assert WebhookDelivery.objects.count() == BudgetAlert.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_grants_under_one_id_are_one() -> None:
    from uuid import uuid4

    budget(1_000, "deployment")
    known = uuid4()

    def grant() -> BudgetChange:
        return changes.grant(customer_id=None, period="day", micros=5, reason="x", by_name="sam", id=known)

    made = at_once([grant] * 4)

    assert {getattr(one, "pk", one) for one in made} == {known}
    assert standing().granted == 5
    assert not SpendTotal.objects.exists()
