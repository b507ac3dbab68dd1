"""The life of a turn: queued -> running -> (waiting <-> running) -> completed | failed | stopped, and failed -> queued
where somebody tries again.

Every change is one function here (or, for what a person ends, in `chat.stopping` and `chat.takeover`), by
compare-and-set. Locks are taken in the order customer, turn, action, conversation: see `chat.submission`.
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone

from agents import approvals
from agents.context import StaleTurn
from agents.facts import Fact, tool_returned
from agents.models import Action, ActionStatus
from agents.spending import limits
from chat import events, handoff
from chat.models import Conversation, ConversationStatus, Customer, Event, Turn, TurnStatus
from chat.wakeups import wake_from_sync
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from smartsupport.lib.postgres import prepared

log = structlog.get_logger(__name__)


class NotRetriable(ServiceError):
    """Only the newest message of a conversation can be tried again, and only after it failed."""

    code, status = "not_retriable", 409
    message = "There is nothing to try again. Please send your message again."


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
    retries: int = 0
    stop_requested: bool = False
    conversation_status: str = ConversationStatus.OPEN
    others_wait: bool = True
    """Whether other turns were queued at that moment; those behind a running one of their conversation included."""
    waited: float = 0.0
    """Seconds since the first message of the turn was queued."""
    direct: list[str] | None = None
    """The tool, and its arguments as JSON, where the turn is for one call that somebody outside asks for."""

    @property
    def end_key(self) -> str:
        """The key of the event that ends this attempt."""
        return f"end:{self.retries}" if self.retries else "end"

    @property
    def fresh(self) -> bool:
        """Nobody has worked on it before."""
        return self.fence == 1


_CLAIM = """
UPDATE chat_turn AS turn
SET status = 'running', fence = fence + 1, lapses = turn.lapses + (turn.status = 'running')::int,
    worker = %(worker)s::text, started_at = COALESCE(started_at, now()),
    lease_until = now() + make_interval(secs => %(lease)s::float8)
FROM chat_conversation AS c JOIN chat_customer AS customer ON customer.id = c.customer_id
WHERE c.id = turn.conversation_id AND turn.id = (
    SELECT t.id FROM chat_turn t JOIN chat_conversation tc ON tc.id = t.conversation_id AND tc.epoch = t.epoch
    WHERE (t.status = 'queued' AND NOT EXISTS (
               SELECT 1 FROM chat_turn o WHERE o.conversation_id = t.conversation_id
               AND (o.status = 'running' OR (o.status = 'queued' AND o.message_seq < t.message_seq))))
       OR (t.status = 'running' AND t.lease_until < now())
    ORDER BY t.queued_at LIMIT 1 FOR UPDATE OF t SKIP LOCKED
)
RETURNING turn.id, turn.fence, turn.conversation_id, c.thread_id, c.customer_id, customer.business_id,
          turn.content, turn.message_seq, c.live_agent, turn.lapses, turn.retries, turn.stop_requested,
          c.status,
          EXISTS (SELECT 1 FROM chat_turn AS other WHERE other.status = 'queued' AND other.id <> turn.id),
          EXTRACT(epoch FROM now() - turn.queued_at)::float8,
          (SELECT ARRAY[call.tool_name, call.arguments] FROM agents_directcall AS call WHERE call.turn_id = turn.id)
"""


def claim(worker: str) -> Claim | None:
    """Take the turn that has waited longest, or one whose worker lost its lease. None when there is nothing."""
    try:
        with prepared() as cursor:
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


def to_stop(turn_ids: list[UUID]) -> list[UUID]:
    """Those of the running turns that somebody wants to end."""
    wanted = Turn.objects.filter(pk__in=turn_ids, status=TurnStatus.RUNNING, stop_requested=True)
    return list(wanted.values_list("pk", flat=True))


def seal(
    claim_: Claim,
    status: TurnStatus,
    facts: list[Fact],
    *,
    live_agent: str = "",
    error: str = "",
    smooth: bool = False,
) -> events.Batch | None:
    """End a running turn, cancelling what it has not dispatched. None when somebody else holds it.

    `live_agent` goes on with the conversation: the one that answered this turn; "" where several did, or none.
    `smooth`: no tool call of the turn failed, so that no rule has anything to ask.
    """
    if (
        status == TurnStatus.COMPLETED and claim_.fresh and smooth
    ):  # it has left nothing open: one statement does it
        try:
            return events.insert(
                claim_.conversation_id,
                facts,
                turn_id=claim_.turn_id,
                fence=claim_.fence,
                completes=True,
                live_agent=live_agent,
            )
        except StaleTurn:
            return None
    with transaction.atomic():
        if not close(claim_.turn_id, status, error, fence=claim_.fence):
            return None
        if live_agent != claim_.live_agent:
            Conversation.objects.filter(pk=claim_.conversation_id).update(live_agent=live_agent)
        if status != TurnStatus.COMPLETED:
            facts = [*left_open(claim_.turn_id, claim_.retries), *facts]
        if not claim_.direct:  # nobody is helped in it, so no failure hands it to a person
            facts = handoff.by_rule(claim_, status, facts)
        return events.insert(claim_.conversation_id, facts, turn_id=claim_.turn_id)


def left_open(turn_id: UUID, retries: int) -> list[Fact]:
    """An answer to each reading call of a turn that ends before the call's own answer came: no call is left without a
    result. What was dispatched for an action gets its own result, whenever that comes."""
    rows = Event.objects.filter(turn_id=turn_id, kind__in=["tool_called", "tool_returned"])
    called: dict[str, Event] = {}
    for row in rows.order_by("seq").only("kind", "payload", "agent"):
        if row.kind == "tool_called" and "action_id" not in row.payload:
            called[row.payload["call_id"]] = row
        elif row.kind == "tool_returned":
            called.pop(row.payload["call_id"], None)
    return [
        replace(
            tool_returned(
                agent=row.agent, tool=row.payload["tool"], call_id=call_id, ok=False, error=dict(LEFT_OPEN)
            ),
            key=f"closed:{call_id}:{retries}",  # where the turn is tried again, the call is made again
        )
        for call_id, row in called.items()
    ]


LEFT_OPEN = {"kind": "stopped", "message": "The turn ended before the answer came. Nothing was changed."}


def close(turn_id: UUID, status: TurnStatus, error: str = "", *, fence: int | None = None) -> bool:
    """Give a turn its final status and cancel what it has not dispatched: the running one that is held with `fence`, or
    else one that no worker has. Returns whether it was still so. Call it in a transaction; the event is the caller's.
    """
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
    """Something happened to an action: log it, and let its turn go on where it waited for that. In the transaction of
    what happened."""
    turn = Turn.objects.only("conversation_id").get(pk=action.turn_id)
    events.append(turn.conversation_id, [fact], turn_id=turn.pk)
    if fact.kind not in ("approval_decided", "approval_expired"):
        return
    if Turn.objects.filter(pk=turn.pk, status=TurnStatus.WAITING).update(status=TurnStatus.QUEUED):
        transaction.on_commit(wake_from_sync)


def awaiting_ids(conversation_id: UUID) -> list[UUID]:
    """Actions of a conversation that wait for a decision, oldest first."""
    waiting = Action.objects.filter(turn__conversation_id=conversation_id, status=ActionStatus.AWAITING)
    return list(waiting.order_by("created_at").values_list("pk", flat=True))


def has_action(conversation_id: UUID, action_id: UUID) -> bool:
    return Action.objects.filter(pk=action_id, turn__conversation_id=conversation_id).exists()


def release(claim_: Claim, *, lapsed: bool = False) -> bool:
    """Give a running turn back to the queue, for another worker to go on with. Returns whether it was still held.
    `lapsed`: its worker could not go on with it."""
    mine = Turn.objects.filter(pk=claim_.turn_id, fence=claim_.fence, status=TurnStatus.RUNNING)
    handed = bool(mine.update(status=TurnStatus.QUEUED, lease_until=None, lapses=F("lapses") + int(lapsed)))
    if handed:
        wake_from_sync()
    return handed


def has_ended(turn_id: UUID) -> bool:
    return Turn.objects.filter(pk=turn_id, sealed_at__isnull=False).exists()


def lock_customer(customer_id: UUID) -> None:
    """Let no message of the customer, and nobody who takes over, come in between: they take this lock first."""
    Customer.objects.select_for_update(no_key=True).only("pk").get(pk=customer_id)


@transaction.atomic
def retry(
    *, customer_id: UUID | None, thread_id: str, turn_id: UUID | None = None, by_program: bool = False
) -> UUID:
    """Queue the conversation's newest turn again, which failed; its id. It goes on where it broke: what the log has
    recorded is not done again. `customer_id` None is staff, or, `by_program`, who calls with an API key.

    Raises ThreadNotFound, NotRetriable, UsageLimitReached (not to staff).
    """
    owner = Conversation.objects.filter(thread_id=thread_id).values_list("customer_id", flat=True).first()
    if owner is None or (customer_id is not None and owner != customer_id):
        raise ThreadNotFound()
    # Nobody writes and nobody takes over meanwhile: both begin with this lock.
    lock_customer(owner)
    conversation = Conversation.objects.get(thread_id=thread_id)
    newest = Turn.objects.select_for_update(no_key=True).filter(conversation=conversation)
    turn = newest.order_by("-message_seq").first()
    if turn is None or turn.status != TurnStatus.FAILED or (turn_id and turn.pk != turn_id):
        raise NotRetriable()
    again = Turn.objects.filter(pk=turn.pk, status=TurnStatus.FAILED, epoch=conversation.epoch)
    if conversation.status == ConversationStatus.HELD or not again.update(
        status=TurnStatus.QUEUED,
        retries=F("retries") + 1,
        lapses=0,
        stop_requested=False,
        error="",
        sealed_at=None,
    ):
        raise NotRetriable()
    if customer_id is not None or by_program:
        limits.check(owner)  # answering again costs again; staff know what they do
    resolved = Conversation.objects.filter(pk=conversation.pk, status=ConversationStatus.RESOLVED)
    resolved.update(status=ConversationStatus.OPEN)
    fact = Fact("turn_retried", {"by": "staff" if customer_id is None else "customer"})
    events.append(conversation.pk, [fact], turn_id=turn.pk)
    transaction.on_commit(wake_from_sync)
    log.info("turn_retried", turn_id=str(turn.pk), retries=turn.retries + 1)
    return turn.pk


def sealed_with_checkpoints(*, limit: int = 1000) -> list[UUID]:
    """Turns that have ended and whose LangGraph thread is still stored."""
    statement = """
        SELECT t.id FROM chat_turn t
        WHERE t.sealed_at IS NOT NULL AND t.id::text IN (SELECT thread_id FROM checkpoints) LIMIT %s
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [limit])
        return [turn_id for (turn_id,) in cursor.fetchall()]
