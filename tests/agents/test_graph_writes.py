"""Writes over the wire: every one waits for its person, is carried out as approved, and one by one."""

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
    turns,
)
from tests.live.chatter import Chatter, types
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")
CANCEL = call("cancel_order", {"order_id": 1042})
CANCEL_OTHER = call("cancel_order", {"order_id": 1043})


def cancelled(stack: Stack) -> list[str]:
    """Paths of the cancellations that took place, in order."""
    return [entry["path"].split("/")[-2] for entry in stack.journal("cancel_order")]


def told(model: RunningModel) -> list[str]:
    """What the newest request says of its tool calls."""
    return [
        message["content"]
        for message in model.requests()[-1]["body"]["messages"]
        if message["role"] == "tool"
    ]


async def test_an_approved_write_is_carried_out_exactly_once(stack: Stack, model: RunningModel) -> None:
    model.script(routed("order_actions"), answers(CANCEL), answers(text="Order 1042 is cancelled."))

    async with Chatter(stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1042")
        assert types(waiting) == ["accepted", "routing", "interrupt"]
        assert cancelled(stack) == []
        done = await customer.answer(True, interrupt_id=waiting[-1]["interrupt_id"])

    assert types(done) == [
        "interrupt_resolved",
        "tool_call",
        "tool_result",
        "token",
        "agent_response",
        "message_complete",
    ]
    assert one(done, "interrupt_resolved") | {"resolution": "approved", "by": "customer"} == one(
        done, "interrupt_resolved"
    )
    assert one(done, "tool_call")["tool"] == "cancel_order"
    assert one(done, "tool_result")["ok"] is True
    assert cancelled(stack) == ["1042"]
    assert len(model.requests()) == 3
    assert_sound(stack, customer.thread_id)
    assert_nothing_is_kept(stack, customer.thread_id)


async def test_a_declined_write_is_not_carried_out_and_the_model_is_told(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_actions"), answers(CANCEL), answers(text="As you wish."))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        done = await customer.answer(False)

    assert types(done) == ["interrupt_resolved", "token", "agent_response", "message_complete"]
    assert "The customer declined this. It was not carried out." in told(model)[0]
    assert cancelled(stack) == []
    assert [action["status"] for action in actions(stack, customer.thread_id)] == ["rejected"]
    assert_nothing_is_kept(stack, customer.thread_id)


async def test_two_writes_of_one_answer_are_asked_one_after_the_other(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_actions"), answers(CANCEL, CANCEL_OTHER), answers(text="Both are cancelled."))

    async with Chatter(stack.socket_url) as customer:
        first = await customer.say("Cancel orders 1042 and 1043")
        await customer.quiet()
        second = await customer.answer(True)
        assert (first[-1]["params"], second[-1]["params"]) == ({"order_id": 1042}, {"order_id": 1043})
        assert types(second) == ["interrupt_resolved", "tool_call", "tool_result", "interrupt"]
        assert cancelled(stack) == ["1042"]
        done = await customer.answer(True)

    assert done[-1]["status"] == "completed"
    assert cancelled(stack) == ["1042", "1043"]
    assert len(model.requests()) == 3
    assert_sound(stack, customer.thread_id)
    assert_nothing_is_kept(stack, customer.thread_id)


async def test_the_second_of_two_writes_can_be_declined(stack: Stack, model: RunningModel) -> None:
    model.script(routed("order_actions"), answers(CANCEL, CANCEL_OTHER), answers(text="One of them."))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel orders 1042 and 1043")
        await customer.answer(True)
        await customer.answer(False)

    assert cancelled(stack) == ["1042"]
    assert [action["status"] for action in actions(stack, customer.thread_id)] == ["succeeded", "rejected"]


async def test_a_declined_write_skips_the_ones_after_it(stack: Stack, model: RunningModel) -> None:
    read = call("hand_off_to_person", {"reason": "never"})
    model.script(
        routed("order_actions"), answers(CANCEL, CANCEL_OTHER, read), answers(text="I left both alone.")
    )

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel orders 1042 and 1043")
        done = await customer.answer(False)

    assert types(done) == ["interrupt_resolved", "token", "agent_response", "message_complete"]
    assert texts(done) == ["I left both alone."]
    assert "declined" in told(model)[0]
    skipped = "Skipped, because the action before it was not carried out. Nothing was changed."
    assert [skipped in text for text in told(model)] == [False, True, True]
    assert cancelled(stack) == []
    assert len(actions(stack, customer.thread_id)) == 1
    assert "handoff_requested" not in kinds(stack, customer.thread_id)


async def test_a_read_beside_a_write_does_not_wait_for_it(stack: Stack, model: RunningModel) -> None:
    stack.db(
        "INSERT INTO agents_agenttool (agent_id, tool_id, position) SELECT a.id, t.id, 9 "
        "FROM agents_agent a, agents_tool t WHERE a.name = 'order_actions' AND t.name = 'get_order_status'"
    )
    read = call("get_order_status", {"order_id": 1042})
    model.script(routed("order_actions"), answers(read, CANCEL, read), answers(text="Done."))
    try:
        async with Chatter(stack.socket_url) as customer:
            waiting = await customer.say("Cancel order 1042")
            assert types(waiting) == ["accepted", "routing", "tool_call", "tool_result", "interrupt"]
            await customer.answer(True)
    finally:
        stack.db(
            "DELETE FROM agents_agenttool WHERE position = 9 AND tool_id = "
            "(SELECT id FROM agents_tool WHERE name = 'get_order_status')"
        )

    seen = [
        result["result"].get("status")
        for result in results(stack, customer.thread_id)
        if result["tool"] != "cancel_order"
    ]
    assert seen == ["processing", "cancelled"] or seen == ["paid", "cancelled"]
    assert_sound(stack, customer.thread_id)


async def test_two_agents_ask_their_own_person_one_after_the_other(stack: Stack, model: RunningModel) -> None:
    model.script(
        routed("order_actions", "discount"),
        answers(CANCEL, agent="order_actions"),
        answers(text="Order 1042 is cancelled.", agent="order_actions"),
        answers(call("apply_discount", {"order_id": 1042, "percent": 10}), agent="discount"),
        answers(text="And you have 10% off.", agent="discount"),
    )

    async with Chatter(stack.socket_url) as customer:
        first = await customer.say("Cancel order 1042 and give me a 10% discount")
        assert (first[-1]["action"], first[-1]["approver"]) == ("cancel_order", "customer")
        second = await customer.answer(True)
        assert (second[-1]["action"], second[-1]["approver"]) == ("apply_discount", "staff")

        await customer.decide(True)
        [refusal] = await customer.until("error")
        assert refusal["message"] == "Not allowed to decide"
        assert stack.journal("apply_discount") == []

        decision = {"approved": True, "reason": "A good customer."}
        decided = stack.api.post(f"/interrupts/{second[-1]['interrupt_id']}/decision", json=decision)
        assert decided.status_code == 200
        done = await customer.until("message_complete")

    assert one(done, "interrupt_resolved")["by"] == "staff"
    assert texts(second) + texts(done) == ["Order 1042 is cancelled.", "And you have 10% off."]
    effects = [entry["operation"] for entry in stack.journal()]
    assert effects == ["cancel_order", "apply_discount"]
    assert (
        stack.api.post(f"/interrupts/{second[-1]['interrupt_id']}/decision", json=decision).status_code == 409
    )
    assert_sound(stack, customer.thread_id)
    assert_nothing_is_kept(stack, customer.thread_id)


async def test_the_second_agent_runs_though_the_first_was_declined(stack: Stack, model: RunningModel) -> None:
    model.script(
        routed("order_actions", "discount"),
        answers(CANCEL, agent="order_actions"),
        answers(text="I left the order alone.", agent="order_actions"),
        answers(text="Which order is the discount for?", agent="discount"),
    )

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042 and give me a 10% discount")
        done = await customer.answer(False)

    assert texts(done) == ["I left the order alone.", "Which order is the discount for?"]
    assert stack.journal() == []


async def test_a_declined_call_that_is_made_again_opens_no_new_approval(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_actions"), answers(CANCEL), answers(CANCEL), answers(text="I leave it."))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        done = await customer.answer(False)

    assert "interrupt" not in types(done)
    assert texts(done) == ["I leave it."]
    assert "Do not ask for it again." in told(model)[-1]
    assert len(actions(stack, customer.thread_id)) == 1
    assert cancelled(stack) == []


async def test_an_approval_that_was_declined_can_be_asked_for_in_the_next_message(
    stack: Stack, model: RunningModel
) -> None:
    model.script(
        routed("order_actions"),
        answers(CANCEL),
        answers(text="Fine."),
        answers(CANCEL),
        answers(text="Cancelled."),
    )

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        await customer.answer(False)
        again = await customer.say("Cancel order 1042 after all")
        assert again[-1]["type"] == "interrupt"
        await customer.answer(True)

    assert cancelled(stack) == ["1042"]


CHANGES = {
    "switched off": ("UPDATE agents_tool SET enabled = {} WHERE name = 'cancel_order'", "false", "true"),
    "other approver": (
        "UPDATE agents_tool SET approval = {} WHERE name = 'cancel_order'",
        "'staff'",
        "'customer'",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_tool_that_changed_while_its_approval_waited_is_not_called(
    change: str, stack: Stack, model: RunningModel
) -> None:
    """It goes back to staff, who see what changed; the customer's yes sends nothing."""
    statement, changed, original = CHANGES[change]
    model.script(routed("order_actions"), answers(CANCEL), answers(text="It could not be done."))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        stack.db(statement.format(changed))
        try:
            await customer.decide(True)
            again = await customer.until("error")
            [action] = actions(stack, customer.thread_id)
            assert (action["status"], action["approver"], action["reopened"]) == ("awaiting", "staff", 1)
            declined = {"approved": False, "reason": "Not like this."}
            decided = stack.api.post(f"/interrupts/{action['id']}/decision", json=declined)
            assert decided.status_code == 200, decided.text
            done = await customer.until("message_complete")
        finally:
            stack.db(statement.format(original))

    assert again[-1]["code"] == "tool_changed"
    told_again = one([*again, *done], "interrupt")
    assert (told_again["interrupt_id"], told_again["approver"]) == (str(action["id"]), "staff")
    assert cancelled(stack) == []
    assert texts(done) == ["It could not be done."]


async def test_an_agent_that_was_switched_off_while_its_approval_waited_leaves_nothing_open(
    stack: Stack, model: RunningModel
) -> None:
    """What was approved is carried out; the agent has nothing more to say, and the customer is told so."""
    model.script(routed("order_actions"), answers(CANCEL), answers(text="Never said."))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        stack.db("UPDATE agents_agent SET enabled = false WHERE name = 'order_actions'")
        try:
            done = await customer.answer(True)
        finally:
            stack.db("UPDATE agents_agent SET enabled = true WHERE name = 'order_actions'")

    assert cancelled(stack) == ["1042"]
    assert [action["status"] for action in actions(stack, customer.thread_id)] == ["succeeded"]
    assert texts(done) == [
        "What was approved has been carried out. I can no longer help with anything more here. Ask for a person if you "
        "need one."
    ]
    assert_sound(stack, customer.thread_id)


async def test_an_agent_that_was_switched_off_does_not_ask_for_a_repeat_of_what_nobody_saw(
    stack: Stack, model: RunningModel
) -> None:
    stack.db("UPDATE agents_tool SET repeat_safe = false WHERE name = 'cancel_order'")
    stack.business.post("/_faults", json={"operation": "cancel_order", "drop": "after"})
    model.script(routed("order_actions"), answers(CANCEL), answers(text="Never said."))
    try:
        async with Chatter(stack.socket_url) as customer:
            await customer.say("Cancel order 1042")
            stack.db("UPDATE agents_agent SET enabled = false WHERE name = 'order_actions'")
            done = await customer.answer(True)
    finally:
        stack.db("UPDATE agents_agent SET enabled = true WHERE name = 'order_actions'")
        stack.db("UPDATE agents_tool SET repeat_safe = true WHERE name = 'cancel_order'")

    assert texts(done) == [
        "Nobody knows yet whether what was approved took place: our staff will check, so please do not ask for it "
        "again. I can no longer help with anything more here. Ask for a person if you need one."
    ]


async def test_an_agent_that_was_switched_off_says_nothing_of_having_done_what_was_declined(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_actions"), answers(CANCEL), answers(text="Never said."))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        stack.db("UPDATE agents_agent SET enabled = false WHERE name = 'order_actions'")
        try:
            done = await customer.answer(False)
        finally:
            stack.db("UPDATE agents_agent SET enabled = true WHERE name = 'order_actions'")

    assert cancelled(stack) == []
    assert texts(done) == ["I can no longer help with this here. Please ask again, or ask for a person."]


async def test_a_message_sent_while_an_approval_waits_is_answered_beside_it(
    stack: Stack, model: RunningModel
) -> None:
    model.script(
        {
            "match": {"structured": True, "last_user_contains": "status"},
            "reply": routed("order_lookup")["reply"],
        },
        routed("order_actions"),
        answers(CANCEL, agent="order_actions"),
        answers(text="Being packed.", agent="order_lookup"),
        answers(text="Cancelled.", agent="order_actions"),
    )

    async with Chatter(stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1042")
        beside = await customer.say("What is the status of order 1050?")
        assert texts(beside) == ["Being packed."]
        done = await customer.answer(True)

    assert done[-1]["turn_id"] == waiting[-1]["turn_id"]
    assert cancelled(stack) == ["1042"]
    assert [turn["status"] for turn in turns(stack, customer.thread_id)] == ["completed", "completed"]
    assert_sound(stack, customer.thread_id)


async def test_a_refusal_of_the_business_reaches_the_model_in_its_own_words(
    stack: Stack, model: RunningModel
) -> None:
    stack.business.post("/shop/customers/cus_1001/orders/1042/cancellation", json={})
    model.script(routed("order_actions"), answers(CANCEL), answers(text="It was cancelled before."))

    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        done = await customer.answer(True)

    error: dict[str, Any] = one(done, "tool_result")["result"]
    assert error == {"kind": "validation", "message": "Order 1042 is already cancelled."}
    assert "Order 1042 is already cancelled." in told(model)[0]


async def test_an_outcome_that_nobody_saw_is_told_as_such(stack: Stack, model: RunningModel) -> None:
    stack.db("UPDATE agents_tool SET repeat_safe = false WHERE name = 'cancel_order'")
    stack.business.post("/_faults", json={"operation": "cancel_order", "drop": "after"})
    model.script(
        routed("order_actions"),
        answers(CANCEL),
        answers(CANCEL),  # it tries again, under another id
        answers(text="Nobody knows yet; our staff will check."),
    )
    try:
        async with Chatter(stack.socket_url) as customer:
            await customer.say("Cancel order 1042")
            done = await customer.answer(True)
    finally:
        stack.db("UPDATE agents_tool SET repeat_safe = true WHERE name = 'cancel_order'")

    assert one(done, "tool_result")["result"]["kind"] == "unknown"
    assert "nobody knows whether it happened" in told(model)[0]
    assert done[-1]["status"] == "completed"
    assert [action["status"] for action in actions(stack, customer.thread_id)] == ["unknown"]
    assert cancelled(stack) == ["1042"]
