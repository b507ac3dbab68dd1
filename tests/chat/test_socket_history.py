"""The chat socket gives the history in pages, and hands over to `resume` without a hole."""

from typing import Any

import pytest

from tests.chat.sockets import events_of, nothing_written, refusal
from tests.live.chatter import Chatter, types
from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-offline")


def history(customer: Chatter, **fields: Any) -> dict[str, Any]:
    return {"type": "history", "thread_id": customer.thread_id, **fields}


async def test_pages_and_then_what_comes(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        said = [*await customer.say("What is the status of order 1059?"), *await customer.say("hmm")]

        async with Chatter(offline_stack.socket_url, cookie=customer.cookie) as tab:
            tab.thread_id = customer.thread_id
            await tab.send(history(tab, limit=3))
            newest = await tab.frame()
            await tab.send(history(tab, limit=3, before=newest["next"]))
            oldest = await tab.frame()
            await tab.send({"type": "resume", "thread_id": tab.thread_id, "after": newest["seq"]})
            rest = await tab.until("resumed")
            said += await customer.say("hmm")
            live = await tab.until("message_complete")

    assert set(newest) == set(oldest) == {"type", "thread_id", "frames", "pending", "next", "seq"}
    assert types(newest["frames"])[0] == "agent_response"
    assert oldest["next"] is None
    assert types(rest) == ["resumed"]
    shown = [*oldest["frames"], *newest["frames"], *events_of(live)]
    assert [frame for frame in shown if frame["type"] != "user_message"] == events_of(said)
    assert [frame["content"] for frame in shown if frame["type"] == "user_message"] == [
        "What is the status of order 1059?",
        "hmm",
        "hmm",
    ]


@pytest.mark.parametrize(
    "fields",
    [{"before": 0}, {"before": -1}, {"before": "7"}, {"before": True}, {"limit": 0}, {"limit": 101}],
)
async def test_a_page_that_cannot_be_is_refused(offline_stack: Stack, fields: dict[str, Any]) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        await customer.say("hmm")
        with nothing_written(offline_stack):
            refused = await refusal(customer, history(customer, **fields))

    assert (refused["code"], refused["message"]) == ("invalid_history", "Invalid history position")


async def test_somebody_elses_history_does_not_exist(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer, Chatter(offline_stack.socket_url) as other:
        await customer.say("hmm")
        other.thread_id = customer.thread_id
        with nothing_written(offline_stack):
            refused = await refusal(other, history(other))

    assert refused["code"] == "thread_not_found"
