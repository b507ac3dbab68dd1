"""Answers to approvals: only JSON's true and false decide, once, in time, and by whom the action is for."""

from typing import Any
from uuid import uuid4

import pytest

from tests.chat.sockets import action, effects, found, nothing_written, refusal
from tests.live.chatter import Chatter, sure_types
from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-offline")

INVALID = {"type": "error", "code": "invalid_interrupt_response", "message": "Invalid interrupt response"}

EXPIRED = "The approval request for 'cancel_order' has expired after 30 minutes. Would you like to try again?"


def answer(customer: Chatter, **fields: Any) -> dict[str, Any]:
    return {"type": "interrupt_response", "thread_id": customer.thread_id, **fields}


def expire(stack: Stack, interrupt_id: str) -> None:
    """Let the approval have been opened 31 minutes ago, for 30 minutes."""
    stack.db(
        "UPDATE agents_action SET created_at = created_at - interval '31 minutes', "
        "expires_at = expires_at - interval '31 minutes' WHERE id = %s",
        interrupt_id,
    )


async def test_only_true_and_false_are_answers(offline_stack: Stack) -> None:
    odd = ["true", "false", "yes", "no", "", 1, 0, 1.0, None, [], [True], {}, {"approved": True}]
    async with Chatter(offline_stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1048")
        named = {"interrupt_id": waiting[-1]["interrupt_id"]}

        with nothing_written(offline_stack):
            assert await refusal(customer, answer(customer)) == INVALID
            assert await refusal(customer, answer(customer, **named)) == INVALID
            for value in odd:
                assert await refusal(customer, answer(customer, approved=value)) == INVALID, value
                assert await refusal(customer, answer(customer, approved=value, **named)) == INVALID, value

        assert action(offline_stack, waiting[-1]["interrupt_id"])["status"] == "awaiting"
        assert effects(offline_stack, 1048) == []
        await customer.answer(False)


async def test_ids_that_name_no_approval_of_the_thread(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1048")
        interrupt_id = waiting[-1]["interrupt_id"]
        elsewhere = customer.thread_id + "-elsewhere"
        await customer.send({"type": "message", "thread_id": elsewhere, "content": "Cancel order 1048"})
        other = (await customer.until("interrupt"))[-1]["interrupt_id"]
        odd = [
            str(uuid4()),
            other,
            "",
            "x",
            7,
            True,
            [interrupt_id],
            {},
            interrupt_id + "\n",
            "\x00",
            "\ud800",
        ]

        with nothing_written(offline_stack):
            for value in odd:
                assert (
                    await refusal(customer, answer(customer, approved=True, interrupt_id=value)) == INVALID
                ), value

        for each in (interrupt_id, other):
            assert action(offline_stack, each)["status"] == "awaiting"
        await customer.answer(False)
        customer.thread_id = elsewhere
        await customer.answer(False)


async def test_without_an_id_exactly_one_must_be_pending(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        await customer.say("hello")
        assert await refusal(customer, answer(customer, approved=True)) == INVALID  # none
        first = (await customer.say("Cancel order 1049"))[-1]
        second = (await customer.say("Cancel order 1050"))[-1]
        assert (first["params"], second["params"]) == ({"order_id": 1049}, {"order_id": 1050})
        with nothing_written(offline_stack):
            assert await refusal(customer, answer(customer, approved=True)) == INVALID  # two
            assert await refusal(customer, answer(customer, approved=True, interrupt_id=None)) == INVALID

        approved = await customer.answer(True, interrupt_id=second["interrupt_id"])
        declined = await customer.answer(False, interrupt_id=None)

        assert found(approved, "interrupt_resolved")["interrupt_id"] == second["interrupt_id"]
        assert found(declined, "interrupt_resolved")["interrupt_id"] == first["interrupt_id"]
        assert len(effects(offline_stack, 1050)) == 1
        assert effects(offline_stack, 1049) == []


async def test_the_second_answer_is_told_of_the_first(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1051")
        named = {"interrupt_id": waiting[-1]["interrupt_id"]}
        done = await customer.answer(True)
        resolved = found(done, "interrupt_resolved")
        assert (resolved["resolution"], resolved["by"]) == ("approved", "customer")

        with nothing_written(offline_stack):
            for late in (True, False):
                told = await refusal(customer, answer(customer, approved=late, **named))
                assert told == {
                    "type": "error",
                    "code": "already_decided",
                    "message": "Already decided",
                    "resolution": "approved",
                    "by": "customer",
                }
            assert await refusal(customer, answer(customer, approved="true", **named)) == INVALID

        assert len(effects(offline_stack, 1051)) == 1


async def test_of_two_tabs_that_answer_at_once_one_decides(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as here:
        waiting = await here.say("Cancel order 1052")
        async with Chatter(offline_stack.socket_url, cookie=here.cookie) as there:
            there.thread_id = here.thread_id
            await there.send({"type": "resume", "thread_id": there.thread_id, "after": 0})
            await there.until("resumed")

            await here.decide(True, interrupt_id=waiting[-1]["interrupt_id"])
            await there.decide(False, interrupt_id=waiting[-1]["interrupt_id"])
            frames = [*await here.until("message_complete"), *await there.until("message_complete")]
            for tab in (here, there):  # the loser may be told last, but before its next frame is answered
                await tab.send({"type": "ping"})
                frames += await tab.until("pong")
            errors = [frame for frame in frames if frame["type"] == "error"]

    resolved = {
        (frame["resolution"], frame["by"]) for frame in frames if frame["type"] == "interrupt_resolved"
    }
    assert resolved == {(errors[0]["resolution"], errors[0]["by"])}
    assert [error["message"] for error in errors] == ["Already decided"]
    assert len(effects(offline_stack, 1052)) == (errors[0]["resolution"] == "approved")


async def test_a_discount_is_not_the_customers_to_approve(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        waiting = await customer.say("Give me a 10% discount on order 1053")
        interrupt_id = waiting[-1]["interrupt_id"]
        assert (waiting[-1]["action"], waiting[-1]["approver"]) == ("apply_discount", "staff")
        refused = {"type": "error", "code": "not_allowed", "message": "Not allowed to decide"}

        with nothing_written(offline_stack):
            for value in (True, False):
                assert await refusal(customer, answer(customer, approved=value)) == refused
                assert (
                    await refusal(customer, answer(customer, approved=value, interrupt_id=interrupt_id))
                    == refused
                )
            assert await refusal(customer, answer(customer, approved="true")) == INVALID
        assert action(offline_stack, interrupt_id)["status"] == "awaiting"

        decided = offline_stack.api.post(f"/interrupts/{interrupt_id}/decision", json={"approved": True})
        assert decided.status_code == 200, decided.text
        done = await customer.until("message_complete")

        resolved = found(done, "interrupt_resolved")
        assert (resolved["resolution"], resolved["by"]) == ("approved", "staff")
        assert len(effects(offline_stack, 1053)) == 1
        late = await refusal(customer, answer(customer, approved=False, interrupt_id=interrupt_id))
        assert late == {
            "type": "error",
            "code": "already_decided",
            "message": "Already decided",
            "resolution": "approved",
            "by": "staff",
        }


async def test_a_declined_action_changes_nothing(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1054")

        done = await customer.answer(False)

        assert sure_types(done) == ["interrupt_resolved", "agent_response", "message_complete"]
        assert (done[0]["resolution"], done[0]["by"]) == ("rejected", "customer")
        assert done[-1]["status"] == "completed"
        assert action(offline_stack, waiting[-1]["interrupt_id"])["status"] == "rejected"
        assert effects(offline_stack, 1054) == []


async def test_an_answer_that_comes_too_late(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1055")
        interrupt_id = waiting[-1]["interrupt_id"]
        expire(offline_stack, interrupt_id)

        await customer.decide(True)
        done = await customer.until("message_complete")

        expired = found(done, "interrupt_expired")
        told = {field: expired[field] for field in ("interrupt_id", "action", "message")}
        assert told == {"interrupt_id": interrupt_id, "action": "cancel_order", "message": EXPIRED}
        assert sure_types(done) == ["interrupt_expired", "agent_response", "message_complete"]
        assert done[-1]["status"] == "completed"
        assert "not" in found(done, "agent_response")["content"]
        assert action(offline_stack, interrupt_id)["status"] == "expired"
        with nothing_written(offline_stack):
            await customer.decide(True, interrupt_id=interrupt_id)
            again = await customer.frame()
            await customer.quiet()
        assert again == {
            "type": "interrupt_expired",
            "thread_id": customer.thread_id,
            "interrupt_id": interrupt_id,
            "action": "cancel_order",
            "message": EXPIRED,
        }
        assert effects(offline_stack, 1055) == []


async def test_a_decision_in_another_tab_is_seen_here(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as here:
        await here.say("Cancel order 1056")
        async with Chatter(offline_stack.socket_url, cookie=here.cookie) as there:
            there.thread_id = here.thread_id

            done = await there.answer(True)

            assert (await here.until("message_complete"))[0] == found(done, "interrupt_resolved")


async def test_stopping_a_turn_that_waits_cancels_its_action(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1057")
        interrupt_id = waiting[-1]["interrupt_id"]

        await customer.send({"type": "stop", "thread_id": customer.thread_id})
        [stopped] = await customer.until("message_complete")

        assert (stopped["turn_id"], stopped["status"]) == (waiting[0]["turn_id"], "stopped")
        assert action(offline_stack, interrupt_id)["status"] == "cancelled"
        with nothing_written(offline_stack):
            late = await refusal(customer, answer(customer, approved=True, interrupt_id=interrupt_id))
            assert (late["message"], late["resolution"]) == ("Already decided", "cancelled")
            assert await refusal(customer, answer(customer, approved=True)) == INVALID
        assert (await customer.say("hello"))[-1]["status"] == "completed"
        assert effects(offline_stack, 1057) == []


async def test_stopping_when_nothing_runs_is_harmless(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        await customer.say("hello")

        with nothing_written(offline_stack):
            await customer.send({"type": "stop", "thread_id": customer.thread_id})
            await customer.quiet()

        assert (await customer.say("hello"))[-1]["status"] == "completed"
