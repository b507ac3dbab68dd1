"""How much one customer may send, and when a conversation is over. Refused means that nothing was written."""

import pytest

from tests.chat.sockets import action, found, nothing_written, refusal, sent_ago
from tests.live.chatter import Chatter
from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-offline")

RATE = {"type": "error", "code": "rate_limited", "message": "Rate limit exceeded"}
EXPIRED = {
    "type": "error",
    "code": "session_expired",
    "message": "Session expired. Please start a new conversation.",
}


def message(customer: Chatter, content: str = "hello", **fields: str) -> dict[str, str]:
    return {"type": "message", "thread_id": customer.thread_id, "content": content, **fields}


JUST_NOW = -60.0


async def hello(stack: Stack, customer: Chatter, times: int, *, after: int = 0) -> None:
    """Say it so often at one moment, `after` others that count."""
    for number in range(after + 1, after + times + 1):
        assert (await customer.say("hello"))[-1]["status"] == "completed"
        sent_ago(stack, customer.thread_id, *[JUST_NOW] * number)


def idle(stack: Stack, thread_id: str, minutes: float) -> None:
    """Let nothing have happened in the conversation for so long."""
    stack.db(
        "UPDATE chat_conversation SET last_activity_at = now() - make_interval(secs => %s) "
        "WHERE thread_id = %s",
        minutes * 60,
        thread_id,
    )


async def test_ten_messages_in_ten_seconds_of_one_customer_whatever_the_socket(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as first:
        async with Chatter(offline_stack.socket_url, cookie=first.cookie) as second:
            for number in range(12):
                await refusal((first, second)[number % 2], message(first, ""))  # refused ones do not count
            for number in range(9):
                await hello(offline_stack, (first, second)[number % 2], 1, after=number)
            waiting = await first.say("Cancel order 1045", client_message_id="tenth")
            sent_ago(offline_stack, first.thread_id, *[JUST_NOW] * 10)

            with nothing_written(offline_stack):
                assert await refusal(first, message(first)) == RATE
                assert await refusal(second, message(second)) == RATE
                missing = await refusal(second, message(second, ""))  # content is looked at first
                assert missing["message"] == "Missing message content"

            await first.message(
                "Cancel order 1045", client_message_id="tenth"
            )  # a repeat is not a new message
            assert (await first.frame())["turn_id"] == waiting[0]["turn_id"]
            assert (await first.answer(False))[-1]["status"] == "completed"  # and a decision is none
            assert await refusal(first, message(first)) == RATE


async def test_the_window_slides(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        await hello(offline_stack, customer, 10)
        assert await refusal(customer, message(customer)) == RATE
        sent_ago(offline_stack, customer.thread_id, *[10.5] * 5, *[JUST_NOW] * 5)

        await hello(offline_stack, customer, 5, after=5)

        assert await refusal(customer, message(customer)) == RATE


async def test_another_customer_is_not_slowed_down(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as busy, Chatter(offline_stack.socket_url) as other:
        await hello(offline_stack, busy, 10)
        assert await refusal(busy, message(busy)) == RATE

        assert (await other.say("hello"))[-1]["status"] == "completed"


async def test_a_session_ends_when_it_was_idle_for_too_long(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        await customer.say("hello")
        idle(offline_stack, customer.thread_id, 29)
        assert (await customer.say("hello"))[-1]["status"] == "completed"
        idle(offline_stack, customer.thread_id, 31)

        with nothing_written(offline_stack):
            assert await refusal(customer, message(customer)) == EXPIRED
            missing = await refusal(customer, message(customer, ""))  # content is looked at first
            assert missing["message"] == "Missing message content"

        await customer.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
        assert len(await customer.until("resumed")) > 1  # it can still be read
        customer.thread_id += "-new"
        assert (await customer.say("hello"))[-1]["status"] == "completed"


async def test_the_rate_is_looked_at_before_the_session(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        await hello(offline_stack, customer, 10)
        idle(offline_stack, customer.thread_id, 31)

        assert await refusal(customer, message(customer)) == RATE


async def test_a_repeat_is_acknowledged_after_the_session_has_ended(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        said = await customer.say("hello", client_message_id="once")
        idle(offline_stack, customer.thread_id, 31)

        with nothing_written(offline_stack):
            await customer.message("hello", client_message_id="once")
            again = await customer.frame()
            await customer.quiet()

        assert again == said[0]


async def test_a_waiting_approval_keeps_the_session_alive(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1046")
        idle(offline_stack, customer.thread_id, 31)

        said = await customer.say("What is the status of order 1047?")
        assert found(said, "message_complete")["status"] == "completed"
        idle(offline_stack, customer.thread_id, 31)
        declined = await customer.answer(False)

        assert declined[-1]["status"] == "completed"
        assert action(offline_stack, waiting[-1]["interrupt_id"])["status"] == "rejected"
        idle(offline_stack, customer.thread_id, 31)
        assert await refusal(customer, message(customer)) == EXPIRED
