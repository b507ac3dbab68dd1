"""A customer asks for a person, and a person answers: in the open chat, and again after a reload."""

import pytest

from tests.chat.sockets import found
from tests.live.chatter import Chatter, types
from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-offline")


async def test_a_member_of_staff_answers_in_the_open_chat_and_after_a_reload(offline_stack: Stack) -> None:
    stack = offline_stack
    async with Chatter(stack.socket_url) as customer:
        asked = await customer.say("I want to talk to a human being.")
        assert "handoff" in types(asked)
        thread = f"/conversations/{customer.thread_id}"
        assert stack.api.get(thread).json()["data"]["status"] == "waiting"

        sent = stack.api.post(f"{thread}/staff-messages", json={"content": "Hello, this is **Sam**."})

        assert sent.status_code == 201
        taken, message = await customer.frame(), await customer.frame()
        assert (taken["type"], taken["by"]) == ("handoff", "staff")
        assert message == {
            "type": "staff_message",
            "content": "Hello, this is **Sam**.",
            "html": "<p>Hello, this is <strong>Sam</strong>.</p>\n",
            "thread_id": customer.thread_id,
            "seq": sent.json()["data"]["seq"],
            "turn_id": None,
            "at": message["at"],
        }
        await customer.quiet()
        assert stack.api.get(thread).json()["data"]["status"] == "held"

    async with Chatter(stack.socket_url, cookie=customer.cookie) as back:
        await back.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
        told = await back.until("resumed")
        assert found(told, "staff_message") == message

        back.thread_id = customer.thread_id
        await back.message("It is the blue one.")
        assert (await back.frame())["turn_id"] is None
        await back.quiet()

        stack.api.post(f"{thread}/handback")
        assert (await back.frame())["type"] == "handback"
        answered = await back.say("Thank you!")
        assert answered[-1]["type"] == "message_complete"
