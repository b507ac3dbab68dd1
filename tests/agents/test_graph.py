"""A turn over the wire: reads, the text around tool calls, and what becomes of calls that may not be made."""

import asyncio
from typing import Any

import pytest

from tests.agents.graph_script import (
    actions,
    answers,
    assert_nothing_is_kept,
    assert_sound,
    call,
    kinds,
    one,
    results,
    routed,
    texts,
)
from tests.chat.engine_stack import struck
from tests.live.chatter import Chatter, types
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")
ORDER = {"order_id": 1042}


def told(model: RunningModel) -> list[dict[str, Any]]:
    """The tool messages of the newest request."""
    return [message for message in model.requests()[-1]["body"]["messages"] if message["role"] == "tool"]


async def test_a_question_is_routed_looked_up_and_answered(stack: Stack, model: RunningModel) -> None:
    model.script(
        routed("order_lookup"),
        answers(call("get_order_status", ORDER)),
        answers(text="It is **being packed**."),
    )

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of order 1042?")

    wanted = [
        "accepted",
        "routing",
        "tool_call",
        "tool_result",
        "token",
        "agent_response",
        "message_complete",
    ]
    assert types(frames) == wanted
    assert one(frames, "routing")["agents"] == ["order_lookup"]
    assert one(frames, "tool_result")["result"]["order_id"] == 1042
    assert "<strong>being packed</strong>" in one(frames, "agent_response")["html"]
    assert len(model.requests()) == 3
    assert stack.journal() == []
    assert_sound(stack, customer.thread_id)
    assert_nothing_is_kept(stack, customer.thread_id)


async def test_the_model_never_sees_nor_fills_what_is_bound(stack: Stack, model: RunningModel) -> None:
    model.script(
        routed("order_actions"),
        answers(call("cancel_order", {**ORDER, "customer_id": "cus_1002"})),
        answers(text="Done."),
    )

    async with Chatter(stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1042")
        assert waiting[-1]["params"] == ORDER
        await customer.answer(True)

    offered = model.requests()[1]["body"]["tools"]
    [schema] = [
        tool["function"]["parameters"] for tool in offered if tool["function"]["name"] == "cancel_order"
    ]
    assert "customer_id" not in str(schema)
    [effect] = stack.journal()
    assert effect["path"] == "/shop/customers/cus_1001/orders/1042/cancellation"
    assert "cus_1002" not in str(effect)


async def test_somebody_elses_order_does_not_exist(stack: Stack, model: RunningModel) -> None:
    args = {"order_id": 1200, "customer_id": "cus_1002"}
    model.script(
        routed("order_lookup"), answers(call("get_order_status", args)), answers(text="I cannot find it.")
    )

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of order 1200?")

    assert one(frames, "tool_result")["ok"] is False
    assert results(stack, customer.thread_id)[0]["status"] == 404
    assert texts(frames) == ["I cannot find it."]


async def test_reads_of_one_answer_run_at_once(stack: Stack, model: RunningModel) -> None:
    stack.business.post("/_faults", json={"hold": True})
    reads = [
        call("get_order_status", ORDER),
        call("get_tracking_info", ORDER),
        call("get_order_status", {"order_id": 1043}),
    ]
    model.script(routed("order_lookup"), answers(*reads), answers(text="All of it."))

    async with Chatter(stack.socket_url) as customer:
        saying = asyncio.ensure_future(customer.say("Tell me about orders 1042 and 1043"))
        await asyncio.to_thread(struck, stack, 3)
        stack.business.delete("/_faults")
        frames = await saying

    assert texts(frames) == ["All of it."]
    times = [
        event["created_at"] for event in stack.events(customer.thread_id) if event["kind"] == "tool_returned"
    ]
    calls = [
        event["created_at"] for event in stack.events(customer.thread_id) if event["kind"] == "tool_called"
    ]
    assert len(times) == 3
    assert max(calls) < min(times)
    asked = [message["tool_call_id"] for message in told(model)]
    spoken = [message for message in model.requests()[-1]["body"]["messages"] if message.get("tool_calls")]
    assert asked == [entry["id"] for entry in spoken[0]["tool_calls"]]
    assert_sound(stack, customer.thread_id)


async def test_text_in_the_same_chunk_as_a_call_is_kept(stack: Stack, model: RunningModel) -> None:
    looking = answers(call("get_order_status", ORDER), text="Let me look.", together=True)
    model.script(routed("order_lookup"), looking, answers(text="It is being packed."))

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of order 1042?")

    assert texts(frames) == ["Let me look.", "It is being packed."]
    streamed = "".join(frame["content"] for frame in frames if frame["type"] == "token")
    assert streamed == "Let me look.It is being packed."


@pytest.mark.parametrize(
    ("agent", "made", "fault"),
    [
        (
            "order_lookup",
            call("get_order_status", '{"order_id": 10'),
            "The arguments were not a JSON object. Call the tool again with valid JSON.",
        ),
        (
            "order_lookup",
            call("get_order_status", "[1042]"),
            "The arguments were not a JSON object. Call the tool again with valid JSON.",
        ),
        (
            "order_lookup",
            call("wire_money", {"amount": 1}),
            "There is no tool named wire_money for you. Use only the tools that you were given.",
        ),
        (
            "order_lookup",
            call("cancel_order", ORDER),
            "There is no tool named cancel_order for you. Use only the tools that you were given.",
        ),
        (
            "discount",
            call("apply_discount", {**ORDER, "percent": 150}),
            "Invalid discount: 150%. Must be between 1 and 100.",
        ),
        (
            "discount",
            call("apply_discount", {**ORDER, "percent": 0}),
            "Invalid discount: 0%. Must be between 1 and 100.",
        ),
        (
            "discount",
            call("generate_coupon", {"discount_percent": 10, "expiry_days": 0}),
            "Invalid expiry: 0 days. Must be at least 1.",
        ),
        (
            "order_actions",
            call("cancel_order", {**ORDER, "sudo": True}),
            "Unknown argument: sudo.",
        ),
    ],
)
async def test_a_call_that_may_not_be_made_is_refused_and_the_model_is_told_why(
    agent: str, made: dict[str, Any], fault: str, stack: Stack, model: RunningModel
) -> None:
    model.script(routed(agent), answers(made), answers(text="I am sorry."))

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("Please do it for order 1042")

    assert "interrupt" not in types(frames)
    assert texts(frames) == ["I am sorry."]
    assert one(frames, "tool_result")["result"] == {"kind": "validation", "message": fault}
    assert fault in told(model)[0]["content"].replace("\\", "")
    assert actions(stack, customer.thread_id) == []
    assert stack.journal() == []
    assert_sound(stack, customer.thread_id)


async def test_the_same_call_id_in_every_answer_is_kept_apart(stack: Stack, model: RunningModel) -> None:
    model.script(
        routed("order_lookup"),
        answers(call("get_order_status", ORDER, id="call_1")),
        answers(call("get_order_status", {"order_id": 1043}, id="call_1")),
        answers(text="Both are being packed."),
    )

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("Status of orders 1042 and 1043?")

    found = [frame["result"]["order_id"] for frame in frames if frame["type"] == "tool_result"]
    assert found == [1042, 1043]
    assert len({message["tool_call_id"] for message in told(model)}) == 2
    assert_sound(stack, customer.thread_id)


async def test_an_empty_answer_is_closed_with_a_sentence(stack: Stack, model: RunningModel) -> None:
    model.script(routed("order_lookup"), answers(text=""))

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of order 1042?")

    assert texts(frames) == [
        "I have looked into this, but I have nothing to add. Is there anything else I can help you with?"
    ]
    assert frames[-1]["status"] == "completed"


async def test_a_model_that_never_comes_to_an_end_is_stopped(stack: Stack, model: RunningModel) -> None:
    model.script(routed("order_lookup"), answers(call("get_order_status", ORDER), times=None))

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of order 1042?")

    assert texts(frames) == [
        "I could not finish this in a reasonable number of steps. Please ask again, or ask for a person."
    ]
    assert len(model.requests()) == 1 + 12
    assert frames[-1]["status"] == "completed"
    assert_nothing_is_kept(stack, customer.thread_id)


async def test_what_a_tool_returned_is_data_and_never_part_of_a_system_prompt(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_lookup"), answers(call("get_order_status", ORDER)), answers(text="Packed."))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("What is the status of order 1042?")

    before, after = (request["body"]["messages"] for request in model.requests()[1:])
    assert before[0] == after[0]
    assert after[0]["role"] == "system"
    assert [message["role"] for message in after] == ["system", "user", "assistant", "tool"]


async def test_prompt_and_tools_are_the_same_bytes_in_every_turn(stack: Stack, model: RunningModel) -> None:
    model.script(routed("order_lookup"), answers(text="Hello.", times=None))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("What is the status of order 1042?")
        await customer.say("And what is the status of order 1043?")

    asked = [request["body"] for request in model.requests() if "tools" in request["body"]]
    assert len(asked) == 2
    assert asked[0]["messages"][0] == asked[1]["messages"][0]
    assert asked[0]["tools"] == asked[1]["tools"]


async def test_a_person_is_called_by_the_model(stack: Stack, model: RunningModel) -> None:
    wants = call("hand_off_to_person", {"reason": "The parcel is damaged."})
    model.script(routed("order_lookup"), answers(wants, text="One moment."))

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("My parcel arrived damaged, order 1042")

    handoff = one(frames, "handoff")
    assert (handoff["reason"], handoff["by"]) == ("The parcel is damaged.", "model")
    assert len(texts(frames)) == 2
    assert frames[-1]["status"] == "completed"
    [row] = stack.db(
        "SELECT status, handoff_reason FROM chat_conversation WHERE thread_id = %s", customer.thread_id
    )
    assert row == {"status": "waiting", "handoff_reason": "The parcel is damaged."}


async def test_a_follow_up_of_the_live_agent_needs_no_routing(stack: Stack, model: RunningModel) -> None:
    model.script(
        routed("order_lookup"),
        answers(call("get_order_status", ORDER)),
        answers(text="It is being packed."),
        answers(call("get_order_status", {"order_id": 1043})),
        answers(text="That one too."),
    )

    async with Chatter(stack.socket_url) as customer:
        await customer.say("What is the status of order 1042?")
        first = len(model.requests())
        frames = await customer.say("And what is the status of order 1043?")

    assert first == 3
    assert len(model.requests()) - first == 2
    assert texts(frames) == ["That one too."]
    routed_by = [
        event["payload"]["by"] for event in stack.events(customer.thread_id) if event["kind"] == "routed"
    ]
    assert routed_by == ["model", "continued"]


async def test_an_ambiguous_message_is_asked_about_and_no_agent_runs(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed(question="What would you like to know?"))

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("hmm")

    assert types(frames) == ["accepted", "clarification", "message_complete"]
    assert len(model.requests()) == 1
    assert kinds(stack, customer.thread_id) == ["message_received", "question_asked", "turn_completed"]


async def test_a_change_of_an_agent_counts_from_the_next_message(stack: Stack, model: RunningModel) -> None:
    model.script(routed("order_lookup"), answers(text="Hello.", times=None))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("What is the status of order 1042?")
        stack.db("UPDATE agents_agent SET tone = 'Like a pirate.' WHERE name = 'order_lookup'")
        try:
            await customer.say("What is the status of order 1043?")
        finally:
            stack.db("UPDATE agents_agent SET tone = '' WHERE name = 'order_lookup'")

    prompts = [
        request["body"]["messages"][0]["content"]
        for request in model.requests()
        if "tools" in request["body"]
    ]
    assert ["pirate" in prompt for prompt in prompts] == [False, True]


async def test_an_agent_that_was_switched_off_gets_no_message(stack: Stack, model: RunningModel) -> None:
    model.script(routed("order_lookup"), answers(text="Hello.", times=None))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("What is the status of order 1042?")
        stack.db("UPDATE agents_agent SET enabled = false WHERE name = 'order_lookup'")
        try:
            frames = await customer.say("What is the status of order 1043?")
        finally:
            stack.db("UPDATE agents_agent SET enabled = true WHERE name = 'order_lookup'")

    assert "order_lookup" not in str([frame.get("agents") for frame in frames if frame["type"] == "routing"])
    offered = model.requests()[2]["body"]["response_format"]["json_schema"]["schema"]
    assert "order_lookup" not in str(offered["properties"]["intents"])


async def test_odd_characters_of_a_model_do_no_harm(stack: Stack, model: RunningModel) -> None:
    odd = "a\x00b"
    model.script(
        routed("order_lookup"),
        answers(call(odd, '{"order_id": 1042, "x": "\\u0000\\ud800", "n": NaN}'), text=odd),
        answers(text="Fine."),
    )

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of order 1042?")

    assert frames[-1]["status"] == "completed"
    assert texts(frames) == ["a\ufffdb", "Fine."]
    assert_sound(stack, customer.thread_id)


async def test_every_call_of_a_turn_is_in_the_ledger_with_what_its_provider_reported(
    stack: Stack, model: RunningModel
) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    routing = routed("order_lookup")
    routing["reply"]["usage"] = usage | {"cost": 0.0005}
    model.script(
        routing,
        answers(call("get_order_status", ORDER), usage=usage | {"cost": 0.002}),
        answers(text="It is being packed.", usage=usage),
    )

    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("What is the status of order 1042?")

    [row] = stack.db("SELECT * FROM chat_conversation WHERE thread_id = %s", customer.thread_id)
    calls = stack.db("SELECT * FROM agents_modelcall WHERE conversation_id = %s ORDER BY id", row["id"])
    assert [(made["purpose"], made["agent"], made["cost_micros"], made["cost_source"]) for made in calls] == [
        ("route", "", 500, "provider"),
        ("answer", "order_lookup", 2_000, "provider"),
        ("answer", "order_lookup", 120, "price"),  # of the public list
    ]
    assert {(made["provider"], made["tokens_in"], made["tokens_out"]) for made in calls} == {
        ("openai", 100, 10)
    }
    assert row["cost_micros"] == 2_620
    assert row["waiting_since"] is None
    told = stack.db(
        "SELECT seq FROM chat_event WHERE conversation_id = %s AND tokens_in > 0 ORDER BY seq", row["id"]
    )
    assert [made["event_seq"] for made in calls] == [event["seq"] for event in told]
    assert one(frames, "message_complete")["status"] == "completed"
