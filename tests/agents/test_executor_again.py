"""Two executors of one action, and one that comes after another has died: one effect, one outcome."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from agents import executor, tasks
from agents.context import StaleTurn
from agents.executor import UNKNOWN_MESSAGE
from agents.models import Action, ActionStatus, Tool
from chat import events
from chat.journal import TurnJournal
from chat.models import Event, Turn, TurnStatus
from tests.agents.test_executor import arrived, held, journal, kinds, returned
from tests.at_once import at_once
from tests.demo.program import Program
from tests.factories import approved_action, claim, execute, on_loop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("executor")]


def lose_lease(action: Action) -> None:
    Turn.objects.filter(pk=action.turn_id).update(lease_until=timezone.now() - timedelta(seconds=1))


def dispatched(action: Action) -> None:
    """As a worker leaves it that dies right after it has committed the dispatch."""
    Action.objects.filter(pk=action.pk).update(status="dispatching", dispatched_at=timezone.now(), attempts=1)


def not_repeatable(tools: dict[str, Tool]) -> Tool:
    Tool.objects.update(repeat_safe=False)
    tools["cancel_order"].refresh_from_db()
    return tools["cancel_order"]


@pytest.mark.parametrize("repeat_safe", [True, False])
def test_executors_at_the_same_time_have_one_effect(
    repeat_safe: bool, tools: dict[str, Tool], shop: httpx.Client
) -> None:
    Tool.objects.update(repeat_safe=repeat_safe)
    tools["cancel_order"].refresh_from_db()
    shop.post("/_faults", json={"operation": "cancel_order", "slow_ms": 100})
    action, claimed = approved_action(tools["cancel_order"], order_id=1042)

    async def several() -> list[Any]:
        work = [executor.execute(action.pk, TurnJournal(claimed, {})) for _ in range(6)]
        return await asyncio.gather(*work, return_exceptions=True)

    outcomes = on_loop(several())

    assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)], outcomes
    assert len(journal(shop)) == 1
    assert kinds(action).count("tool_called") == 1
    assert Action.objects.get(pk=action.pk).status == ActionStatus.SUCCEEDED


def test_a_worker_that_lost_its_turn_sends_nothing(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action, old = approved_action(tools["cancel_order"], order_id=1042)
    lose_lease(action)
    claim("two")
    before = kinds(action)

    with pytest.raises(StaleTurn):
        execute(action, old)

    assert journal(shop) == []
    assert kinds(action) == before
    assert Action.objects.get(pk=action.pk).status == ActionStatus.APPROVED


def test_a_turn_that_is_to_stop_sends_nothing(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action, claimed = approved_action(tools["cancel_order"], order_id=1042)
    Turn.objects.filter(pk=action.turn_id).update(stop_requested=True)

    with pytest.raises(StaleTurn):
        execute(action, claimed)

    assert journal(shop) == []
    assert Action.objects.get(pk=action.pk).status == ActionStatus.APPROVED


def test_what_a_dead_worker_may_have_sent_is_sent_again_with_the_same_key(
    tools: dict[str, Tool], shop: httpx.Client, demo: Program
) -> None:
    held(shop)
    action, first = approved_action(tools["cancel_order"], order_id=1042)

    def second() -> Action:
        arrived(demo)
        lose_lease(action)
        return execute(action, claim("two"))

    def both_are_there() -> None:
        arrived(demo, times=2)
        shop.delete("/_faults")

    outcomes = at_once([lambda: execute(action, first), second, both_are_there])

    assert [outcome.status for outcome in outcomes if isinstance(outcome, Action)] == [
        "succeeded",
        "succeeded",
    ]
    [effect] = journal(shop)
    assert effect["idempotency_key"] == str(action.pk)
    assert (kinds(action).count("tool_called"), kinds(action).count("tool_returned")) == (1, 1)
    assert Action.objects.get(pk=action.pk).attempts == 2


def test_what_is_not_safe_to_repeat_is_given_up_and_put_right_by_who_saw_the_answer(
    tools: dict[str, Tool], shop: httpx.Client, demo: Program
) -> None:
    held(shop)
    action, first = approved_action(not_repeatable(tools), order_id=1042)

    def second() -> Action:
        arrived(demo)
        lose_lease(action)
        given_up = execute(action, claim("two"))
        shop.delete("/_faults")
        return given_up

    saw, gave_up = at_once([lambda: execute(action, first), second])

    assert isinstance(gave_up, Action)
    assert isinstance(saw, Action)
    assert (gave_up.status, gave_up.error_message) == (ActionStatus.UNKNOWN, UNKNOWN_MESSAGE)
    assert saw.status == ActionStatus.SUCCEEDED
    assert len(journal(shop)) == 1
    results = Event.objects.filter(turn_id=action.turn_id, kind="tool_returned").order_by("seq")
    assert [(event.payload["ok"], event.key) for event in results] == [
        (False, f"tool:{action.tool_call_id}"),
        (True, f"tool:{action.tool_call_id}:corrected"),
    ]


def test_what_is_not_safe_to_repeat_is_never_sent_by_the_next_worker(
    tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action, _ = approved_action(not_repeatable(tools), order_id=1042)
    dispatched(action)
    lose_lease(action)

    done = execute(action, claim("two"))

    assert (done.status, done.attempts) == (ActionStatus.UNKNOWN, 1)
    assert journal(shop) == []
    assert returned(action)["error"] == {"kind": "unknown", "message": UNKNOWN_MESSAGE}


@pytest.mark.parametrize(
    "changed", [{"enabled": False}, {"path": "/shop/customers/{customer_id}/orders/{order_id}/discount"}]
)
def test_what_has_changed_since_is_not_sent_again(
    changed: dict[str, Any], tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action, _ = approved_action(tools["cancel_order"], order_id=1042)
    dispatched(action)
    Tool.objects.filter(pk=action.tool_id).update(**changed)
    lose_lease(action)

    done = execute(action, claim("two"))

    assert (done.status, done.attempts) == (ActionStatus.UNKNOWN, 1)
    assert journal(shop) == []


def test_a_refused_door_says_nothing_of_what_the_dead_worker_sent(
    tools: dict[str, Tool], shop: httpx.Client
) -> None:
    shop.post("/_faults", json={"operation": "cancel_order", "fail": 401})
    action, _ = approved_action(tools["cancel_order"], order_id=1042)
    dispatched(action)
    lose_lease(action)

    assert execute(action, claim("two")).status == ActionStatus.UNKNOWN


def test_what_was_sent_is_recorded_though_the_caller_is_cancelled(
    tools: dict[str, Tool], shop: httpx.Client, demo: Program
) -> None:
    held(shop)
    action, claimed = approved_action(tools["cancel_order"], order_id=1042)

    async def leave_early() -> None:
        running = asyncio.create_task(executor.execute(action.pk, TurnJournal(claimed, {})))
        await asyncio.to_thread(arrived, demo)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.to_thread(shop.delete, "/_faults")
        await executor.drain(60)

    on_loop(leave_early())

    assert Action.objects.get(pk=action.pk).status == ActionStatus.SUCCEEDED
    assert returned(action)["ok"] is True


@pytest.mark.parametrize("turn_status", [TurnStatus.STOPPED, TurnStatus.FAILED])
def test_an_action_whose_worker_died_with_its_turn_is_settled_by_the_sweep(
    turn_status: TurnStatus, tools: dict[str, Tool]
) -> None:
    action, _ = approved_action(tools["cancel_order"], order_id=1042)
    dispatched(action)
    Turn.objects.filter(pk=action.turn_id).update(status=turn_status)

    tasks.settle_abandoned_actions()
    assert Action.objects.get(pk=action.pk).status == ActionStatus.DISPATCHING  # its answer may still come

    Action.objects.filter(pk=action.pk).update(dispatched_at=timezone.now() - timedelta(minutes=3))
    results = at_once([executor.settle_abandoned] * 4)

    assert sorted(result for result in results if isinstance(result, int)) == [0, 0, 0, 1]
    assert Action.objects.get(pk=action.pk).status == ActionStatus.UNKNOWN
    assert returned(action)["error"]["message"] == UNKNOWN_MESSAGE
    assert Turn.objects.get(pk=action.turn_id).status == turn_status


def test_an_action_that_cannot_be_settled_keeps_nobody_else_waiting(tools: dict[str, Tool]) -> None:
    broken, _ = approved_action(tools["cancel_order"], order_id=1042)
    events.append(broken.turn.conversation_id, [executor.returned_fact(broken, None)], turn_id=broken.turn_id)
    other, _ = approved_action(tools["cancel_order"], order_id=1043)
    for minutes, action in ((4, broken), (3, other)):
        dispatched(action)
        long_ago = timezone.now() - timedelta(minutes=minutes)
        Action.objects.filter(pk=action.pk).update(dispatched_at=long_ago)
        Turn.objects.filter(pk=action.turn_id).update(status=TurnStatus.FAILED)

    assert executor.settle_abandoned() == 1

    assert Action.objects.get(pk=broken.pk).status == ActionStatus.DISPATCHING
    assert Action.objects.get(pk=other.pk).status == ActionStatus.UNKNOWN


def test_the_sweep_leaves_open_turns_alone(tools: dict[str, Tool]) -> None:
    action, _ = approved_action(tools["cancel_order"], order_id=1042)
    dispatched(action)
    Action.objects.filter(pk=action.pk).update(dispatched_at=timezone.now() - timedelta(minutes=3))

    assert executor.settle_abandoned() == 0

    assert Action.objects.get(pk=action.pk).status == ActionStatus.DISPATCHING
