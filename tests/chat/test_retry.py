"""A turn that broke or got stuck says so, and goes on where it broke when somebody asks for it: what was done is not
done again."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from agents import approvals
from agents.facts import Fact
from chat import staffing, stopping, submission, takeover, turns
from chat.models import Customer, Event, Turn, TurnStatus
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from tests import rows
from tests.agents.graph_script import (
    Rule,
    actions,
    answers,
    assert_nothing_is_kept,
    call,
    kinds,
    one,
    routed,
    texts,
)
from tests.agents.graph_script import turns as turn_rows
from tests.at_once import at_once
from tests.chat.engine_stack import IDLE_SECONDS
from tests.chat.sockets import effects, events_of, nothing_written, refusal
from tests.factories import claim
from tests.live.chatter import Chatter, Frame, sure_types, types
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel

SAM = approvals.Decider("staff", "sam", id="user:1")
QUESTION = "What is the status of order 1042?"
NOTHING: dict[str, Any] = {
    "type": "error",
    "code": "not_retriable",
    "message": "There is nothing to try again. Please send your message again.",
}
in_rows = pytest.mark.django_db(transaction=True)
live = pytest.mark.xdist_group("live-impatient")


# On rows


def failed_turn(owner: Customer | None = None) -> Turn:
    turn = rows.turn(owner or rows.customer())
    fail(claim())
    turn.refresh_from_db()
    return turn


def fail(held: turns.Claim) -> None:
    payload = {"code": "model_unavailable", "message": "", "detail": ""}
    assert turns.seal(held, TurnStatus.FAILED, [Fact("turn_failed", payload, key=held.end_key)], error="x")


def retry(turn: Turn, **how: Any) -> object:
    conversation = turn.conversation
    return turns.retry(
        **{"customer_id": conversation.customer_id, "thread_id": conversation.thread_id, **how}
    )


def log_of(turn: Turn) -> list[str]:
    return [event.kind for event in Event.objects.filter(conversation=turn.conversation).order_by("seq")]


@in_rows
def test_each_attempt_has_an_end_of_its_own() -> None:
    turn = failed_turn()
    for attempt in (1, 2):
        Turn.objects.filter(pk=turn.pk).update(lapses=3, stop_requested=True)

        assert retry(turn) == turn.pk

        held = claim()
        assert (held.turn_id, held.retries, held.lapses, held.stop_requested) == (turn.pk, attempt, 0, False)
        assert held.fresh is False
        fail(held)
    ends = Event.objects.filter(turn=turn, kind="turn_failed").order_by("seq").values_list("key", flat=True)
    assert list(ends) == ["end", "end:1", "end:2"]
    told = [kind for kind in log_of(turn) if kind.startswith("turn_")]
    assert told == ["turn_failed", *["turn_retried", "turn_failed"] * 2]


@in_rows
@pytest.mark.parametrize("status", ["queued", "running", "waiting", "completed", "stopped"])
def test_what_has_not_failed_is_not_tried_again(status: str) -> None:
    turn = rows.turn(rows.customer())
    Turn.objects.filter(pk=turn.pk).update(status=status)
    assert_refused(turn, turns.NotRetriable)


def assert_refused(turn: Turn, error: type[ServiceError], **how: Any) -> None:
    before = (list(Turn.objects.order_by("pk").values()), log_of(turn))
    with pytest.raises(error):
        retry(turn, **how)
    assert (list(Turn.objects.order_by("pk").values()), log_of(turn)) == before


@in_rows
def test_only_the_newest_its_own_and_what_nobody_holds() -> None:
    owner = rows.customer()
    older = failed_turn(owner)
    turn = rows.turn(owner, older.conversation.thread_id)
    fail(claim())

    assert_refused(turn, turns.NotRetriable, turn_id=older.pk)
    assert_refused(turn, ThreadNotFound, customer_id=rows.customer().pk)
    assert_refused(turn, ThreadNotFound, thread_id="nobodys")
    takeover.take_over(thread_id=turn.conversation.thread_id, by=SAM)
    assert_refused(turn, turns.NotRetriable)
    takeover.hand_back(thread_id=turn.conversation.thread_id, by=SAM)
    assert_refused(turn, turns.NotRetriable)  # the conversation has gone on without it


@in_rows
def test_what_was_resolved_meanwhile_is_open_again() -> None:
    turn = failed_turn()
    staffing.resolve(thread_id=turn.conversation.thread_id, by=SAM)

    retry(turn)

    turn.conversation.refresh_from_db()
    assert turn.conversation.status == "open"
    with pytest.raises(staffing.NotFinished):
        staffing.resolve(thread_id=turn.conversation.thread_id, by=SAM)


@in_rows
def test_of_many_at_once_one_is_heard() -> None:
    turn = failed_turn()

    outcomes = at_once([lambda: retry(turn)] * 6)

    assert sum(outcome == turn.pk for outcome in outcomes) == 1
    assert sum(isinstance(outcome, turns.NotRetriable) for outcome in outcomes) == 5
    assert log_of(turn).count("turn_retried") == 1
    assert Turn.objects.get(pk=turn.pk).retries == 1


@in_rows
def test_with_a_new_message_or_a_takeover_at_the_same_time_nothing_is_left_behind() -> None:
    def write(turn: Turn) -> object:
        return submission.submit(
            customer_id=turn.conversation.customer_id,
            thread_id=turn.conversation.thread_id,
            content="And now?",
            client_message_id=None,
        )

    def take(turn: Turn) -> object:
        return takeover.take_over(thread_id=turn.conversation.thread_id, by=SAM)

    others: list[Callable[[Turn], object]] = [write, take]
    for other in others * 4:
        turn = failed_turn()
        Customer.objects.update(accepted_at=[])

        again, done = at_once([lambda turn=turn: retry(turn), lambda turn=turn, other=other: other(turn)])

        assert not isinstance(done, Exception)
        assert again == turn.pk or isinstance(again, turns.NotRetriable)
        claimable = Turn.objects.filter(status="queued", epoch=F("conversation__epoch"))
        assert Turn.objects.filter(status="queued").count() == claimable.count()
        order = []
        while (held := turns.claim("one")) is not None:
            order.append(held.message_seq)
            turns.seal(held, TurnStatus.COMPLETED, [Fact("turn_completed", {}, key=held.end_key)])
        assert order == sorted(order)
        assert not Turn.objects.filter(status__in=["queued", "running"]).exists()


@in_rows
def test_what_is_tried_again_can_be_stopped() -> None:
    turn = failed_turn()
    retry(turn)

    assert stopping.stop(customer_id=None, thread_id=turn.conversation.thread_id) is True

    assert log_of(turn)[-2:] == ["turn_retried", "turn_stopped"]
    assert Event.objects.filter(turn=turn, kind="turn_stopped").get().key == "end:1"
    assert_refused(turn, turns.NotRetriable)


@in_rows
def test_what_was_stopped_while_its_worker_was_gone_ends_here() -> None:
    turn = rows.turn(rows.customer())
    claim()
    Turn.objects.filter(pk=turn.pk).update(lease_until=timezone.now() - timedelta(seconds=1))

    assert stopping.stop(customer_id=None, thread_id=turn.conversation.thread_id) is True

    assert (Turn.objects.get(pk=turn.pk).status, log_of(turn)[-1]) == ("stopped", "turn_stopped")


# On sockets


@pytest.fixture
def stack(impatient: Stack) -> Stack:
    return impatient


STUCK: dict[str, tuple[bool, dict[str, Any], str]] = {
    "No answer at all": (False, {"hold": 0}, ""),
    "Silence in mid-sentence": (False, {"text": "Let me", "hold": 1}, ""),
    "No route": (True, {"hold": 0}, ""),
    "Half a text": (
        False,
        {"chunks": ["It is ", *["on its way "] * 3, *[""] * 600], "token_delay_ms": 100},
        "It is on its way on its way on its way ",
    ),
}
"""By what the customer writes: whether the model is stuck as it routes, what it does, and what is shown of it."""


@live
async def test_turns_that_are_stuck_are_ended_and_can_be_tried_again(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    """All at once: each takes as long as a turn may be silent."""
    stuck: list[Rule] = [
        {"match": {"structured": routing, "last_user_contains": said}, "reply": reply, "times": 1}
        for said, (routing, reply, _) in STUCK.items()
    ]
    scripted_model_server.script(*stuck, routed("order_lookup"), answers(text="Here it is.", times=None))
    async with asyncio.TaskGroup() as together:
        for said, (_, _, kept) in STUCK.items():
            together.create_task(ended_and_tried_again(stack, said, kept), name=said)


async def ended_and_tried_again(stack: Stack, said: str, kept: str) -> None:
    async with Chatter(stack.socket_url) as customer:
        await customer.message(said)
        frames = await customer.until("message_complete")
        await customer.quiet()
        error = one(frames, "error")
        assert (error["code"], error["retriable"], frames[-1]["status"]) == ("turn_idle", True, "failed")
        assert texts(frames) == ([kept] if kept else [])

        await customer.send({"type": "retry", "thread_id": customer.thread_id, "turn_id": error["turn_id"]})
        again = await customer.until("message_complete")
        await customer.quiet()

    assert sure_types(again) == [
        "retrying",
        *([] if "routing" in types(frames) else ["routing"]),  # what was recorded is not done again
        "agent_response",
        "message_complete",
    ]
    assert (texts(again), again[-1]["status"]) == (["Here it is."], "completed")
    assert {frame["turn_id"] for frame in again} == {error["turn_id"]}
    assert one(again, "agent_response")["offset"] == len(kept)
    assert [frame["offset"] for frame in again if frame["type"] == "token"][:1] in ([], [len(kept)])
    assert_nothing_is_kept(stack, customer.thread_id)


READING: Rule = {"structured": False, "last_user_contains": "Read"}


@live
async def test_what_goes_on_slowly_is_not_stuck(stack: Stack, scripted_model_server: RunningModel) -> None:
    """A model that writes a long call, of which nothing is shown or recorded until it is whole; and tools that take
    long together, and each no longer than it may."""
    arguments = '{"order_id": 1042}'
    opening = {"index": 0, "id": "c1", "function": {"name": "get_order_status", "arguments": ""}}
    pieces = [opening, *({"index": 0, "function": {"arguments": piece}} for piece in arguments)]
    each_ms = IDLE_SECONDS * 1_200 // len(pieces)
    writes = {"chunks": [{"tool_calls": [piece]} for piece in pieces], "token_delay_ms": each_ms}
    reads = range(1044, 1050)
    stack.business.post(
        "/_faults", json={"operation": "get_order_status", "slow_ms": IDLE_SECONDS * 1_200 // len(reads)}
    )
    scripted_model_server.script(
        routed("order_lookup"),
        {
            "match": {"structured": False, "last_user_contains": "Write"},
            "times": 1,
            "reply": {**writes, "finish_reason": "tool_calls"},
        },
        *({**answers(call("get_order_status", {"order_id": number})), "match": READING} for number in reads),
        answers(text="Here it is.", times=None),
    )
    async with asyncio.TaskGroup() as together:
        written = together.create_task(said_to_its_end(stack, "Write a long call"))
        read = together.create_task(said_to_its_end(stack, "Read all of them"))

    assert one(written.result(), "tool_call")["args"] == {"order_id": 1042}
    assert [frame["args"]["order_id"] for frame in read.result() if frame["type"] == "tool_call"] == [*reads]
    assert [frame["ok"] for frame in read.result() if frame["type"] == "tool_result"] == [True] * len(reads)


async def said_to_its_end(stack: Stack, said: str) -> list[Frame]:
    async with Chatter(stack.socket_url) as customer:
        frames = await customer.say(said)
    assert (texts(frames), frames[-1]["status"]) == (["Here it is."], "completed")
    return frames


OUTAGE: Rule = {
    "match": {"structured": False, "has_tool_result": True},
    "reply": {"error": {"status": 401, "message": "No."}},
    "times": 1,
}


async def broken_after_the_write(stack: Stack, model: RunningModel, customer: Chatter) -> list[Frame]:
    """An approved write is done, and then the model is away: the frames from the decision on."""
    model.script(
        routed("order_actions"),
        OUTAGE,
        answers(call("cancel_order", {"order_id": 1042}), text="I will cancel it. "),
        answers(text="Order 1042 is cancelled."),
    )
    await customer.say("Cancel order 1042")
    await customer.decide(True)
    frames = await customer.until("message_complete")
    assert (one(frames, "error")["code"], one(frames, "error")["retriable"]) == ("model_unavailable", True)
    assert len(effects(stack, 1042)) == 1
    return frames


@live
@pytest.mark.parametrize("how", ["socket", "api"])
async def test_what_was_done_is_not_done_again(
    stack: Stack, scripted_model_server: RunningModel, how: str
) -> None:
    async with Chatter(stack.socket_url) as customer:
        broken = await broken_after_the_write(stack, scripted_model_server, customer)
        asked = len(scripted_model_server.requests())

        if how == "socket":
            await customer.send({"type": "retry", "thread_id": customer.thread_id})
        else:
            answer = stack.api.post(f"/conversations/{customer.thread_id}/retry")
            assert answer.status_code == 202
            assert answer.json()["data"] == {"turn_id": broken[0]["turn_id"], "thread_id": customer.thread_id}
        again = await customer.until("message_complete")

        assert sure_types(again) == ["retrying", "agent_response", "message_complete"]
        assert (texts(again), again[-1]["status"]) == (["Order 1042 is cancelled."], "completed")
        last = scripted_model_server.requests()[asked:]
        assert len(last) == 1  # the one that had failed
        assert [message["role"] for message in last[0]["body"]["messages"][-3:]] == [
            "user",
            "assistant",
            "tool",
        ]
        await customer.send({"type": "resume", "thread_id": customer.thread_id, "after": 0})
        whole = await customer.until("resumed")
    assert len(effects(stack, 1042)) == 1
    assert [action["status"] for action in actions(stack, customer.thread_id)] == ["succeeded"]
    log = kinds(stack, customer.thread_id)
    for kind in (
        "routed",
        "approval_opened",
        "approval_decided",
        "tool_called",
        "tool_returned",
        "turn_retried",
    ):
        assert log.count(kind) == 1, kind
    assert events_of(whole)[1:] == events_of(customer.seen[: customer.seen.index(again[-1]) + 1])


@live
async def test_a_second_tab_that_asks_again_at_once_changes_nothing(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    async with Chatter(stack.socket_url) as here:
        broken = await broken_after_the_write(stack, scripted_model_server, here)
        async with Chatter(stack.socket_url, cookie=here.cookie) as there:
            await there.send({"type": "resume", "thread_id": here.thread_id, "after": broken[-1]["seq"]})
            await there.until("resumed")
            frame = {"type": "retry", "thread_id": here.thread_id}
            await asyncio.gather(*(each.send(frame) for each in (here, there, here, there)))
            ended = await here.until("message_complete")
            seen = await there.until("message_complete")
            await here.quiet()
            await there.quiet()

    refusals = [frame for frame in [*ended, *seen] if frame["type"] == "error"]
    assert refusals == [NOTHING] * 3
    assert kinds(stack, here.thread_id).count("turn_retried") == 1
    assert [frame for frame in ended if "seq" in frame] == [frame for frame in seen if "seq" in frame]
    assert next(kind for kind in types(seen) if kind != "error") == "retrying"
    assert len(effects(stack, 1042)) == 1


@live
async def test_what_there_is_not_to_try_again(stack: Stack, scripted_model_server: RunningModel) -> None:
    scripted_model_server.script(routed("order_lookup"), answers(text="Here.", times=None))
    async with Chatter(stack.socket_url) as customer, Chatter(stack.socket_url) as stranger:
        done = await customer.say(QUESTION)
        thread = {"type": "retry", "thread_id": customer.thread_id}
        with nothing_written(stack):
            for fields in (
                {},
                {"turn_id": done[0]["turn_id"]},
                {"turn_id": "x"},
                {"turn_id": 7},
                {"turn_id": [1]},
            ):
                assert await refusal(customer, {**thread, **fields}) == NOTHING
                assert (await refusal(stranger, {**thread, **fields}))["code"] == "thread_not_found"
            answer = stack.api.post(f"/conversations/{customer.thread_id}/retry")
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_retriable")
            assert stack.api.post("/conversations/nobodys/retry").status_code == 404


@live
async def test_trying_again_and_stopping(stack: Stack, scripted_model_server: RunningModel) -> None:
    async with Chatter(stack.socket_url) as customer:
        await broken_after_the_write(stack, scripted_model_server, customer)
        scripted_model_server.script(answers(chunks=["and so on "] * 9, hold=4, times=None))

        await customer.send({"type": "retry", "thread_id": customer.thread_id})
        await customer.until("token")
        await customer.send({"type": "stop", "thread_id": customer.thread_id})
        frames = await customer.until("message_complete")

        assert frames[-1]["status"] == "stopped"
        assert one(frames, "agent_response")["cut"] is True
        assert await refusal(customer, {"type": "retry", "thread_id": customer.thread_id}) == NOTHING
    [turn] = turn_rows(stack, customer.thread_id)
    assert (turn["status"], turn["retries"]) == ("stopped", 1)
    assert len(effects(stack, 1042)) == 1


@live
async def test_whoever_was_cut_off_between_the_two_frames_of_a_failure_gets_the_second(
    stack: Stack, scripted_model_server: RunningModel
) -> None:
    scripted_model_server.script({"match": {}, "reply": {"error": {"status": 401}}})
    async with Chatter(stack.socket_url) as customer:
        await customer.message(QUESTION)
        [*_, error] = await customer.until("error")
        last = await customer.frame()

        await customer.send({"type": "resume", "thread_id": customer.thread_id, "after": error["seq"]})
        assert await customer.until("resumed") == [
            last,
            {"type": "resumed", "thread_id": customer.thread_id, "seq": last["seq"]},
        ]
