"""What is kept ready agrees with the raw log, to the last unit: on random conversations, after late events, after the
time has gone on."""

import random
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from analytics import histogram, rollups, summary
from analytics.definitions import HISTOGRAMS, NUMBERS
from analytics.models import ConversationFact, Day, DayAgent, DayTool
from analytics.ranges import Period
from chat.models import Conversation
from tests.analytics import forty_five, reference
from tests.analytics.scripted import go_on, moment, write

pytestmark = pytest.mark.django_db

PERIOD = Period(date(2026, 11, 2), date(2026, 11, 5))
STEPS = """m m m+ mh r r r r.cut q end end end fail stop retry read.ok/120 read.ok/3000 read.no/40 read.refused
    act.ok/450 act.no/9000 act.unknown again.ok/70 settled.yes settled.no find handoff take staff back asked yes no
    score4 yes5 no1 approved/60 approved/61 rejected/5 expired cancelled awaiting $900 $12345 $?""".split()


def counted(period: Period = PERIOD) -> dict[str, Any]:
    """The same form as the reference has."""
    report = summary.report(period)
    totals = report.totals
    waits = {name: getattr(totals, name) for name in HISTOGRAMS}
    return {
        "sums": {name: getattr(totals, name) for name in NUMBERS if getattr(totals, name)},
        "percentiles": {
            name: (histogram.size(own), histogram.percentile(own, 50), histogram.percentile(own, 95))
            for name, own in waits.items()
            if own
        },
        "agents": {
            one.agent: (one.conversations, one.resolved, one.with_person, one.cost_micros)
            for one in report.agents
        },
        "tools": {one.tool: (one.calls, one.failures, one.p95_ms) for one in report.tools},
    }


def raw(now: datetime, period: Period = PERIOD) -> dict[str, Any]:
    return reference.of(period.first, period.last, now)


def a_script(dice: random.Random, after: float = 0.0) -> str:
    steps = ["0s m"] if not after else []
    for _ in range(dice.randint(1, 14)):
        after += dice.choice([0.001, 0.9, 2, 40, 600, 4_000, 50_000])
        who = dice.choice(["", "", "@billing ", "!refund ", "@=cmd ", "!track "])
        steps.append(f"{after:.3f}s {who}{dice.choice(STEPS)}")
    return ", ".join(steps)


def a_week(dice: random.Random, conversations: int) -> None:
    for number in range(conversations):
        start = moment("01 00:00") + timedelta(seconds=dice.randrange(6 * 86_400))
        customer = f"customer {dice.randrange(conversations // 2)}"
        write(f"t-{number}", customer=customer, start=start, script=a_script(dice))


@pytest.mark.parametrize("seed", range(2))
def test_random_conversations_are_counted_as_the_raw_log_says(seed: int) -> None:
    dice = random.Random(seed)
    a_week(dice, 50)
    now = moment("05 18:00")

    assert rollups.roll_up(now=now) >= 50

    assert counted() == raw(now)
    assert counted()["sums"]["total"] > 20
    # Late events: yesterday is corrected, and only what changed is counted again.
    for row in dice.sample(list(Conversation.objects.all()), 8):
        go_on(row, a_script(dice, after=90_000))
    assert counted() != raw(now)
    assert rollups.pending(now=now) == 8
    assert 8 <= rollups.roll_up(now=now) < 40
    assert counted() == raw(now)
    # Time alone: what was open has settled.
    later = moment("09 18:00")
    rollups.roll_up(now=later)
    assert counted() == raw(later)
    assert "open" not in counted()["sums"]


def test_the_table_that_was_counted_by_hand_agrees_too() -> None:
    forty_five.write_all()
    rollups.roll_up(now=forty_five.NOW)

    assert counted(forty_five.WEEK) == raw(forty_five.NOW, forty_five.WEEK)


def test_whole_months_are_added_up_like_their_days() -> None:
    for name, start in (("a", "01 00:00"), ("b", "15 10:00"), ("c", "30 23:59")):
        write(
            name, customer=name, start=moment(start), script="0s m, 1s read.ok/9, 2s r, 2s end, 3s approved/9"
        )
    october = moment("01 00:00") - timedelta(hours=5)
    write("d", customer="d", start=october, script="0s m, 1s read.ok/700, 9s r, 9s end, 60s approved/99")
    now = moment("30 23:59") + timedelta(days=9)
    rollups.roll_up(now=now)
    longer = Period(date(2026, 10, 20), date(2026, 12, 3))
    assert longer.parts()[0] == [date(2026, 11, 1)]

    assert counted(longer) == raw(now, longer)
    go_on(Conversation.objects.get(thread_id="b"), "50s read.no/9000, 55s no1, 60s rejected/500")
    rollups.roll_up(now=now)
    assert counted(longer) == raw(now, longer)


@pytest.mark.parametrize(
    ("first", "last", "months", "days"),
    [
        ("2026-11-01", "2026-11-30", 1, 0),
        ("2026-11-02", "2026-11-30", 0, 29),
        ("2026-11-01", "2026-11-29", 0, 29),
        ("2026-01-31", "2026-03-01", 1, 2),
        ("2023-11-21", "2024-11-19", 11, 29),
        ("2025-11-21", "2026-11-20", 11, 30),
        ("2026-11-20", "2026-11-20", 0, 1),
    ],
)
def test_a_period_is_whole_months_and_the_days_around_them(
    first: str, last: str, months: int, days: int
) -> None:
    period = Period(date.fromisoformat(first), date.fromisoformat(last))

    whole, around = period.parts()

    assert (len(whole), len(around)) == (months, days)
    of_months = [day for day in period.each() if day.replace(day=1) in whole]
    assert sorted([*of_months, *around]) == period.each()


def test_a_customer_who_comes_back_corrects_the_conversation_before() -> None:
    first = write("t-1", customer="ada", start=moment("02 23:50"), script="0s m, 1s read.ok/9, 2s r, 2s end")
    now = moment("03 12:00")
    rollups.roll_up(now=now)
    assert counted()["sums"]["evidence"] == 1

    write("t-2", customer="ada", start=moment("03 11:00"), script="0s m, 1s read.ok/9, 2s r, 2s end")
    rollups.roll_up(now=now)

    assert ConversationFact.objects.get(pk=first.pk).outcome == "unresolved"
    assert {day.day.day: (day.evidence, day.unresolved) for day in Day.objects.all()} == {
        2: (0, 1),
        3: (1, 0),
    }
    assert counted() == raw(now)


def test_an_event_that_is_committed_late_is_counted_with_the_next_hour() -> None:
    """Its time lies before what was complete already: no watermark may pass it by."""
    row = write("t-1", customer="ada", start=moment("02 10:00"), script="0s m, 2s r, 2s end")
    rollups.roll_up()
    go_on(row, "3s yes5")
    Conversation.objects.filter(pk=row.pk).update(last_activity_at=moment("02 10:00"))

    rollups.roll_up()
    assert counted()["sums"].get("confirmed") is None  # outside of the minute's look
    rollups.roll_up(everything=True)

    assert counted()["sums"]["confirmed"] == 1


def test_a_late_price_is_counted_without_an_event() -> None:
    row = write("t-1", customer="ada", start=moment("02 10:00"), script="0s m, 2s r, 2s end, 2s $?")
    rollups.roll_up()
    row.model_calls.update(cost_micros=700, cost_source="price")
    Conversation.objects.filter(pk=row.pk).update(cost_micros=700)

    rollups.roll_up()

    assert counted()["sums"]["cost_micros"] == 700
    assert counted()["sums"].get("unpriced_calls") is None


def test_counting_twice_changes_nothing() -> None:
    a_week(random.Random(7), 20)
    now = moment("05 18:00")
    rollups.roll_up(now=now)
    before = [list(table.objects.order_by("pk").values()) for table in (ConversationFact, Day)]

    assert rollups.roll_up(now=now) == 0
    assert rollups.roll_up(now=now, everything=True) == 0

    assert [list(table.objects.order_by("pk").values()) for table in (ConversationFact, Day)] == before


def test_old_rules_are_counted_again() -> None:
    write("t-1", customer="ada", start=moment("02 10:00"), script="0s m, 2s r, 2s end, 3s yes")
    rollups.roll_up()
    ConversationFact.objects.update(rules=0, outcome="open")

    rollups.roll_up(everything=True)

    assert ConversationFact.objects.get().outcome == "confirmed"


def test_days_that_nothing_began_on_any_more_are_emptied() -> None:
    row = write("t-1", customer="ada", start=moment("02 10:00"), script="0s m, 1s read.ok/9, 2s r, 2s end")
    rollups.roll_up()
    assert (Day.objects.count(), DayAgent.objects.count(), DayTool.objects.count()) == (1, 1, 1)
    row.turns.all().delete()
    row.delete()

    rollups.sweep_days()

    assert (Day.objects.count(), DayAgent.objects.count(), DayTool.objects.count()) == (0, 0, 0)
