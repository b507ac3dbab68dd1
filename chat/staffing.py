"""What members of staff do in a conversation: write to its customer, ask for a person, and mark it as resolved.

What staff write is an event of its own, outside of any turn. Whoever writes into a conversation that nobody has taken
over takes it over, so that no agent talks over a person; once it is handed back, the agents read it as a colleague's
words.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from agents.approvals import Decider
from agents.facts import Fact, feedback_asked, handoff_requested
from agents.models import Action, ActionStatus, Approver
from chat import events, feedback_asking
from chat.models import Conversation, ConversationStatus, Event, Turn, TurnStatus
from chat.submission import CONTENT_LIMIT, ContentTooLong, MissingContent
from chat.takeover import AlreadyHeld, hold
from chat.turns import lock_customer
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from smartsupport.lib.ids import digest
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)

REASON_LIMIT = 500
ONCE_WITHIN = timedelta(days=1)
UNFINISHED = (TurnStatus.QUEUED, TurnStatus.RUNNING, TurnStatus.WAITING)


class AlreadyResolved(ServiceError):
    code, status, message = "already_resolved", 409, "Already resolved"


class NotFinished(ServiceError):
    """Something in the conversation still waits; the message says what."""

    code, status = "not_finished", 409


class NoLongerHeld(ServiceError):
    """It was to be written into a conversation that somebody has, and nobody has it any more."""

    code, status = "not_held", 409
    message = "It was handed back or resolved meanwhile, so nothing was sent. Take it over, then send it."


class AlreadyWithPeople(ServiceError):
    """It waits for a person, or has one; the message says which."""

    code, status = "already_escalated", 409


class InvalidReason(ServiceError):
    code, status = "invalid_reason", 400
    message = f"Give a reason of 1 to {REASON_LIMIT} characters."


@dataclass(frozen=True, slots=True)
class Written:
    """A message of staff in the conversation's log. `repeated`: it was there already, under the same key."""

    conversation_id: UUID
    thread_id: str
    seq: int
    content: str
    repeated: bool


@transaction.atomic
def write(*, thread_id: str, text: object, by: Decider, once: str = "", takes_over: bool = True) -> Written:
    """Write `text` (1 to 10,000 characters, Markdown) to the customer, taking the conversation over if nobody has.

    `once` is the writer's own key of this message: what is sent again under it is not written again. Without
    `takes_over` it is refused where nobody has the conversation.
    Raises ThreadNotFound, MissingContent, ContentTooLong, NoLongerHeld.
    """
    conversation = _with_locked_customer(thread_id)
    content = checked_text(text)
    key = f"staff:{digest([by.id or by.name, storable(once)])}" if once else ""
    if key and (known := written_before(conversation, key)):
        return Written(conversation.pk, thread_id, known.seq, known.payload["content"], repeated=True)
    if conversation.status != ConversationStatus.HELD:
        if not takes_over:
            raise NoLongerHeld()
        with suppress(AlreadyHeld):  # a colleague was faster: both of them are people
            hold(conversation.pk, by)
    fact = Fact("staff_wrote", {"content": content, "by_name": by.name}, key=key)
    batch = events.append(conversation.pk, [fact])
    log.info("staff_wrote", conversation_id=str(conversation.pk), by_name=by.name)
    return Written(conversation.pk, thread_id, batch.first, content, repeated=False)


@transaction.atomic
def escalate(*, thread_id: str, reason: object, by: Decider) -> Conversation:
    """Ask for a person on the customer's behalf: the conversation waits for one, as if the customer had asked. `reason`
    (1 to 500 characters) is for colleagues and for other systems; the customer is not told it.

    Raises ThreadNotFound, InvalidReason, AlreadyWithPeople.
    """
    conversation = _with_locked_customer(thread_id)
    if not isinstance(reason, str) or not 1 <= len(reason.strip()) <= REASON_LIMIT:
        raise InvalidReason()
    if conversation.status == ConversationStatus.WAITING:
        raise AlreadyWithPeople("This conversation waits for a person already.")
    if conversation.status == ConversationStatus.HELD:
        raise AlreadyWithPeople(f"{conversation.held_by} has this conversation already.")
    asked = handoff_requested(reason=storable(reason.strip()), by="staff", key="")
    events.append(conversation.pk, [replace(asked, payload={**asked.payload, "by_name": by.name})])
    log.info("staff_escalated", conversation_id=str(conversation.pk), by_name=by.name)
    conversation.refresh_from_db()
    return conversation


@transaction.atomic
def resolve(*, thread_id: str, by: Decider) -> Conversation:
    """Mark the conversation as resolved; nobody holds it then. A new message of its customer opens it again, for the
    agents to answer. The customer is asked what they thought.

    Raises ThreadNotFound, AlreadyResolved, NotFinished (saying what still waits).
    """
    conversation = _with_locked_customer(thread_id)
    if conversation.status == ConversationStatus.RESOLVED:
        raise AlreadyResolved()
    if waits := _what_waits(conversation):
        raise NotFinished(waits)
    unresolved = Conversation.objects.filter(pk=conversation.pk).exclude(status=ConversationStatus.RESOLVED)
    if not unresolved.update(status=ConversationStatus.RESOLVED, held_by="", held_at=None):
        raise AlreadyResolved()
    facts = [Fact("conversation_resolved", {"by_name": by.name})]
    if conversation.status == ConversationStatus.HELD:  # the customer is told that nobody is there any more
        facts.insert(0, Fact("handed_back", {"by_name": by.name}))
    if feedback_asking.asks_now(conversation.pk):
        facts.append(feedback_asked())
    events.append(conversation.pk, facts)
    audit.changed(
        "chat.conversation",
        conversation.pk,
        before={"status": conversation.status, "held_by": conversation.held_by},
        after={"status": ConversationStatus.RESOLVED, "held_by": ""},
    )
    log.info("conversation_resolved", conversation_id=str(conversation.pk), by_name=by.name)
    conversation.refresh_from_db()
    return conversation


def _what_waits(conversation: Conversation) -> str:
    """What has to end first, and what to do about it; "" when nothing does. Nothing new begins while we look: a new
    message needs the customer's lock."""
    actions = Action.objects.filter(turn__conversation=conversation)
    approver = actions.awaiting().order_by("created_at").values_list("approver", flat=True).first()
    if approver == Approver.STAFF:
        return "An approval still waits for staff. Approve or decline it first."
    if approver == Approver.CUSTOMER:
        return "An approval still waits for the customer. Try again when they have decided or it has expired."
    if Turn.objects.filter(conversation=conversation, status__in=UNFINISHED).exists():
        return "A message of the customer is still being answered. Try again when that is finished."
    if actions.filter(status=ActionStatus.DISPATCHING).exists():
        return "An action is still being carried out. Try again when its outcome is recorded."
    return ""


def _with_locked_customer(thread_id: str) -> Conversation:
    """The conversation; neither its customer nor a colleague can do anything in it until the transaction ends."""
    customer_id = (
        Conversation.objects.filter(thread_id=thread_id).values_list("customer_id", flat=True).first()
    )
    if customer_id is None:
        raise ThreadNotFound()
    lock_customer(customer_id)
    return Conversation.objects.get(thread_id=thread_id)


def checked_text(text: object) -> str:
    """What staff may write: 1 to 10,000 characters. Raises MissingContent, ContentTooLong."""
    if not isinstance(text, str) or not text.strip():
        raise MissingContent()
    if len(text) > CONTENT_LIMIT:
        raise ContentTooLong()
    content: str = storable(text)
    return content


def written_before(conversation: Conversation, key: str) -> Event | None:
    """What was written under this key within a day, as long as an `Idempotency-Key` is one. Call it with the customer
    or the conversation locked, which makes look and write one step: without a turn, no constraint compares keys."""
    lately = timezone.now() - ONCE_WITHIN
    return Event.objects.filter(conversation=conversation, turn=None, key=key, created_at__gte=lately).first()
