"""Any order of everything that can happen to the turns of one conversation: what must hold after each step.

Hypothesis finds the order. The services are the real ones, on the real database; workers are claims, some of which are
kept until they are late.
"""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agents import approvals
from agents.approvals import Decider
from agents.context import StaleTurn
from agents.facts import Fact, replied
from agents.models import Action, ActionStatus, Tool
from chat import events, staffing, stopping, submission, takeover, turns
from chat.models import Conversation, Customer, Event, Turn, TurnStatus
from chat.turns import Claim
from smartsupport.lib.errors import ServiceError
from tests import rows

SAM = Decider(kind="staff", name="sam", id="user:1")
ENDS = ("turn_completed", "turn_failed", "turn_stopped")
OPEN = (TurnStatus.QUEUED, TurnStatus.RUNNING, TurnStatus.WAITING)


class TurnMachine(RuleBasedStateMachine):
    claims: Bundle[Any] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.owner = rows.customer()
        self.tool = Tool.objects.filter(name="apply_discount").first() or rows.tool(
            "apply_discount", approval="staff"
        )
        self.thread_id = f"t-{uuid4().hex[:10]}"
        self.told: dict[str, submission.Submitted] = {}
        self.say("Hello", None, None)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    # What happens

    @rule(
        text=st.sampled_from(["Where is it?", "Cancel it"]),
        once=st.sampled_from([None, "m-1", "m-2", "m-3"]),
        strategy=st.sampled_from([None, "enqueue", "reject", "interrupt"]),
    )
    def say(self, text: str, once: str | None, strategy: str | None) -> None:
        Customer.objects.filter(pk=self.owner.pk).update(accepted_at=[])
        before = self.log()
        try:
            accepted = submission.submit(
                customer_id=self.owner.pk,
                thread_id=self.thread_id,
                content=text,
                client_message_id=once,
                strategy=strategy,
            )
        except ServiceError:
            assert self.log() == before
            return
        if once in self.told:
            assert accepted.repeated
            assert self.log() == before
            assert (accepted.seq, accepted.turn_id) == (self.told[once].seq, self.told[once].turn_id)
        else:
            assert not accepted.repeated
            assert accepted.seq == self.conversation.last_seq
            assert (accepted.turn_id is None) == (self.conversation.status == "held")
        if once:
            self.told.setdefault(once, accepted)

    @rule(target=claims)
    def claim(self) -> Any:
        taken = turns.claim("worker")
        return taken if taken is not None else multiple()

    @rule(held=claims)
    def write(self, held: Claim) -> None:
        self.as_worker(held, lambda: events.insert(
            held.conversation_id, [replied(agent="a", content="Hm.", key="")], turn_id=held.turn_id, fence=held.fence
        ))  # fmt: skip

    @rule()
    def work_until_somebody_is_asked(self) -> None:
        """Three steps in one: by chance alone they hardly ever follow each other."""
        held = turns.claim("worker")
        if held is not None:
            self.ask_for_approval(held)
            turns.park(held)

    @rule()
    def work_until_it_fails(self) -> None:
        held = turns.claim("worker")
        if held is not None:
            self.seal(held, TurnStatus.FAILED)

    @rule(held=claims)
    def ask_for_approval(self, held: Claim) -> None:
        """As the graph's gate does it: under the lock that the journal's transaction takes."""
        if not self.is_held(held) or Turn.objects.get(pk=held.turn_id).stop_requested:
            return
        action, _ = approvals.open_action(
            turn_id=held.turn_id,
            customer_id=held.customer_id,
            tool=self.tool,
            tool_call_id=f"call_{uuid4().hex[:8]}",
            agent="a",
            arguments={"order_id": "1042"},
            bound={},
        )
        events.insert(held.conversation_id, [approvals.opened_fact(action)], turn_id=held.turn_id)

    @rule(held=claims)
    def park(self, held: Claim) -> None:
        mine = self.is_held(held)
        assert (turns.park(held) is not None) == mine

    @rule(held=claims)
    def release(self, held: Claim) -> None:
        mine = self.is_held(held)
        assert turns.release(held) == mine

    @rule(
        held=consumes(claims),
        status=st.sampled_from([TurnStatus.COMPLETED, TurnStatus.FAILED, TurnStatus.STOPPED]),
    )
    def seal(self, held: Claim, status: TurnStatus) -> None:
        mine, before = self.is_held(held), self.log()
        payload = {"code": "x", "message": "x", "detail": ""} if status == TurnStatus.FAILED else {}
        sealed = turns.seal(held, status, [Fact(f"turn_{status}", payload, key=held.end_key)])
        assert (sealed is not None) == mine
        if not mine:
            assert self.log() == before

    @rule()
    def lease_runs_out(self) -> None:
        Turn.objects.filter(status=TurnStatus.RUNNING).update(
            lease_until=timezone.now() - timedelta(minutes=1)
        )

    @rule(approved=st.booleans(), data=st.data())
    def decide(self, approved: bool, data: st.DataObject) -> None:
        known = list(Action.objects.filter(turn__conversation=self.conversation).order_by("created_at"))
        if not known:
            return
        action = data.draw(st.sampled_from(known))
        awaiting, before = action.status == ActionStatus.AWAITING, self.log()
        try:
            approvals.decide(action_id=action.pk, approved=approved, by=SAM)
        except ServiceError:
            assert not awaiting
            assert self.log() == before
        else:
            assert awaiting

    @rule()
    def stop(self) -> None:
        stopping.stop(customer_id=self.owner.pk, thread_id=self.thread_id)

    @rule()
    def retry(self) -> None:
        before = self.log()
        try:
            turns.retry(customer_id=self.owner.pk, thread_id=self.thread_id)
        except ServiceError:
            assert self.log() == before

    @rule()
    def take_over(self) -> None:
        was_held, before = self.conversation.status == "held", self.log()
        try:
            takeover.take_over(thread_id=self.thread_id, by=SAM)
        except takeover.AlreadyHeld:
            assert was_held
            assert self.log() == before

    @rule()
    def staff_write(self) -> None:
        staffing.write(thread_id=self.thread_id, text="Hello", by=SAM)
        assert self.conversation.status == "held"

    @precondition(lambda self: self.conversation.status == "held")
    @rule()
    def hand_back(self) -> None:
        takeover.hand_back(thread_id=self.thread_id, by=SAM)

    @rule()
    def resolve(self) -> None:
        before = self.log()
        try:
            staffing.resolve(thread_id=self.thread_id, by=SAM)
        except ServiceError:
            assert self.log() == before

    # What must hold

    @invariant()
    def the_log_has_no_gap(self) -> None:
        seqs = list(self.events().values_list("seq", flat=True))
        assert seqs == list(range(1, self.conversation.last_seq + 1))

    @invariant()
    def one_turn_runs_at_most_and_it_is_of_now(self) -> None:
        unfinished = self.turns().filter(status__in=OPEN)
        assert unfinished.filter(status=TurnStatus.RUNNING).count() <= 1
        assert not unfinished.exclude(epoch=self.conversation.epoch).exists()
        if self.conversation.status == "held":
            assert not unfinished.exists()
            assert not Action.objects.filter(
                turn__conversation=self.conversation, status__in=["awaiting", "approved"]
            ).exists()

    @invariant()
    def nothing_of_a_turn_comes_after_somebody_took_over(self) -> None:
        logged = list(self.events().values_list("seq", "kind", "turn_id"))
        for taken in [seq for seq, kind, _ in logged if kind == "taken_over"]:
            earlier = {turn_id for seq, _, turn_id in logged if turn_id and seq < taken}
            assert not [seq for seq, _, turn_id in logged if seq > taken and turn_id in earlier]

    @invariant()
    def every_attempt_at_a_turn_has_one_end(self) -> None:
        for turn in self.turns():
            ends = list(self.events().filter(turn=turn, kind__in=ENDS).values_list("kind", "key"))
            assert len(ends) == len({key for _, key in ends}) == turn.retries + (turn.sealed_at is not None)
            assert (turn.sealed_at is not None) == (turn.status not in OPEN)
            if turn.sealed_at:
                assert ends[-1][0] == f"turn_{turn.status}"

    @invariant()
    def every_message_belongs_to_a_turn_or_to_staff(self) -> None:
        received = self.events().filter(kind="message_received")
        for turn in self.turns():
            mine = list(received.filter(turn=turn).values_list("payload__content", flat=True))
            assert turn.messages == len(mine)
            assert turn.content == "\n\n".join(mine)
        ids = [once for once in received.values_list("payload__client_message_id", flat=True) if once]
        assert len(ids) == len(set(ids))

    @invariant()
    def what_is_queued_can_be_claimed(self) -> None:
        """No turn is left of which nobody may take care."""
        queued = self.turns().filter(status=TurnStatus.QUEUED)
        if not queued.exists() or self.turns().filter(status=TurnStatus.RUNNING).exists():
            return
        point = transaction.savepoint()
        assert turns.claim("look") is not None
        transaction.savepoint_rollback(point)

    # How it is looked at

    @property
    def conversation(self) -> Conversation:
        return Conversation.objects.get(thread_id=self.thread_id)

    def turns(self) -> Any:
        return Turn.objects.filter(conversation__thread_id=self.thread_id).order_by("message_seq")

    def events(self) -> Any:
        return Event.objects.filter(conversation__thread_id=self.thread_id).order_by("seq")

    def log(self) -> list[str]:
        return list(self.events().values_list("kind", flat=True))

    def is_held(self, held: Claim) -> bool:
        return Turn.objects.filter(pk=held.turn_id, fence=held.fence, status=TurnStatus.RUNNING).exists()

    def as_worker(self, held: Claim, work: Any) -> None:
        mine, before = self.is_held(held), self.log()
        try:
            work()
        except StaleTurn:
            assert not mine
            assert self.log() == before
        else:
            assert mine


@pytest.mark.django_db
def test_the_life_of_turns() -> None:
    run_state_machine_as_test(
        TurnMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
