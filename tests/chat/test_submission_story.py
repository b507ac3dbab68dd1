"""One conversation to which anything may happen in any order: messages, workers, decisions, stops, retries, take-overs.
The log stays gapless, each message is in one turn in its place, and nothing is left that nobody will ever run."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import approvals
from agents.facts import Fact
from chat import staffing, stopping, submission, takeover, turns
from chat.models import Conversation, Customer, Event, Turn, TurnStatus
from chat.submission import BETWEEN_MESSAGES, Submitted
from chat.turns import Claim
from smartsupport.lib.errors import ServiceError
from tests import rows

pytestmark = pytest.mark.django_db(transaction=True)
SAM = approvals.Decider("staff", "sam", id="user:1")

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("send"),
            st.sampled_from([None, "a", "b", "c", "d"]),
            st.sampled_from(["enqueue", "reject", "interrupt"]),
            st.sampled_from(["", "", "key:1"]),
        ),
        st.tuples(st.sampled_from(
            ["claim", "complete", "fail", "release", "ask", "decide", "stop", "retry", "take", "hand back", "write"]
        )),
    ),
    min_size=5,
    max_size=25,
)  # fmt: skip


class Story:
    """One conversation to which things happen in any order, and what must be true of it."""

    def __init__(self) -> None:
        self.owner = rows.customer()
        self.thread_id = f"t-{self.owner.pk.hex[:12]}"
        self.held: Claim | None = None
        self.known: dict[str, Submitted] = {}
        self.sent: list[tuple[int, str]] = []
        self.tool = rows.tool(f"cancel_{self.owner.pk.hex[:12]}")

    def happen(self, operation: tuple[Any, ...]) -> None:
        try:
            getattr(self, operation[0].replace(" ", "_"))(*operation[1:])
        except ServiceError:
            pass  # refused, as things stand

    def send(self, client_id: str | None, strategy: str, asked_by: str) -> None:
        text = f"message {len(self.sent)}"
        Customer.objects.filter(pk=self.owner.pk).update(accepted_at=[])
        sent = submission.submit(
            customer_id=self.owner.pk,
            thread_id=self.thread_id,
            content=text,
            client_message_id=client_id,
            strategy=strategy,
            asked_by=asked_by,
        )
        if client_id in self.known:
            first = self.known[client_id]
            assert (sent.repeated, sent.turn_id, sent.seq) == (True, first.turn_id, first.seq)
            return
        assert not sent.repeated
        self.sent.append((sent.seq, text))
        if client_id:
            self.known[client_id] = sent

    def claim(self) -> None:
        if self.held is None:
            self.held = turns.claim("one")

    def _seal(self, status: TurnStatus) -> None:
        if self.held is not None:
            held, self.held = self.held, None
            wanted = Turn.objects.get(pk=held.turn_id)
            if wanted.status == "running" and wanted.fence == held.fence:
                self._end(held, TurnStatus.STOPPED if wanted.stop_requested else status)

    def _end(self, held: Claim, status: TurnStatus) -> None:
        broken = {"code": "model_unavailable", "message": "", "detail": ""}
        payload = broken if status == TurnStatus.FAILED else {}
        assert turns.seal(held, status, [Fact(f"turn_{status.value}", payload, key=held.end_key)])

    def complete(self) -> None:
        self._seal(TurnStatus.COMPLETED)

    def fail(self) -> None:
        self._seal(TurnStatus.FAILED)

    def release(self) -> None:
        if self.held is not None:
            turns.release(self.held)
            self.held = None

    def ask(self) -> None:
        if self.held is not None:
            turn = Turn.objects.select_related("conversation").get(pk=self.held.turn_id)
            if turn.status == "running" and not turn.stop_requested:
                rows.action(turn, self.tool)
                Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.RUNNING)
                turns.park(self.held)
                self.held = None

    def decide(self) -> None:
        by = approvals.Decider("customer", "the customer", self.owner.pk)
        for action_id in turns.awaiting_ids(self._conversation().pk):
            approvals.decide(action_id=action_id, approved=True, by=by)

    def stop(self) -> None:
        stopping.stop(customer_id=self.owner.pk, thread_id=self.thread_id)

    def retry(self) -> None:
        turns.retry(customer_id=self.owner.pk, thread_id=self.thread_id)

    def take(self) -> None:
        takeover.take_over(thread_id=self.thread_id, by=SAM)

    def hand_back(self) -> None:
        takeover.hand_back(thread_id=self.thread_id, by=SAM)

    def write(self) -> None:
        staffing.write(thread_id=self.thread_id, text="Hello from us", by=SAM)

    def _conversation(self) -> Conversation:
        return Conversation.objects.filter(thread_id=self.thread_id).first() or Conversation()

    def check(self) -> None:
        events = list(Event.objects.filter(conversation__thread_id=self.thread_id).order_by("seq"))
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        received = [event for event in events if event.kind == "message_received"]
        assert [(event.seq, event.payload["content"]) for event in received] == self.sent
        for turn in Turn.objects.filter(conversation__thread_id=self.thread_id):
            mine = [event.payload["content"] for event in received if event.turn_id == turn.pk]
            assert (turn.content, turn.messages) == (BETWEEN_MESSAGES.join(mine), len(mine))
            ends = [event for event in events if event.turn_id == turn.pk and event.key.startswith("end")]
            assert len(ends) == turn.retries + (turn.sealed_at is not None)
            assert not (turn.sealed_at and turn.status in ("queued", "running", "waiting"))
        assert Turn.objects.filter(conversation__thread_id=self.thread_id, status="running").count() <= 1

    def finish(self) -> None:
        """Whatever has happened: what is left to do is done, in order, and nothing stays behind."""
        self.complete()
        answered = 0
        while (held := turns.claim("last")) is not None:
            assert held.message_seq > answered or held.retries or held.fence > 1
            answered = held.message_seq
            self.held = held
            self.complete()
        left = Turn.objects.filter(conversation__thread_id=self.thread_id, sealed_at=None)
        assert set(left.values_list("status", flat=True)) <= {"waiting"}


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(OPERATIONS)
def test_whatever_happens_in_whatever_order(operations: list[tuple[Any, ...]]) -> None:
    story = Story()
    for operation in operations:
        story.happen(operation)
    story.check()
    story.finish()
    story.check()
