"""A model that is away: the turn fails honestly, nothing half done is kept, and the next message works."""

from typing import Any

import pytest

from tests.agents.graph_script import (
    actions,
    answers,
    assert_nothing_is_kept,
    assert_sound,
    call,
    one,
    routed,
    texts,
    turns,
)
from tests.live.chatter import Chatter, types
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")


def fails(*, structured: bool, **reply: Any) -> dict[str, Any]:
    return {"match": {"structured": structured}, "reply": reply}


OUTAGES = {
    "on routing": [fails(structured=True, error={"status": 503, "retry_after": 0})],
    "before the first token": [
        routed("order_lookup"),
        fails(structured=False, error={"status": 503, "retry_after": 0}),
    ],
    "in mid-stream": [
        routed("order_lookup"),
        fails(structured=False, text="It is on its way to you", drop_after=3),
    ],
    "with an error in the stream": [
        routed("order_lookup"),
        fails(
            structured=False, text="It is", in_stream_error={"message": "overloaded", "type": "server_error"}
        ),
    ],
    "with an answer that is none": [routed("order_lookup"), fails(structured=False, malformed=True)],
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_is_told_as_what_it_is_and_the_next_message_works(
    outage: str, stack: Stack, model: RunningModel
) -> None:
    model.script(*OUTAGES[outage])

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of order 1042?")
        frames += await customer.until("message_complete")
        model.script(routed("order_lookup"), answers(text="It is being packed."))
        again = await customer.say("What is the status of order 1042?")

    error = one(frames, "error")
    assert error["code"] == "model_unavailable"
    assert "rephrase" not in error["message"].lower()
    assert frames[-1]["status"] == "failed"
    cut = [frame for frame in frames if frame["type"] == "agent_response"]
    assert [(frame["content"], frame["cut"]) for frame in cut] == (
        [("It is", True)] if "stream" in outage else []
    )
    assert texts(again) == ["It is being packed."]
    assert [turn["status"] for turn in turns(stack, customer.thread_id)] == ["failed", "completed"]
    [failed] = [event for event in stack.events(customer.thread_id) if event["kind"] == "turn_failed"]
    assert failed["payload"]["detail"]
    assert failed["payload"]["detail"] not in str(frames)
    assert_sound(stack, customer.thread_id)
    assert_nothing_is_kept(stack, customer.thread_id)


async def test_an_outage_after_an_action_does_not_undo_what_is_recorded(
    stack: Stack, model: RunningModel
) -> None:
    model.script(
        routed("order_actions"),
        answers(call("cancel_order", {"order_id": 1042})),
        fails(structured=False, error={"status": 503, "retry_after": 0}),
    )

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        done = await customer.answer(True)
        done += await customer.until("message_complete")

    assert one(done, "tool_result")["ok"] is True
    assert done[-1]["status"] == "failed"
    assert [action["status"] for action in actions(stack, customer.thread_id)] == ["succeeded"]
    assert len(stack.journal("cancel_order")) == 1


async def test_an_outage_while_another_approval_waits_in_the_conversation_leaves_that_alone(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_actions"), answers(call("cancel_order", {"order_id": 1042})))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        model.script(fails(structured=True, error={"status": 503, "retry_after": 0}))
        failed = await customer.say("hello there, what can you do?")
        failed += await customer.until("message_complete")
        model.script(answers(text="Cancelled."))
        done = await customer.answer(True)

    assert failed[-1]["status"] == "failed"
    assert types(done)[-2:] == ["agent_response", "message_complete"]
    assert len(stack.journal("cancel_order")) == 1
