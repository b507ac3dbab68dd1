"""The life of a turn: claimed by one worker, parked, decided, sealed; the loser of each race changes nothing."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from agents import approvals
from agents.facts import Fact
from agents.models import Action, ActionStatus
from chat import stopping, submission, turns
from chat.models import Event, Turn, TurnStatus
from chat.turns import Claim
from smartsupport.lib.errors import ThreadNotFound
from tests import rows
from tests.at_once import at_once
from tests.factories import claim

pytestmark = pytest.mark.django_db(transaction=True)
DONE = Fact("turn_completed", {}, key="end")


def status(turn: Turn) -> str:
    return Turn.objects.get(pk=turn.pk).status


def ends(turn: Turn) -> list[str]:
    return list(Event.objects.filter(turn=turn, key="end").values_list("kind", flat=True))


def out_of_lease(turn: Turn) -> None:
    Turn.objects.filter(pk=turn.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_workers_at_the_same_time_take_each_turn_once() -> None:
    waiting = {rows.turn(rows.customer()).pk for _ in range(8)}

    taken = at_once([lambda number=number: turns.claim(f"worker {number}") for number in range(16)])

    got = [one.turn_id for one in taken if isinstance(one, Claim)]
    assert len(got) == len(set(got))
    while (more := turns.claim("late")) is not None:
        got.append(more.turn_id)
    assert sorted(got, key=str) == sorted(waiting, key=str)
    assert set(Turn.objects.values_list("status", "fence")) == {("running", 1)}


def test_a_conversation_runs_one_turn_at_a_time_in_the_order_of_its_messages() -> None:
    owner = rows.customer()
    first = rows.turn(owner)
    held = claim()
    second = rows.turn(owner, first.conversation.thread_id)

    assert held.turn_id == first.pk
    assert turns.claim("two") is None

    turns.seal(held, TurnStatus.COMPLETED, [DONE])
    assert claim("two").turn_id == second.pk


def test_turns_of_one_conversation_claimed_at_once_run_one_by_one() -> None:
    """Of each sender one, so that they are not one turn."""
    owner = rows.customer()
    first = rows.turn(owner)
    for number in range(4):
        submission.submit(
            customer_id=owner.pk,
            thread_id=first.conversation.thread_id,
            content="And now?",
            client_message_id=None,
            asked_by=f"user:{number}",
        )
    assert Turn.objects.count() == 5

    taken = at_once([lambda number=number: turns.claim(f"worker {number}") for number in range(10)])

    assert [one.turn_id for one in taken if isinstance(one, Claim)] == [first.pk]


def test_a_lease_that_ran_out_is_taken_over_with_a_higher_fence() -> None:
    turn = rows.turn(rows.customer())
    old = claim("one")
    assert turns.claim("two") is None
    out_of_lease(turn)

    new = claim("two")

    assert (new.turn_id, new.fence, new.fresh) == (turn.pk, old.fence + 1, False)
    assert turns.renew({turn.pk: old.fence}) == {}
    assert turns.renew({turn.pk: new.fence})[turn.pk].stop is False


def test_whoever_lost_the_turn_can_neither_seal_nor_park_nor_hand_it_back() -> None:
    turn = rows.turn(rows.customer())
    old = claim("one")
    out_of_lease(turn)
    claim("two")
    before = Turn.objects.filter(pk=turn.pk).values().get()

    assert turns.seal(old, TurnStatus.COMPLETED, [DONE]) is None
    assert turns.park(old) is None
    assert turns.release(old) is False

    assert Turn.objects.filter(pk=turn.pk).values().get() == before
    assert ends(turn) == []


def test_sealing_twice_at_once_records_one_end() -> None:
    turn = rows.turn(rows.customer())
    held = claim()

    batches = at_once([lambda: turns.seal(held, TurnStatus.COMPLETED, [DONE])] * 6)

    assert sum(batch is not None for batch in batches) == 1
    assert (status(turn), ends(turn)) == ("completed", ["turn_completed"])


def opened(turn: Turn) -> Action:
    """An approval that the running turn has just opened."""
    action = rows.action(turn, rows.tool(f"cancel_{turn.pk.hex[:6]}"))
    Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.RUNNING)
    return action


def test_a_decision_before_the_turn_is_parked_is_not_missed() -> None:
    turn = rows.turn(rows.customer())
    held = claim()
    action = opened(turn)
    by = approvals.Decider("customer", "the customer", turn.conversation.customer_id)
    approvals.decide(action_id=action.pk, approved=True, by=by)

    assert turns.park(held) == TurnStatus.QUEUED

    assert claim("two").turn_id == turn.pk


def test_a_decision_while_the_turn_is_being_parked_always_lets_it_go_on() -> None:
    for _ in range(8):
        turn = rows.turn(rows.customer())
        held = claim()
        action = opened(turn)
        by = approvals.Decider("customer", "the customer", turn.conversation.customer_id)

        at_once(
            [
                lambda held=held: turns.park(held),
                lambda action=action, by=by: approvals.decide(action_id=action.pk, approved=True, by=by),
            ]
        )

        assert status(turn) == TurnStatus.QUEUED
        turns.seal(claim(), TurnStatus.COMPLETED, [DONE])


def test_a_waiting_turn_is_stopped_with_what_it_waits_for() -> None:
    turn = rows.turn(rows.customer())
    action = rows.action(turn, rows.tool())

    assert (
        stopping.stop(customer_id=turn.conversation.customer_id, thread_id=turn.conversation.thread_id)
        is True
    )

    assert (status(turn), ends(turn)) == ("stopped", ["turn_stopped"])
    action.refresh_from_db()
    assert action.status == ActionStatus.CANCELLED


def test_a_turn_that_ends_without_its_approval_leaves_nothing_to_approve() -> None:
    """A worker died at the gate, and the agent was switched off before the turn was run again."""
    turn = rows.turn(rows.customer())
    claim("one")
    action = opened(turn)
    out_of_lease(turn)

    turns.seal(claim("two"), TurnStatus.COMPLETED, [DONE])

    action.refresh_from_db()
    assert action.status == ActionStatus.CANCELLED
    by = approvals.Decider("customer", "the customer", action.customer_id)
    with pytest.raises(approvals.AlreadyDecided):
        approvals.decide(action_id=action.pk, approved=True, by=by)


def test_stop_and_approve_at_the_same_time_leave_one_of_the_two() -> None:
    for _ in range(6):
        turn = rows.turn(rows.customer())
        action = rows.action(turn, rows.tool(f"cancel_{turn.pk.hex[:6]}"))
        owner = turn.conversation.customer_id
        by = approvals.Decider("customer", "the customer", owner)

        outcomes = at_once(
            [
                lambda action=action, by=by: approvals.decide(action_id=action.pk, approved=True, by=by),
                lambda owner=owner, turn=turn: stopping.stop(
                    customer_id=owner, thread_id=turn.conversation.thread_id
                ),
            ]
        )

        action.refresh_from_db()
        assert not isinstance(outcomes[1], Exception)
        assert (status(turn), action.status) in {("stopped", "cancelled"), ("queued", "approved")}


def test_somebody_elses_turn_cannot_be_stopped() -> None:
    turn = rows.turn(rows.customer())
    rows.action(turn, rows.tool())

    with pytest.raises(ThreadNotFound):
        stopping.stop(customer_id=rows.customer().pk, thread_id=turn.conversation.thread_id)

    assert (status(turn), ends(turn)) == ("waiting", [])


def test_a_running_turn_that_is_to_stop_is_not_parked() -> None:
    turn = rows.turn(rows.customer())
    held = claim()
    opened(turn)
    stopping.stop(customer_id=None, thread_id=turn.conversation.thread_id)

    assert turns.park(held) == TurnStatus.STOPPED

    assert status(turn) == TurnStatus.RUNNING
    assert turns.renew({turn.pk: held.fence})[turn.pk].stop is True


def test_a_failed_turn_cancels_what_nobody_has_sent() -> None:
    turn = rows.turn(rows.customer())
    held = claim()
    action = opened(turn)

    turns.seal(
        held, TurnStatus.FAILED, [Fact("turn_failed", {"code": "x", "message": "y", "detail": ""}, key="end")]
    )

    action.refresh_from_db()
    assert (status(turn), action.status) == ("failed", "cancelled")


def test_a_retry_of_the_same_message_finds_the_first_one() -> None:
    owner = rows.customer()

    def send() -> submission.Submitted:
        return submission.submit(
            customer_id=owner.pk, thread_id="t-1", content="Hello", client_message_id="m-1"
        )

    outcomes = at_once([send] * 8)

    sent = [outcome for outcome in outcomes if isinstance(outcome, submission.Submitted)]
    assert len(sent) == 8
    assert len({one.turn_id for one in sent}) == 1
    assert [one.repeated for one in sent].count(False) == 1
    assert Event.objects.filter(kind="message_received").count() == 1


def test_first_messages_to_a_thread_by_two_customers_give_it_to_one() -> None:
    people: list[UUID] = [rows.customer().pk for _ in range(6)]

    outcomes = at_once(
        [
            lambda who=who: submission.submit(
                customer_id=who, thread_id="t-1", content="Hi", client_message_id=None
            )
            for who in people
        ]
    )

    assert sum(isinstance(outcome, submission.Submitted) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ThreadNotFound) for outcome in outcomes) == 5
    assert Turn.objects.count() == 1
