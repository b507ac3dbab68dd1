"""A customer's message becomes work: checked, recorded and queued in one transaction.

Locks are taken in the order customer, turn, action, conversation. The customer's lock makes all messages of one
customer wait for each other, so looking whether a turn is busy and joining or starting one is a single step.

Rows are locked for everything but their key (`no_key`): foreign keys are checked at commit, in no order of
ours, and a check that had to wait for such a lock would make two transactions wait for each other.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Value
from django.db.models.functions import Concat
from django.utils import timezone

from agents.facts import Fact
from agents.models import Action
from agents.spending import limits
from chat import events
from chat.models import Conversation, ConversationStatus, Customer, Event, Turn, TurnStatus
from chat.stopping import end_now, stop_running
from chat.wakeups import wake
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from smartsupport.lib.postgres import prepared, rows_of
from smartsupport.lib.text import storable

CONTENT_LIMIT = 10_000
QUEUE_LIMIT = 10
RATE_LIMIT = 10
RATE_SECONDS = 10
BETWEEN_MESSAGES = "\n\n"
STRATEGIES = ("enqueue", "reject", "interrupt")
"""What to do with a message that comes while an earlier one is worked on; LangGraph's own words."""


class MissingContent(ServiceError):
    code, message = "missing_content", "Missing message content"


class ContentTooLong(ServiceError):
    code, message = "content_too_long", "Message content too long"


class RateLimited(ServiceError):
    code, status, message = "rate_limited", 429, "Rate limit exceeded"


class SessionExpired(ServiceError):
    code, status, message = "session_expired", 410, "Session expired. Please start a new conversation."


class QueueFull(ServiceError):
    code, status, message = "queue_full", 429, "Too many queued messages"


class Busy(ServiceError):
    code, status = "busy", 409
    message = "An earlier message is still being answered. Try again when it is finished."


class UnknownStrategy(ServiceError):
    code = "invalid_strategy"
    message = f"multitask_strategy must be one of: {', '.join(STRATEGIES)}."


@dataclass(frozen=True, slots=True)
class Submitted:
    """An accepted message. `position` is 0 when it runs now, n when it waits behind n messages; `seq` is its event's
    number; `repeated` tells that an earlier frame with this client message id was accepted already. `turn_id` is None
    while a member of staff has the conversation: no agent answers, the message is theirs. `nearing` is the customer's
    limit that they have nearly used up."""

    conversation_id: UUID
    thread_id: str
    turn_id: UUID | None
    seq: int
    position: int
    repeated: bool
    nearing: limits.Standing | None = None

    @property
    def usage(self) -> dict[str, Any]:
        """What the customer is told of it: percent and the moment it begins anew. Amounts are the staff's."""
        if self.nearing is None:
            return {}
        resets_at = self.nearing.resets_at.isoformat()
        return {"usage": {"percent": int(self.nearing.percent), "resets_at": resets_at}}


def submit(
    *,
    customer_id: UUID,
    thread_id: str,
    content: object,
    client_message_id: str | None,
    strategy: object = None,
    new_customer: Any = None,
    asked_by: str = "",
) -> Submitted:
    """Queue one message of a customer, opening the thread if it is new. One transaction, under the locks of the
    customer and the conversation, or nothing is written. Raises the ServiceErrors above, in that order.

    `strategy` (one of STRATEGIES, None: the deployment's) says what happens while an earlier message is worked on:
    queued messages become one next turn. `new_customer` makes the Customer row of a visitor who has not written
    before. `asked_by` is the decider's id of whoever sends this for the customer.
    """
    with transaction.atomic():
        customer = _locked_customer(customer_id, new_customer)
        conversation, known = _owned(customer, thread_id, client_message_id)
        text = _checked_content(content)
        if conversation and known:
            return _repeated(conversation, Event.objects.get(pk=known))
        accepted_at = _checked_rate(customer)
        strategy = _checked_strategy(strategy)
        if conversation is None:  # nobody else sees the row before this transaction ends
            conversation, active = _opened(customer, thread_id), []
        else:
            active = _active(conversation)
            [conversation] = rows_of(Conversation, _LOCKED, conversation=conversation.pk)
            _check_open(conversation)
        busy = _busy(active)
        queued = sum(turn.messages for turn in active if _not_begun(turn))
        if queued >= QUEUE_LIMIT:
            raise QueueFull()
        nearing = None
        if customer.limited and conversation.status != ConversationStatus.HELD:  # else no model answers
            nearing = limits.check(customer.pk)
        if (busy or queued) and strategy == "reject":
            raise Busy()
        with prepared() as cursor:
            cursor.execute(_ACCEPTED, {"customer": customer.pk, "accepted_at": accepted_at})
        if conversation.status == ConversationStatus.HELD:
            seq = _received(conversation, None, text, client_message_id, asked_by)
            return Submitted(conversation.pk, thread_id, None, seq, 0, repeated=False)
        if strategy == "interrupt":
            busy = _interrupted(busy)
            conversation.refresh_from_db(fields=["last_seq"])
        turn, seq = _queued(conversation, active, text, client_message_id, asked_by)
        position = bool(busy) + queued
        return Submitted(conversation.pk, thread_id, turn.pk, seq, position, repeated=False, nearing=nearing)


_CUSTOMER = """
    SELECT {columns}, EXISTS (SELECT 1 FROM agents_budget WHERE enabled) AS limited
    FROM chat_customer WHERE id = %(customer)s FOR NO KEY UPDATE
"""
_ACCEPTED = "UPDATE chat_customer SET accepted_at = %(accepted_at)s WHERE id = %(customer)s"
_CONVERSATION = """
    SELECT {columns}, (
        SELECT id FROM chat_event WHERE conversation_id = chat_conversation.id AND kind = 'message_received'
        AND payload ->> 'client_message_id' = %(known_as)s::text) AS known
    FROM chat_conversation WHERE thread_id = %(thread)s
"""
_LOCKED = "SELECT {columns} FROM chat_conversation WHERE id = %(conversation)s FOR NO KEY UPDATE"
_ACTIVE = """
    SELECT {columns} FROM chat_turn WHERE conversation_id = %(conversation)s AND status IN ('queued', 'running')
    ORDER BY message_seq FOR NO KEY UPDATE
"""


def _locked_customer(customer_id: UUID, new_customer: Any) -> Any:
    """The customer, with `limited`: whether there is any budget to look at."""
    found = rows_of(Customer, _CUSTOMER, customer=customer_id)
    if not found and new_customer is not None:
        new_customer()
        found = rows_of(Customer, _CUSTOMER, customer=customer_id)
    if not found:
        raise ThreadNotFound()
    return found[0]


def _owned(
    customer: Customer, thread_id: str, client_message_id: str | None
) -> tuple[Conversation | None, int | None]:
    """The customer's conversation, None if nobody has this thread; and the event of the message that was accepted in it
    under this id before. Somebody else's conversation does not exist."""
    found: list[Any] = rows_of(Conversation, _CONVERSATION, thread=thread_id, known_as=client_message_id)
    if not found:
        return None, None
    if found[0].customer_id != customer.pk:
        raise ThreadNotFound()
    return found[0], found[0].known


def _checked_content(content: object) -> str:
    if not isinstance(content, str) or not content.strip():
        raise MissingContent()
    if len(content) > CONTENT_LIMIT:
        raise ContentTooLong()
    text: str = storable(content)
    return text


def _repeated(conversation: Conversation, known: Event) -> Submitted:
    """What was accepted before, at the place where it stands now."""
    position = _position(conversation, known.turn_id, known.seq)
    return Submitted(
        conversation.pk, conversation.thread_id, known.turn_id, known.seq, position, repeated=True
    )


def _position(conversation: Conversation, turn_id: UUID | None, seq: int) -> int:
    """Behind how many the message `seq` waits: what is worked on counts as one, each message before it as one more."""
    unfinished = Turn.objects.filter(
        conversation=conversation, status__in=[TurnStatus.QUEUED, TurnStatus.RUNNING]
    )
    active = list(unfinished)
    if not any(turn.pk == turn_id and _not_begun(turn) for turn in active):
        return 0
    waiting = [turn.pk for turn in active if _not_begun(turn)]
    before = Event.objects.filter(turn__in=waiting, kind="message_received", seq__lt=seq)
    return bool(_busy(active)) + before.count()


def _checked_rate(customer: Customer) -> list[Any]:
    """When the newest messages were accepted, this one included. Refused ones do not count."""
    now = timezone.now()
    recent = [moment for moment in customer.accepted_at if moment > now - timedelta(seconds=RATE_SECONDS)]
    if len(recent) >= RATE_LIMIT:
        refusal = RateLimited()
        refusal.retry_after = max(1, math.ceil(RATE_SECONDS - (now - min(recent)).total_seconds()))
        raise refusal
    return [*recent, now]


def _checked_strategy(strategy: object) -> str:
    if strategy is None:
        return str(settings.MULTITASK_STRATEGY)
    if not isinstance(strategy, str) or strategy not in STRATEGIES:
        raise UnknownStrategy()
    return strategy


def _opened(customer: Customer, thread_id: str) -> Conversation:
    try:
        return Conversation.objects.create(thread_id=thread_id, customer=customer)
    except IntegrityError as collision:  # somebody else opened it between the look and the insert
        raise ThreadNotFound() from collision


def _active(conversation: Conversation) -> list[Turn]:
    """The turns that run or are queued, in order, locked: none of them is claimed, sealed or stopped meanwhile, and
    whoever did that a moment ago has been waited for."""
    return rows_of(Turn, _ACTIVE, conversation=conversation.pk)


def _busy(active: list[Turn]) -> list[Turn]:
    """What is worked on, or was decided on and goes on next. A turn that has just asked somebody for a decision is
    about to wait for it, though it still runs."""
    begun = [turn for turn in active if not _not_begun(turn)]
    if not begun:
        return []
    asking = set(Action.objects.awaiting().filter(turn__in=begun).values_list("turn_id", flat=True))
    return [turn for turn in begun if turn.pk not in asking]


def _not_begun(turn: Turn) -> bool:
    return turn.status == TurnStatus.QUEUED and turn.started_at is None


def _interrupted(busy: list[Turn]) -> list[Turn]:
    """Stop what is worked on, and what was decided on and would go on before the new message; what has yet to end."""
    left = []
    for turn in busy:
        if turn.status != TurnStatus.RUNNING:
            end_now(turn)
        elif stop_running(turn):
            left.append(turn)
    return left


def _check_open(conversation: Conversation) -> None:
    """A session that was idle for too long is over, unless its customer waits for a decision or for a person."""
    idle_since = timezone.now() - timedelta(minutes=settings.SESSION_TTL_MINUTES)
    if conversation.last_activity_at >= idle_since:
        return
    if conversation.status in (ConversationStatus.WAITING, ConversationStatus.HELD):
        return
    if not Action.objects.awaiting().filter(turn__conversation=conversation).exists():
        raise SessionExpired()


def _queued(
    conversation: Conversation,
    active: list[Turn],
    text: str,
    client_message_id: str | None,
    asked_by: str,
) -> tuple[Turn, int]:
    """The turn that answers this message, and the message's seq: the turn that has not begun yet, or a new one."""
    if conversation.status == ConversationStatus.RESOLVED:
        Conversation.objects.filter(pk=conversation.pk).update(status=ConversationStatus.OPEN)
    # No earlier one than the last: messages are answered in the order in which they came.
    joined = active[-1] if active else None
    if joined is not None and _not_begun(joined) and joined.asked_by == asked_by:
        joined.messages += 1
        Turn.objects.filter(pk=joined.pk).update(
            messages=joined.messages, content=Concat("content", Value(BETWEEN_MESSAGES + text))
        )
        return joined, _received(conversation, joined, text, client_message_id)
    turn = Turn(conversation=conversation, content=text, epoch=conversation.epoch, asked_by=asked_by)
    turn.message_seq = conversation.last_seq + 1
    turn.save(force_insert=True)
    seq = _received(conversation, turn, text, client_message_id)
    assert seq == turn.message_seq  # the conversation is locked
    return turn, seq


def _received(
    conversation: Conversation,
    turn: Turn | None,
    text: str,
    client_message_id: str | None,
    asked_by: str = "",
) -> int:
    """Write the message into the log. `asked_by` is told there where no turn knows it: what was asked for while a
    person had the conversation may be carried out when the agents have it back."""
    sender = {"asked_by": asked_by} if asked_by else {}
    fact = Fact(
        "message_received",
        {"content": text, "client_message_id": client_message_id, **sender},
        key=f"message:{turn.messages}" if turn else "",
    )
    batch = events.insert(conversation.pk, [fact], turn_id=turn.pk if turn else None)
    transaction.on_commit(lambda: async_to_sync(_announce)(batch))
    return batch.first


async def _announce(batch: events.Batch) -> None:
    """First the workers, so that one may begin while the sockets are told."""
    await wake()
    await events.publish(batch)
