"""The main job over the socket: ask, cancel, approve, and the business has done it."""

import pytest

from tests.chat.sockets import effects
from tests.live.chatter import Chatter, types
from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-offline")


async def test_an_order_is_cancelled_after_the_customer_approves(offline_stack: Stack) -> None:
    async with Chatter(offline_stack.socket_url) as customer:
        asked = await customer.say("What is the status of order 1042?")
        assert types(asked)[:4] == ["accepted", "routing", "tool_call", "tool_result"]
        assert types(asked)[-2:] == ["agent_response", "message_complete"]

        waiting = await customer.say("cancel that one")
        assert types(waiting) == ["accepted", "routing", "interrupt"]
        assert waiting[-1]["params"] == {"order_id": 1042}
        assert waiting[-1]["approver"] == "customer"
        assert effects(offline_stack, 1042) == []

        done = await customer.answer(True)

        assert types(done)[:3] == ["interrupt_resolved", "tool_call", "tool_result"]
        assert done[-1]["status"] == "completed"
        [effect] = effects(offline_stack, 1042)
        assert effect["operation"] == "cancel_order"
        assert effect["idempotency_key"] == waiting[-1]["interrupt_id"]
        again = await customer.say("What is the status of order 1042?")
        assert "cancelled" in next(frame for frame in again if frame["type"] == "agent_response")["content"]
