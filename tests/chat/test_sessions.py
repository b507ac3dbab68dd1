"""A session that nobody uses for its TTL is over; one in which a decision or a person is waited for is not. What has
expired is marked, and nothing is deleted."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from agents import approvals
from agents.facts import Fact
from agents.models import Action, ActionStatus
from chat import events, staffing, submission, takeover, turns
from chat.models import Conversation, Customer, Event, Turn, TurnStatus
from tests import rows
from tests.factories import claim

pytestmark = pytest.mark.django_db(transaction=True)
SAM = approvals.Decider("staff", "sam", id="user:1")


def send(conversation: Conversation, client_id: str | None = None) -> submission.Submitted:
    Customer.objects.update(accepted_at=[])
    return submission.submit(
        customer_id=conversation.customer_id,
        thread_id=conversation.thread_id,
        content="Still there?",
        client_message_id=client_id,
    )


def idle(conversation: Conversation, minutes: float) -> None:
    """Nothing has happened in it for so long."""
    Conversation.objects.filter(pk=conversation.pk).update(
        last_activity_at=timezone.now() - timedelta(minutes=minutes)
    )


def everything() -> list[Any]:
    tables: list[Any] = [Customer, Conversation, Turn, Event, Action]
    return [list(table.objects.order_by("pk").values()) for table in tables]


def finished() -> Conversation:
    turn = rows.turn(rows.customer())
    turns.seal(claim(), TurnStatus.COMPLETED, [Fact("turn_completed", {}, key="end")])
    return turn.conversation


def test_it_slides_with_everything_that_happens(settings: Any) -> None:
    settings.SESSION_TTL_MINUTES = 5
    conversation = finished()
    for _ in range(3):
        idle(conversation, 4.9)
        send(conversation)
        turns.seal(claim(), TurnStatus.COMPLETED, [Fact("turn_completed", {}, key="end")])
    idle(conversation, 4.9)
    events.append(conversation.pk, [Fact("conversation_resolved", {"by_name": "sam"})])

    assert send(conversation).position == 0


def test_afterwards_nothing_is_accepted_and_everything_is_still_there(settings: Any) -> None:
    settings.SESSION_TTL_MINUTES = 5
    conversation = finished()
    first = send(conversation, "m-1")
    turns.seal(claim(), TurnStatus.COMPLETED, [Fact("turn_completed", {}, key="end")])
    idle(conversation, 5.1)
    Customer.objects.update(accepted_at=[])
    before = everything()

    with pytest.raises(submission.SessionExpired):
        send(conversation)

    assert everything() == before
    frames, last = events.frames_after(conversation.pk, conversation.thread_id, 0)
    assert (len(frames), last) == (4, 4)
    assert send(conversation, "m-1").seq == first.seq  # a repeat is no new message


def asked_for(conversation: Conversation) -> None:
    rows.happened(
        Turn.objects.filter(conversation=conversation)[0],
        Fact("handoff_requested", {"reason": "Asked.", "by": "customer"}, key="handoff"),
    )


def approval(conversation: Conversation) -> None:
    send(conversation)
    rows.action(Turn.objects.select_related("conversation").order_by("-message_seq")[0], rows.tool())


def taken(conversation: Conversation) -> None:
    takeover.take_over(thread_id=conversation.thread_id, by=SAM)


def written_to(conversation: Conversation) -> None:
    staffing.write(thread_id=conversation.thread_id, text="One moment.", by=SAM)


@pytest.mark.parametrize("waits", [asked_for, approval, taken, written_to])
def test_it_does_not_end_while_somebody_is_waited_for(waits: Callable[[Conversation], None]) -> None:
    conversation = finished()
    waits(conversation)
    idle(conversation, 60 * 24 * 3)

    assert send(conversation).repeated is False


def test_once_the_person_has_left_it_ends_again() -> None:
    conversation = finished()
    taken(conversation)
    takeover.hand_back(thread_id=conversation.thread_id, by=SAM)
    idle(conversation, 31)

    with pytest.raises(submission.SessionExpired):
        send(conversation)


def test_once_the_approval_is_decided_it_ends_again() -> None:
    conversation = finished()
    approval(conversation)
    by = approvals.Decider("customer", "the customer", conversation.customer_id)
    approvals.decide(action_id=Action.objects.get().pk, approved=False, by=by)
    turns.seal(claim(), TurnStatus.COMPLETED, [Fact("turn_completed", {}, key="end")])
    idle(conversation, 31)

    with pytest.raises(submission.SessionExpired):
        send(conversation)


@pytest.mark.parametrize("who", ["the sweep", "a late yes", "a late no"])
def test_an_approval_that_nobody_decided_is_marked_and_its_turn_goes_on(who: str) -> None:
    turn = rows.turn(rows.customer())
    claim()
    action = rows.action(turn, rows.tool())
    opened = timezone.now() - timedelta(minutes=31)
    Action.objects.filter(pk=action.pk).update(created_at=opened, expires_at=opened + timedelta(minutes=30))
    by = approvals.Decider("customer", "the customer", action.customer_id)

    if who == "the sweep":
        assert approvals.expire_overdue() == 1
    else:
        with pytest.raises(approvals.ApprovalExpired):
            approvals.decide(action_id=action.pk, approved=who == "a late yes", by=by)

    action.refresh_from_db()
    turn.refresh_from_db()
    assert (action.status, turn.status) == (ActionStatus.EXPIRED, "queued")
    assert [event.kind for event in turn.conversation.events.order_by("seq")] == [
        *("message_received", "approval_opened", "approval_expired")
    ]
    before = everything()
    for approved in (True, False):
        with pytest.raises(approvals.ApprovalExpired) as late, transaction.atomic():
            approvals.decide(action_id=action.pk, approved=approved, by=by)
        assert late.value.message.startswith(
            "The approval request for 'cancel_order' has expired after 30 minutes."
        )
    assert approvals.expire_overdue() == 0
    assert everything() == before
    held = claim()
    assert (held.turn_id, held.fresh) == (turn.pk, False)
