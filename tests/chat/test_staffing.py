"""Members of staff in a conversation: what they write and resolve, and what is refused."""

from typing import Any

import pytest

from agents.approvals import Decider
from agents.models import Action, ActionStatus
from chat import frames, history, staffing, stopping, turns
from chat.models import Conversation, Event
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from tests import rows
from tests.at_once import at_once

db = pytest.mark.django_db


def state(conversation: Conversation) -> tuple[Any, ...]:
    row = Conversation.objects.get(pk=conversation.pk)
    return row.status, row.last_seq, row.last_line, row.last_activity_at, rows.log_size(row)


SAM = Decider(kind="staff", name="sam", id="user:1")
NINA = Decider(kind="staff", name="nina", id="user:2")


def write(row: Conversation, text: object = "Hello, **Sam** here.", **more: Any) -> staffing.Written:
    return staffing.write(thread_id=row.thread_id, text=text, **{"by": SAM, **more})


@db
def test_what_staff_write_is_in_the_log_the_frames_and_the_agents_memory() -> None:
    row = rows.waiting_for_a_person()

    written = write(row)

    event = row.events.get(seq=written.seq)
    row.refresh_from_db()
    assert (event.kind, event.turn_id, event.payload) == (
        "staff_wrote", None, {"content": "Hello, **Sam** here.", "by_name": "sam"},
    )  # fmt: skip
    assert (row.status, row.last_line, row.last_seq) == ("held", "Hello, **Sam** here.", written.seq)
    assert (row.held_by, row.events.get(seq=written.seq - 1).kind) == ("sam", "taken_over")
    assert history.before(row.pk, row.last_seq + 1)[-1].role == "staff"


@db
def test_the_customer_is_not_told_the_writers_name() -> None:
    row = rows.waiting_for_a_person()
    written = write(row, "Hello <b>you</b>, **really**.")
    event = row.events.get(seq=written.seq)

    [frame] = frames.of_event(
        frames.Shown(row.thread_id, event.seq, event.kind, None, "", event.payload, event.created_at)
    )

    assert frame == {
        "type": "staff_message", "content": "Hello <b>you</b>, **really**.",
        "html": "<p>Hello &lt;b&gt;you&lt;/b&gt;, <strong>really</strong>.</p>\n",
        "thread_id": row.thread_id, "seq": event.seq, "turn_id": None, "at": event.created_at.isoformat(),
    }  # fmt: skip


@db
def test_who_writes_while_an_agent_is_at_work_takes_the_conversation_over() -> None:
    turn = rows.turn(rows.customer(), "t-1")
    claim = turns.claim("one")
    assert claim is not None

    written = write(turn.conversation)

    kinds = list(turn.conversation.events.order_by("seq").values_list("kind", flat=True))
    assert kinds == ["message_received", "turn_stopped", "taken_over", "staff_wrote"]
    assert written.seq == 4
    assert turns.claim("two") is None
    assert (
        turns.seal(claim, turns.TurnStatus.COMPLETED, [rows.facts.Fact("turn_completed", key="end")]) is None
    )


@db
def test_who_writes_into_a_conversation_that_somebody_has_takes_it_from_nobody() -> None:
    row = rows.waiting_for_a_person()
    write(row)

    write(row, "And I am Nina.", by=NINA)

    row.refresh_from_db()
    assert (row.held_by, row.epoch) == ("sam", 1)
    assert [event.payload["by_name"] for event in row.events.filter(kind="staff_wrote").order_by("seq")] == [
        "sam", "nina",
    ]  # fmt: skip


@db
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Missing message content"),
        (" \n\t", "Missing message content"),
        (None, "Missing message content"),
        (["Hello"], "Missing message content"),
        (7, "Missing message content"),
        ("x" * 10_001, "Message content too long"),
    ],
)
def test_what_is_no_message_is_not_written(text: object, message: str) -> None:
    row = rows.waiting_for_a_person()
    before = state(row)

    with pytest.raises(ServiceError) as refusal:
        write(row, text)

    assert refusal.value.message == message
    assert state(row) == before


@db
def test_the_longest_message_and_odd_characters_are_kept() -> None:
    row = rows.waiting_for_a_person()

    assert write(row, "é" * 10_000).content == "é" * 10_000
    assert write(row, "a\x00b\ud800c").content == "a\ufffdb\ufffdc"


@db
def test_a_thread_that_is_not_there_is_not_opened() -> None:
    with pytest.raises(ThreadNotFound):
        staffing.write(thread_id="t-none", text="Hello", by=SAM)

    assert not Conversation.objects.exists()


@db
def test_what_is_sent_again_under_the_same_key_is_written_once() -> None:
    row, other = rows.waiting_for_a_person(), rows.waiting_for_a_person()
    first = write(row, "One", once="k")
    write(other, "Zero")
    before = state(row)

    again = write(row, "Two", once="k")

    assert (again.seq, again.content, again.repeated) == (first.seq, "One", True)
    assert state(row) == before
    assert not write(row, "Three", once="l").repeated
    assert not write(other, "One", once="k").repeated
    assert not staffing.write(thread_id=row.thread_id, text="Mine", by=NINA, once="k").repeated
    assert not write(row, "Four").repeated
    assert not write(row, "Four").repeated


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_moment_are_one_message() -> None:
    row = rows.waiting_for_a_person()

    seen = at_once([lambda: write(row, "Hello", once="k")] * 4)

    written = [one for one in seen if isinstance(one, staffing.Written)]
    assert sorted(one.repeated for one in written) == [False, True, True, True]
    assert len({one.seq for one in written}) == 1
    assert Event.objects.filter(kind="staff_wrote").count() == 1


def resolve(row: Conversation) -> Conversation:
    return staffing.resolve(thread_id=row.thread_id, by=SAM)


@db
def test_the_customer_is_told_that_nobody_is_there_any_more_when_what_was_held_is_resolved() -> None:
    row = rows.waiting_for_a_person()
    write(row, "It is solved.")

    resolved = resolve(row)

    kinds = list(row.events.values_list("kind", flat=True))
    assert kinds[-3:] == ["handed_back", "conversation_resolved", "feedback_asked"]
    assert (resolved.status, resolved.held_by) == ("resolved", "")


@db
def test_a_conversation_is_resolved_and_the_customers_next_message_opens_it_again() -> None:
    row = rows.waiting_for_a_person()

    resolved = resolve(row)

    event = row.events.get(kind="conversation_resolved")
    assert (resolved.status, event.kind, event.payload) == (
        "resolved", "conversation_resolved", {"by_name": "sam"},
    )  # fmt: skip
    assert frames.of_event(
        frames.Shown(row.thread_id, event.seq, event.kind, None, "", event.payload, event.created_at)
    ) == []  # fmt: skip
    rows.turn(row.customer, row.thread_id, "One more thing")
    row.refresh_from_db()
    assert row.status == "open"


@db
def test_an_open_conversation_may_be_resolved_and_who_writes_afterwards_has_it() -> None:
    turn = rows.turn(rows.customer(), "t-1")
    rows.finish(turn)

    resolve(turn.conversation)
    write(turn.conversation)

    assert state(turn.conversation)[0] == "held"
    assert resolve(turn.conversation).held_by == ""


@db
def test_what_is_resolved_is_not_resolved_again() -> None:
    row = rows.waiting_for_a_person()
    resolve(row)
    before = state(row)

    with pytest.raises(staffing.AlreadyResolved) as refusal:
        resolve(row)

    assert (refusal.value.status, refusal.value.message) == (409, "Already resolved")
    assert state(row) == before


@pytest.mark.django_db(transaction=True)
def test_of_two_who_resolve_at_the_same_moment_one_is_told() -> None:
    row = rows.waiting_for_a_person()

    told = at_once([lambda: resolve(row)] * 4)

    assert sum(isinstance(one, staffing.AlreadyResolved) for one in told) == 3
    assert row.events.filter(kind="conversation_resolved").count() == 1


@db
@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
def test_a_message_that_is_being_answered_keeps_it_open(status: str) -> None:
    turn = rows.turn(rows.customer(), "t-1", status=status)
    refused(turn.conversation, "A message of the customer is still being answered.")


@db
def test_an_approval_that_waits_keeps_it_open() -> None:
    refused(rows.waiting_for_staff().turn.conversation, "An approval still waits for staff.")

    asked = rows.action(rows.turn(rows.customer(), "t-1"), rows.tool())
    refused(asked.turn.conversation, "An approval still waits for the customer.")


@db
def test_an_action_that_was_sent_for_a_stopped_turn_keeps_it_open() -> None:
    action = rows.waiting_for_staff()
    Action.objects.filter(pk=action.pk).update(status=ActionStatus.DISPATCHING)
    stopping.stop(customer_id=None, thread_id=action.turn.conversation.thread_id)

    refused(action.turn.conversation, "An action is still being carried out.")

    Action.objects.filter(pk=action.pk).update(status=ActionStatus.SUCCEEDED)
    assert resolve(action.turn.conversation).status == "resolved"


def refused(row: Conversation, why: str) -> None:
    before = state(row)

    with pytest.raises(staffing.NotFinished) as refusal:
        resolve(row)

    assert refusal.value.message.startswith(why)
    assert refusal.value.status == 409
    assert state(row) == before
