"""Text that is being written leaves in order, whole, and in a form that every socket can be sent."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from channels.layers import get_channel_layer
from redis import Redis

from chat import events, identity, live
from chat.frames import Frame
from chat.journal import FLUSH_SECONDS, TurnJournal
from chat.models import Turn, TurnStatus
from chat.turns import Claim
from smartsupport.lib import valkey
from tests import rows
from tests.factories import on_loop
from tests.isolation.sockets import Credentials, open_line


class Watcher:
    """What a socket of the conversation would be sent, put together by offsets."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.text = ""

    async def open(self) -> "Watcher":
        self.layer = get_channel_layer()
        self.channel = await self.layer.new_channel()
        await self.layer.group_add(events.group_of(self.claim.conversation_id), self.channel)
        return self

    async def frame(self) -> dict[str, Any]:
        async with asyncio.timeout(60):
            message = await self.layer.receive(self.channel)
        frame: dict[str, Any] = message["frame"]
        assert message["conversation"] == str(self.claim.conversation_id)
        assert frame["offset"] == len(self.text)  # in order: no hole, nothing twice
        self.text += frame["content"]
        return frame

    async def until(self, text: str) -> None:
        while self.text != text:
            await self.frame()
            assert text.startswith(self.text)


@pytest.fixture
async def watcher(empty_valkey: None) -> AsyncIterator[Watcher]:
    claim = Claim(uuid4(), 1, uuid4(), "thread", uuid4(), "", "hello", 1, "")
    watcher = await Watcher(claim).open()
    yield watcher
    await watcher.layer.flush()
    await valkey.close()


async def test_every_piece_leaves_though_the_model_stops_while_the_broker_is_slow(
    watcher: Watcher, valkey: Redis
) -> None:
    journal = TurnJournal(watcher.claim, {})
    await journal.token("agent", "first ")
    valkey.execute_command("CLIENT", "PAUSE", 200, "ALL")  # milliseconds

    await journal.token("agent", "second ")
    underway = asyncio.Event()  # the second is being sent, which takes a while
    asyncio.get_running_loop().call_later(1.3 * FLUSH_SECONDS, underway.set)
    await underway.wait()
    await journal.token("agent", "third")

    await watcher.until("first second third")
    await journal.close()


async def test_pieces_of_a_fast_model_travel_together(watcher: Watcher) -> None:
    journal = TurnJournal(watcher.claim, {})
    for number in range(500):
        await journal.token("agent", f"{number} ")
    frames = 0

    written = "".join(f"{number} " for number in range(500))
    while watcher.text != written:
        await watcher.frame()
        frames += 1

    assert frames < 100
    await journal.close()


async def test_who_comes_late_gets_the_text_so_far(watcher: Watcher) -> None:
    journal = TurnJournal(watcher.claim, {})
    await journal.token("agent", "订单 🙂 ")
    await journal.token("agent", "1042")
    await watcher.until("订单 🙂 1042")

    partial = await live.partial_frame(watcher.claim.turn_id)

    assert partial is not None
    assert (partial["content"], partial["offset"], partial["agent"]) == ("订单 🙂 1042", 0, "agent")
    await journal.close()
    assert await live.partial_frame(watcher.claim.turn_id) is None


async def test_half_of_a_character_does_not_break_the_turn(watcher: Watcher) -> None:
    journal = TurnJournal(watcher.claim, {})

    await journal.token("agent", "smile \ud83d")
    await journal.token("agent", "\ude42\x00!")

    await watcher.until("smile \ufffd\ufffd\ufffd!")
    await journal.close()


@pytest.mark.django_db(transaction=True)
def test_a_piece_that_was_lost_on_the_way_is_made_up_for(empty_valkey: None) -> None:
    """The text is kept before it is sent, so the next piece brings what is missing."""
    turn = rows.turn(rows.customer())
    Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.RUNNING)
    made_up, after_it = on_loop(_lose_a_piece(turn))

    assert (made_up["offset"], made_up["content"]) == (0, "One two ")
    assert (after_it["offset"], after_it["content"]) == (8, "three")


async def _lose_a_piece(turn: Turn) -> tuple[Frame, Frame]:
    cookie = identity.sign_cookie(turn.conversation.customer_id)
    show = partial(live.show, turn.conversation_id, turn.pk, turn.conversation.thread_id, "agent", 0)
    async with open_line(
        "/ws", Credentials("a visitor", headers={"cookie": f"{identity.COOKIE}={cookie}"})
    ) as line:
        await line.answers({"type": "resume", "thread_id": turn.conversation.thread_id, "after": 1})

        await show("One two ", "two ")
        made_up = await line.frame()
        await show("One two three", "three")
        return made_up, await line.frame()
