"""What was missed comes in order and exactly as it came live; nothing is said twice; all tabs see the same."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.chat.sockets import action, events_of, found, nothing_written, refusal
from tests.live.chatter import Chatter, Frame, sure_types, types
from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-offline")


def resume(customer: Chatter, **fields: Any) -> dict[str, Any]:
    return {"type": "resume", "thread_id": customer.thread_id, **fields}


async def resumed(stack: Stack, customer: Chatter, after: int) -> list[Frame]:
    """What another socket of the same customer gets from `after` on, without the closing `resumed`."""
    async with Chatter(stack.socket_url, cookie=customer.cookie) as again:
        await again.send(resume(customer, after=after))
        frames = await again.until("resumed")
        await again.quiet()
    assert frames[-1] == {
        "type": "resumed",
        "thread_id": customer.thread_id,
        "seq": len(stack.events(customer.thread_id)),
    }
    return frames[:-1]


async def test_the_order_of_a_question_and_of_an_action(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        asked = await customer.say("What is the status of order 1059?")
        waiting = await customer.say("Cancel order 1059")
        await customer.quiet()
        done = await customer.answer(False)
        unclear = await customer.say("hmm")

    assert sure_types(asked) == [
        *("accepted", "routing", "tool_call", "tool_result", "agent_response", "message_complete")
    ]
    assert types(waiting)[0] == "accepted"
    assert types(waiting)[-1] == "interrupt"
    assert "message_complete" not in types(waiting)
    assert sure_types(done) == ["interrupt_resolved", "agent_response", "message_complete"]
    assert types(unclear) == ["accepted", "clarification", "message_complete"]


async def test_the_fields_of_every_frame(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        asked = await customer.say("What is the status of order 1059?", client_message_id="m-1")
        waiting = await customer.say("Cancel order 1059")
        done = await customer.answer(False)
    accepted, thread = asked[0], customer.thread_id
    event = {"thread_id", "seq", "turn_id", "at", "type"}

    assert accepted == {
        "type": "accepted",
        "thread_id": thread,
        "client_message_id": "m-1",
        "turn_id": accepted["turn_id"],
        "seq": 1,
        "position": 0,
    }
    fields = {
        "routing": {"agents", "reason"},
        "tool_call": {"agent", "tool", "title", "args", "call_id"},
        "tool_result": {"agent", "tool", "ok", "result", "call_id"},
        "agent_response": {"agent", "content", "html", "offset", "end"},
        "message_complete": {"status"},
        "interrupt": {*("agent", "interrupt_id", "action", "params", "message", "approver", "expires_at")},
        "interrupt_resolved": {"interrupt_id", "resolution", "by"},
    }
    seen = [frame for frame in asked + waiting + done if frame["type"] in fields]
    assert {frame["type"] for frame in seen} == set(fields)
    for frame in seen:
        assert set(frame) == event | fields[frame["type"]]
        assert frame["thread_id"] == thread
    for frame in asked:
        if frame["type"] == "token":
            assert set(frame) == {"type", "thread_id", "turn_id", "agent", "content", "offset"}
        assert frame["turn_id"] == accepted["turn_id"]
    call, result = found(asked, "tool_call"), found(asked, "tool_result")
    assert (call["tool"], call["args"], call["agent"]) == (
        "get_order_status",
        {"order_id": 1059},
        "order_lookup",
    )
    assert call["call_id"] == result["call_id"]
    assert result["result"]["order_id"] == 1059


async def everything(customer: Chatter, stack: Stack) -> list[Frame]:
    """A conversation in which every kind of event that the offline model knows takes place."""
    frames = await customer.say("What is the status of order 1060?")
    frames += await customer.say("hmm")
    frames += await customer.say("Cancel order 1060")
    frames += await customer.answer(False)
    frames += await customer.say("Cancel order 1060")
    frames += await customer.answer(True)
    expiring = await customer.say("Cancel order 1061")
    stack.db(
        "UPDATE agents_action SET expires_at = expires_at - interval '31 minutes' WHERE id = %s",
        expiring[-1]["interrupt_id"],
    )
    await customer.decide(True)
    frames += expiring + await customer.until("message_complete")
    frames += await customer.say("Cancel order 1061")
    await customer.send({"type": "stop", "thread_id": customer.thread_id})
    frames += await customer.until("message_complete")
    frames += await customer.say("I want to talk to a person")
    return frames


async def test_events_are_the_same_live_in_another_tab_and_by_resuming(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as here:
        begun = await here.say("hello")
        async with Chatter(offline_stack.socket_url, cookie=here.cookie) as there:
            there.thread_id = here.thread_id
            await there.send(resume(there, after=begun[-1]["seq"]))
            await there.until("resumed")

            live = await everything(here, offline_stack)
            watched = []
            while not watched or watched[-1] != live[-1]:
                watched.append(await there.frame())

        own = events_of(live)
        assert [frame for frame in events_of(watched) if frame["type"] != "user_message"] == own
        assert await resumed(offline_stack, here, begun[-1]["seq"]) == events_of(watched)
    assert {frame["type"] for frame in watched} == {
        *(
            "user_message",
            "routing",
            "tool_call",
            "tool_result",
            "token",
            "agent_response",
            "message_complete",
        ),
        *("clarification", "interrupt", "interrupt_resolved", "interrupt_expired", "handoff"),
    }
    said = [frame["content"] for frame in watched if frame["type"] == "user_message"]
    assert len(said) == 7
    assert said[0] == "What is the status of order 1060?"
    numbers = [frame["seq"] for frame in events_of(watched)]
    assert numbers == sorted(numbers)


async def test_resuming_anywhere_gives_exactly_the_rest(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        await customer.say("What is the status of order 1062?")
        whole = await resumed(offline_stack, customer, 0)
        assert types(whole)[0] == "user_message"
        assert types(whole)[-1] == "message_complete"
        assert "token" not in types(whole)

        for after in range(whole[-1]["seq"] + 1):
            rest = [frame for frame in whole if frame["seq"] > after]
            assert await resumed(offline_stack, customer, after) == rest
        async with Chatter(offline_stack.socket_url, cookie=customer.cookie) as again:
            await again.send(resume(customer))
            assert (await again.until("resumed"))[:-1] == whole


@pytest.mark.parametrize("beyond", [1, 10**6, 2**63 - 1])
async def test_resuming_beyond_the_end_misses_nothing_that_comes(offline_stack: Stack, beyond: int) -> None:
    async with Chatter(offline_stack.socket_url) as here:
        await here.say("hello")
        end = len(offline_stack.events(here.thread_id))
        async with Chatter(offline_stack.socket_url, cookie=here.cookie) as there:
            there.thread_id = here.thread_id
            await there.send(resume(there, after=min(end + beyond, 2**63 - 1)))
            assert await there.frame() == {"type": "resumed", "thread_id": here.thread_id, "seq": end}

            said = await here.say("hello again")

            assert (await there.until("message_complete"))[-1] == said[-1]


@pytest.mark.parametrize("after", [-1, 2**63, True, "0", 1.0, None, [0], {}])
async def test_positions_that_are_none(offline_stack: Stack, after: Any) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        await customer.say("hello")

        with nothing_written(offline_stack):
            answer = await refusal(customer, resume(customer, after=after))

        assert answer == {"type": "error", "code": "invalid_resume", "message": "Invalid resume position"}


async def test_the_own_message_is_told_once_by_accepted(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        for _ in range(3):
            frames = await customer.say("hello")
            assert "user_message" not in types(frames)
        await customer.quiet()


async def test_a_message_that_is_sent_again_runs_once(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as here:
        first = await here.say("Cancel order 1063", client_message_id="m")
        await here.message("Cancel order 1063", client_message_id="m")  # while it waits
        assert await here.frame() == first[0]
        await here.quiet()
        done = await here.answer(True)

        with nothing_written(offline_stack):
            await here.message("something else", client_message_id="m")  # when it is done
            assert await here.frame() == first[0]
            await here.quiet()
            async with Chatter(offline_stack.socket_url, cookie=here.cookie) as there:
                there.thread_id = here.thread_id
                again = await there.say("Cancel order 1063", client_message_id="m")  # from somewhere else

    assert again[0] == first[0]
    assert events_of(again) == events_of(first)[: len(events_of(again))]
    assert done[-1]["status"] == "completed"
    assert [event["kind"] for event in offline_stack.events(here.thread_id)].count("message_received") == 1


async def test_an_odd_id_that_is_sent_again_runs_once_too(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        for odd in (7, "x" * 1_000, "\ud800", "a\nb"):
            first = await customer.say("hello", client_message_id=odd)
            with nothing_written(offline_stack):
                await customer.message("hello", client_message_id=odd)
                assert await customer.frame() == first[0]
                await customer.quiet()


@pytest.mark.parametrize("known", [False, True], ids=["first message", "later message"])
async def test_the_same_message_from_two_sockets_at_once_runs_once(offline_stack: Stack, known: bool) -> None:
    async with Chatter(offline_stack.socket_url) as here:
        if known:
            await here.say("hello")
        async with Chatter(offline_stack.socket_url, cookie=here.cookie) as there:
            there.thread_id = here.thread_id

            await asyncio.gather(*(each.message("hello", client_message_id="m") for each in (here, there)))
            both = [await each.until("message_complete") for each in (here, there)]

    accepted = [found(frames, "accepted") for frames in both]
    assert accepted[0]["turn_id"] == accepted[1]["turn_id"]
    assert accepted[0]["seq"] == accepted[1]["seq"]
    received = [
        event for event in offline_stack.events(here.thread_id) if event["kind"] == "message_received"
    ]
    assert [event["payload"]["client_message_id"] for event in received] == [*[None] * known, "m"]
    assert str(received[-1]["turn_id"]) == accepted[0]["turn_id"]


async def test_two_first_messages_at_once_open_one_conversation(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as here:
        async with Chatter(offline_stack.socket_url, cookie=here.cookie) as there:
            there.thread_id = here.thread_id

            await asyncio.gather(here.message("hello"), there.message("hello"))
            accepted = [(await each.until("accepted"))[-1] for each in (here, there)]
            wanted = {
                frame["turn_id"] for frame in accepted
            }  # one, where the second came before the first began
            finished: set[str] = set()
            while finished < wanted:
                finished.add((await here.until("message_complete"))[-1]["turn_id"])

    assert finished == wanted
    assert min(frame["seq"] for frame in accepted) == 1
    assert accepted[0]["seq"] != accepted[1]["seq"]
    assert len(offline_stack.db("SELECT 1 FROM chat_conversation WHERE thread_id = %s", here.thread_id)) == 1


async def test_a_thread_that_two_strangers_open_at_once_has_one_owner(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as one, Chatter(offline_stack.socket_url) as other:
        one.thread_id = other.thread_id = uuid4().hex

        await asyncio.gather(one.message("hello"), other.message("hello"))
        first = [await each.until("message_complete", "error") for each in (one, other)]

    assert sorted(frames[-1].get("message", "") for frames in first) == ["", "Thread not found"]


async def test_the_same_words_twice_are_two_messages(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        first, second = await customer.say("hello"), await customer.say("hello")
        third, fourth = [await customer.say("hello", client_message_id=name) for name in ("a", "b")]

    turns = {frames[0]["turn_id"] for frames in (first, second, third, fourth)}
    assert len(turns) == 4


async def test_one_socket_may_follow_several_threads(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        first = await customer.say("Cancel order 1064")
        earlier, customer.thread_id = customer.thread_id, uuid4().hex
        await customer.say("hello")

        await customer.send({"type": "interrupt_response", "thread_id": earlier, "approved": False})
        done = await customer.until("message_complete")

    assert {frame["thread_id"] for frame in done} == {earlier}
    assert action(offline_stack, first[-1]["interrupt_id"])["status"] == "rejected"
