"""Messages that wait for their turn, and turns that are stopped."""

import signal
from collections.abc import Iterator

import pytest

from tests.chat.sockets import action, age_messages, effects, found, nothing_written, refusal
from tests.live.chatter import Chatter, Frame, types
from tests.live.stack import Stack, until
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.xdist_group("live-scripted")

QUESTION = "What is the status of order 1042?"
NO_ROUTE = {"match": {"structured": True}, "reply": {"hold": 0, "text": "late"}}
NO_WORD = {"match": {"stream": True}, "reply": {"chunks": ["Well"], "hold": 1}}
ENDLESS = {"match": {"stream": True}, "reply": {"chunks": ["and so on "] * 9_000, "token_delay_ms": 20}}


async def stopped(customer: Chatter) -> Frame:
    """Stop, and read up to the end of the turn, which comes though neither model nor business has come to theirs."""
    await customer.send({"type": "stop", "thread_id": customer.thread_id})
    frames = await customer.until("message_complete")
    assert all(frame.get("cut") for frame in frames if frame["type"] == "agent_response")
    assert "error" not in types(frames)
    return frames[-1]


@pytest.mark.parametrize(
    ("script", "before"),
    [(NO_ROUTE, "accepted"), (NO_WORD, "routing"), (ENDLESS, "token")],
    ids=["being routed", "before a word", "in mid-sentence"],
)
async def test_a_running_turn_stops_and_the_next_message_runs(
    scripted_stack: Stack, scripted_model_server: RunningModel, script: dict[str, object], before: str
) -> None:
    scripted_model_server.script(script)
    async with Chatter(scripted_stack.socket_url) as customer:
        await customer.message(QUESTION)
        begun = await customer.until(before)
        until(lambda: scripted_model_server.requests(summary=True))

        end = await stopped(customer)

        assert (end["turn_id"], end["status"]) == (begun[0]["turn_id"], "stopped")
        scripted_model_server.clear()
        assert (await customer.say(QUESTION))[-1]["status"] == "completed"
        await customer.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
        again = await customer.until("resumed")
    assert [frame["status"] for frame in again if frame["type"] == "message_complete"] == [
        "stopped",
        "completed",
    ]


@pytest.fixture
def busy_worker(scripted_stack: Stack) -> Iterator[None]:
    """The turns worker takes nothing on during the test."""
    worker = scripted_stack.processes["turns"]
    worker.send_signal(signal.SIGSTOP)
    yield
    worker.send_signal(signal.SIGCONT)


@pytest.mark.usefixtures("busy_worker")
async def test_a_turn_that_has_not_been_taken_on_is_stopped_at_once(scripted_stack: Stack) -> None:
    async with Chatter(scripted_stack.socket_url) as customer:
        await customer.message(QUESTION)
        await customer.message(QUESTION)
        accepted = [(await customer.until("accepted"))[-1] for _ in range(2)]
        assert [frame["position"] for frame in accepted] == [0, 1]
        assert (
            accepted[0]["turn_id"] == accepted[1]["turn_id"]
        )  # it has not begun: they are answered together

        end = await stopped(customer)

        assert (end["turn_id"], end["status"]) == (accepted[0]["turn_id"], "stopped")


async def test_what_was_approved_and_then_stopped_in_time_does_not_happen(scripted_stack: Stack) -> None:
    async with Chatter(scripted_stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1068")
        parked = "SELECT 1 FROM chat_turn WHERE id = %s AND status = 'waiting'"
        until(lambda: scripted_stack.db(parked, waiting[0]["turn_id"]))
        worker = scripted_stack.processes["turns"]
        worker.send_signal(signal.SIGSTOP)
        try:
            await customer.decide(True)
            await customer.until("interrupt_resolved")
            assert (await stopped(customer))["turn_id"] == waiting[0]["turn_id"]
        finally:
            worker.send_signal(signal.SIGCONT)

        assert (await customer.say(QUESTION))[-1]["status"] == "completed"  # the worker is back
    assert action(scripted_stack, waiting[-1]["interrupt_id"])["status"] == "cancelled"
    assert effects(scripted_stack, 1068) == []


async def test_stopping_twice_stops_one_turn(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script(ENDLESS)
    async with Chatter(scripted_stack.socket_url) as customer:
        await customer.message(QUESTION)
        begun = await customer.until("token")
        async with Chatter(scripted_stack.socket_url, cookie=customer.cookie) as other_tab:
            other_tab.thread_id = customer.thread_id
            await other_tab.send({"type": "stop", "thread_id": customer.thread_id})
            await other_tab.send({"type": "stop", "thread_id": customer.thread_id})
            await other_tab.quiet()
            ends = await customer.until("message_complete")
        await customer.quiet()

    assert (ends[-1]["turn_id"], ends[-1]["status"]) == (begun[0]["turn_id"], "stopped")
    kinds = [event["kind"] for event in scripted_stack.events(customer.thread_id)]
    assert kinds.count("turn_stopped") == 1


async def test_an_action_on_its_way_is_finished_and_recorded(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    """A stop waits for it for a second and a half; here the answer comes with the stop."""
    scripted_stack.business.post("/_faults", json={"operation": "cancel_order", "hold": True})
    scripted_model_server.script({"match": {"has_tool_result": True}, "reply": {"hold": 0}})
    async with Chatter(scripted_stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1065")
        await customer.decide(True)
        await customer.until("tool_call")

        await customer.send({"type": "stop", "thread_id": customer.thread_id})
        scripted_stack.business.delete("/_faults")
        [*_, end] = await customer.until("message_complete")

        assert end["status"] == "stopped"
        assert action(scripted_stack, waiting[-1]["interrupt_id"])["status"] == "succeeded"
        assert len(effects(scripted_stack, 1065)) == 1
        assert found(customer.seen, "tool_result")["ok"]


async def test_an_action_that_takes_longer_than_a_stop_is_recorded_when_it_is_done(
    scripted_stack: Stack,
) -> None:
    scripted_stack.business.post("/_faults", json={"operation": "cancel_order", "hold": True})
    async with Chatter(scripted_stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1066")
        await customer.decide(True)
        await customer.until("tool_call")

        await stopped(customer)

        assert action(scripted_stack, waiting[-1]["interrupt_id"])["status"] == "dispatching"
        scripted_stack.business.delete("/_faults")
        until(lambda: action(scripted_stack, waiting[-1]["interrupt_id"])["status"] == "succeeded")
        assert found(await customer.until("tool_result"), "tool_result")["ok"]
        assert len(effects(scripted_stack, 1066)) == 1


async def test_what_waits_is_numbered_refused_when_full_and_answered_together(
    scripted_stack: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script(NO_ROUTE | {"times": 1})
    async with Chatter(scripted_stack.socket_url) as customer:
        await customer.message(QUESTION)
        running = (await customer.frame())["turn_id"]
        until(lambda: scripted_model_server.requests(summary=True))
        turns = set()
        for position in range(1, 11):
            await customer.message(f"{QUESTION} ({position})", client_message_id=f"m-{position}")
            accepted = await customer.frame()
            assert (accepted["type"], accepted["position"]) == ("accepted", position)
            turns.add(accepted["turn_id"])
            age_messages(scripted_stack, customer.thread_id, 11)
        frame = {"type": "message", "thread_id": customer.thread_id, "content": QUESTION}
        full = {"type": "error", "code": "queue_full", "message": "Too many queued messages"}
        before = scripted_stack.events(customer.thread_id)

        assert await refusal(customer, frame) == full
        await customer.message(QUESTION, client_message_id="m-10")  # a repeat is not one more
        assert (await customer.frame())["position"] == 10
        assert scripted_stack.events(customer.thread_id) == before

        scripted_stack.db(
            "UPDATE chat_conversation SET last_activity_at = now() - interval '31 minutes' WHERE thread_id = %s",
            customer.thread_id,
        )
        assert (await refusal(customer, frame))["code"] == "session_expired"  # is looked at before the queue
        assert (await stopped(customer))["turn_id"] == running
        ended = (await customer.until("message_complete"))[-1]

    assert [ended["turn_id"]] == list(turns)
    assert ended["status"] == "completed"
    together = "\n\n".join(f"{QUESTION} ({position})" for position in range(1, 11))
    last = next(one["body"] for one in scripted_model_server.requests() if "tools" in one["body"])
    assert [message["content"] for message in last["messages"] if message["role"] == "user"][-1] == together


async def test_a_message_while_another_waits_for_a_decision_runs_now(scripted_stack: Stack) -> None:
    async with Chatter(scripted_stack.socket_url) as customer:
        await customer.say("Cancel order 1067")

        asked = await customer.say(QUESTION)

        assert asked[0]["position"] == 0
        assert asked[-1]["status"] == "completed"
        assert (await customer.answer(False))[-1]["status"] == "completed"


async def test_a_stop_of_nothing_at_all_writes_nothing(scripted_stack: Stack) -> None:
    async with Chatter(scripted_stack.socket_url) as customer:
        await customer.say(QUESTION)
        with nothing_written(scripted_stack):
            for _ in range(3):
                await customer.send({"type": "stop", "thread_id": customer.thread_id})
            await customer.quiet()
