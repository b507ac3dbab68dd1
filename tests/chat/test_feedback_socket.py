"""Feedback over a real socket: refused frames, the answer in every tab and after a resume, and being asked."""

from typing import Any

import pytest

from tests.chat.sockets import found, nothing_written, refusal
from tests.live.chatter import Chatter, types
from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-offline")
INVALID = {"type": "error", "code": "invalid_feedback", "message": "Invalid feedback"}
UNKNOWN = {"type": "error", "code": "thread_not_found", "message": "Thread not found"}


def frame(customer: Chatter, **said: Any) -> dict[str, Any]:
    return {"type": "feedback", "thread_id": customer.thread_id, **said}


def standing(stack: Stack, customer: Chatter) -> tuple[Any, ...]:
    [row] = stack.db(
        "SELECT solved, score, unasked FROM chat_conversation WHERE thread_id = %s", customer.thread_id
    )
    return row["solved"], row["score"], row["unasked"]


async def test_what_is_refused_is_not_written(offline_stack: Stack) -> None:
    stack = offline_stack
    async with Chatter(stack.socket_url) as customer, Chatter(stack.socket_url) as stranger:
        await customer.say("hello")
        stranger.thread_id = customer.thread_id
        with nothing_written(stack):
            missing = {"type": "feedback", "score": 9}
            assert (await refusal(customer, missing))["message"] == "Missing thread_id"
            odd = {**missing, "thread_id": "a b"}
            assert (await refusal(customer, odd))["message"] == "Invalid thread_id format"
            assert await refusal(stranger, frame(stranger, solved="no")) == UNKNOWN
            assert await refusal(stranger, frame(stranger, solved=True)) == UNKNOWN
            assert await refusal(customer, {**frame(customer), "thread_id": "nobodys", "score": 1}) == UNKNOWN
            for said in (
                {},
                {"solved": 1},
                {"solved": None},
                {"score": True},
                {"score": 5.5},
                {"score": "5"},
            ):
                assert await refusal(customer, frame(customer, **said)) == INVALID
            assert await refusal(customer, frame(customer, comment="x" * 1_001)) == INVALID
        assert standing(stack, customer) == (None, None, True)


async def test_an_answer_in_all_tabs_after_a_resume_and_only_so_often(offline_stack: Stack) -> None:
    stack = offline_stack
    async with Chatter(stack.socket_url) as customer:
        await customer.say("hello")
        async with Chatter(stack.socket_url, cookie=customer.cookie) as tab:
            await tab.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
            await tab.until("resumed")

            await customer.send(frame(customer, solved=True, score=4, comment="Fine."))
            told = await customer.frame()

            assert told.items() >= {
                "type": "feedback", "solved": True, "score": 4, "comment": "Fine.", "turn_id": None,
                "thread_id": customer.thread_id,
            }.items()  # fmt: skip
            assert await tab.frame() == told
            with nothing_written(stack):
                await tab.send(frame(customer, score=4))
                assert await tab.frame() == told
            await tab.send(frame(customer, solved=False))
            changed = await customer.frame()
            assert (changed["solved"], changed["score"], changed["seq"]) == (False, 4, told["seq"] + 1)
            await customer.quiet()
        assert standing(stack, customer) == (False, 4, False)
        async with Chatter(stack.socket_url, cookie=customer.cookie) as back:
            await back.send({"type": "resume", "thread_id": customer.thread_id, "after": told["seq"] - 1})
            assert (await back.until("resumed"))[:2] == [told, changed]

            for _ in range(27):  # what changes nothing counts as well
                await back.send(frame(customer, score=4))
            assert {(await back.frame())["type"] for _ in range(27)} == {"feedback"}
            with nothing_written(stack):
                assert (await refusal(back, frame(customer, score=5)))["code"] == "rate_limited"


async def test_being_asked_when_staff_resolve_and_answering_opens_nothing_again(offline_stack: Stack) -> None:
    stack = offline_stack
    async with Chatter(stack.socket_url) as customer:
        await customer.say("hello")
        thread = f"/conversations/{customer.thread_id}"

        assert stack.api.post(f"{thread}/resolve").status_code == 200

        asked = await customer.frame()
        assert asked["type"] == "feedback_request"
        turns = stack.db("SELECT count(*) AS n FROM chat_turn")
        await customer.send(frame(customer, solved=False))
        assert (await customer.frame())["solved"] is False
        await customer.quiet()
        assert stack.db("SELECT count(*) AS n FROM chat_turn") == turns
        row = stack.api.get(thread).json()["data"]
        assert (row["status"], row["last_line"] != "") == ("resolved", True)

    async with Chatter(stack.socket_url, cookie=customer.cookie) as back:
        await back.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
        again = await back.until("resumed")
        assert found(again, "feedback_request") == asked
        assert types(again)[-3:] == ["feedback_request", "feedback", "resumed"]
