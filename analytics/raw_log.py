"""What the log knows of some conversations: five queries, however many they are. Of payloads only what is counted is
read, never what somebody said or what a tool returned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models.fields.json import KT

from agents.models import Action, ModelCall
from chat.models import Conversation, Event

KINDS = (
    "message_received",
    "replied",
    "question_asked",
    "staff_wrote",
    "handoff_requested",
    "taken_over",
    "tool_called",
    "tool_returned",
    "action_settled",
    "approval_opened",
    "turn_completed",
    "turn_failed",
    "turn_stopped",
    "turn_retried",
    "feedback_asked",
    "feedback_given",
)
"""Those that some number depends on."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event of one of KINDS, with what is counted of its payload; None where it has no such field."""

    seq: int
    kind: str
    turn_id: UUID | None
    agent: str
    at: datetime
    duration_ms: int | None
    tool: str | None
    call_id: str | None
    ok: Any
    error_kind: str | None
    action_id: str | None
    happened: Any
    solved: Any
    score: Any
    cut: Any


@dataclass(frozen=True, slots=True)
class Approval:
    status: str
    asked_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Call:
    agent: str
    cost_micros: int | None


@dataclass(slots=True)
class ConversationLog:
    """`seq` and `cost_seen` are the conversation's, read before everything else: what is committed later makes it
    stale. `next_at`: when the same customer began their next conversation."""

    conversation_id: UUID
    customer_id: UUID
    seq: int
    cost_seen: int
    started_at: datetime
    next_at: datetime | None = None
    events: list[Said] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)


def read(ids: Sequence[UUID]) -> list[ConversationLog]:
    """The logs of these conversations; those that do not exist are left out."""
    heads = Conversation.objects.filter(pk__in=ids).order_by()
    rows = heads.values_list("pk", "customer_id", "last_seq", "cost_micros", "created_at")
    logs = {row[0]: ConversationLog(*row) for row in rows}
    if not logs:
        return []
    for conversation_id, begun in _next_ones(logs):
        logs[conversation_id].next_at = begun
    for conversation_id, said in _events(list(logs)):
        if said.seq <= logs[conversation_id].seq:
            logs[conversation_id].events.append(said)
    asked = Action.objects.filter(turn__conversation__in=list(logs)).order_by()
    columns = asked.values_list("turn__conversation", "status", "created_at", "decided_at")
    for conversation_id, status, asked_at, decided_at in columns:
        logs[conversation_id].approvals.append(Approval(status, asked_at, decided_at))
    called = ModelCall.objects.filter(conversation__in=list(logs)).order_by()
    for owner, agent, cost_micros in called.values_list("conversation_id", "agent", "cost_micros"):
        if owner is not None:
            logs[owner].calls.append(Call(agent, cost_micros))
    return list(logs.values())


def _next_ones(logs: dict[UUID, ConversationLog]) -> list[tuple[UUID, datetime | None]]:
    """For each conversation, when its customer began the next one. One pass over these customers' conversations."""
    statement = """
        SELECT id, next_at FROM (
            SELECT id, lead(created_at) OVER (PARTITION BY customer_id ORDER BY created_at, id) AS next_at
            FROM chat_conversation WHERE customer_id = ANY(%s) AND created_at >= %s
        ) AS own WHERE id = ANY(%s)
    """
    customers = list({log.customer_id for log in logs.values()})
    first = min(log.started_at for log in logs.values())
    with connection.cursor() as cursor:
        cursor.execute(statement, [customers, first, list(logs)])
        return cursor.fetchall()


def _events(ids: list[UUID]) -> Iterator[tuple[UUID, Said]]:
    rows = Event.objects.filter(conversation__in=ids, kind__in=KINDS).order_by("conversation", "seq")
    values = rows.values_list(
        "conversation",
        "seq",
        "kind",
        "turn",
        "agent",
        "created_at",
        "duration_ms",
        KT("payload__tool"),
        KT("payload__call_id"),
        "payload__ok",
        KT("payload__error__kind"),
        KT("payload__action_id"),
        "payload__happened",
        "payload__solved",
        "payload__score",
        "payload__cut",
    )
    for conversation_id, *said in values.iterator(chunk_size=5000):
        yield conversation_id, Said(*said)
