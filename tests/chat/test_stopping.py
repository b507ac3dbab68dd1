"""A turn is stopped wherever it is: it ends while the model or the business is still at it, what was sent is recorded,
what was said is kept, and no model ever sees half a tool call."""

import asyncio
from typing import Any

import pytest

from tests.agents.graph_script import (
    Rule,
    actions,
    answers,
    assert_sound,
    call,
    kinds,
    one,
    routed,
    texts,
    turns,
)
from tests.chat.engine_stack import struck
from tests.chat.sockets import effects, events_of, text_of
from tests.live.chatter import Chatter, Frame
from tests.live.stack import Stack, until
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")

QUESTION = "What is the status of order 1042?"
PIECES = [f"piece {number} 单🙂 " for number in range(400)]
READ = call("get_order_status", {"order_id": 1042})
SAID = "".join(PIECES[:5])
HALF: dict[str, Any] = {"chunks": PIECES, "hold": 6}  # `SAID`, and then nothing until the test lets go
AGAIN: list[Rule] = [routed("order_lookup"), answers(text="Here again.", times=None)]


@pytest.fixture
def stack(scripted_stack: Stack) -> Stack:
    scripted_stack.business.post("/_reset")
    return scripted_stack


async def stop(customer: Chatter) -> list[Frame]:
    """Stop the turn: the frames up to its end. Whatever it was at is held meanwhile, so that it did not wait for it."""
    await customer.send({"type": "stop", "thread_id": customer.thread_id})
    frames = await customer.until("message_complete")
    assert frames[-1]["status"] == "stopped"
    return frames


def assert_calls_are_answered(stack: Stack, model: RunningModel, thread_id: str) -> None:
    """In the log, and in everything that a model was sent."""
    payloads = [(event["kind"], event["payload"].get("call_id")) for event in stack.events(thread_id)]
    called = {call_id for kind, call_id in payloads if kind == "tool_called"}
    assert called == {call_id for kind, call_id in payloads if kind == "tool_returned"}
    for request in model.requests():
        open_calls: list[str] = []
        for message in request["body"]["messages"]:
            if message["role"] == "tool":
                open_calls.remove(message["tool_call_id"])
            else:
                assert open_calls == [], "a call without its result"
                open_calls += [made["id"] for made in message.get("tool_calls") or []]
        assert open_calls == []


async def goes_on(stack: Stack, model: RunningModel, customer: Chatter) -> None:
    """The next message is answered at once, and everything is in order."""
    model.script(*AGAIN)
    assert texts(await customer.say("And now?")) == ["Here again."]
    assert_calls_are_answered(stack, model, customer.thread_id)
    assert_sound(stack, customer.thread_id)


async def test_what_was_said_until_then_is_kept(stack: Stack, scripted_model_server: RunningModel) -> None:
    scripted_model_server.script(routed("order_lookup"), answers(**HALF))
    async with Chatter(stack.socket_url) as customer:
        await customer.message(QUESTION)
        said = ""
        while said != SAID:
            said = text_of(customer.seen, (await customer.frame()).get("turn_id", ""))
        frames = await stop(customer)

        cut = one(frames, "agent_response")
        assert (cut["content"], cut["cut"]) == (SAID, True)
        assert (cut["offset"], cut["end"]) == (0, len(SAID))
        await customer.quiet()
        async with Chatter(stack.socket_url, cookie=customer.cookie) as later:
            await later.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
            assert events_of(await later.until("resumed"))[1:] == events_of(customer.seen)
        await goes_on(stack, scripted_model_server, customer)

    told = [message["content"] for message in scripted_model_server.requests()[-1]["body"]["messages"]]
    assert any(cut["content"].strip() in (text or "") for text in told)  # the next answer knows of it


async def test_a_read_at_work_is_closed(stack: Stack, scripted_model_server: RunningModel) -> None:
    stack.business.post("/_faults", json={"operation": "get_order_status", "hold": True})
    scripted_model_server.script(
        routed("order_lookup"), answers(READ, call("get_order_status", {"order_id": 1043}))
    )
    async with Chatter(stack.socket_url) as customer:
        await customer.message(QUESTION)
        struck(stack, times=2)
        frames = await stop(customer)

        stack.business.delete("/_faults")
        results = [frame for frame in frames if frame["type"] == "tool_result"]
        assert [(result["ok"], result["result"]["kind"]) for result in results] == [(False, "stopped")] * 2
        await goes_on(stack, scripted_model_server, customer)


async def test_a_call_that_was_chosen_and_not_made_is_not_made(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    """The model is in the middle of writing the call."""
    scripted_model_server.script(
        routed("order_actions"),
        answers(call("cancel_order", {"order_id": 1042}), text="One", hold=3),
    )
    async with Chatter(stack.socket_url) as customer:
        await customer.message("Cancel order 1042")
        scripted_model_server.holds()
        await customer.until("token")
        frames = await stop(customer)

        assert texts(frames) == ["One"]
        assert actions(stack, customer.thread_id) == []
        await goes_on(stack, scripted_model_server, customer)
    assert effects(stack, 1042) == []


async def test_a_waiting_turn_ends_at_once_with_its_approval(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script(routed("order_actions"), answers(call("cancel_order", {"order_id": 1042})))
    async with Chatter(stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1042")
        frames = await stop(customer)

        assert frames[-1]["turn_id"] == waiting[0]["turn_id"]
        late = await customer.answer(True, interrupt_id=waiting[-1]["interrupt_id"])
        assert (late[-1]["code"], late[-1]["resolution"]) == ("already_decided", "cancelled")
        await goes_on(stack, scripted_model_server, customer)
    assert [action["status"] for action in actions(stack, customer.thread_id)] == ["cancelled"]
    assert effects(stack, 1042) == []


async def test_queued_messages_end_together(stack: Stack, scripted_model_server: RunningModel) -> None:
    scripted_model_server.script({"match": {"structured": True}, "reply": {"hold": 0}})
    async with Chatter(stack.socket_url) as customer:
        await customer.message(QUESTION)
        scripted_model_server.holds()
        for text in ("Two", "Three"):
            await customer.message(text)
            await customer.until("accepted")
        await stop(customer)
        await stop(customer)

        assert [turn["status"] for turn in turns(stack, customer.thread_id)] == ["stopped", "stopped"]
        assert [turn["messages"] for turn in turns(stack, customer.thread_id)] == [1, 2]
        await goes_on(stack, scripted_model_server, customer)


async def test_one_turn_does_not_wait_for_what_another_has_sent(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    """Both run in the same worker."""
    stack.business.post("/_faults", json={"operation": "cancel_order", "hold": True})
    scripted_model_server.script(
        {
            "match": {"structured": True, "last_user_contains": "Cancel"},
            "reply": routed("order_actions")["reply"],
        },
        routed("order_lookup"),
        answers(call("cancel_order", {"order_id": 1042}), agent="order_actions"),
        answers(text="Cancelled.", agent="order_actions"),
        answers(**HALF, agent="order_lookup"),
    )
    async with Chatter(stack.socket_url) as slow, Chatter(stack.socket_url) as quick:
        await slow.say("Cancel order 1042")
        await slow.decide(True)
        struck(stack)
        await quick.message(QUESTION)
        await quick.until("token")

        await stop(quick)

        assert "tool_returned" not in kinds(stack, slow.thread_id)
        assert stack.business.delete("/_faults").json() == {"cleared": 1}
        assert (await slow.until("message_complete"))[-1]["status"] == "completed"
    assert [action["status"] for action in actions(stack, slow.thread_id)] == ["succeeded"]


async def test_what_was_sent_is_recorded_after_the_end_where_it_takes_longer(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    stack.business.post("/_faults", json={"operation": "cancel_order", "hold": True})
    scripted_model_server.script(routed("order_actions"), answers(call("cancel_order", {"order_id": 1042})))
    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        await customer.decide(True)
        struck(stack)
        await stop(customer)
        scripted_model_server.script(*AGAIN)

        again = await customer.say("And now?")  # while the business is still at it
        stack.business.delete("/_faults")
        late = await customer.until("tool_result")

        assert texts(again) == ["Here again."]
        assert "tool_result" not in [frame["type"] for frame in again]
        assert one(late, "tool_result")["ok"] is True
        assert_calls_are_answered(stack, scripted_model_server, customer.thread_id)
    assert [action["status"] for action in actions(stack, customer.thread_id)] == ["succeeded"]
    assert len(effects(stack, 1042)) == 1


STEPS = (
    routed("order_lookup"),
    answers(READ, text="One moment. ", times=None, agent="order_lookup", token_delay_ms=5),
)


@pytest.mark.parametrize("frames_before", range(0, 16, 3))
async def test_after_any_frame(stack: Stack, scripted_model_server: RunningModel, frames_before: int) -> None:
    """A turn of reads and texts, stopped at any place; five customers at a time, a few milliseconds apart."""
    last: Rule = {
        "match": {"structured": False, "has_tool_result": True},
        "reply": {"chunks": PIECES[:30], "token_delay_ms": 5},
    }
    scripted_model_server.script(STEPS[0], last, STEPS[1])

    async def one_of(number: int) -> Chatter:
        async with Chatter(stack.socket_url) as customer:
            await customer.message(QUESTION)
            for _ in range(frames_before):
                if (await customer.frame())["type"] == "message_complete":
                    break
            for _ in range(number * 8):
                await customer.send({"type": "ping"})  # the socket takes one frame after another
            await customer.send({"type": "stop", "thread_id": customer.thread_id})
            while not any(frame["type"] == "message_complete" for frame in customer.seen):
                await customer.frame()
            await customer.quiet()
            again = await customer.say(QUESTION)
            assert again[-1]["status"] == "completed"
        return customer

    for customer in await asyncio.gather(*(one_of(number) for number in range(5))):
        assert_sound(stack, customer.thread_id)
        assert_calls_are_answered(stack, scripted_model_server, customer.thread_id)
        log = stack.events(customer.thread_id)
        assert said_before_the_end(log)


def said_before_the_end(log: list[dict[str, Any]]) -> bool:
    """Nothing is added to a turn that has ended."""
    ended: set[Any] = set()
    for event in log:
        if event["turn_id"] in ended:
            return False
        if event["key"].startswith("end"):
            ended.add(event["turn_id"])
    return True


async def test_over_the_api(stack: Stack, scripted_model_server: RunningModel) -> None:
    scripted_model_server.script(routed("order_lookup"), answers(**HALF))
    async with Chatter(stack.socket_url) as customer:
        await customer.message(QUESTION)
        await customer.until("token")

        answer = stack.api.post(f"/conversations/{customer.thread_id}/stop")
        frames = await customer.until("message_complete")

        assert (answer.status_code, answer.json()["data"]["stopping"]) == (202, True)
        assert frames[-1]["status"] == "stopped"
        assert stack.api.post(f"/conversations/{customer.thread_id}/stop").json()["data"]["stopping"] is False


async def test_a_stop_of_which_the_worker_was_not_told(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    """The broker was away when somebody asked for it: the worker looks by itself."""
    endless = answers(chunks=["and so on "] * 9_000, token_delay_ms=20)
    scripted_model_server.script(routed("order_lookup"), endless)
    async with Chatter(stack.socket_url) as customer:
        await customer.message(QUESTION)
        begun = await customer.until("token")

        stack.db("UPDATE chat_turn SET stop_requested = true WHERE id = %s", begun[0]["turn_id"])
        frames = await customer.until("message_complete")

    assert frames[-1]["status"] == "stopped"


async def test_interrupting_with_the_next_message(stack: Stack, scripted_model_server: RunningModel) -> None:
    scripted_model_server.script(routed("order_lookup"), answers(**HALF))
    async with Chatter(stack.socket_url) as customer:
        await customer.message(QUESTION)
        begun = await customer.until("token")
        await customer.message("Never mind: 1043?", multitask_strategy="interrupt")
        first = await customer.until("message_complete")
        second = await customer.until("message_complete")

    assert (first[-1]["turn_id"], first[-1]["status"]) == (begun[0]["turn_id"], "stopped")
    assert one(first, "accepted")["position"] == 1
    assert (second[-1]["turn_id"], second[-1]["status"]) == (one(first, "accepted")["turn_id"], "completed")


async def test_refusing_the_next_message(stack: Stack, scripted_model_server: RunningModel) -> None:
    scripted_model_server.script(routed("order_lookup"), answers(**HALF))
    async with Chatter(stack.socket_url) as customer:
        await customer.message(QUESTION)
        await customer.until("token")
        await customer.message("x", multitask_strategy="reject")
        refused = await customer.until("error")
        await customer.message("x", multitask_strategy="rollback")
        unknown = await customer.until("error")
        scripted_model_server.release()
        await customer.until("message_complete")

    assert refused[-1] == {
        "type": "error",
        "code": "busy",
        "message": "An earlier message is still being answered. Try again when it is finished.",
    }
    assert unknown[-1]["code"] == "invalid_strategy"
    assert kinds(stack, customer.thread_id).count("message_received") == 1


async def test_two_sockets_queue_into_one_next_turn(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    model = scripted_model_server
    model.script(routed("order_lookup"), answers(text="First.", hold=0), answers(text="All three."))
    async with Chatter(stack.socket_url) as here, Chatter(stack.socket_url) as nobody:
        await here.message(QUESTION)
        await here.until("accepted")
        model.holds()
        async with Chatter(stack.socket_url, cookie=here.cookie) as there:
            there.thread_id = here.thread_id
            await there.message("Two")
            two = one(await there.until("accepted"), "accepted")
            await here.message("Three")
            await here.until("accepted")
            await there.message("Four")
            await there.until("accepted")
            model.release()
            await there.until("message_complete")
            until(lambda: len(turns(stack, here.thread_id)) == 2)
            ended = await there.until("message_complete")
        await here.until("message_complete")
        mine = await here.until("message_complete")
        await nobody.quiet()

    assert texts(ended) == texts(mine) == ["All three."]
    assert mine[-1] == ended[-1]
    assert ended[-1]["turn_id"] == two["turn_id"]
    prompt = model.requests()[-1]["body"]["messages"]
    assert prompt[-1] == {"role": "user", "content": "Two\n\nThree\n\nFour"}
    assert [message["content"] for message in prompt if message["role"] == "assistant"] == ["First."]
