"""What a turn's journal writes later is written in the order in which it was said, or not at all."""

import asyncio

import pytest

from agents.context import StaleTurn
from agents.facts import Fact
from chat import history, live
from chat.journal import TurnJournal
from chat.models import Event, Turn
from chat.turns import Claim
from tests import rows
from tests.factories import claim, on_loop

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
            await live.close()

    assert (kinds(held), on_loop(shown())) == ([], None)


def test_closing_waits_for_what_is_being_written() -> None:
    held, journal = opened()

    async def turn() -> None:
        journal.append_soon(ROUTED)
        await journal.close()
        await live.close()

    on_loop(turn())

    assert kinds(held) == ["routed"]
