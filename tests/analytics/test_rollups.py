"""Counting is done in batches, by one at a time, and may end anywhere."""

from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from analytics import day_tables, rollups
from analytics.models import ConversationFact, Day, Progress
from analytics.tasks import compare_everything, roll_up
from smartsupport.celery import app
from tests.analytics.scripted import moment, write
from tests.at_once import at_once

SOLVED = "0s m, 1s read.ok/9, 2s r, 2s end"


def some(conversations: int) -> None:
    for number in range(conversations):
        write(f"t-{number}", customer=f"c-{number}", start=moment(f"0{1 + number % 3} 10:00"), script=SOLVED)


def total() -> int:
    return sum(Day.objects.values_list("total", flat=True))


@pytest.mark.django_db(transaction=True)
def test_two_at_once_count_everything_once() -> None:
    some(12)

    counted = at_once([rollups.roll_up, rollups.roll_up, lambda: rollups.roll_up(wait=True)])

    assert sum(counted) == 12  # type: ignore[arg-type]
    assert total() == ConversationFact.objects.count() == 12


@pytest.mark.django_db(transaction=True)
def test_who_finds_somebody_else_counting_leaves_it_to_them() -> None:
    some(2)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(rollups._LOCK)
        (counted,) = at_once([rollups.roll_up])

    assert counted == 0
    assert not ConversationFact.objects.exists()
    assert rollups.complete() is None


@pytest.mark.django_db(transaction=True)
def test_who_dies_half_way_leaves_facts_and_days_that_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    some(6)
    rebuild, batches = day_tables.rebuild, []

    def dies_in_the_second_batch(days: Any) -> None:
        rebuild(days)
        batches.append(days)
        if len(batches) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(day_tables, "rebuild", dies_in_the_second_batch)
    monkeypatch.setattr(rollups, "BATCH", 2)
    with pytest.raises(KeyboardInterrupt):
        rollups.roll_up()

    assert total() == ConversationFact.objects.count() == 2
    assert rollups.complete() is None
    assert rollups.pending() == 4
    assert rollups.roll_up() == 4
    assert total() == ConversationFact.objects.count() == 6
    assert rollups.complete() is not None


@pytest.mark.django_db
def test_a_run_ends_in_time_and_the_next_one_goes_on() -> None:
    some(3)

    assert rollups.roll_up(seconds=0) == 0
    assert rollups.roll_up() == 3


@pytest.mark.django_db
def test_the_number_of_queries_does_not_depend_on_how_many_conversations_there_are() -> None:
    rollups.roll_up()
    some(2)
    with CaptureQueriesContext(connection) as few:
        rollups.roll_up()
    for number in range(10, 30):
        write(f"t-{number}", customer="ada", start=moment("05 10:00"), script=SOLVED)
    with CaptureQueriesContext(connection) as many:
        rollups.roll_up()

    assert len(many) == len(few)


@pytest.mark.django_db
def test_beat_calls_both_tasks() -> None:
    some(1)
    planned = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert {roll_up.name, compare_everything.name} <= planned

    roll_up()
    assert total() == 1
    Progress.objects.all().delete()
    ConversationFact.objects.update(seq=0)
    compare_everything()
    assert ConversationFact.objects.get().seq > 0


@pytest.mark.django_db
def test_the_command_counts_anew_what_began_since_a_day() -> None:
    some(6)
    rollups.roll_up()
    ConversationFact.objects.update(outcome="open")
    said = StringIO()

    call_command("rebuild_analytics", since="2026-11-02", stdout=said)

    assert said.getvalue() == "Counted 4 conversations.\n"
    assert set(
        ConversationFact.objects.filter(day__lt=date(2026, 11, 2)).values_list("outcome", flat=True)
    ) == {"open"}
    assert list(Day.objects.order_by("day").values_list("total", "evidence")) == [(2, 2), (2, 2), (2, 2)]
    call_command("rebuild_analytics", stdout=said)
    assert not ConversationFact.objects.filter(outcome="open").exists()


@pytest.mark.django_db
def test_the_command_says_what_a_day_looks_like() -> None:
    with pytest.raises(CommandError, match="like 2026-01-31, not 'yesterday'"):
        call_command("rebuild_analytics", since="yesterday")
