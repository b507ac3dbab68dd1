"""A conversation is handed over to people: what that changes, what the customer is told, and the rules that ask for it.

Whoever asks (the model, the customer, a rule) appends `handoff_requested`; `chat.events` calls `escalated` in the same
transaction. A conversation that waits for a person, or has one, is not escalated again.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from agents.context import Desk
from agents.facts import Fact, handoff_requested, replied
from agents.handoff_words import told
from agents.lexical import language_of
from agents.policy import FIND_TOOLS
from agents.spending.limits import UsageLimitReached
from chat import business_hours, webhooks
from chat.models import Conversation, ConversationStatus, Event, TurnStatus

if TYPE_CHECKING:
    from chat.turns import Claim

log = structlog.get_logger(__name__)

WITH_PEOPLE = [ConversationStatus.WAITING, ConversationStatus.HELD]
ENDS = ["turn_completed", "turn_failed"]
NEW_BEGINNINGS = ["handoff_requested", "handed_back", "conversation_resolved"]
_TICKET = re.compile(r"\s*t-([0-9a-f]{8}-[0-9a-f]{4})\s*", re.IGNORECASE | re.ASCII)


def ticket_of(conversation_id: UUID) -> str:
    """The reference that a customer is given: the beginning of the conversation's id, always the same."""
    return f"T-{str(conversation_id)[:13].upper()}"


def with_ticket(text: str) -> Q | None:
    """The condition on conversations that a reference names, which the key's index answers; None for what is no
    reference."""
    found = _TICKET.fullmatch(text)
    if not found:
        return None
    begins = found[1].lower()
    return Q(pk__range=(UUID(f"{begins}-0000-0000-000000000000"), UUID(f"{begins}-ffff-ffff-ffffffffffff")))


def opens_at(now: datetime | None = None) -> datetime | None:
    """When somebody will be there, in the business's own time; None where somebody is there now."""
    return business_hours.opens_at(
        now or timezone.now(), hours=settings.BUSINESS_HOURS, timezone=settings.BUSINESS_TIMEZONE
    )


def desk(conversation_id: UUID, status: str) -> Desk:
    """What the agents of a conversation of this status know of the people behind them."""
    return Desk(ticket=ticket_of(conversation_id), opens_at=opens_at(), asked=status in WITH_PEOPLE)


def completed(conversation_id: UUID, payload: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The payload of a hand-over, with the reference, and with when somebody will be there where nobody is."""
    whole = {**payload, "ticket": ticket_of(conversation_id)}
    if (at := opens_at(now)) is not None:
        whole["available_at"] = at.astimezone(UTC).isoformat()
    return whole


def escalated(conversation_id: UUID, payload: dict[str, Any], *, agent: str, now: datetime) -> None:
    """Let the conversation wait for a person and tell other systems, once per wait. In the event's transaction, after
    the event."""
    free = Conversation.objects.filter(pk=conversation_id).exclude(status__in=WITH_PEOPLE)
    if not free.update(
        status=ConversationStatus.WAITING, handoff_reason=payload["reason"][:500], handoff_at=now
    ):
        return
    conversation = Conversation.objects.select_related("customer").get(pk=conversation_id)
    webhooks.escalated(conversation, payload=payload, agent=agent, at=now)
    log.info("conversation_escalated", conversation_id=str(conversation_id), by=payload["by"])


def by_rule(claim: "Claim", status: TurnStatus, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that seal a turn, with a hand-over before its end where a rule asks for one. In the sealing
    transaction, before the facts are written."""
    if status not in (TurnStatus.COMPLETED, TurnStatus.FAILED):
        return list(facts)
    if facts[-1].payload.get("code") == UsageLimitReached.code:  # nobody has tried to help
        return list(facts)
    results = _results([claim.turn_id])
    failed = status == TurnStatus.FAILED or _all_failed(results)
    refused = [tool for _, ok, kind, tool in results if not ok and kind == "auth"]
    if not failed and not refused:
        return list(facts)
    conversation = Conversation.objects.get(pk=claim.conversation_id)
    if conversation.status in WITH_PEOPLE:
        return list(facts)
    if refused:
        reason = f"Our access to the business system was refused ({refused[-1]})."
    elif failures := _too_many(claim.conversation_id):
        reason = f"{failures} attempts in a row to help the customer failed."
    else:
        return list(facts)
    return [*facts[:-1], *_asking(claim, conversation, reason, facts), facts[-1]]


def _asking(claim: "Claim", conversation: Conversation, reason: str, facts: Sequence[Fact]) -> list[Fact]:
    """The hand-over, and what the customer is told about it. A turn that is tried again may ask again."""
    attempt = f":{claim.retries}" if claim.retries else ""
    text = told(language_of(claim.content), desk(conversation.pk, conversation.status), gave_up=True)
    end = _streamed(claim.turn_id, facts)
    said = replied(agent="", content=text, key=f"reply:rule{attempt}")
    return [
        handoff_requested(reason=reason, by="rule", key=f"handoff:rule{attempt}"),
        replace(said, payload={**said.payload, "offset": end, "end": end}),
    ]


def _streamed(turn_id: UUID, facts: Sequence[Fact]) -> int:
    """How much text the turn has streamed and sealed: what is said now begins there and was not streamed."""
    stored = Event.objects.filter(turn_id=turn_id, kind="replied").values_list("payload", flat=True)
    now = [fact.payload for fact in facts if fact.kind == "replied"]
    return max((payload.get("end", 0) for payload in [*stored, *now]), default=0)


def _results(turn_ids: list[UUID]) -> list[tuple[UUID, bool, str, str]]:
    """What the tool calls of these turns came to: (turn, worked, kind of error, tool)."""
    returned = Event.objects.filter(turn_id__in=turn_ids, kind="tool_returned")
    rows = returned.exclude(payload__tool=FIND_TOOLS).order_by("seq")  # which asks nothing of the business
    return [
        (turn_id, payload["ok"], (payload.get("error") or {}).get("kind", ""), payload["tool"])
        for turn_id, payload in rows.values_list("turn_id", "payload")
    ]


def _all_failed(results: Sequence[tuple[UUID, bool, str, str]]) -> bool:
    return bool(results) and not any(ok for _, ok, _, _ in results)


def _too_many(conversation_id: UUID) -> int:
    """How many turns in a row have failed, the one that is being sealed included, where these are too many; else 0.
    Counted from the last time that a person was asked for, gave it back or resolved it."""
    limit = settings.HANDOFF_AFTER_FAILURES
    if limit == 0:
        return 0
    rows = Event.objects.filter(conversation_id=conversation_id, kind__in=[*ENDS, *NEW_BEGINNINGS])
    ends = list(rows.order_by("-seq").values_list("kind", "turn_id")[: limit - 1])
    results = _results([turn_id for kind, turn_id in ends if kind == "turn_completed"])
    failures = 1
    for kind, turn_id in ends:
        mine = [result for result in results if result[0] == turn_id]
        if kind != "turn_failed" and not (kind == "turn_completed" and _all_failed(mine)):
            break
        failures += 1
    return failures if failures >= limit else 0
