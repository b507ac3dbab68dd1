"""Ending a turn from outside: somebody stops it. A running one is told to stop and sealed by its worker; one that no
worker has is sealed here. So is one that must not go on after a restore."""

from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from agents.facts import Fact
from chat import events, turns
from chat.models import Conversation, Turn, TurnStatus
from chat.wakeups import tell_workers
from smartsupport.lib.errors import ThreadNotFound

log = structlog.get_logger(__name__)

UNFINISHED = [TurnStatus.RUNNING, TurnStatus.QUEUED, TurnStatus.WAITING]


@transaction.atomic
def stop(*, customer_id: UUID | None, thread_id: str) -> bool:
    """Stop the turn that runs or is about to, or else the one that waits for a decision. Returns whether there was one.

    `customer_id` None is staff. Raises ThreadNotFound.
    """
    conversation = Conversation.objects.filter(thread_id=thread_id).first()
    if conversation is None or (customer_id is not None and conversation.customer_id != customer_id):
        raise ThreadNotFound()
    active = _to_stop(conversation)
    if active is None:
        return False
    if active.status == TurnStatus.RUNNING:
        stop_running(active)
    else:
        end_now(active)
    log.info("turn_stop_asked", turn_id=str(active.pk), by="staff" if customer_id is None else "customer")
    return True


def stop_running(turn: Turn) -> bool:
    """Ask the worker of a running turn to end it, or end it here where its worker is gone. Returns whether it has yet
    to end. Call it in a transaction that holds the turn's lock."""
    if turn.lease_until is not None and turn.lease_until < timezone.now():
        end_now(turn)
        return False
    Turn.objects.filter(pk=turn.pk).update(stop_requested=True)
    tell_workers("turns.stop", turn.pk)
    return True


def end_now(turn: Turn) -> None:
    """Stop a turn that no worker has (queued, waiting for a decision), or one whose worker is not to be waited for: its
    fence is old from here on. In a transaction that holds the turn's lock."""
    fence = turn.fence if turn.status == TurnStatus.RUNNING else None
    if turns.close(turn.pk, TurnStatus.STOPPED, fence=fence):
        events.append(turn.conversation_id, ended(turn), turn_id=turn.pk)
        tell_workers("turns.stop" if fence else "turns.forget", turn.pk)


def break_off(turn: Turn, *, code: str, message: str, detail: str) -> bool:
    """End as failed a turn that no worker has any more; its customer is told `message`, and may try again. Returns
    whether it had not ended yet. Nothing of it is sent again by itself. In a transaction that holds the turn's lock."""
    fence = turn.fence if turn.status == TurnStatus.RUNNING else None
    if not turns.close(turn.pk, TurnStatus.FAILED, detail, fence=fence):
        return False
    Turn.objects.filter(pk=turn.pk).update(stop_requested=True)
    end = Fact("turn_failed", {"code": code, "message": message, "detail": detail}, key=_end_key(turn))
    events.append(turn.conversation_id, [*turns.left_open(turn.pk, turn.retries), end], turn_id=turn.pk)
    tell_workers("turns.forget", turn.pk)
    log.warning("turn_broken_off", turn_id=str(turn.pk), code=code)
    return True


def ended(turn: Turn) -> list[Fact]:
    """What the log has to say of a turn that is stopped."""
    return [*turns.left_open(turn.pk, turn.retries), Fact("turn_stopped", {}, key=_end_key(turn))]


def _end_key(turn: Turn) -> str:
    """As `chat.turns.Claim.end_key` has it."""
    return f"end:{turn.retries}" if turn.retries else "end"


def unfinished(conversation: Conversation) -> list[Turn]:
    """Its turns that have not ended, in order, locked. One query: a turn that is being claimed meanwhile is waited for
    and then found running."""
    locked = Turn.objects.select_for_update(no_key=True).filter(
        conversation=conversation, status__in=UNFINISHED
    )
    return list(locked.order_by("message_seq"))


def _to_stop(conversation: Conversation) -> Turn | None:
    """The running turn, or the one that runs next, or the newest that waits; locked."""
    found = sorted(unfinished(conversation), key=lambda turn: UNFINISHED.index(TurnStatus(turn.status)))
    if found and found[0].status == TurnStatus.WAITING:
        return found[-1]
    return found[0] if found else None
