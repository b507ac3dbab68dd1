"""The conversation's log: append-only, `(conversation, seq)` gapless, written before anything is sent.

One statement allocates the numbers and inserts the rows, so two writers can neither skip nor share one. A worker
names the fencing token of its turn: with an old one, or after a person has taken over (the turn's epoch is not the
conversation's any more), nothing is written (StaleTurn).
"""

import asyncio
import itertools
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import connection, transaction
from django.utils import timezone
from redis.exceptions import RedisError

from agents.context import StaleTurn
from agents.facts import Call, Fact
from agents.spending import ledger
from chat import handoff
from chat.frames import LAST_LINE, TOLD_TWICE, Frame, Shown, of_event
from chat.models import Event
from smartsupport.lib import observing
from smartsupport.lib.postgres import prepared
from smartsupport.lib.text import shorten, storable

log = structlog.get_logger(__name__)

BROKER_SECONDS = 3.0
"""How long anybody waits for the broker to take a message. It is a wake-up or a preview: nothing hangs on it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events written together: the conversation, their first and last number, and their frames."""

    conversation_id: UUID
    first: int
    last: int
    frames: list[Frame]

    def message(self) -> dict[str, Any]:
        conversation = str(self.conversation_id)
        return {
            "type": "conversation.events",
            "conversation": conversation,
            "first": self.first,
            "last": self.last,
            "frames": self.frames,
        }


# What must hold of the turn: nothing; that the worker still has it; or that, and it is completed by the same statement.
_HELD = {
    "free": "SELECT NULL::int AS epoch",
    "fenced": "SELECT epoch FROM chat_turn WHERE id = %(turn)s AND fence = %(fence)s AND status = 'running' FOR SHARE",
    "completing": """
        UPDATE chat_turn SET status = 'completed', sealed_at = %(now)s, lease_until = NULL, error = ''
        WHERE id = %(turn)s AND fence = %(fence)s AND status = 'running' RETURNING epoch""",
}
_INSERT = """
WITH held AS ({held}), {priced} numbered AS (
    UPDATE chat_conversation
    SET last_seq = last_seq + %(count)s::int, last_activity_at = %(now)s::timestamptz,
        last_line = COALESCE(%(line)s::text, last_line), live_agent = COALESCE(%(live)s::text, live_agent),
        waiting_since = CASE %(waits)s::boolean WHEN true THEN COALESCE(waiting_since, %(now)s::timestamptz)
                        WHEN false THEN NULL ELSE waiting_since END,
        unasked = unasked OR %(written)s::boolean {charged}
    WHERE id = %(conversation)s {epoch}
    RETURNING thread_id, customer_id, last_seq - %(count)s::int AS base
), added AS (
    INSERT INTO chat_event (conversation_id, turn_id, created_at, version, seq, kind, key, agent, payload,
                            tokens_in, tokens_out, tokens_cached, duration_ms, cost_micros)
    SELECT %(conversation)s::uuid, %(turn)s::uuid, %(now)s::timestamptz, 1, base + fact.place, kind, key, fact.agent,
           payload, fact.tokens_in, fact.tokens_out, fact.tokens_cached, fact.duration_ms, {cost}
    FROM numbered CROSS JOIN jsonb_to_recordset(%(facts)s::jsonb) AS fact(
        place int, kind text, key text, agent text, payload jsonb, tokens_in int, tokens_out int,
        tokens_cached int, duration_ms int) {joined}
) {entered}
SELECT thread_id, base, {unknown} FROM numbered
"""
_ORIGIN = "SELECT customer_id, base FROM numbered"
_KEPT = """
    INSERT INTO chat_promptpart (conversation_id, digest, content)
    SELECT CASE WHEN NOT shared THEN %(conversation)s::uuid END, digest, content
    FROM numbered CROSS JOIN jsonb_to_recordset(%(parts)s::jsonb) AS part(digest text, shared boolean, content jsonb)
    ON CONFLICT DO NOTHING
"""
# What stands in it where a call of a model is told of: it is charged, and entered into the ledger.
_CALLS = {
    "priced": f"priced AS MATERIALIZED ({ledger.PRICED}),",
    "charged": ", cost_micros = cost_micros + COALESCE((SELECT sum(cost) FROM priced), 0)",
    "cost": "priced.cost",
    "joined": "LEFT JOIN priced ON priced.place = fact.place",
    "entered": f", origin AS ({_ORIGIN}), entered AS ({ledger.ENTERED}), totalled AS ({ledger.TOTALLED}), "
    f"kept AS ({_KEPT})",
    "unknown": f"({ledger.UNKNOWN})",
}
_NO_CALL = dict.fromkeys(_CALLS, "") | {"cost": "NULL::bigint", "unknown": "NULL::jsonb"}
_EPOCH = {
    "free": "",
    "fenced": "AND epoch = (SELECT epoch FROM held)",
    "completing": "AND EXISTS (SELECT 1 FROM held)",  # who takes over ends the turn, so its status says it all
}
_STATEMENTS = {
    (name, calls): _INSERT.format(held=held, epoch=_EPOCH[name], **(_CALLS if calls else _NO_CALL))
    for name, held in _HELD.items()
    for calls in (False, True)
}
_COLUMNS = ("kind", "payload", "key", "agent", "tokens_in", "tokens_out", "tokens_cached", "duration_ms")
_ANSWERED = frozenset({"replied", "question_asked", "staff_wrote", "conversation_resolved"})
_WRITTEN = frozenset({"message_received", "staff_wrote"})
"""What people write: from then on the customer may be asked again what they thought."""


def insert(
    conversation_id: UUID,
    facts: Sequence[Fact],
    *,
    turn_id: UUID | None,
    fence: int | None = None,
    completes: bool = False,
    live_agent: str | None = None,
) -> Batch:
    """Write `facts` in order and return them as a batch to publish after commit. Raises StaleTurn on an old fence.

    `completes`: the same statement ends the turn that is held with `fence` as completed; or nothing happens at all.
    `live_agent`: who goes on with the conversation from now on; None leaves that as it is.
    """
    now = timezone.now()
    told = [fact for fact in facts if fact.kind]
    clean = [storable({name: getattr(fact, name) for name in _COLUMNS}) for fact in told]
    escalation = next((fact for fact in clean if fact["kind"] == "handoff_requested"), None)
    if escalation:
        escalation["payload"] = handoff.completed(conversation_id, escalation["payload"], now)
    lines = [fact["payload"][LAST_LINE[fact["kind"]]] for fact in clean if fact["kind"] in LAST_LINE]
    parameters = {
        "conversation": conversation_id,
        "turn": turn_id,
        "fence": fence,
        "count": len(clean),
        "now": now,
        "line": shorten(lines[-1], 200) if lines else None,
        "live": live_agent,
        "waits": _waits(clean),
        "written": any(fact["kind"] in _WRITTEN for fact in clean),
        "facts": json.dumps([{"place": place, **fact} for place, fact in enumerate(clean, start=1)]),
    }
    if calls := _calls(facts):
        parameters |= {
            "calls": ledger.parameter(calls),
            "shard": ledger.shard(conversation_id),
            "parts": _parts(facts),
        }
    held = "free" if fence is None else "completing" if completes else "fenced"
    statement = _STATEMENTS[held, bool(calls)]
    with transaction.atomic() if escalation else nullcontext(), prepared() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
        if row is None:
            raise StaleTurn(f"Turn {turn_id} is no longer held with fence {fence}.")
        if escalation:
            handoff.escalated(conversation_id, escalation["payload"], agent=escalation["agent"], now=now)
    thread_id, base, unknown = row
    ledger.tell_unknown(unknown)
    if observing.anybody():
        told_of = {"facts": tuple(facts), "turn_id": turn_id, "conversation_id": conversation_id}
        transaction.on_commit(lambda: observing.tell("facts", **told_of))
    return Batch(conversation_id, base + 1, base + len(clean), _frames(thread_id, base, clean, turn_id, now))


def _calls(facts: Sequence[Fact]) -> list[tuple[int | None, Call]]:
    """The calls of models that the facts tell of, with the places of their events."""
    places = itertools.count(1)
    placed = [(next(places) if fact.kind else None, fact.call) for fact in facts]
    return [(place, call) for place, call in placed if call]


def _parts(facts: Sequence[Fact]) -> str:
    """The pieces of the prompts that the facts tell of, as JSON. In the same order for everybody: two that store the
    same ones at once wait for each other, and never both."""
    parts = sorted({part.digest: part for fact in facts for part in fact.parts}.values())
    rows = (
        f'{{"digest":"{part.digest}","shared":{"true" if part.shared else "false"},"content":{part.content}}}'
        for part in parts
    )
    return f"[{','.join(rows)}]"


def _waits(facts: Sequence[dict[str, Any]]) -> bool | None:
    """Whether the customer waits for an answer after these facts; None: they change nothing about that."""
    waits = None
    for fact in facts:
        if fact["kind"] == "message_received":
            waits = True
        elif fact["kind"] in _ANSWERED:
            waits = False
    return waits


def _frames(
    thread_id: str, base: int, facts: Sequence[dict[str, Any]], turn_id: UUID | None, now: datetime
) -> list[Frame]:
    shown = (
        Shown(thread_id, base + place, fact["kind"], turn_id, fact["agent"], fact["payload"], now)
        for place, fact in enumerate(facts, start=1)
    )
    return [frame for event in shown for frame in of_event(event)]


def append(conversation_id: UUID, facts: Sequence[Fact], *, turn_id: UUID | None = None) -> Batch:
    """Write `facts` and tell the sockets once the surrounding transaction has committed. Synchronous."""
    batch = insert(conversation_id, facts, turn_id=turn_id)
    transaction.on_commit(lambda: async_to_sync(publish)(batch))
    return batch


_EACH = """
WITH chosen AS ({chosen}), numbered AS (
    UPDATE chat_conversation c SET last_seq = c.last_seq + 1, {changes}
    FROM chosen WHERE c.id = chosen.id RETURNING c.id, c.thread_id, c.last_seq
), added AS (
    INSERT INTO chat_event (conversation_id, created_at, version, seq, kind, key, agent, payload)
    SELECT id, %(now)s, 1, last_seq, %(kind)s, '', '', %(payload)s::jsonb FROM numbered
)
SELECT id, thread_id, last_seq FROM numbered
"""


def append_each(fact: Fact, *, chosen: str, changes: str, parameters: dict[str, Any]) -> list[Batch]:
    """Write one fact into each of many conversations, in one statement, and tell the sockets once it is committed.

    `chosen` is a SELECT of their ids that locks their rows, `changes` what else becomes of these rows, both written in
    our code; `parameters` are theirs. It is no activity of the conversations.
    """
    now = timezone.now()
    clean = storable({"kind": fact.kind, "payload": fact.payload})
    values = {**parameters, "now": now, "kind": clean["kind"], "payload": json.dumps(clean["payload"])}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_EACH.format(chosen=chosen, changes=changes), values)
        batches = [
            Batch(conversation_id, seq, seq, _frames(thread_id, seq - 1, [{**clean, "agent": ""}], None, now))
            for conversation_id, thread_id, seq in cursor.fetchall()
        ]
        if batches:
            transaction.on_commit(lambda: async_to_sync(_publish_all)(batches))
    return batches


async def _publish_all(batches: Sequence[Batch]) -> None:
    await asyncio.gather(*(publish(batch) for batch in batches))


def group_of(conversation_id: UUID) -> str:
    return f"conversation.{conversation_id.hex}"


async def publish(batch: Batch) -> None:
    """Tell every open socket of the conversation. Losing this is harmless, so a broker that is away or silent, and a
    number that its messages cannot hold, fail nobody: sockets notice a gap and read the log."""
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await get_channel_layer().group_send(group_of(batch.conversation_id), batch.message())
    except (RedisError, OSError, OverflowError) as error:
        log.warning("events_not_announced", first=batch.first, last=batch.last, error=str(error))


_AFTER = """
SELECT seq, kind, turn_id, agent, payload, created_at FROM chat_event
WHERE conversation_id = %(conversation)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s
"""


def frames_after(
    conversation_id: UUID, thread_id: str, after: int, *, limit: int = 500
) -> tuple[list[Frame], int]:
    """Frames of at most `limit` events after number `after`, and the last number read (`after` if there is none)."""
    frames: list[Frame] = []
    last = after
    with prepared() as cursor:
        cursor.execute(_AFTER, {"conversation": conversation_id, "after": after, "limit": limit})
        for (
            last,
            kind,
            turn_id,
            agent,
            payload,
            created_at,
        ) in cursor:  # one text at a time: they may be large
            frames += of_event(Shown(thread_id, last, kind, turn_id, agent, json.loads(payload), created_at))
    return frames, last


def frames_repeated(conversation_id: UUID, thread_id: str, seq: int) -> list[Frame]:
    """What somebody who has seen event `seq` may still miss of it: its frames after the first. A connection can break
    between two frames that tell one event."""
    row = Event.objects.filter(conversation_id=conversation_id, seq=seq, kind__in=TOLD_TWICE).first()
    if row is None:
        return []
    shown = Shown(thread_id, row.seq, row.kind, row.turn_id, row.agent, row.payload, row.created_at)
    return of_event(shown)[1:]


def behind(told: dict[UUID, int]) -> dict[UUID, int]:
    """The newest number of those of the conversations {id: last number told} that have newer events."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id, c.last_seq FROM chat_conversation c JOIN unnest(%s::uuid[], %s::bigint[]) AS told(id, seq) "
            "ON told.id = c.id WHERE c.last_seq > told.seq",
            [list(told), list(told.values())],
        )
        return dict(cursor.fetchall())
