"""What a turn's journal writes later is written in the order in which it was said, or not at all."""

import asyncio
import threading

import pytest
from django.db import connection, transaction

from agents.context import StaleTurn
from agents.facts import Fact, replied
from chat import history, live
from chat.journal import TurnJournal
from chat.models import Conversation, Event, Turn
from chat.turns import Claim
from smartsupport.lib import valkey
from smartsupport.lib.threads import in_thread
from tests import rows
from tests.factories import claim, on_loop
from tests.live.stack import until

pytestmark = pytest.mark.django_db(transaction=True)
ROUTED = Fact("routed", {"agents": ["a"], "reason": "", "by": "model"}, key="route")
CHOSE = Fact("model_called", {"text": "", "tool_calls": [], "model": "m"}, key="model:1")
CALLED = Fact("tool_called", {"tool": "t", "title": "T", "args": {}, "call_id": "c"}, key="call:c")


def opened() -> tuple[Claim, TurnJournal]:
    rows.turn(rows.customer())
    held = claim()
    return held, TurnJournal(held, {})


def kinds(held: Claim) -> list[str]:
    events = Event.objects.filter(turn_id=held.turn_id).exclude(kind="message_received").order_by("seq")
    return list(events.values_list("kind", flat=True))


def test_what_is_written_soon_and_what_was_noted_come_before_what_follows() -> None:
    held, journal = opened()

    async def turn() -> None:
        journal.append_soon(ROUTED)
        journal.note(CHOSE)
        await journal.append(CALLED)

    on_loop(turn())

    assert kinds(held) == ["routed", "model_called", "tool_called"]


def test_a_transaction_records_what_was_noted_before_its_own_facts() -> None:
    held, journal = opened()

    async def turn() -> str:
        journal.append_soon(ROUTED)
        await asyncio.sleep(0)  # the loop begins to write
        journal.note(CHOSE)
        return await journal.transact(lambda: ("done", [CALLED]))

    assert on_loop(turn()) == "done"
    assert kinds(held) == ["routed", "model_called", "tool_called"]


def test_a_choice_that_nothing_followed_on_is_made_again() -> None:
    """The worker died between the model's answer and the call: the next one finds no choice, and no call."""
    held, journal = opened()

    journal.note(CHOSE)

    assert kinds(held) == []
    assert TurnJournal(held, history.recorded(held.turn_id)).recorded(CHOSE.key) is None
    assert journal.take_noted() == [CHOSE]  # a turn that ends here is sealed with it
    assert journal.take_noted() == []


def test_a_worker_that_lost_its_turn_hears_of_it_at_the_next_thing_it_writes() -> None:
    held, journal = opened()
    Turn.objects.filter(pk=held.turn_id).update(fence=held.fence + 1)

    async def turn() -> None:
        journal.append_soon(ROUTED)
        await journal.token("a", "Never shown.")

    with pytest.raises(StaleTurn):
        on_loop(turn())

    async def shown() -> object:
        try:
            return await live.partial_frame(held.turn_id)
        finally:
            await valkey.close()

    assert (kinds(held), on_loop(shown())) == ([], None)


def test_closing_waits_for_what_is_being_written() -> None:
    held, journal = opened()

    async def turn() -> None:
        journal.append_soon(ROUTED)
        await journal.close()
        await valkey.close()

    on_loop(turn())

    assert kinds(held) == ["routed"]


def test_a_turn_that_is_cancelled_waits_for_what_it_is_writing() -> None:
    """Whether the answer was recorded decides what is recorded with the end: all of it is said, and once."""
    held, journal = opened()
    locked, free = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Conversation.objects.select_for_update().get(pk=held.conversation_id)
            locked.set()
            free.wait(120)
        connection.close()

    def somebody_waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return bool(cursor.fetchone()[0])

    async def turn() -> list[Fact]:
        await journal.token("a", "Whole.")
        journal.note(CHOSE)
        writing = asyncio.ensure_future(journal.append(replied(agent="a", content="Whole.", key="reply:1")))
        await in_thread(lambda: until(somebody_waits))
        writing.cancel()
        asyncio.get_running_loop().call_later(0.3, free.set)
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert free.is_set()
        left = journal.take_left()
        await journal.close()
        await valkey.close()
        return left

    other = threading.Thread(target=hold)
    other.start()
    assert locked.wait(60)
    left = on_loop(turn())
    other.join(30)

    assert (kinds(held), left) == (["model_called", "replied"], [])


def test_what_was_shown_and_not_recorded_is_left_for_the_end() -> None:
    _, journal = opened()

    async def turn() -> list[Fact]:
        await journal.token("a", "Half 🙂 ")
        await journal.append(replied(agent="a", content="Half 🙂 ", key="reply:1"))
        await journal.token("a", "and a")
        journal.note(CHOSE)
        left = journal.take_left()
        await journal.close()
        await valkey.close()
        return left

    noted, cut = on_loop(turn())

    assert noted == CHOSE
    assert (cut.kind, cut.agent, cut.key) == ("replied", "a", "reply:cut:0")
    assert cut.payload == {"content": "and a", "cut": True, "offset": 7, "end": 12}


def test_what_was_noted_is_not_lost_with_a_transaction_that_came_too_late() -> None:
    """Somebody stopped the turn between the model's answer and what was to be done about it: the answer is paid for."""
    held, journal = opened()
    Turn.objects.filter(pk=held.turn_id).update(stop_requested=True)

    async def turn() -> list[Fact]:
        journal.note(CHOSE)
        with pytest.raises(StaleTurn):
            await journal.transact(lambda: (None, [CALLED]))
        return journal.take_left()

    assert on_loop(turn()) == [CHOSE]
    assert kinds(held) == []


def test_what_was_noted_is_not_lost_with_a_write_that_was_cancelled_before_it_began() -> None:
    """The last piece of the text was still on its way to the sockets."""
    held, journal = opened()

    async def turn() -> list[Fact]:
        journal.note(CHOSE)
        async with journal._sending:
            writing = asyncio.ensure_future(
                journal.append(replied(agent="a", content="Whole.", key="reply:1"))
            )
            await asyncio.sleep(0)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
        return journal.take_left()

    assert on_loop(turn()) == [CHOSE]
    assert kinds(held) == []


def test_what_was_noted_is_not_kept_where_it_was_written() -> None:
    """Cancelled while it is being written, which goes on."""
    held, journal = opened()
    writes, free = threading.Event(), threading.Event()

    def work() -> tuple[None, list[Fact]]:
        writes.set()
        assert free.wait(60)
        return None, [CALLED]

    async def turn() -> list[Fact]:
        journal.note(CHOSE)
        writing = asyncio.ensure_future(journal.transact(work))
        await asyncio.to_thread(writes.wait, 60)
        writing.cancel()
        free.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        return journal.take_left()

    assert on_loop(turn()) == []
    assert kinds(held) == ["model_called", "tool_called"]
