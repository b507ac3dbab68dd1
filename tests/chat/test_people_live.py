"""People and agents in one conversation, as it runs: real sockets, a worker in mid-stream, a scripted model."""

import signal
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.agents.graph_script import answers, assert_sound, call, kinds, one, routed, texts
from tests.live.chatter import Chatter, Frame, types
from tests.live.stack import Stack, until
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")

QUESTION = "What is the status of order 1042?"
ENDLESS = {"match": {"stream": True}, "reply": {"chunks": ["and so on "] * 9_000, "token_delay_ms": 20}}


@pytest.fixture
def stack(scripted_stack: Stack) -> Stack:
    scripted_stack.business.post("/_reset")
    return scripted_stack


@pytest.fixture
def model(stack: Stack, scripted_model_server: RunningModel) -> RunningModel:
    return scripted_model_server


def staff(stack: Stack, thread_id: str, what: str, **body: Any) -> Any:
    return stack.api.post(f"/conversations/{thread_id}/{what}", json=body or None)


def lost(stack: Stack, before: int) -> None:
    """Wait until the worker has noticed that its turn is not its own any more."""
    until(lambda: stack.log("turns").count("turn_lost") > before)


async def told_of_take_over(customer: Chatter) -> list[Frame]:
    frames = await customer.until("handoff")
    assert types(frames)[-2:] == ["message_complete", "handoff"]
    assert frames[-2]["status"] == "stopped"
    return frames


async def test_somebody_takes_over_in_mid_sentence_and_both_tabs_hear_no_more_of_the_agent(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_lookup"), ENDLESS)
    before = stack.log("turns").count("turn_lost")
    async with (
        Chatter(stack.socket_url) as customer,
        Chatter(stack.socket_url, cookie=customer.cookie) as tab,
    ):
        await customer.message(QUESTION)
        await customer.until("token")
        await tab.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
        await tab.until("resumed")
        await tab.until("token")

        taken = staff(stack, customer.thread_id, "takeover")

        assert (taken.status_code, taken.json()["data"]["status"]) == (200, "held")
        for one_tab in (customer, tab):
            await told_of_take_over(one_tab)
        lost(stack, before)
        for one_tab in (customer, tab):
            await one_tab.quiet()
        assert_sound(stack, customer.thread_id)
        assert kinds(stack, customer.thread_id)[-2:] == ["turn_stopped", "taken_over"]


async def test_a_worker_that_slept_through_it_shows_nothing_when_it_wakes_up(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_lookup"), ENDLESS)
    before = stack.log("turns").count("turn_lost")
    async with (
        Chatter(stack.socket_url) as customer,
        Chatter(stack.socket_url, cookie=customer.cookie) as late,
    ):
        await customer.message(QUESTION)
        await customer.until("token")
        stack.processes["turns"].send_signal(signal.SIGSTOP)
        try:
            staff(stack, customer.thread_id, "takeover")
            await told_of_take_over(customer)
            late.thread_id = customer.thread_id  # a tab that has no past of this conversation
            await late.message("Hello?")
            assert (await late.frame())["turn_id"] is None
            await customer.until("user_message")
        finally:
            stack.processes["turns"].send_signal(signal.SIGCONT)
        lost(stack, before)
        await customer.quiet()
        await late.quiet()
    assert_sound(stack, customer.thread_id)


async def test_words_go_both_ways_at_once_and_the_agent_knows_them_afterwards(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_lookup"), answers(text="It is being packed."))
    async with Chatter(stack.socket_url) as customer:
        await customer.say(QUESTION)
        thread = customer.thread_id
        staff(stack, thread, "takeover")
        assert types(await customer.until("handoff")) == ["handoff"]

        await customer.message("The lamp is broken.", client_message_id="m-1")
        accepted = await customer.frame()
        assert (accepted["type"], accepted["turn_id"], accepted["position"]) == ("accepted", None, 0)
        await customer.message("The lamp is broken.", client_message_id="m-1")
        assert (await customer.frame())["seq"] == accepted["seq"]
        read = stack.api.get(f"/conversations/{thread}/events", params={"after": accepted["seq"] - 1}).json()
        assert [event["payload"]["content"] for event in read["data"]["events"]] == ["The lamp is broken."]
        staff(stack, thread, "staff-messages", content="Which part of it?")
        written = await customer.frame()
        assert (written["type"], written["content"]) == ("staff_message", "Which part of it?")
        await customer.message("The shade, the blue one.")
        await customer.until("accepted")
        await customer.quiet()

        staff(stack, thread, "handback")
        assert (await customer.frame())["type"] == "handback"
        model.script(routed("order_lookup"), answers(text="A new shade is on its way."))
        model.forget()
        last = await customer.say("So what happens now?")

        assert texts(last) == ["A new shade is on its way."]
        prompt = str([request["body"]["messages"] for request in model.requests()][-1])
        order = [
            prompt.index(text)
            for text in (
                "The lamp is broken.",
                "Which part of it?",
                "The shade, the blue one.",
                "So what happens",
            )
        ]
        assert order == sorted(order)
    assert_sound(stack, thread)


async def test_what_waited_for_the_customer_is_cancelled_with_the_take_over(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_actions"), answers(call("cancel_order", {"order_id": 1042})))
    async with Chatter(stack.socket_url) as customer:
        asked = one(await customer.say("Cancel order 1042"), "interrupt")
        staff(stack, customer.thread_id, "staff-messages", content="One moment.")
        assert types(await customer.until("staff_message")) == [
            "message_complete",
            "handoff",
            "staff_message",
        ]

        await customer.decide(True, interrupt_id=asked["interrupt_id"])
        refused = await customer.frame()

        assert (refused["code"], refused["resolution"]) == ("already_decided", "cancelled")
        await customer.quiet()
    assert stack.journal() == []


async def test_what_is_being_sent_is_finished_and_recorded(stack: Stack, model: RunningModel) -> None:
    model.script(routed("order_actions"), answers(call("cancel_order", {"order_id": 1042})))
    stack.business.post("/_faults", json={"operation": "cancel_order", "hold": True})
    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        await customer.decide(True)
        await customer.until("tool_call")

        staff(stack, customer.thread_id, "takeover")

        stack.business.delete("/_faults")
        result = (await customer.until("tool_result"))[-1]
        assert result["ok"]
        await customer.quiet()
    assert len(stack.journal("cancel_order")) == 1
    assert kinds(stack, customer.thread_id)[-4:] == [
        "tool_called",
        "turn_stopped",
        "taken_over",
        "tool_returned",
    ]


# --- by rule ---------------------------------------------------------------------------------------


async def test_an_angry_customer_gets_a_person_without_a_model_being_asked(
    stack: Stack, model: RunningModel
) -> None:
    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("I am furious, this is the third time I have asked!")

        assert one(frames, "handoff")["by"] == "rule"
        assert texts(frames) == ["I have asked a colleague to take over. They will answer you here."]
        assert frames[-1]["status"] == "completed"
        assert model.requests(summary=True) == []
        assert _status(stack, customer) == "waiting"

        model.script(routed("order_lookup"), answers(text="It is being packed."))
        again = await customer.say("I am still furious. What is the status of order 1042?")
        assert "handoff" not in types(again)
        assert texts(again) == ["It is being packed."]


async def test_a_model_may_say_that_somebody_is_upset_and_says_it_once(
    stack: Stack, model: RunningModel
) -> None:
    model.script(routed("order_lookup", upset=True), answers(text="It is being packed.", times=None))
    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say("Ja, ganz toll macht ihr das. Wo ist 1042?")
        again = await customer.say("Wo ist 1042?")

        assert one(frames, "handoff")["by"] == "rule"
        assert texts(again) == ["It is being packed."]
        assert kinds(stack, customer.thread_id).count("handoff_requested") == 1


async def test_a_business_that_refuses_our_access_gets_a_person(stack: Stack, model: RunningModel) -> None:
    model.script(
        routed("order_lookup"),
        answers(call("get_order_status", {"order_id": 1042})),
        answers(text="I cannot see it right now."),
    )
    stack.business.post("/_faults", json={"operation": "get_order_status", "fail": 401})
    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say(QUESTION)

        assert one(frames, "handoff")["reason"] == (
            "Our access to the business system was refused (get_order_status)."
        )
        assert texts(frames)[-1].startswith("I could not solve this, so I have asked a colleague")
        assert frames[-1]["status"] == "completed"
        assert _status(stack, customer) == "waiting"
        waiting = stack.api.get(f"/conversations/{customer.thread_id}").json()["data"]
        assert datetime.fromisoformat(waiting["handoff_at"]) <= datetime.now(UTC)
    assert_sound(stack, customer.thread_id)


async def test_a_model_that_is_away_three_times_gets_a_person(stack: Stack, model: RunningModel) -> None:
    model.script({"match": {}, "reply": {"error": {"status": 503, "retry_after": 0}}})
    async with Chatter(stack.socket_url) as customer:
        for _ in range(2):
            frames = await customer.say(QUESTION)
            frames += await customer.until("message_complete")
            assert "handoff" not in types(frames)

        await customer.message(QUESTION)
        frames = await customer.until("message_complete")

        assert one(frames, "handoff")["by"] == "rule"
        assert types(frames)[-4:] == ["handoff", "agent_response", "error", "message_complete"]
        assert _status(stack, customer) == "waiting"


def _status(stack: Stack, customer: Chatter) -> str:
    status: str = stack.api.get(f"/conversations/{customer.thread_id}").json()["data"]["status"]
    return status
