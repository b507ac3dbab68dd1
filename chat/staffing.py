"""What members of staff do in a conversation: write to its customer, and mark it as resolved.

What staff write is an event of its own, outside of any turn. Whoever writes into a conversation that nobody has taken
over takes it over, so that no agent talks over a person; once it is handed back, the agents read it as a colleague's
words.
"""

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction

from agents.approvals import Decider
from agents.facts import Fact
from agents.models import Action, ActionStatus, Approver
from chat import events
from chat.models import Conversation, ConversationStatus, Event, Turn, TurnStatus
from chat.submission import CONTENT_LIMIT, ContentTooLong, MissingContent
from chat.takeover import AlreadyHeld, hold
from chat.turns import lock_customer
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from smartsupport.lib.ids import digest
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)

UNFINISHED = (TurnStatus.QUEUED, TurnStatus.RUNNING, TurnStatus.WAITING)


class AlreadyResolved(ServiceError):
    code, status, message = "already_resolved", 409, "Already resolved"


class NotFinished(ServiceError):
    """Something in the conversation still waits; the message says what."""

    code, status = "not_finished", 409


@dataclass(frozen=True, slots=True)
class Written:
    """A message of staff in the conversation's log. `repeated`: it was there already, under the same key."""

    conversation_id: UUID
    thread_id: str
    seq: int
    content: str
    repeated: bool


@transaction.atomic
def write(*, thread_id: str, text: object, by: Decider, once: str = "") -> Written:
    """Write `text` (1 to 10,000 characters, Markdown) to the customer, taking the conversation over if nobody has.

    `once` is the writer's own key of this message: what is sent again under it is not written again.
    Raises ThreadNotFound, MissingContent, ContentTooLong.
    """
    conversation = _with_locked_customer(thread_id)
    content = _checked(text)
    key = f"staff:{digest([by.id or by.name, storable(once)])}" if once else ""
    if key and (known := _written_before(conversation, key)):
        return Written(conversation.pk, thread_id, known.seq, known.payload["content"], repeated=True)
    if conversation.status != ConversationStatus.HELD:
        with suppress(AlreadyHeld):  # a colleague was faster: both of them are people
            hold(conversation.pk, by)
    fact = Fact("staff_wrote", {"content": content, "by_name": by.name}, key=key)
    batch = events.append(conversation.pk, [fact])
    log.info("staff_wrote", conversation_id=str(conversation.pk), by_name=by.name)
    return Written(conversation.pk, thread_id, batch.first, content, repeated=False)


@transaction.atomic
def resolve(*, thread_id: str, by: Decider) -> Conversation:
    """Mark the conversation as resolved; nobody holds it then. A new message of its customer opens it again, for the
    agents to answer.

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
    events.append(conversation.pk, facts)
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


def _checked(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise MissingContent()
    if len(text) > CONTENT_LIMIT:
        raise ContentTooLong()
    content: str = storable(text)
    return content


def _written_before(conversation: Conversation, key: str) -> Event | None:
    """The lock of the customer makes look and write one step: without a turn, no constraint compares keys."""
    return Event.objects.filter(conversation=conversation, turn=None, key=key).first()
