"""What dead workers left is put right while no worker is there: queued again, or ended."""

import signal
from datetime import timedelta

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from agents import approvals
from agents.context import StaleTurn
from agents.facts import Fact
from agents.models import ActionStatus
from chat import events, stopping, sweeping, takeover, turns
from chat.models import Conversation, Event, Turn, TurnStatus
from chat.sweeping import Swept
from tests import rows
from tests.at_once import at_once
from tests.chat.engine_stack import die, jobs, worker
from tests.factories import claim
from tests.live.chatter import Chatter
from tests.live.stack import START_SECONDS, Stack, until
from tests.scripted_model.fixture import RunningModel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("live-mortal")]
SAM = approvals.Decider("staff", "sam", id="user:1")


def left_behind(**fields: object) -> Turn:
    """A running turn whose worker lost its lease."""
    turn = rows.turn(rows.customer())
    claim()
    gone = timezone.now() - timedelta(seconds=1)
    Turn.objects.filter(pk=turn.pk).update(**{"lease_until": gone, **fields})
    turn.refresh_from_db()
    return turn


def test_a_turn_whose_worker_is_gone_is_queued_again_and_counted() -> None:
    at_work = rows.turn(rows.customer())
    claim("one")
    turn = left_behind()

    assert sweeping.sweep() == Swept(queued=1, ended=0)

    turn.refresh_from_db()
    at_work.refresh_from_db()
    assert (turn.status, turn.lease_until, turn.lapses) == ("queued", None, 1)
    assert at_work.status == "running"
    assert sweeping.sweep() == Swept(0, 0)
    again = claim("two")
    assert (again.turn_id, again.fresh, again.lapses) == (turn.pk, False, 1)


def test_whoever_lost_the_turn_to_the_sweep_writes_nothing() -> None:
    turn = rows.turn(rows.customer())
    held = claim()
    Turn.objects.filter(pk=turn.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweeping.sweep()
    before = turn.conversation.events.count()

    with pytest.raises(StaleTurn):
        events.insert(
            turn.conversation_id, [Fact("replied", {"content": "x"})], turn_id=turn.pk, fence=held.fence
        )

    assert turns.seal(held, TurnStatus.COMPLETED, [Fact("turn_completed", key="end")]) is None
    assert turns.renew({turn.pk: held.fence}) == {}
    assert turn.conversation.events.count() == before


def test_a_turn_that_was_to_stop_ends_as_stopped() -> None:
    turn = left_behind(stop_requested=True)
    read = {"tool": "get_order_status", "title": "Look up an order", "args": {}, "call_id": "call_1"}
    rows.happened(turn, Fact("tool_called", read, key="call:call_1", agent="order_lookup"))

    assert sweeping.sweep() == Swept(queued=0, ended=1)

    turn.refresh_from_db()
    told = list(Event.objects.filter(turn=turn).order_by("seq").values_list("kind", flat=True))
    assert turn.status == "stopped"
    assert told == ["message_received", "tool_called", "tool_returned", "turn_stopped"]


def test_a_turn_that_cannot_be_ended_keeps_no_other(caplog: pytest.LogCaptureFixture) -> None:
    found = [rows.turn(rows.customer()) for _ in range(3)]
    for _ in found:
        claim()
    gone = timezone.now() - timedelta(seconds=1)
    Turn.objects.update(lease_until=gone, stop_requested=True)
    stuck = found[1]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'out of order'; END $$;"
            "CREATE TRIGGER refuse BEFORE UPDATE ON chat_turn FOR EACH ROW "
            f"WHEN (OLD.id = '{stuck.pk}') EXECUTE FUNCTION refuse()"
        )
    try:
        assert sweeping.sweep() == Swept(queued=0, ended=2)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse CASCADE")

    assert f"{stuck.pk}" in caplog.text
    assert set(Turn.objects.values_list("pk", "status")) == {
        (turn.pk, "running" if turn == stuck else "stopped") for turn in found
    }
    assert sweeping.sweep() == Swept(queued=0, ended=1)


@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
def test_a_turn_from_before_a_takeover_ends_with_what_it_asked_for(status: str) -> None:
    """Nothing leaves one behind; if something did, no worker would ever claim it."""
    turn = rows.turn(rows.customer())
    action = rows.action(turn, rows.tool())
    Turn.objects.filter(pk=turn.pk).update(status=status, fence=1)
    Conversation.objects.filter(pk=turn.conversation_id).update(epoch=F("epoch") + 1)
    assert turns.claim("one") is None

    assert sweeping.sweep() == Swept(queued=0, ended=1)

    turn.refresh_from_db()
    action.refresh_from_db()
    assert (turn.status, action.status) == ("stopped", ActionStatus.CANCELLED)


def test_what_is_in_order_is_left_alone() -> None:
    waiting, queued = rows.turn(rows.customer()), rows.turn(rows.customer())
    rows.action(waiting, rows.tool())
    running = rows.turn(rows.customer())
    Turn.objects.filter(pk=queued.pk).update(queued_at=timezone.now() + timedelta(minutes=1))
    assert claim().turn_id == running.pk
    before = list(Turn.objects.order_by("pk").values())

    assert sweeping.sweep() == Swept(0, 0)

    assert list(Turn.objects.order_by("pk").values()) == before


def test_sweeps_workers_and_people_at_once_end_a_turn_once() -> None:
    for _ in range(4):
        turn = left_behind(stop_requested=True)
        thread = turn.conversation.thread_id

        at_once(
            [
                sweeping.sweep,
                sweeping.sweep,
                lambda thread=thread: stopping.stop(customer_id=None, thread_id=thread),
                lambda thread=thread: takeover.take_over(thread_id=thread, by=SAM),
            ]
        )

        assert Event.objects.filter(turn=turn, kind="turn_stopped").count() == 1
        assert Turn.objects.get(pk=turn.pk).status == "stopped"


def test_beat_knows_the_task() -> None:
    current_app.loader.import_default_modules()

    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(current_app.tasks)


async def test_a_turn_of_a_dead_worker_shows_as_queued_while_no_worker_is_there(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script({"match": {"structured": True}, "reply": {"hold": 0}, "times": 1})
    async with Chatter(mortal.socket_url) as customer:
        await customer.message("What is the status of order 1042?")
        [accepted] = await customer.until("accepted")
        scripted_model_server.holds()
        die(mortal)
        jobs(mortal)
        try:
            row = "SELECT status, lapses FROM chat_turn WHERE id = %s"
            queued = [{"status": "queued", "lapses": 1}]
            until(lambda: mortal.db(row, accepted["turn_id"]) == queued, seconds=START_SECONDS)
        finally:
            mortal.kill("jobs", signal.SIGTERM)
        worker(mortal)
        ended = await customer.until("message_complete")

    assert ended[-1]["status"] == "completed"
