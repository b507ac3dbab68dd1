"""A thread belongs to whoever opened it. To anybody else it does not exist, and nothing says otherwise."""

from typing import Any

import pytest

from tests.chat.sockets import action, effects, nothing_written, refusal
from tests.live.chatter import Chatter
from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-offline")

NOT_FOUND = {"type": "error", "code": "thread_not_found", "message": "Thread not found"}


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "resume", "after": 0},
        {"type": "resume", "after": "odd"},
        {"type": "stop"},
        {"type": "interrupt_response", "approved": True},
        {"type": "interrupt_response", "approved": "true"},
    ],
)
async def test_unknown_and_foreign_threads_look_the_same(offline_stack: Stack, frame: dict[str, Any]) -> None:
    async with Chatter(offline_stack.socket_url) as owner, Chatter(offline_stack.socket_url) as stranger:
        waiting = await owner.say("Cancel order 1043")
        with nothing_written(offline_stack):
            foreign = await refusal(stranger, {**frame, "thread_id": owner.thread_id})
            unknown = await refusal(stranger, {**frame, "thread_id": stranger.thread_id})

        assert foreign == unknown == NOT_FOUND
        assert action(offline_stack, waiting[-1]["interrupt_id"])["status"] == "awaiting"
        await owner.answer(False)


@pytest.mark.parametrize("content", ["Cancel order 1043", "", "x" * 10_001])
async def test_nobody_writes_into_a_foreign_thread(offline_stack: Stack, content: str) -> None:
    async with Chatter(offline_stack.socket_url) as owner, Chatter(offline_stack.socket_url) as stranger:
        await owner.say("hello")
        intruding = {"type": "message", "thread_id": owner.thread_id, "content": content}

        with nothing_written(offline_stack):
            assert await refusal(stranger, intruding) == NOT_FOUND

        await owner.quiet()


async def test_a_foreign_approval_cannot_be_answered_through_a_thread_of_ones_own(
    offline_stack: Stack,
) -> None:
    async with Chatter(offline_stack.socket_url) as owner, Chatter(offline_stack.socket_url) as stranger:
        waiting = await owner.say("Cancel order 1043")
        await stranger.say("hello")
        stolen = {"approved": True, "interrupt_id": waiting[-1]["interrupt_id"]}

        with nothing_written(offline_stack):
            answer = await refusal(
                stranger, {"type": "interrupt_response", "thread_id": stranger.thread_id, **stolen}
            )

        assert answer["message"] == "Invalid interrupt response"
        assert action(offline_stack, waiting[-1]["interrupt_id"])["status"] == "awaiting"
        assert effects(offline_stack, 1043) == []
        await owner.answer(False)


async def test_a_stranger_sees_nothing_of_a_conversation(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as owner, Chatter(offline_stack.socket_url) as stranger:
        await owner.say("What is the status of order 1044?")
        await refusal(stranger, {"type": "resume", "thread_id": owner.thread_id})
        await refusal(stranger, {"type": "message", "thread_id": owner.thread_id, "content": "hello"})

        await owner.say("hello")

        await stranger.quiet()
