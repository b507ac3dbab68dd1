"""The database hangs up on everybody while a turn runs: the turn is run again from its log, not given up."""

import time

import pytest

from smartsupport.lib.threads import IDLE_SECONDS
from tests.agents.graph_script import actions, answers, assert_sound, call, routed, texts, turns
from tests.chat.engine_stack import struck
from tests.live.chatter import Chatter, types
from tests.live.stack import Stack, until
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-mortal")
CANCEL = call("cancel_order", {"order_id": 1042})


def hang_up(stack: Stack) -> None:
    """End every connection but our own, as a restart does, and wait until they are gone."""
    stack.db(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )


async def test_while_nobody_does_anything(mortal: Stack, scripted_model_server: RunningModel) -> None:
    """A connection that was ended while it was idle is nobody's error."""
    scripted_model_server.script(routed("order_lookup"), answers(text="Being packed.", times=None))

    async with Chatter(mortal.socket_url) as customer:
        await customer.say("What is the status of order 1042?")
        used_last = time.monotonic()
        hang_up(mortal)
        until(lambda: time.monotonic() > used_last + IDLE_SECONDS + 0.2)
        frames = await customer.say("And now?")

    assert texts(frames) == ["Being packed."]
    assert "error" not in types(frames)


async def test_right_before_a_message(mortal: Stack, scripted_model_server: RunningModel) -> None:
    """Nobody has been told yet that the connections are gone."""
    scripted_model_server.script(routed("order_lookup"), answers(text="Being packed.", times=None))

    async with Chatter(mortal.socket_url) as customer:
        for message in ("What is the status of order 1042?", "And now?", "And now?"):
            frames = await customer.say(message)
            assert texts(frames) == ["Being packed."]
            assert "error" not in types(frames)
            hang_up(mortal)


async def test_while_the_model_answers(mortal: Stack, scripted_model_server: RunningModel) -> None:
    model = scripted_model_server
    model.script(
        routed("order_lookup"),
        answers(text="Being packed.", hold=0),
        answers(text="Being packed.", times=None),
    )

    async with Chatter(mortal.socket_url) as customer:
        await customer.message("What is the status of order 1042?")
        await customer.until("accepted")
        model.holds()
        hang_up(mortal)
        model.release()
        until(lambda: turns(mortal, customer.thread_id)[0]["status"] == "completed")

    said = [
        event["payload"]["content"]
        for event in mortal.events(customer.thread_id)
        if event["kind"] == "replied"
    ]
    assert said == ["Being packed."]
    assert_sound(mortal, customer.thread_id)


async def test_between_an_approval_and_its_effect(mortal: Stack, scripted_model_server: RunningModel) -> None:
    mortal.business.post("/_faults", json={"operation": "cancel_order", "hold": True, "times": 1})
    model = scripted_model_server
    model.script(routed("order_actions"), answers(CANCEL), answers(text="Cancelled.", times=None))

    async with Chatter(mortal.socket_url) as customer:
        assert types(await customer.say("Cancel order 1042"))[-1] == "interrupt"
        await customer.decide(True)
        struck(mortal)
        hang_up(mortal)
        mortal.business.delete("/_faults")
        until(lambda: turns(mortal, customer.thread_id)[0]["status"] == "completed")
        frames = await customer.until("message_complete")

    assert texts(frames) == ["Cancelled."]
    assert len(mortal.journal("cancel_order")) == 1
    [action] = actions(mortal, customer.thread_id)
    assert action["status"] == "succeeded"
    assert_sound(mortal, customer.thread_id)


async def test_a_worker_that_could_not_forget_a_turn_goes_on_hearing_what_it_is_told(
    mortal: Stack, scripted_model_server: RunningModel
) -> None:
    """What it kept of a turn that was ended elsewhere cannot be deleted for the moment."""
    scripted_model_server.script(routed("order_actions"), answers(CANCEL, times=None))
    failed = mortal.log("turns").count("side_work_failed")

    async with Chatter(mortal.socket_url) as first, Chatter(mortal.socket_url) as second:
        for customer in (first, second):
            await customer.say("Cancel order 1042")
            until(lambda: turns(mortal, customer.thread_id)[0]["status"] == "waiting")  # noqa: B023
        mortal.db("ALTER TABLE checkpoint_writes RENAME TO checkpoint_writes_away")
        try:
            await first.send({"type": "stop", "thread_id": first.thread_id})
            until(lambda: mortal.log("turns").count("side_work_failed") > failed)
        finally:
            mortal.db("ALTER TABLE checkpoint_writes_away RENAME TO checkpoint_writes")
        await second.send({"type": "stop", "thread_id": second.thread_id})

        kept = "SELECT 1 FROM checkpoints WHERE thread_id = %s"
        until(lambda: not mortal.db(kept, str(turns(mortal, second.thread_id)[0]["id"])))
        unforgotten = str(turns(mortal, first.thread_id)[0]["id"])
        mortal.db("DELETE FROM checkpoints WHERE thread_id = %s", unforgotten)
