"""A turns worker dies where it hurts: another one finishes the turn, and nothing happens twice."""

import signal

import psycopg
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
from tests.chat.engine_stack import die, lapse, struck, worker
from tests.live.chatter import Chatter
from tests.live.stack import Stack, until
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-mortal")
ORDER = {"order_id": 1042}
CANCEL = call("cancel_order", ORDER)


def at_the_agent(stack: Stack, model: RunningModel, customer: Chatter) -> None:
    """The model is at an agent's answer, and the route is recorded, which is done meanwhile."""
    model.holds()
    until(lambda: "routed" in kinds(stack, customer.thread_id))


async def test_while_the_model_answers(mortal: Stack, scripted_model_server: RunningModel) -> None:
    model = scripted_model_server
    model.script(routed("order_lookup"), answers(text="Never seen.", hold=0), answers(text="Being packed."))

    async with Chatter(mortal.socket_url) as customer:
        await customer.message("What is the status of order 1042?")
        at_the_agent(mortal, model, customer)
        die(mortal)
        worker(mortal)
        frames = await customer.until("message_complete")

    assert texts(frames) == ["Being packed."]
    assert len(model.requests()) == 3  # routing was not asked for again
    assert [(turn["status"], turn["fence"]) for turn in turns(mortal, customer.thread_id)] == [
        ("completed", 2)
    ]
    assert_sound(mortal, customer.thread_id)
    assert_nothing_is_kept(mortal, customer.thread_id)


async def test_in_the_middle_of_a_streamed_text(mortal: Stack, scripted_model_server: RunningModel) -> None:
    model = scripted_model_server
    model.script(routed("order_lookup"), answers(text="Half a", hold=2), answers(text="It is being packed."))

    async with Chatter(mortal.socket_url) as customer:
        await customer.message("What is the status of order 1042?")
        at_the_agent(mortal, model, customer)
        die(mortal)
        worker(mortal)
        frames = await customer.until("message_complete")

    assert texts(frames) == ["It is being packed."]
    sealed = one(frames, "agent_response")
    assert (sealed["offset"], sealed["end"]) == (0, len("It is being packed."))
    assert_sound(mortal, customer.thread_id)


async def test_while_a_read_runs(mortal: Stack, scripted_model_server: RunningModel) -> None:
    mortal.business.post("/_faults", json={"operation": "get_order_status", "hold": True, "times": 1})
    model = scripted_model_server
    model.script(
        routed("order_lookup"), answers(call("get_order_status", ORDER)), answers(text="Being packed.")
    )

    async with Chatter(mortal.socket_url) as customer:
        await customer.message("What is the status of order 1042?")
        struck(mortal)
        until(lambda: "tool_called" in kinds(mortal, customer.thread_id))  # recorded while it is under way
        die(mortal)
        worker(mortal)
        frames = await customer.until("message_complete")

    assert texts(frames) == ["Being packed."]
    assert len(model.requests()) == 3  # neither routing nor the agent was asked for again
    log = kinds(mortal, customer.thread_id)
    assert (log.count("tool_called"), log.count("tool_returned")) == (1, 1)
    assert_sound(mortal, customer.thread_id)


async def test_while_an_approval_waits(mortal: Stack, scripted_model_server: RunningModel) -> None:
    scripted_model_server.script(routed("order_actions"), answers(CANCEL), answers(text="Cancelled."))

    async with Chatter(mortal.socket_url) as customer:
        waiting = await customer.say("Cancel order 1042")
        until(lambda: turns(mortal, customer.thread_id)[0]["status"] == "waiting")
        mortal.kill("turns")
        await customer.decide(True)
        [resolved] = await customer.until("interrupt_resolved")
        assert mortal.journal() == []
        worker(mortal)
        done = await customer.until("message_complete")

    assert resolved["interrupt_id"] == waiting[-1]["interrupt_id"]
    assert texts(done) == ["Cancelled."]
    assert len(mortal.journal("cancel_order")) == 1
    assert len(scripted_model_server.requests()) == 3
    assert_sound(mortal, customer.thread_id)
    assert_nothing_is_kept(mortal, customer.thread_id)


async def test_after_a_dispatch_that_is_safe_to_repeat(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    mortal.business.post("/_faults", json={"operation": "cancel_order", "hold": True, "times": 1})
    scripted_model_server.script(routed("order_actions"), answers(CANCEL), answers(text="Cancelled."))

    async with Chatter(mortal.socket_url) as customer:
        await customer.say("Cancel order 1042")
        await customer.decide(True)
        struck(mortal)
        die(mortal)
        worker(mortal)
        done = await customer.until("message_complete")

    assert texts(done) == ["Cancelled."]
    mortal.business.delete("/_faults")  # what the dead one has sent is acted on last
    [effect] = mortal.journal("cancel_order")
    [action] = actions(mortal, customer.thread_id)
    assert effect["idempotency_key"] == str(action["id"])
    assert action["status"] == "succeeded"
    log = kinds(mortal, customer.thread_id)
    assert (log.count("tool_called"), log.count("tool_returned")) == (1, 1)
    assert_sound(mortal, customer.thread_id)


async def test_after_a_dispatch_that_is_not_safe_to_repeat(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    mortal.db("UPDATE agents_tool SET repeat_safe = false WHERE name = 'cancel_order'")
    mortal.business.post("/_faults", json={"operation": "cancel_order", "hold": True})
    scripted_model_server.script(
        routed("order_actions"), answers(CANCEL), answers(text="Our staff will check.")
    )
    try:
        async with Chatter(mortal.socket_url) as customer:
            await customer.say("Cancel order 1042")
            await customer.decide(True)
            struck(mortal)
            die(mortal)
            worker(mortal)
            done = await customer.until("message_complete")
    finally:
        mortal.db("UPDATE agents_tool SET repeat_safe = true WHERE name = 'cancel_order'")

    assert texts(done) == ["Our staff will check."]
    [result] = results(mortal, customer.thread_id)
    assert result["error"]["kind"] == "unknown"
    assert [action["status"] for action in actions(mortal, customer.thread_id)] == ["unknown"]
    assert mortal.business.get("/_faults").json()[0]["fired"] == 1
    assert mortal.journal() == []
    mortal.business.delete("/_faults")
    until(lambda: mortal.journal())
    assert len(mortal.journal("cancel_order")) == 1
    assert_sound(mortal, customer.thread_id)


async def test_a_turn_that_was_stopped_while_no_worker_was_there_leaves_nothing(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script(routed("order_actions"), answers(CANCEL))

    async with Chatter(mortal.socket_url) as customer:
        await customer.say("Cancel order 1042")
        until(lambda: turns(mortal, customer.thread_id)[0]["status"] == "waiting")
        mortal.kill("turns")
        await customer.send({"type": "stop", "thread_id": customer.thread_id})
        [stopped] = await customer.until("message_complete")
        worker(mortal)

    assert stopped["status"] == "stopped"
    assert [action["status"] for action in actions(mortal, customer.thread_id)] == ["cancelled"]
    assert mortal.journal() == []
    assert_sound(mortal, customer.thread_id)
    assert_nothing_is_kept(mortal, customer.thread_id)


async def test_a_turn_that_was_stopped_after_its_worker_had_died_is_not_taken_up_again(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    model = scripted_model_server
    model.script(routed("order_lookup"), answers(text="Never seen.", hold=0), answers(text="Not either."))

    async with Chatter(mortal.socket_url) as customer:
        await customer.message("What is the status of order 1042?")
        at_the_agent(mortal, model, customer)
        die(mortal)
        await customer.send({"type": "stop", "thread_id": customer.thread_id})
        worker(mortal)
        frames = await customer.until("message_complete")

    assert (texts(frames), frames[-1]["status"]) == ([], "stopped")
    assert len(model.requests()) == 2
    assert_sound(mortal, customer.thread_id)
    assert_nothing_is_kept(mortal, customer.thread_id)


async def test_a_worker_that_was_held_up_past_its_lease_goes_on_with_its_own_turn(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    """As if it had been frozen, with its machine: its turn is free again before it wakes up and takes it once more. The
    run that it had before writes nothing, and the new one keeps its lease."""
    model = scripted_model_server
    model.script(
        {
            "match": {"structured": True, "last_user_contains": "hmm"},
            "reply": routed(question="Yes?")["reply"],
        },
        routed("order_lookup"),
        answers(text="Too late.", hold=0),
        answers(text="In time.", hold=0),
    )

    async with Chatter(mortal.socket_url) as customer, Chatter(mortal.socket_url) as somebody:
        await customer.message("What is the status of order 1042?")
        model.holds()
        mortal.db("UPDATE chat_turn SET status = 'queued', lease_until = NULL WHERE status = 'running'")
        await somebody.message("hmm")  # wakes the worker
        until(lambda: _asked_agents(model) == 2 and model.holds() == 1)  # the first one is waited for no more
        [begun] = turns(mortal, customer.thread_id)
        until(lambda: turns(mortal, customer.thread_id)[0]["lease_until"] > begun["lease_until"])
        model.release()
        frames = await customer.until("message_complete")

    assert texts(frames) == ["In time."]
    assert [(turn["status"], turn["fence"]) for turn in turns(mortal, customer.thread_id)] == [
        ("completed", 2)
    ]
    assert_sound(mortal, customer.thread_id)


async def test_what_a_worker_keeps_that_lost_its_turn_is_not_gone_on_with(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    """It wakes up with another choice of its model than the one that was recorded meanwhile and waits for a yes."""
    model = scripted_model_server
    model.script(
        routed("order_actions"),
        answers(call("cancel_order", {"order_id": 1043}), hold=0),
        answers(CANCEL),
        answers(text="Cancelled."),
    )
    held_up, lost = mortal.processes["turns"], mortal.log("turns").count("turn_lost")

    async with Chatter(mortal.socket_url) as customer:
        await customer.message("Cancel order 1042")
        at_the_agent(mortal, model, customer)
        held_up.send_signal(signal.SIGSTOP)
        try:
            lapse(mortal)
            worker(mortal, "turns2")
            [*_, asks] = await customer.until("interrupt")
            until(lambda: turns(mortal, customer.thread_id)[0]["status"] == "waiting")
            with psycopg.connect(
                mortal.database_url
            ) as door:  # until the choice was made, nobody says that it is late
                door.execute("LOCK TABLE chat_turn")
                model.release()
                held_up.send_signal(signal.SIGCONT)
                until(lambda: _waiting_to_open_an_approval(mortal))
        finally:
            held_up.send_signal(signal.SIGCONT)
        [turn] = turns(mortal, customer.thread_id)
        until(lambda: mortal.log("turns").count("turn_lost") > lost)
        kept = "SELECT 1 FROM checkpoints WHERE thread_id = %s"
        assert (
            len(mortal.db(kept, str(turn["id"]))) == 1
        )  # what waits for the yes, and nothing of the late one
        done = await customer.answer(True, interrupt_id=asks["interrupt_id"])

    assert texts(done) == ["Cancelled."]
    [action] = actions(mortal, customer.thread_id)
    assert (str(action["id"]), action["status"]) == (asks["interrupt_id"], "succeeded")
    assert [effect["idempotency_key"] for effect in mortal.journal()] == [asks["interrupt_id"]]
    assert_sound(mortal, customer.thread_id)
    assert_nothing_is_kept(mortal, customer.thread_id)


async def test_a_worker_that_comes_back_after_the_end_of_its_turn_keeps_nothing_of_it(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    model = scripted_model_server
    model.script(routed("order_lookup"), answers(text="Too late.", hold=0), answers(text="Being packed."))
    held_up, lost = mortal.processes["turns"], mortal.log("turns").count("turn_lost")

    async with Chatter(mortal.socket_url) as customer:
        await customer.message("What is the status of order 1042?")
        at_the_agent(mortal, model, customer)
        held_up.send_signal(signal.SIGSTOP)
        try:
            lapse(mortal)
            worker(mortal, "turns2")
            done = await customer.until("message_complete")
            model.release()
        finally:
            held_up.send_signal(signal.SIGCONT)
        until(lambda: mortal.log("turns").count("turn_lost") > lost)

    assert texts(done) == ["Being packed."]
    assert_sound(mortal, customer.thread_id)
    assert_nothing_is_kept(mortal, customer.thread_id)


def _asked_agents(model: RunningModel) -> int:
    return sum("tools" in request["body"] for request in model.requests())


def _waiting_to_open_an_approval(stack: Stack) -> bool:
    """Whether somebody wants the lock of a turn for what it writes next."""
    return bool(
        stack.db(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
            "AND query LIKE '%%chat_turn%%FOR NO KEY UPDATE%%'"
        )
    )


async def test_a_turn_that_keeps_killing_its_workers_is_given_up(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    model = scripted_model_server
    model.script(routed("order_lookup"), answers(text="Never seen.", hold=0))

    async with Chatter(mortal.socket_url) as customer:
        await customer.message("What is the status of order 1042?")
        at_the_agent(mortal, model, customer)
        die(mortal)
        # As if it had been lost to as many workers before this one.
        mortal.db("UPDATE chat_turn SET lapses = 4 WHERE status = 'running'")
        worker(mortal)
        frames = await customer.until("message_complete")

        assert [frame.get("code") for frame in frames if frame["type"] == "error"] == ["turn_failed"]
        assert frames[-1]["status"] == "failed"
        assert len(model.requests()) == 2  # it was not tried again
        model.script(routed("order_lookup"), answers(text="Here again."))
        assert texts(await customer.say("And now?")) == ["Here again."]
