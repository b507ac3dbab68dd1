"""Conversations as nobody would write them, told by the product's own services and committed as badly as can be."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from agents import facts
from agents.models import ModelCall
from agents.spending import ledger
from agents.spending.usage import Call, Usage
from analytics import rollups
from analytics.models import ConversationFact
from tests import rows
from tests.analytics.scripted import go_on, moment, outcome_of, write
from tests.analytics.test_agreement import counted, raw

pytestmark = pytest.mark.django_db

DRAMAS = {
    "merged": "0s m, 1s m+, 2s m+, 3s r, 4s end, 5s m, 6s stop, 6s m+, 7s retry, 8s r, 9s end",
    "stopped": "0s m, 1s stop",
    "retried": "0s m, 1s fail, 2s retry, 3s read.ok/5, 4s r, 5s end",
    "retried and failed": "0s m, 1s read.ok/5, 2s r, 3s fail, 4s retry, 5s fail",
    "handed off and back": "0s m, 1s handoff, 2s take, 3s mh, 4s staff, 5s back, 6s m, 7s act.ok/9, 8s r, 9s end",
    "staff first": "0s take, 1s staff, 9s mh, 10s staff, 11s back, 12s m, 13s r, 14s end",
    "reopened": "0s m, 1s read.ok/3, 2s r, 2s end, 3s resolved, 3s asked, 9s yes5, 30h m, 31h fail",
    "twice": "0s m, 2s r, 2s end, 3s asked, 4s yes5, 5s no1, 6s yes, 7s score2",
    "no then silence": "0s m, 2s r, 2s end, 3s asked, 4s no",
    "late": "0s m, 2s r, 2s end, 3s asked, 90h yes4",
    "unknown and settled": "0s m, 1s awaiting, 2s act.unknown, 3s r, 3s end, 60h settled.yes, 61h settled.no",
    "expired": "0s m, 1s expired, 40m r, 40m end, 41m m, 41m cancelled, 42m stop, 43m rejected/70000",
    "again": "0s m, 1s act.unknown, 2s again.ok/80, 3s r, 3s end, 4s m, 5s read.refused, 6s r, 6s end",
    "nothing": "0s $700, 0s $?",
    "only feedback": "1s yes5",
    "backwards": "9s m, 5s read.ok/4, 3s r, 2s end, 1s handoff, 0s staff",
}


@pytest.mark.parametrize("piecewise", [False, True])
def test_dramas_are_counted_as_the_raw_log_says(piecewise: bool) -> None:
    for number, (name, script) in enumerate(DRAMAS.items()):
        start = moment("02 23:59") + timedelta(seconds=10 * number)
        made = write(name, customer=f"c{number // 2}", start=start, script="" if piecewise else script)
        for step in script.split(",") if piecewise else ():
            go_on(made, step)
            rollups.roll_up(now=moment("03 00:05"))
    for now in (moment("03 00:05"), moment("04 09:00"), moment("09 09:00")):
        rollups.roll_up(now=now, everything=True)

        assert counted() == raw(now)
        sums = counted()["sums"]
        names = ("confirmed", "evidence", "contained", "escalated", "unresolved", "open")
        assert sum(sums.get(name, 0) for name in names) == sums["total"] == len(DRAMAS)


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("0s m, 2s read.ok/100, 3s stop", "unresolved"),
        ("0s m, 2s read.ok/100, 3s r.cut, 4s stop", "unresolved"),
        ("0s m, 2s read.ok/100, 3s r, 3s end, 4s m, 5s stop", "evidence"),
        ("0s m, 2s fail, 3s m, 4s read.ok/100, 5s stop", "unresolved"),
        ("0s m, 2s act.ok/100, 3s stop", "evidence"),
    ],
)
def test_what_was_read_shows_nothing_before_the_customer_is_told(script: str, outcome: str) -> None:
    made = write("t", customer="ada", start=moment("02 10:00"), script=script)

    rollups.roll_up(now=moment("09 10:00"))

    assert outcome_of(made.pk) == outcome
    assert counted() == raw(moment("09 10:00"))


def test_a_call_whose_cost_nobody_knows_is_counted_though_no_event_tells_of_it() -> None:
    turn = rows.turn(rows.customer())
    rows.finish(turn)
    rollups.roll_up()
    call = Call(purpose=ModelCall.Purpose.SUMMARY, provider="openai", model="nobody-knows", usage=Usage())

    ledger.record(call, conversation_id=turn.conversation_id)
    rollups.roll_up(everything=True)

    assert ConversationFact.objects.get().unpriced_calls == 1


def test_a_note_on_an_old_conversation_changes_no_number() -> None:
    turn = rows.turn(rows.customer())
    rows.finish(turn)
    rollups.roll_up()
    before = outcome_of(turn.conversation_id)

    rows.happened(turn, facts.note_written(content="Hm", by_name="sam", once="", key="note:1"))
    rollups.roll_up(everything=True)

    assert outcome_of(turn.conversation_id) == before


@pytest.mark.parametrize(
    "before",
    [
        "0001-01-01T00:00:00+14:00_00000000-0000-0000-0000-000000000000",
        "9999-12-31T23:59:59-14:00_00000000-0000-0000-0000-000000000000",
        "2026-13-45T00:00:00+00:00_x",
        "2026-11-20T00:00:00_00000000-0000-0000-0000-000000000000",
        "\x00_\x00",
        "_",
    ],
)
@pytest.mark.parametrize("narrowed", ["outcome=\x00", "agent=%00", "tool='; DROP TABLE x", "outcome=open"])
def test_addresses_that_nobody_made_are_no_error(client: Client, before: str, narrowed: str) -> None:
    client.force_login(rows.staff("lead", "analytics.view_analytics", "chat.view_conversation"))
    write("t", customer="c", start=timezone.now(), script="0s m")
    rollups.roll_up()
    name, _, value = narrowed.partition("=")

    page = client.get("/admin/analytics/conversations/", {"range": "9d", "before": before, name: value})

    assert page.status_code == 200
