"""The life of a turn: queued -> running -> (waiting <-> running) -> completed | failed | stopped.

Every change is one function here, by compare-and-set. Locks are taken in the order customer, turn, action,
conversation; a new turn is inserted under its conversation's lock.

Rows are locked for everything but their key (`no_key`): foreign keys are checked at commit, in no order of
ours, and a check that had to wait for such a lock would make two transactions wait for each other.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone
from redis.exceptions import RedisError

from agents import approvals
from agents.facts import Fact
from agents.models import Action, ActionStatus
from chat import events
from chat.models import Conversation, ConversationStatus, Customer, Turn, TurnStatus
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)

CONTENT_LIMIT = 10_000
QUEUE_LIMIT = 10
RATE_LIMIT = 10
RATE_SECONDS = 10
CHANNEL = "turns"


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


@dataclass(frozen=True, slots=True)
class Submitted:
    """An accepted message. `position` is 0 when it runs now, n when it waits behind n turns; `seq` is its event's
    number; `repeated` tells that an earlier frame with this client message id was accepted already."""

    conversation_id: UUID
    thread_id: str
    turn_id: UUID
    seq: int
    position: int
    repeated: bool


def submit(
    *,
    customer_id: UUID,
    thread_id: str,
    content: object,
    client_message_id: str | None,
    new_customer: Any = None,
) -> Submitted:
    """Accept a customer's message into `thread_id`, which is opened if nobody has it.

    One transaction: ownership, content, repeat, rate, session and queue are checked and the turn is queued under the
    locks of the customer and the conversation, or nothing is written. Raises the ServiceErrors above, in that order.
    `new_customer` makes the Customer row of a visitor who has not written before.
    """
    with transaction.atomic():
        customer = _locked_customer(customer_id, new_customer)
        conversation = _owned(customer, thread_id)
        text = _checked_content(content)
        unfinished = _unfinished(conversation, client_message_id) if conversation else []
        if conversation and client_message_id:
            for known in unfinished:
                if known.client_message_id == client_message_id:
                    return _submitted(conversation, known, unfinished, repeated=True)
        accepted_at = _checked_rate(customer)
        if conversation is None:
            conversation = _opened(customer, thread_id)
        else:
            _check_open(conversation, unfinished)
        transaction.on_commit(wake_from_sync)  # first of all: a worker may begin while the sockets are told
        turn = _queued(conversation, text, client_message_id)
        Customer.objects.filter(pk=customer.pk).update(accepted_at=accepted_at)
        return _submitted(conversation, turn, unfinished, repeated=False)


def _locked_customer(customer_id: UUID, new_customer: Any) -> Customer:
    customer = Customer.objects.select_for_update(no_key=True).filter(pk=customer_id).first()
    if customer is None and new_customer is not None:
        new_customer()
        customer = Customer.objects.select_for_update(no_key=True).filter(pk=customer_id).first()
    if customer is None:
        raise ThreadNotFound()
    return customer


def _owned(customer: Customer, thread_id: str) -> Conversation | None:
    """The customer's conversation, locked; None if nobody has this thread. Somebody else's does not exist."""
    conversation = Conversation.objects.select_for_update(no_key=True).filter(thread_id=thread_id).first()
    if conversation is not None and conversation.customer_id != customer.pk:
        raise ThreadNotFound()
    return conversation


def _checked_content(content: object) -> str:
    if not isinstance(content, str) or not content.strip():
        raise MissingContent()
    if len(content) > CONTENT_LIMIT:
        raise ContentTooLong()
    text: str = storable(content)
    return text


def _checked_rate(customer: Customer) -> list[Any]:
    """When the newest messages were accepted, this one included. Refused ones do not count."""
    now = timezone.now()
    recent = [moment for moment in customer.accepted_at if moment > now - timedelta(seconds=RATE_SECONDS)]
    if len(recent) >= RATE_LIMIT:
        raise RateLimited()
    return [*recent, now]


def _opened(customer: Customer, thread_id: str) -> Conversation:
    try:
        with transaction.atomic():
            return Conversation.objects.create(thread_id=thread_id, customer=customer)
    except IntegrityError as collision:  # somebody else opened it between the look and the insert
        raise ThreadNotFound() from collision


def _unfinished(conversation: Conversation, client_message_id: str | None) -> list[Turn]:
    """The turns that run or are queued, and the one that this message started earlier. One query."""
    wanted = Q(status__in=[TurnStatus.QUEUED, TurnStatus.RUNNING])
    if client_message_id:
        wanted |= Q(client_message_id=client_message_id)
    turns = Turn.objects.filter(wanted, conversation=conversation)
    return list(turns.only("status", "started_at", "message_seq", "client_message_id"))


def _check_open(conversation: Conversation, unfinished: list[Turn]) -> None:
    idle_since = timezone.now() - timedelta(minutes=settings.SESSION_TTL_MINUTES)
    if conversation.last_activity_at < idle_since and not _waits_for_decision(conversation):
        raise SessionExpired()
    queued = [turn for turn in unfinished if turn.status == TurnStatus.QUEUED and turn.started_at is None]
    if len(queued) >= QUEUE_LIMIT:
        raise QueueFull()


def _waits_for_decision(conversation: Conversation) -> bool:
    return Action.objects.awaiting().filter(turn__conversation=conversation).exists()


def _queued(conversation: Conversation, text: str, client_message_id: str | None) -> Turn:
    if conversation.status == ConversationStatus.RESOLVED:
        Conversation.objects.filter(pk=conversation.pk).update(status=ConversationStatus.OPEN)
    turn = Turn(conversation=conversation, content=text, client_message_id=client_message_id or None)
    turn.message_seq = conversation.last_seq + 1
    turn.save(force_insert=True)
    fact = Fact("message_received", {"content": text, "client_message_id": client_message_id}, key="message")
    batch = events.append(conversation.pk, [fact], turn_id=turn.pk)
    assert batch.first == turn.message_seq  # the conversation is locked
    return turn


def _submitted(
    conversation: Conversation, turn: Turn, unfinished: list[Turn], *, repeated: bool
) -> Submitted:
    ahead = [
        other
        for other in unfinished
        if other.status in (TurnStatus.QUEUED, TurnStatus.RUNNING) and other.message_seq < turn.message_seq
    ]
    position = len(ahead) if turn.status == TurnStatus.QUEUED else 0
    return Submitted(conversation.pk, conversation.thread_id, turn.pk, turn.message_seq, position, repeated)


def wake_from_sync() -> None:
    async_to_sync(wake)()


async def wake() -> None:
    """Tell the workers that there is something to claim. A lost one costs a poll interval, nothing else."""
    await _tell({"type": "turns.wake"})


async def _tell(message: dict[str, str]) -> None:
    """Send every turns worker a message: a named channel of this layer reaches all of them. What it asks for is in the
    database too, where they look by themselves, so a broker that is away or silent fails nobody."""
    try:
        async with asyncio.timeout(events.BROKER_SECONDS):
            await get_channel_layer().send(CHANNEL, message)
    except (RedisError, OSError) as error:
        log.warning("workers_not_told", message=message["type"], error=str(error))


@dataclass(frozen=True, slots=True)
class Claim:
    """A turn that this worker runs now, until its lease ends or its fence is old."""

    turn_id: UUID
    fence: int
    conversation_id: UUID
    thread_id: str
    customer_id: UUID
    business_id: str
    content: str
    message_seq: int
    live_agent: str
    lapses: int = 0

    @property
    def fresh(self) -> bool:
        """Nobody has worked on it before."""
        return self.fence == 1


_CLAIM = """
UPDATE chat_turn AS turn
SET status = 'running', fence = fence + 1, lapses = turn.lapses + (turn.status = 'running')::int, worker = %(worker)s,
    started_at = COALESCE(started_at, now()), lease_until = now() + make_interval(secs => %(lease)s)
FROM chat_conversation AS c JOIN chat_customer AS customer ON customer.id = c.customer_id
WHERE c.id = turn.conversation_id AND turn.id = (
    SELECT t.id FROM chat_turn t
    WHERE (t.status = 'queued' AND NOT EXISTS (
               SELECT 1 FROM chat_turn o WHERE o.conversation_id = t.conversation_id
               AND (o.status = 'running' OR (o.status = 'queued' AND o.message_seq < t.message_seq))))
       OR (t.status = 'running' AND t.lease_until < now())
    ORDER BY t.queued_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING turn.id, turn.fence, turn.conversation_id, c.thread_id, c.customer_id, customer.business_id,
          turn.content, turn.message_seq, c.live_agent, turn.lapses
"""


def claim(worker: str) -> Claim | None:
    """Take the turn that has waited longest, or one whose worker lost its lease. None when there is nothing."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, {"worker": worker, "lease": settings.TURN_LEASE_SECONDS})
            row = cursor.fetchone()
    except IntegrityError:  # another worker started a turn of the same conversation at the same moment
        return None
    return Claim(*row) if row else None


@dataclass(frozen=True, slots=True)
class Held:
    """A turn whose lease was extended; `stop` tells that somebody wants it to end."""

    turn_id: UUID
    stop: bool


def renew(turns: dict[UUID, int]) -> dict[UUID, Held]:
    """Extend the leases of running turns {id: fence}. Those that are missing in the answer are no longer held."""
    statement = """
        UPDATE chat_turn t SET lease_until = now() + make_interval(secs => %s)
        FROM unnest(%s::uuid[], %s::int[]) AS mine(id, fence)
        WHERE t.id = mine.id AND t.fence = mine.fence AND t.status = 'running' RETURNING t.id, t.stop_requested
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [settings.TURN_LEASE_SECONDS, list(turns), list(turns.values())])
        return {turn_id: Held(turn_id, stop) for turn_id, stop in cursor.fetchall()}


def seal(
    claim_: Claim, status: TurnStatus, facts: list[Fact], *, live_agent: str = "", error: str = ""
) -> events.Batch | None:
    """End a running turn, cancelling what it has not dispatched. None when somebody else holds it.

    `live_agent` goes on with the conversation: the one that answered this turn; "" where several did, or none."""
    with transaction.atomic():
        if not _close(claim_.turn_id, status, error, fence=claim_.fence):
            return None
        if live_agent != claim_.live_agent:
            Conversation.objects.filter(pk=claim_.conversation_id).update(live_agent=live_agent)
        return events.insert(claim_.conversation_id, facts, turn_id=claim_.turn_id)


def _close(turn_id: UUID, status: TurnStatus, error: str, *, fence: int | None = None) -> bool:
    mine = Turn.objects.filter(pk=turn_id)
    unheld = [TurnStatus.QUEUED, TurnStatus.WAITING]
    mine = mine.filter(fence=fence, status=TurnStatus.RUNNING) if fence else mine.filter(status__in=unheld)
    if not mine.update(status=status, sealed_at=timezone.now(), lease_until=None, error=error[:10_000]):
        return False
    if status != TurnStatus.COMPLETED or fence != 1:  # what completes in one go has left nothing open
        approvals.cancel_open(turn_id=turn_id)
    return True


def park(claim_: Claim) -> TurnStatus | None:
    """Let a turn wait for a person. `queued` when the decision came meanwhile, `stopped` when somebody wants it to end
    (it still runs then: seal it); None when it is no longer held."""
    with transaction.atomic():
        # Lock first, look second: a decision that is being recorded holds this lock, and the look must see it.
        mine = Turn.objects.filter(pk=claim_.turn_id, fence=claim_.fence, status=TurnStatus.RUNNING)
        held = mine.select_for_update(no_key=True).values_list("stop_requested", flat=True).first()
        if held is None:
            return None
        if held:
            return TurnStatus.STOPPED
        waits = Action.objects.awaiting().filter(turn_id=claim_.turn_id).exists()
        status = TurnStatus.WAITING if waits else TurnStatus.QUEUED
        Turn.objects.filter(pk=claim_.turn_id).update(status=status, lease_until=None)
    return status


def on_settled(*, action: Action, fact: Fact, **_: Any) -> None:
    """An action was decided or has expired: log it and let its turn go on. Runs in the decision's transaction."""
    turn = Turn.objects.only("conversation_id").get(pk=action.turn_id)
    events.append(turn.conversation_id, [fact], turn_id=turn.pk)
    if Turn.objects.filter(pk=turn.pk, status=TurnStatus.WAITING).update(status=TurnStatus.QUEUED):
        transaction.on_commit(wake_from_sync)


def stop(*, customer_id: UUID | None, thread_id: str) -> bool:
    """Stop the turn that runs or is about to, or else the one that waits for a decision. Returns whether there was one.

    `customer_id` None is staff. A running turn is stopped by its worker; one that no worker has is sealed here.
    Raises ThreadNotFound.
    """
    conversation = Conversation.objects.filter(thread_id=thread_id).first()
    if conversation is None or (customer_id is not None and conversation.customer_id != customer_id):
        raise ThreadNotFound()
    with transaction.atomic():
        active = _to_stop(conversation)
        if active is None:
            return False
        if active.status == TurnStatus.RUNNING:
            Turn.objects.filter(pk=active.pk).update(stop_requested=True)
            _tell_workers("turns.stop", active.pk)
            return True
        _close(active.pk, TurnStatus.STOPPED, "")
        events.append(conversation.pk, [Fact("turn_stopped", {}, key="end")], turn_id=active.pk)
        _tell_workers("turns.forget", active.pk)
    log.info("turn_stopped", turn_id=str(active.pk), by="staff" if customer_id is None else "customer")
    return True


def _to_stop(conversation: Conversation) -> Turn | None:
    """The running turn, or the one that runs next, or the newest that waits; locked. One query: a turn that is being
    claimed meanwhile is waited for and then found running."""
    unfinished = [TurnStatus.RUNNING, TurnStatus.QUEUED, TurnStatus.WAITING]
    locked = Turn.objects.select_for_update(no_key=True).filter(
        conversation=conversation, status__in=unfinished
    )
    turns = sorted(locked.order_by("message_seq"), key=lambda turn: unfinished.index(TurnStatus(turn.status)))
    if turns and turns[0].status == TurnStatus.WAITING:
        return turns[-1]
    return turns[0] if turns else None


def _tell_workers(kind: str, turn_id: UUID) -> None:
    """Send every turns worker a message after commit."""
    transaction.on_commit(lambda: async_to_sync(_tell)({"type": kind, "turn_id": str(turn_id)}))


def awaiting_ids(conversation_id: UUID) -> list[UUID]:
    """Actions of a conversation that wait for a decision, oldest first."""
    waiting = Action.objects.filter(turn__conversation_id=conversation_id, status=ActionStatus.AWAITING)
    return list(waiting.order_by("created_at").values_list("pk", flat=True))


def has_action(conversation_id: UUID, action_id: UUID) -> bool:
    return Action.objects.filter(pk=action_id, turn__conversation_id=conversation_id).exists()


def hand_back(claim_: Claim) -> bool:
    """Give a running turn back to the queue, for another worker to go on with. Returns whether it was still held."""
    mine = Turn.objects.filter(pk=claim_.turn_id, fence=claim_.fence, status=TurnStatus.RUNNING)
    handed = bool(mine.update(status=TurnStatus.QUEUED, lease_until=None))
    if handed:
        wake_from_sync()
    return handed


def sealed_with_checkpoints(*, limit: int = 1000) -> list[UUID]:
    """Turns that have ended and whose LangGraph thread is still stored."""
    statement = """
        SELECT t.id FROM chat_turn t
        WHERE t.sealed_at IS NOT NULL AND t.id::text IN (SELECT thread_id FROM checkpoints) LIMIT %s
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [limit])
        return [turn_id for (turn_id,) in cursor.fetchall()]
