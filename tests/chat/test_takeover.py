"""A person takes a conversation over: from its commit on nothing of an older turn gets out, wherever that turn is."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.db import transaction

from agents import approvals, executor, facts
from agents.approvals import AlreadyDecided, Decider
from agents.context import StaleTurn
from agents.facts import Fact
from agents.models import Action, ActionStatus
from chat import events, history, staffing, stopping, submission, takeover, turns
from chat.journal import TurnJournal
from chat.models import Conversation, Event, Turn, TurnStatus
from chat.takeover import AlreadyHeld, NotHeld
from chat.turns import Claim
from smartsupport.lib.errors import ThreadNotFound
from smartsupport.lib.threads import in_thread
from tests import factories, rows
from tests.at_once import at_once
from tests.lib.wire import Received, Wire, response

pytestmark = pytest.mark.django_db(transaction=True)

SAM = Decider(kind="staff", name="sam", id="user:1")
NINA = Decider(kind="staff", name="nina", id="user:2")


def take_over(row: Conversation, by: Decider = SAM) -> Conversation:
    return takeover.take_over(thread_id=row.thread_id, by=by)


def hand_back(row: Conversation, by: Decider = SAM) -> Conversation:
    return takeover.hand_back(thread_id=row.thread_id, by=by)


def log(row: Conversation) -> list[str]:
    return list(Event.objects.filter(conversation=row).order_by("seq").values_list("kind", flat=True))


def say(row: Conversation, text: str = "Hello?", once: str | None = None) -> submission.Submitted:
    rows.Customer.objects.filter(pk=row.customer_id).update(accepted_at=[])
    return submission.submit(
        customer_id=row.customer_id, thread_id=row.thread_id, content=text, client_message_id=once
    )


def running() -> tuple[Turn, Claim]:
    turn = rows.turn(rows.customer())
    return turn, factories.claim()


# --- who has it ------------------------------------------------------------------------------------


def test_who_takes_over_has_it_and_the_agents_turns_end() -> None:
    turn, _ = running()

    held = take_over(turn.conversation)

    assert (held.status, held.held_by, held.epoch, held.live_agent) == ("held", "sam", 1, "")
    assert held.held_at is not None
    assert log(held) == ["message_received", "turn_stopped", "taken_over"]
    assert Event.objects.get(kind="taken_over").payload == {"by_name": "sam"}


def test_of_sixteen_at_once_one_wins_and_the_others_are_told_who() -> None:
    turn, _ = running()
    people = [Decider(kind="staff", name=f"staff{n}", id=f"user:{n}") for n in range(16)]

    told = at_once([lambda by=by: take_over(turn.conversation, by) for by in people])  # type: ignore[misc]

    [winner] = [one for one in told if isinstance(one, Conversation)]
    losers = [one for one in told if isinstance(one, AlreadyHeld)]
    assert len(losers) == 15
    assert {loser.extra["held_by"] for loser in losers} == {winner.held_by}
    assert all(winner.held_by in loser.message for loser in losers)
    assert log(winner).count("taken_over") == 1
    assert Conversation.objects.get().epoch == 1


def test_who_comes_second_changes_nothing() -> None:
    turn, _ = running()
    take_over(turn.conversation)
    before = log(turn.conversation), Conversation.objects.values().get()

    with pytest.raises(AlreadyHeld) as refusal:
        take_over(turn.conversation, NINA)

    assert refusal.value.message == "sam has taken over already."
    assert (log(turn.conversation), Conversation.objects.values().get()) == before


def test_a_thread_that_is_not_there_is_not_taken() -> None:
    for work in (takeover.take_over, takeover.hand_back):
        with pytest.raises(ThreadNotFound):
            work(thread_id="t-none", by=SAM)

    assert not Conversation.objects.exists()


# --- wherever the turn is --------------------------------------------------------------------------


def test_a_queued_turn_is_never_begun() -> None:
    turn = rows.turn(rows.customer())

    take_over(turn.conversation)

    assert turns.claim("late") is None
    turn.refresh_from_db()
    assert (turn.status, turn.fence) == ("stopped", 0)


def reply() -> Fact:
    return facts.replied(agent="order_lookup", content="It is on its way.", key="reply:1")


def call() -> Fact:
    return facts.tool_called(agent="order_lookup", tool="t", title="T", args={}, call_id="c1")


def opens_approval(turn: Turn) -> Callable[[], tuple[str, list[Fact]]]:
    tool = rows.tool()

    def work() -> tuple[str, list[Fact]]:
        action, _ = approvals.open_action(
            turn_id=turn.pk,
            customer_id=turn.conversation.customer_id,
            tool=tool,
            tool_call_id="call_1",
            agent="order_actions",
            arguments={"order_id": "1042"},
            bound={},
        )
        return action.status, [approvals.opened_fact(action)]

    return work


WRITES: dict[str, Callable[[TurnJournal, Turn], Any]] = {
    "a reply": lambda journal, turn: journal.append(reply()),
    "a tool call": lambda journal, turn: journal.append(call()),
    "a tool call, later": lambda journal, turn: _soon(journal),
    "a hand-over": lambda journal, turn: journal.append(
        facts.handoff_requested(reason="x", by="model", key="handoff:1")
    ),
    "an approval": lambda journal, turn: journal.transact(opens_approval(turn)),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


async def _soon(journal: TurnJournal) -> None:
    journal.append_soon(call())
    await journal.append()


@every_write
def test_the_worker_of_a_turn_that_was_taken_over_can_write_nothing(write: Any) -> None:
    turn, claim = running()
    journal = TurnJournal(claim, {})
    take_over(turn.conversation)
    before = log(turn.conversation)

    with pytest.raises(StaleTurn):
        factories.on_loop(write(journal, turn))

    assert log(turn.conversation) == before
    assert not Action.objects.exists()
    assert turns.seal(claim, TurnStatus.COMPLETED, [Fact("turn_completed", key="end")]) is None
    assert turns.seal(claim, TurnStatus.FAILED, [Fact("turn_failed", {}, key="end")]) is None
    assert turns.park(claim) is None
    assert not turns.release(claim)
    assert turns.renew({claim.turn_id: claim.fence}) == {}
    assert log(turn.conversation) == before
    assert Conversation.objects.get().status == "held"


@every_write
def test_what_the_worker_wrote_at_the_same_moment_comes_before_or_not_at_all(write: Any) -> None:
    turn, claim = running()
    journal = TurnJournal(claim, {})

    worker, person = at_once(
        [lambda: factories.on_loop(write(journal, turn)), lambda: take_over(turn.conversation)]
    )

    assert isinstance(person, Conversation)
    kinds = log(turn.conversation)
    assert kinds[-1] == "taken_over"
    wrote = not isinstance(worker, Exception)
    assert wrote or isinstance(worker, StaleTurn)
    assert kinds[-2] == "turn_stopped"
    assert (len(kinds) > 3) == wrote
    assert not Action.objects.filter(status__in=["awaiting", "approved"]).exists()


def test_nothing_is_written_by_a_worker_that_slept_through_take_over_and_hand_back() -> None:
    turn, claim = running()
    take_over(turn.conversation)
    hand_back(turn.conversation)
    before = log(turn.conversation)

    with pytest.raises(StaleTurn):
        factories.on_loop(TurnJournal(claim, {}).append(reply()))

    assert log(turn.conversation) == before
    assert turns.claim("late") is None


def test_an_approval_that_waits_is_cancelled_and_nobody_decides_it() -> None:
    action = rows.waiting_for_staff()
    row = action.turn.conversation

    take_over(row)

    action.refresh_from_db()
    assert action.status == "cancelled"
    before = log(row)
    with pytest.raises(AlreadyDecided) as refusal:
        approvals.decide(action_id=action.pk, approved=True, by=NINA)
    assert refusal.value.extra["resolution"] == "cancelled"
    assert log(row) == before
    assert turns.claim("late") is None


def test_what_was_approved_and_not_yet_sent_is_never_sent(settings: LazySettings) -> None:
    async def whole() -> tuple[Action, list[Received]]:
        async with Wire() as business:
            action, claim = await in_thread(lambda: _approved(business, settings))
            await in_thread(lambda: take_over(action.turn.conversation))
            with pytest.raises(StaleTurn):
                await executor.execute(action.pk, TurnJournal(claim, {}))
            await in_thread(action.refresh_from_db)
            return action, business.received

    action, received = factories.on_loop(whole())

    assert (action.status, received) == ("cancelled", [])
    assert log(action.turn.conversation)[-2:] == ["turn_stopped", "taken_over"]


def test_what_was_sent_before_is_recorded_when_its_answer_comes(settings: LazySettings) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await go_on.wait()
        writer.write(response(body=b'{"done": true}', content_type="application/json"))

    async def whole() -> tuple[Action, list[Received]]:
        async with Wire(answer) as business:
            action, claim = await in_thread(lambda: _approved(business, settings))
            sending = asyncio.ensure_future(executor.execute(action.pk, TurnJournal(claim, {})))
            await arrived.wait()
            await in_thread(lambda: take_over(action.turn.conversation))
            go_on.set()
            await sending
            await in_thread(action.refresh_from_db)
            return action, business.received

    action, received = factories.on_loop(whole())

    assert (action.status, len(received)) == ("succeeded", 1)
    assert log(action.turn.conversation)[-4:] == [
        "tool_called",
        "turn_stopped",
        "taken_over",
        "tool_returned",
    ]


def _approved(business: Wire, settings: LazySettings) -> tuple[Action, Claim]:
    settings.SAFE_HTTP_ALLOWED_HOSTS = [business.host]
    tool = rows.tool(server_url=business.url)
    action, claim = factories.approved_action(tool, order_id="1042")
    return Action.objects.select_related("turn__conversation").get(pk=action.pk), claim


# --- while somebody has it -------------------------------------------------------------------------


def test_what_the_customer_writes_is_staffs_and_makes_no_turn() -> None:
    turn, _ = running()
    take_over(turn.conversation)

    accepted = say(turn.conversation, "Are you there?", once="m-1")

    assert (accepted.turn_id, accepted.position, accepted.repeated) == (None, 0, False)
    event = Event.objects.get(conversation=turn.conversation, seq=accepted.seq)
    assert (event.kind, event.turn_id, event.payload["content"]) == (
        "message_received", None, "Are you there?",
    )  # fmt: skip
    assert turns.claim("any") is None
    assert Turn.objects.count() == 1


def test_no_agent_talks_over_somebody_without_a_name() -> None:
    turn, _ = running()
    take_over(turn.conversation, Decider(kind="staff", name="", id="user:3"))

    assert say(turn.conversation).turn_id is None

    assert turns.claim("any") is None


def test_a_repeat_while_it_is_held_and_after_is_acknowledged_again() -> None:
    turn, _ = running()
    take_over(turn.conversation)
    first = say(turn.conversation, "Are you there?", once="m-1")
    before = log(turn.conversation)

    again = say(turn.conversation, "Are you there?", once="m-1")
    hand_back(turn.conversation)
    later = say(turn.conversation, "Are you there?", once="m-1")

    assert again.repeated
    assert later.repeated
    assert (again.seq, again.turn_id) == (later.seq, later.turn_id) == (first.seq, None)
    assert log(turn.conversation) == [*before, "handed_back"]
    assert Turn.objects.count() == 1


def test_sixteen_repeats_at_once_are_one_message() -> None:
    turn, _ = running()
    take_over(turn.conversation)
    rows.Customer.objects.update(accepted_at=[])

    told = at_once(
        [
            lambda: submission.submit(
                customer_id=turn.conversation.customer_id,
                thread_id=turn.conversation.thread_id,
                content="Hello?",
                client_message_id="m-1",
            )
        ]
        * 16
    )

    assert {one.seq for one in told if isinstance(one, submission.Submitted)} == {4}
    assert sum(one.repeated for one in told if isinstance(one, submission.Submitted)) == 15


def test_a_turn_that_failed_before_is_not_tried_again() -> None:
    turn, claim = running()
    turns.seal(claim, TurnStatus.FAILED, [Fact("turn_failed", {"code": "x", "message": "x"}, key="end")])
    take_over(turn.conversation)
    before = log(turn.conversation)

    for _ in range(2):
        with pytest.raises(turns.NotRetriable):
            turns.retry(customer_id=None, thread_id=turn.conversation.thread_id)
        if Conversation.objects.get().status == "held":
            hand_back(turn.conversation)

    assert log(turn.conversation) == [*before, "handed_back"]


def test_of_a_retry_and_a_take_over_at_once_no_turn_is_left_that_nobody_may_run() -> None:
    for _ in range(10):
        turn, claim = running()
        turns.seal(claim, TurnStatus.FAILED, [Fact("turn_failed", {"code": "x", "message": "x"}, key="end")])
        thread_id = turn.conversation.thread_id

        at_once(
            [
                lambda t=thread_id: turns.retry(customer_id=None, thread_id=t),  # type: ignore[misc]
                lambda row=turn.conversation: take_over(row),  # type: ignore[misc]
            ]
        )

        turn.refresh_from_db()
        assert turn.status in ("failed", "stopped")


# --- and back --------------------------------------------------------------------------------------


def test_the_next_message_after_a_hand_back_is_the_agents_who_know_what_was_said() -> None:
    turn, _ = running()
    row = turn.conversation
    take_over(row)
    say(row, "It is broken.")
    staffing.write(thread_id=row.thread_id, text="Which part?", by=SAM)
    say(row, "The handle.")

    given = hand_back(row, NINA)
    accepted = say(row, "And now?")

    assert (given.status, given.held_by, given.held_at, given.epoch) == ("open", "", None, 1)
    claim = factories.claim()
    assert (claim.turn_id, claim.content) == (accepted.turn_id, "And now?")
    told = history.before(row.pk, claim.message_seq)
    said = [(one.role, one.text) for one in told if one.role != "record"]
    assert said[-3:] == [
        ("customer", "It is broken."), ("staff", "Which part?"), ("customer", "The handle."),
    ]  # fmt: skip
    assert TurnJournal(claim, {}) is not None
    factories.on_loop(TurnJournal(claim, {}).append(reply()))
    assert log(row)[-1] == "replied"


def test_what_nobody_has_is_not_handed_back() -> None:
    turn, _ = running()
    before = log(turn.conversation)

    with pytest.raises(NotHeld):
        hand_back(turn.conversation)

    assert log(turn.conversation) == before
    assert Turn.objects.get().status == "running"


def test_it_is_resolved_while_it_is_held_and_the_agents_answer_the_next_message() -> None:
    turn, _ = running()
    row = turn.conversation
    take_over(row)

    resolved = staffing.resolve(thread_id=row.thread_id, by=SAM)

    assert (resolved.status, resolved.held_by) == ("resolved", "")
    accepted = say(row, "One more thing")
    assert factories.claim().turn_id == accepted.turn_id
    assert Conversation.objects.get().status == "open"


def test_a_resolved_conversation_can_be_taken_over() -> None:
    row = rows.waiting_for_a_person()
    staffing.resolve(thread_id=row.thread_id, by=SAM)

    assert take_over(row).status == "held"
    assert say(row).turn_id is None


# --- everything at once ----------------------------------------------------------------------------


def test_whatever_comes_together_nothing_locks_up_and_the_log_stays_sound() -> None:
    """Every pair of locks is taken by two of these in both possible orders of arrival; Postgres would tell of a
    deadlock by an OperationalError, which none of them may raise."""
    tool = rows.tool("apply_discount", approval="staff")
    row = rows.turn(rows.customer()).conversation
    factories.claim()
    allowed = (
        AlreadyHeld, NotHeld, AlreadyDecided, approvals.ApprovalExpired, turns.NotRetriable, StaleTurn,
        submission.QueueFull, staffing.NotFinished, staffing.AlreadyResolved,
    )  # fmt: skip

    for _ in range(12):
        rows.Customer.objects.update(accepted_at=[])
        action = _waiting_action(row, tool)
        work: list[Callable[[], Any]] = [
            lambda: take_over(row),
            lambda: take_over(row, NINA),
            lambda: hand_back(row),
            lambda: staffing.write(thread_id=row.thread_id, text="Hello", by=NINA),
            lambda: submission.submit(
                customer_id=row.customer_id, thread_id=row.thread_id, content="Hi", client_message_id=None
            ),
            lambda: submission.submit(
                customer_id=row.customer_id,
                thread_id=row.thread_id,
                content="Now!",
                client_message_id=None,
                strategy="interrupt",
            ),
            lambda: stopping.stop(customer_id=row.customer_id, thread_id=row.thread_id),
            lambda: turns.retry(customer_id=None, thread_id=row.thread_id),
            lambda: staffing.resolve(thread_id=row.thread_id, by=SAM),
            lambda: _a_worker_at_work(),
            lambda: _a_worker_at_work(),
        ]
        if action is not None:
            pk = action.pk
            work.append(lambda pk=pk: approvals.decide(action_id=pk, approved=True, by=SAM))  # type: ignore[misc]
            work.append(lambda pk=pk: approvals.decide(action_id=pk, approved=False, by=NINA))  # type: ignore[misc]

        for outcome in at_once(work):
            assert not isinstance(outcome, Exception) or isinstance(outcome, allowed), outcome

        assert_sound(row)


def _waiting_action(row: Conversation, tool: Any) -> Action | None:
    """An approval that waits in the conversation, unless a person has it."""
    if Conversation.objects.get(pk=row.pk).status == "held":
        takeover.hand_back(thread_id=row.thread_id, by=SAM)
    Turn.objects.filter(conversation=row, status="running").update(lease_until=None)
    claim = turns.claim("gate")
    if claim is None:
        return None
    turn = Turn.objects.select_related("conversation").get(pk=claim.turn_id)
    with transaction.atomic():
        action, _ = approvals.open_action(
            turn_id=turn.pk,
            customer_id=row.customer_id,
            tool=tool,
            tool_call_id=f"call_{uuid4().hex[:8]}",
            agent="discount",
            arguments={"order_id": "1042"},
            bound={},
        )
        rows.happened(turn, approvals.opened_fact(action))
    turns.park(claim)
    return action


def _a_worker_at_work() -> Any:
    """Claim what is there, write, and seal it: as a failure, so that there is something to try again."""
    claim = turns.claim("worker")
    if claim is None:
        return None
    try:
        events.insert(
            claim.conversation_id,
            [Fact("replied", {"content": "Hm."})],
            turn_id=claim.turn_id,
            fence=claim.fence,
        )
    except StaleTurn:
        pass
    failed = Fact("turn_failed", {"code": "x", "message": "x", "detail": ""}, key=claim.end_key)
    return turns.seal(claim, TurnStatus.FAILED, [failed])


def assert_sound(row: Conversation) -> None:
    """The log is gapless; a turn that has ended has one end for each attempt; nothing of a turn comes after the person
    took over; what is unfinished may be run by somebody."""
    conversation = Conversation.objects.get(pk=row.pk)
    logged = list(Event.objects.filter(conversation=row).order_by("seq"))
    assert [event.seq for event in logged] == list(range(1, conversation.last_seq + 1))
    takings = [event.seq for event in logged if event.kind == "taken_over"]
    assert conversation.epoch == len(takings)
    for turn in Turn.objects.filter(conversation=row):
        mine = [event for event in logged if event.turn_id == turn.pk]
        ends = [
            event.key for event in mine if event.kind in ("turn_completed", "turn_failed", "turn_stopped")
        ]
        assert len(ends) == len(set(ends)) == turn.retries + (turn.sealed_at is not None)
        later = [seq for seq in takings if seq > mine[0].seq]
        if later:
            assert turn.sealed_at is not None
            assert all(event.seq < later[0] or event.kind == "tool_returned" for event in mine)
        if turn.status in ("queued", "running"):
            assert turn.epoch == conversation.epoch
    assert Turn.objects.filter(conversation=row, status="running").count() <= 1
    if conversation.status == "held":
        assert not Turn.objects.filter(conversation=row, status__in=["queued", "running", "waiting"]).exists()
        assert not Action.objects.filter(turn__conversation=row, status=ActionStatus.AWAITING).exists()
