"""Workers that come and go: turns are shared, finished or handed over, and what was sent is recorded."""

import asyncio
import signal

import pytest

from tests.agents.graph_script import (
    actions,
    answers,
    assert_sound,
    call,
    kinds,
    results,
    routed,
    texts,
    turns,
)
from tests.chat.engine_stack import jobs, leave, leaving, struck, worker
from tests.live.chatter import Chatter
from tests.live.stack import START_SECONDS, Stack, until
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-mortal")
CANCEL = call("cancel_order", {"order_id": 1042})
QUESTION = "What is the status of order 1042?"


async def test_a_leaving_worker_finishes_its_turn(mortal: Stack, scripted_model_server: RunningModel) -> None:
    scripted_model_server.script(routed("order_lookup"), answers(text="Being packed.", hold=0))

    async with Chatter(mortal.socket_url) as customer:
        await customer.message(QUESTION)
        scripted_model_server.holds()
        process = leaving(mortal)
        scripted_model_server.release()
        frames = await customer.until("message_complete")
        assert process.wait(60) == 0

    assert texts(frames) == ["Being packed."]
    assert [(turn["status"], turn["fence"]) for turn in turns(mortal, customer.thread_id)] == [
        ("completed", 1)
    ]


async def test_a_turn_that_takes_too_long_is_handed_over(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    model = scripted_model_server
    model.script(routed("order_lookup"), answers(text="Never seen.", hold=0), answers(text="Being packed."))

    leave(mortal)
    worker(mortal, "impatient", TURN_DRAIN_SECONDS="0")
    async with Chatter(mortal.socket_url) as customer:
        await customer.message(QUESTION)
        model.holds()
        until(lambda: "routed" in kinds(mortal, customer.thread_id))
        leave(mortal, "impatient")
        [turn] = turns(mortal, customer.thread_id)
        assert (turn["status"], turn["lease_until"]) == ("queued", None)  # at once, not when a lease runs out
        worker(mortal)
        frames = await customer.until("message_complete")

    assert texts(frames) == ["Being packed."]
    assert len(model.requests()) == 3
    assert_sound(mortal, customer.thread_id)


async def test_a_leaving_worker_records_what_it_has_sent(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    mortal.db("UPDATE agents_tool SET repeat_safe = false WHERE name = 'cancel_order'")
    mortal.business.post("/_faults", json={"operation": "cancel_order", "hold": True})
    scripted_model_server.script(routed("order_actions"), answers(CANCEL), answers(text="Cancelled."))
    try:
        async with Chatter(mortal.socket_url) as customer:
            await customer.say("Cancel order 1042")
            await customer.decide(True)
            struck(mortal)
            process = leaving(mortal)
            mortal.business.delete("/_faults")
            assert process.wait(60) == 0
            worker(mortal)
            done = await customer.until("message_complete")
    finally:
        mortal.db("UPDATE agents_tool SET repeat_safe = true WHERE name = 'cancel_order'")

    assert texts(done) == ["Cancelled."]
    assert [result["ok"] for result in results(mortal, customer.thread_id)] == [True]
    assert [action["status"] for action in actions(mortal, customer.thread_id)] == ["succeeded"]
    assert len(mortal.journal("cancel_order")) == 1
    assert_sound(mortal, customer.thread_id)


async def test_messages_wait_for_a_worker(mortal: Stack, scripted_model_server: RunningModel) -> None:
    scripted_model_server.script(routed("order_lookup"), answers(text="Being packed."))
    leave(mortal)

    async with Chatter(mortal.socket_url) as customer:
        await customer.message(QUESTION)
        [accepted] = await customer.until("accepted")
        worker(mortal)
        frames = await customer.until("message_complete")

    assert accepted["position"] == 0
    assert texts(frames) == ["Being packed."]


async def test_two_workers_share_the_turns_and_none_runs_twice(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script(
        routed("order_lookup"), answers(text="Being packed.", delay_ms=100, times=None)
    )
    worker(mortal, "turns2")
    customers = [Chatter(mortal.socket_url) for _ in range(12)]

    async def chat(customer: Chatter) -> list[str]:
        async with customer:
            return texts(await customer.say(QUESTION))

    said = await asyncio.gather(*(chat(customer) for customer in customers))

    assert said == [["Being packed."]] * 12
    assert len(scripted_model_server.requests(summary=True)) == 24
    for customer in customers:
        assert [(turn["status"], turn["fence"]) for turn in turns(mortal, customer.thread_id)] == [
            ("completed", 1)
        ]
        assert_sound(mortal, customer.thread_id)


async def test_turns_of_one_conversation_run_one_by_one_in_order(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    """With two workers, and each with the answer to the one before it in its history: what comes while a message is
    answered is one turn after it, however many messages it is."""
    model = scripted_model_server
    model.script(routed("order_lookup"), *(answers(text=f"Answer {number}.", hold=0) for number in range(3)))
    worker(mortal, "turns2")

    async with Chatter(mortal.socket_url) as customer:
        await customer.message("What is the status of order 1042?")
        model.holds()
        for number in (3, 4):
            await customer.message(f"What is the status of order 104{number}?")
        for _ in range(3):
            await customer.until("accepted")
        model.release()
        frames = await customer.until("message_complete")
        model.holds()
        await customer.message("What is the status of order 1045?")
        await customer.until("accepted")
        for _ in range(2):
            model.holds()
            model.release()
            frames += await customer.until("message_complete")

    assert texts(frames) == [f"Answer {number}." for number in range(3)]
    asked_of_agents = [
        request["body"]["messages"] for request in model.requests() if "tools" in request["body"]
    ]
    said = [message["content"] for message in asked_of_agents[-1] if message["role"] == "assistant"]
    assert said == ["Answer 0.", "Answer 1."]
    assert asked_of_agents[1][-1]["content"] == (
        "What is the status of order 1043?\n\nWhat is the status of order 1044?"
    )
    assert_sound(mortal, customer.thread_id)


async def test_an_expired_approval_is_told_and_closed_by_the_jobs(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script(
        routed("order_actions"), answers(CANCEL), answers(text="Nobody decided in time.")
    )
    jobs(mortal)
    try:
        async with Chatter(mortal.socket_url) as customer:
            await customer.say("Cancel order 1042")
            mortal.db(
                "UPDATE agents_action SET expires_at = now() - interval '1 second' WHERE status = 'awaiting'"
            )
            until(
                lambda: actions(mortal, customer.thread_id)[0]["status"] == "expired", seconds=START_SECONDS
            )
            frames = await customer.until("message_complete")
            late = await customer.answer(True, interrupt_id=str(actions(mortal, customer.thread_id)[0]["id"]))
    finally:
        mortal.kill("jobs", signal.SIGTERM)

    assert [frame["type"] for frame in frames if frame["type"] != "token"] == [
        "interrupt_expired",
        "agent_response",
        "message_complete",
    ]
    assert "has expired after" in frames[0]["message"]
    assert frames[0]["message"].endswith("Would you like to try again?")
    assert [frame["type"] for frame in late] == ["interrupt_expired"]
    [action] = actions(mortal, customer.thread_id)
    assert action["status"] == "expired"
    # A worker that was killed earlier may have sent an action of another conversation meanwhile; nothing else was.
    others = {
        str(row["id"]) for row in mortal.db("SELECT id FROM agents_action WHERE id <> %s", action["id"])
    }
    assert [entry for entry in mortal.journal() if entry["idempotency_key"] not in others] == []
    assert_sound(mortal, customer.thread_id)
