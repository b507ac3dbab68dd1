"""A person takes a conversation over, and gives it back.

Taking over raises the conversation's epoch. Everything that a worker writes or sends names its turn's epoch or fence,
so from the moment at which this commits nothing of an older turn gets out any more, wherever that turn is: no text, no
dispatch. What was dispatched before is recorded when its answer comes.
"""

from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents.approvals import Decider
from agents.facts import Fact
from chat import events, stopping, turns
from chat.models import Conversation, ConversationStatus, Turn, TurnStatus
from chat.wakeups import tell_workers
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError, ThreadNotFound

log = structlog.get_logger(__name__)


class AlreadyHeld(ServiceError):
    """Somebody has taken over; `held_by` names them."""

    code, status = "already_held", 409


class NotHeld(ServiceError):
    code, status = "not_held", 409
    message = "Nobody has taken over this conversation: the agents answer."


@transaction.atomic
def take_over(*, thread_id: str, by: Decider) -> Conversation:
    """Give the conversation to a member of staff: the agents fall silent until it is handed back. What they had not
    finished is stopped, and what was not dispatched is cancelled, approvals included.

    Raises ThreadNotFound, AlreadyHeld (naming who was first).
    """
    conversation = _of_thread(thread_id)
    turns.lock_customer(conversation.customer_id)
    return hold(conversation.pk, by)


def hold(conversation_id: UUID, by: Decider) -> Conversation:
    """Take over, in a transaction that holds the customer's lock. Raises AlreadyHeld, with nothing changed."""
    conversation = Conversation.objects.get(pk=conversation_id)
    before = {"status": conversation.status, "held_by": conversation.held_by}
    if conversation.status == ConversationStatus.HELD:
        raise AlreadyHeld(f"{conversation.held_by} has taken over already.", held_by=conversation.held_by)
    # All turns and actions before the conversation, whatever their number: the order of locks that everybody keeps.
    stopped = [turn for turn in stopping.unfinished(conversation) if _closed(turn)]
    free = Conversation.objects.filter(pk=conversation.pk).exclude(status=ConversationStatus.HELD)
    if not free.update(
        status=ConversationStatus.HELD,
        held_by=by.name[:150],
        held_at=timezone.now(),
        epoch=F("epoch") + 1,
        live_agent="",
    ):
        raise AlreadyHeld("Somebody has taken over already.", held_by="")  # not while the lock is held
    for turn in stopped:
        events.append(conversation.pk, stopping.ended(turn), turn_id=turn.pk)
    events.append(conversation.pk, [Fact("taken_over", {"by_name": by.name})])
    conversation.refresh_from_db()
    after = {"status": conversation.status, "held_by": conversation.held_by, "turns_stopped": len(stopped)}
    audit.changed("chat.conversation", conversation.pk, before=before, after=after)
    log.info(
        "conversation_taken_over", conversation_id=str(conversation.pk), by_name=by.name, turns=len(stopped)
    )
    return conversation


def _closed(turn: Turn) -> bool:
    """Stop a turn wherever it is; whether it was still to be stopped. Its worker, if it has one, can write nothing from
    here on: it is told to stop, and then forgets what it kept of the turn."""
    fence = turn.fence if turn.status == TurnStatus.RUNNING else None
    if not turns.close(turn.pk, TurnStatus.STOPPED, fence=fence):
        return False
    if fence:
        tell_workers("turns.stop", turn.pk)
    tell_workers("turns.forget", turn.pk)
    return True


@transaction.atomic
def hand_back(*, thread_id: str, by: Decider) -> Conversation:
    """Let the agents answer the next message. They are told what was said meanwhile. Raises ThreadNotFound, NotHeld."""
    conversation = _of_thread(thread_id)
    turns.lock_customer(conversation.customer_id)
    held = Conversation.objects.filter(pk=conversation.pk, status=ConversationStatus.HELD)
    held_by = held.values_list("held_by", flat=True).first()
    if not held.update(
        status=ConversationStatus.OPEN, held_by="", held_at=None, handoff_reason="", handoff_at=None
    ):
        raise NotHeld()
    events.append(conversation.pk, [Fact("handed_back", {"by_name": by.name})])
    conversation.refresh_from_db()
    audit.changed(
        "chat.conversation",
        conversation.pk,
        before={"status": ConversationStatus.HELD, "held_by": held_by},
        after={"status": conversation.status, "held_by": ""},
    )
    log.info("conversation_handed_back", conversation_id=str(conversation.pk), by_name=by.name)
    return conversation


def _of_thread(thread_id: str) -> Conversation:
    conversation = Conversation.objects.filter(thread_id=thread_id).first()
    if conversation is None:
        raise ThreadNotFound()
    return conversation
