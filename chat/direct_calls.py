"""Calls of tools that another system asks for by name become turns of a conversation of the customer: the same queue,
log, approvals and inbox as everything else. See docs/mcp.md.

A conversation of its own for each caller and customer: what `requires` asks for, and what staff read, stays together.
Locks are taken in the order customer, turn, conversation: see `chat.submission`.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from django.db import IntegrityError, transaction

from agents import facts
from agents.context import Call, TurnContext
from agents.direct import calls
from agents.models import DirectCall, Tool
from chat import events, history
from chat.journal import TurnJournal
from chat.models import Conversation, ConversationStatus, Customer, Turn, TurnStatus
from chat.submission import QueueFull
from chat.turns import Claim, lock_customer
from chat.wakeups import wake
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from smartsupport.lib.ids import canonical_json, digest
from smartsupport.lib.text import shorten

log = structlog.get_logger(__name__)

QUEUE_LIMIT = 50
"""Calls that wait in one conversation; the next one is refused."""


class Held(ServiceError):
    code, status = "conversation_held", 409
    message = "A member of staff has taken over this conversation. Nothing was done. Try again when they gave it back."


class OtherCall(ServiceError):
    code, status = "idempotency_key_reused", 422
    message = (
        "This idempotency key was used for another call. Nothing was done. Use a new key for a new call."
    )


class TooManyCalls(QueueFull):
    message = "Too many calls for this customer are waiting. Nothing was done. Try again when some of them are done."


@dataclass(frozen=True, slots=True)
class Caller:
    """The system that asks: its decider id (`key:<uuid>`), and what it is called."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The turn of a call. `repeated`: the same call was accepted under this idempotency key before."""

    turn_id: UUID
    conversation_id: UUID
    repeated: bool = False


def thread_of(caller: Caller, customer_id: UUID, name: str = "") -> str:
    """The thread of this caller's calls for this customer; `name` sets some of them apart."""
    return f"mcp-{digest([caller.id, str(customer_id), name])[:40]}"


@transaction.atomic
def submit(
    *, caller: Caller, customer_id: UUID, tool: Tool, arguments: dict[str, Any], key: str = "", lane: str = ""
) -> Accepted:
    """Queue one call, in one transaction, or write nothing. `key`: the caller's idempotency key; `lane` sets calls
    apart that need not wait for each other. Raises ThreadNotFound, OtherCall, Held, TooManyCalls.
    """
    lock_customer(customer_id)
    given = canonical_json(arguments)
    submission = digest([caller.id, str(customer_id), key]) if key else None
    known = submission and DirectCall.objects.select_related("turn").filter(submission=submission).first()
    if known:
        if (known.tool_name, known.arguments) != (tool.name, given):
            raise OtherCall()
        return Accepted(known.turn_id, known.turn.conversation_id, repeated=True)
    conversation = _conversation(thread_of(caller, customer_id, lane), customer_id)
    if conversation.status == ConversationStatus.HELD:
        raise Held()
    if _waiting(conversation) >= QUEUE_LIMIT:
        raise TooManyCalls()
    turn = Turn.objects.create(
        conversation=conversation,
        content=f"Call of {tool.name}",
        message_seq=conversation.last_seq + 1,
        epoch=conversation.epoch,
        asked_by=caller.id,
    )
    DirectCall.objects.create(
        turn=turn,
        tool_name=tool.name,
        arguments=given,
        asked_by=caller.id,
        asked_by_name=caller.name[:150],
        submission=submission,
    )
    _announced(conversation, turn, tool, arguments, caller)
    return Accepted(turn.pk, conversation.pk)


def _conversation(thread_id: str, customer_id: UUID) -> Conversation:
    """The conversation, locked; opened where it is new. The customer's lock is held, so nobody opens it meanwhile."""
    rows = Conversation.objects.select_for_update(no_key=True)
    found = rows.filter(thread_id=thread_id).first()
    if found is None:
        try:
            found = Conversation.objects.create(thread_id=thread_id, customer_id=customer_id)
        except IntegrityError as collision:
            raise ThreadNotFound() from collision
    if found.customer_id != customer_id:
        raise ThreadNotFound()
    return found


def _waiting(conversation: Conversation) -> int:
    return Turn.objects.filter(conversation=conversation, status=TurnStatus.QUEUED, started_at=None).count()


def _announced(
    conversation: Conversation, turn: Turn, tool: Tool, arguments: dict[str, Any], caller: Caller
) -> None:
    # What the server fills in is not the caller's to say, and is not kept.
    shown = {name: value for name, value in arguments.items() if name not in tool.bound}
    fact = facts.call_requested(
        tool=tool.name, title=tool.title, args=shown, by=caller.id, by_name=caller.name
    )
    reopened = (
        {"status": ConversationStatus.OPEN} if conversation.status == ConversationStatus.RESOLVED else {}
    )
    line = shorten(f"{caller.name}: {tool.title}", 200)
    Conversation.objects.filter(pk=conversation.pk).update(last_line=line, **reopened)
    batch = events.insert(conversation.pk, [fact], turn_id=turn.pk)
    assert batch.first == turn.message_seq  # the conversation is locked

    async def announce() -> None:
        await wake()
        await events.publish(batch)

    transaction.on_commit(lambda: async_to_sync(announce)())
    log.info("call_requested", turn_id=str(turn.pk), tool=tool.name, by_name=caller.name)


def context(claim: Claim, tool: str, arguments: str) -> tuple[TurnContext, TurnJournal]:
    """What a turn that is for one call is given: no history, as no model is asked."""
    registry = calls.registry_of(tool)
    required = {name for agent in registry.agents for spec in agent.tools for name in spec.requires}
    recorded = {} if claim.fresh else history.recorded(claim.turn_id)
    journal = TurnJournal(claim, recorded, succeeded=history.succeeded(claim.conversation_id, required))
    given = TurnContext(
        turn_id=claim.turn_id,
        conversation_id=claim.conversation_id,
        customer_id=claim.customer_id,
        bindings={"customer.id": claim.business_id} if claim.business_id else {},
        message=claim.content,
        history=(),
        live_agent="",
        fresh=claim.fresh,
        registry=registry,
        journal=journal,
        call=Call(tool, json.loads(arguments)),
    )
    return given, journal


def known_customer(subject: str) -> UUID:
    """The company's customer of this id; the row is made where they are new here."""
    return Customer.objects.get_or_create(subject=subject, defaults={"business_id": subject})[0].pk
