"""What changes a write between the model's wish and the business: an edit by staff, another version of the tool, a tool
that has to come first, a second person."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.agents.graph_script import actions, answers, call, one, results, routed, texts
from tests.live.chatter import Chatter
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")
DISCOUNT = call("apply_discount", {"order_id": 1044, "percent": 20})


def discounts(stack: Stack) -> list[Any]:
    return [effect["body"]["percent"] for effect in stack.journal("apply_discount")]


def told(model: RunningModel) -> list[dict[str, Any]]:
    """The tool messages that the model was last shown."""
    shown = model.requests()[-1]["body"]["messages"]
    return [json.loads(message["content"]) for message in shown if message["role"] == "tool"]


def decide(stack: Stack, action: dict[str, Any], **body: Any) -> Any:
    """Decide through the API on what the API shows now."""
    shown = stack.api.get(f"/interrupts/{action['id']}").json()["data"]
    seen = {"arguments_hash": shown["arguments_hash"]}
    return stack.api.post(f"/interrupts/{action['id']}/decision", json={**seen, **body})


@contextmanager
def changed(stack: Stack, tool: str, column: str, value: str) -> Iterator[None]:
    """The tool with another value in a column, until the end of the block."""
    [before] = stack.db(f"SELECT {column}::text AS value FROM agents_tool WHERE name = %s", tool)
    stack.db(f"UPDATE agents_tool SET {column} = %s WHERE name = %s", value, tool)
    try:
        yield
    finally:
        stack.db(f"UPDATE agents_tool SET {column} = %s WHERE name = %s", before["value"], tool)


async def test_what_staff_edited_is_done_and_told_and_the_original_is_not_asked_for_again(
    stack: Stack, model: RunningModel
) -> None:
    model.script(
        routed("discount"),
        answers(DISCOUNT),
        answers(DISCOUNT),  # a stubborn model
        answers(text="You got 5 percent."),
    )

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Give me 20% off order 1044")
        [action] = actions(stack, customer.thread_id)
        answer = decide(stack, action, approved=True, args={"order_id": 1044, "percent": 5})
        assert answer.status_code == 200, answer.text
        done = await customer.until("message_complete")

    assert discounts(stack) == [5]
    [edited] = actions(stack, customer.thread_id)  # no second approval was opened
    assert json.loads(edited["arguments"]) == {"order_id": 1044, "percent": 5}
    assert json.loads(edited["proposed_arguments"]) == {"order_id": 1044, "percent": 20}
    resolved = one(done, "interrupt_resolved")
    assert resolved["changed"] == {"percent": [20, 5]}
    assert one(done, "tool_call")["args"] == {"order_id": 1044, "percent": 5}
    first, second = told(model)
    assert (first["ok"], first["arguments_used"]) == (True, {"order_id": 1044, "percent": 5})
    assert second["error"]["kind"] == "rejected"
    assert texts(done) == ["You got 5 percent."]


async def test_a_tool_that_changes_between_approval_and_dispatch_goes_back_and_can_be_approved_as_it_is_now(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("discount"), answers(DISCOUNT), answers(text="Done."))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Give me 20% off order 1044")
        [action] = actions(stack, customer.thread_id)
        with changed(stack, "apply_discount", "risk", "safe"):  # says nothing of what a call does
            pass
        with changed(stack, "apply_discount", "path", "/nowhere/{order_id}"):
            refused = decide(stack, action, approved=True)
            [back] = actions(stack, customer.thread_id)
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "tool_changed")
            assert [change["field"] for change in back["difference"]] == ["path"]
        again = decide(stack, back, approved=True)  # the path is the old one again: changed once more
        assert again.json()["error"]["code"] == "tool_changed"
        assert discounts(stack) == []
        assert decide(stack, back, approved=True).status_code == 200
        done = await customer.until("message_complete")

    assert discounts(stack) == [20]
    assert texts(done) == ["Done."]
    [action] = actions(stack, customer.thread_id)
    assert (action["status"], action["reopened"], action["attempts"]) == ("succeeded", 2, 1)


async def test_arguments_that_the_new_schema_refuses_have_to_be_edited(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("discount"), answers(DISCOUNT), answers(text="Done."))
    [tool] = stack.db("SELECT input_schema FROM agents_tool WHERE name = 'apply_discount'")
    schema = tool["input_schema"]
    smaller = {
        **schema,
        "properties": {**schema["properties"], "percent": {"type": "integer", "maximum": 15}},
    }

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Give me 20% off order 1044")
        [action] = actions(stack, customer.thread_id)
        with changed(stack, "apply_discount", "input_schema", json.dumps(smaller)):
            assert decide(stack, action, approved=True).json()["error"]["code"] == "tool_changed"
            refused = decide(stack, action, approved=True)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_arguments")
            assert discounts(stack) == []
            args = {"order_id": 1044, "percent": 15}
            assert decide(stack, action, approved=True, args=args).status_code == 200
            await customer.until("message_complete")

    assert discounts(stack) == [15]


async def test_a_tool_waits_for_the_tool_that_it_requires(stack: Stack, model: RunningModel) -> None:
    status = call("get_order_status", {"order_id": 1044})
    model.script(routed("discount"), answers(DISCOUNT), answers(text="I have to look at the order first."))

    with changed(stack, "apply_discount", "requires", '["get_order_status"]'):
        async with Chatter(stack.socket_url) as customer:
            first = await customer.say("Give me 20% off order 1044")
            assert first[-1]["type"] == "message_complete"
            assert actions(stack, customer.thread_id) == []
            [refused] = results(stack, customer.thread_id)
            assert refused["error"]["kind"] == "validation"
            assert "get_order_status" in refused["error"]["message"]
            model.script(routed("order_lookup"), answers(status), answers(text="It is being packed."))
            await customer.say("What is the status of order 1044?")
            model.script(routed("discount"), answers(DISCOUNT), answers(text="Done."))
            second = await customer.say("Give me 20% off order 1044")
            assert second[-1]["type"] == "interrupt"
            [action] = actions(stack, customer.thread_id)
            assert decide(stack, action, approved=True).status_code == 200
            await customer.until("message_complete")

        async with Chatter(stack.socket_url) as another:  # what succeeded elsewhere does not count here
            model.script(routed("discount"), answers(DISCOUNT), answers(text="Look first."))
            await another.say("Give me 20% off order 1045")
            assert actions(stack, another.thread_id) == []

    assert discounts(stack) == [20]


async def test_two_people_agree_before_anything_is_sent(stack: Stack, model: RunningModel) -> None:
    """Over the API nobody can: a key is not a person."""
    model.script(routed("discount"), answers(DISCOUNT), answers(text="Declined."))

    with changed(stack, "apply_discount", "approvals_needed", "2"):
        async with Chatter(stack.socket_url) as customer:
            await customer.say("Give me 20% off order 1044")
            [action] = actions(stack, customer.thread_id)
            alone = decide(stack, action, approved=True)
            assert (alone.status_code, alone.json()["error"]["code"]) == (403, "not_allowed")
            assert "Two people" in alone.json()["error"]["message"]
            assert decide(stack, action, approved=False).status_code == 200
            await customer.until("message_complete")

    assert discounts(stack) == []


async def test_where_no_agent_is_on_a_person_is_asked_and_no_model(stack: Stack, model: RunningModel) -> None:
    off = stack.db("UPDATE agents_agent SET enabled = false WHERE enabled RETURNING id")
    try:
        async with Chatter(stack.socket_url) as customer:
            frames = await customer.say("What is the status of order 1042?")
    finally:
        stack.db("UPDATE agents_agent SET enabled = true WHERE id = ANY(%s)", [row["id"] for row in off])

    assert "I have asked a colleague to take over." in texts(frames)[-1]
    assert one(frames, "message_complete")["status"] == "completed"
    assert model.requests() == []
    [asked] = stack.db(
        "SELECT status, handoff_reason FROM chat_conversation WHERE thread_id = %s", customer.thread_id
    )
    assert asked == {"status": "waiting", "handoff_reason": "No agent is switched on that could answer."}
    assert "no_agent_is_on" in stack.log("turns")
