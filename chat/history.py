"""What a turn is told of the conversation before it: within a budget of tokens, however long the conversation is.

The newest part is told whole, in the order in which the agents met it; what came before is a summary, which
`chat.summaries` makes now and then. Between two summaries the history only grows at its end, so that the beginning of a
prompt is the same bytes from turn to turn, and providers can cache it. See docs/long-conversations.md.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Min

from agents import tokens
from agents.context import Said
from agents.facts import Fact
from chat import records
from chat.models import Event
from chat.submission import BETWEEN_MESSAGES
from smartsupport.lib.postgres import prepared

ROWS_MOST = 400
"""Events that are looked at for one prompt: more than its budget has room for."""
SPOKEN = {
    "message_received": ("customer", "content"),
    "replied": ("agent", "content"),
    "question_asked": ("agent", "message"),
    "staff_wrote": ("staff", "content"),
}
SUMMARY = "summarised"
# Shares of the budget, in percent. A summary and what is told whole must have room together until the next summary.
SUMMARY_PERCENT, LINE_PERCENT, SUMMARISE_ABOVE_PERCENT = 30, 35, 45
CUT_OFF = " …"


# What a model is told of, and summaries. A message that waited in the queue was read when its turn began, not
# when it came: `place` is where the agents met it.
_TOLD = """
    SELECT seq, kind, payload, turn_id, CASE WHEN kind = 'message_received' AND turn_id IS NOT NULL THEN (
        SELECT seq FROM chat_event begun WHERE begun.turn_id = event.turn_id AND begun.kind <> 'message_received'
        ORDER BY seq LIMIT 1) ELSE seq END AS place
    FROM chat_event event
    WHERE conversation_id = %(conversation)s AND (
        kind = ANY(%(kinds)s) OR (kind = ANY(%(of_actions)s) AND payload ? 'action_id')) AND {wanted}
    LIMIT %(most)s
"""
_BEFORE = _TOLD.format(
    wanted="""(turn_id IS NULL OR (SELECT message_seq FROM chat_turn WHERE id = event.turn_id) < %(seq)s)
    ORDER BY seq DESC"""
)
_BETWEEN = _TOLD.format(wanted="seq > %(after)s AND seq < %(end)s ORDER BY seq")
_KINDS = {
    "kinds": [*SPOKEN, *records.OTHERS, "turn_retried", SUMMARY],
    "of_actions": list(records.OF_ACTIONS),
}


class Row(NamedTuple):
    """What is read of an event. `place` is None while nobody has begun to answer it."""

    seq: int
    kind: str
    payload: dict[str, Any]
    turn_id: UUID | None
    place: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was said or done: the first and last of its events, and whether it is an outcome to remember."""

    first: int
    last: int
    said: Said
    outcome: bool = False

    @property
    def tokens(self) -> int:
        return tokens.of_message(self.said.text)


@dataclass(frozen=True, slots=True)
class History:
    """What a turn is told, oldest first; and whether so much of it is told whole that it should be summarised."""

    said: tuple[Said, ...]
    overdue: bool


def share(percent: int) -> int:
    """So many percent of the budget, in tokens."""
    return int(settings.PROMPT_HISTORY_TOKENS) * percent // 100


def before(conversation_id: UUID, seq: int) -> tuple[Said, ...]:
    """What was said and done before the turn whose first message is event `seq`, oldest first."""
    return read(conversation_id, seq).said


def read(conversation_id: UUID, seq: int) -> History:
    """The history of the turn whose first message is event `seq`. Two queries at most, over an index.

    What became of earlier messages belongs to it though it may have been recorded after this message came in; messages
    that are queued behind this one, and what came of them, do not.
    """
    newest = _told(_BEFORE, conversation_id, seq=seq, most=ROWS_MOST)
    summary = next((row.payload for row in newest if _covers_before(row, seq)), None)
    if summary is None and len(newest) == ROWS_MOST:
        made = Event.objects.filter(conversation_id=conversation_id, kind=SUMMARY)
        covering = made.filter(payload__through_seq__lt=seq).order_by("-seq")
        summary = covering.values_list("payload", flat=True).first()
    through = summary["through_seq"] if summary else 0
    lines = lines_of(row for row in reversed(newest) if row.seq > through)
    told = [Said("summary", summary_text(summary))] if summary else []
    room = share(100) - sum(tokens.of_message(said.text) for said in told)
    overdue = sum(line.tokens for line in lines) > share(SUMMARISE_ABOVE_PERCENT)
    return History((*told, *_newest_within(room, lines)), overdue)


def _covers_before(row: Row, seq: int) -> bool:
    return row.kind == SUMMARY and bool(row.payload["through_seq"] < seq)


def _newest_within(room: int, lines: Sequence[Line]) -> list[Said]:
    """The newest lines that fit; the newest of all in any case."""
    kept: list[Said] = []
    for line in reversed(lines):
        room -= line.tokens
        if room < 0 and kept:
            break
        kept.append(line.said)
    return kept[::-1]


def lines_after(conversation_id: UUID, after: int, end: int, *, limit: int) -> list[Line]:
    """Everything said and done between two events, oldest first; at most `limit` events are read."""
    return lines_of(_told(_BETWEEN, conversation_id, after=after, end=end, most=limit))


def _told(statement: str, conversation_id: UUID, **parameters: int) -> list[Row]:
    with prepared() as cursor:
        cursor.execute(statement, {"conversation": conversation_id, **_KINDS, **parameters})
        return [
            Row(seq, kind, json.loads(payload), turn_id, place)
            for seq, kind, payload, turn_id, place in cursor.fetchall()
        ]


def lines_of(rows: Iterable[Row]) -> list[Line]:
    """Events (in order of `seq`) as lines, in the order in which the agents met them."""
    known = list(rows)
    arguments = _arguments(known)
    answered = {row.payload["action_id"] for row in known if row.kind == "tool_returned"}
    retried = {row.turn_id: row.seq for row in known if row.kind == "turn_retried"}
    lines: list[Line] = []
    joins: UUID | None = None  # the turn whose messages came last
    for row in sorted(known, key=lambda row: (_place(row), row.seq)):
        if row.kind in (SUMMARY, "turn_retried"):
            continue
        if _is_replaced(row, retried) or (row.kind == "tool_called" and _action_id(row) in answered):
            continue  # it was said again, or is told with its outcome
        line = _line(row, arguments.get(_action_id(row)))
        if row.kind == "message_received" and row.turn_id and row.turn_id == joins:
            lines[-1] = _joined(lines[-1], line)
        else:
            lines.append(line)
        joins = row.turn_id if row.kind == "message_received" else None
    return [replace(line, said=_cut(line.said)) for line in lines]


def _place(row: Row) -> int:
    """Where it stands; behind everything else what nobody has begun to answer."""
    return 2**63 if row.place is None else row.place


def _is_replaced(row: Row, retried: dict[UUID | None, int]) -> bool:
    """Half an answer, or a failure, of a turn that was tried again afterwards."""
    broken = row.kind == "turn_failed" or bool(row.payload.get("cut"))
    return broken and row.seq < retried.get(row.turn_id, 0)


def _action_id(row: Row) -> str:
    return str(row.payload.get("action_id") or row.payload.get("interrupt_id") or "")


def _arguments(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """The newest arguments of each action, by its id."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        arguments = row.payload.get("args") if row.kind == "tool_called" else row.payload.get("params")
        if isinstance(arguments, dict) and _action_id(row):
            found[_action_id(row)] = arguments
    return found


def _line(row: Row, arguments: dict[str, Any] | None) -> Line:
    if row.kind not in SPOKEN:
        text = records.sentence(row.kind, row.payload, arguments)
        return Line(row.seq, row.seq, Said("record", text), records.is_outcome(row.kind, row.payload))
    role, field = SPOKEN[row.kind]
    return Line(
        row.seq, row.seq, Said(role, row.payload[field] + (CUT_OFF if row.payload.get("cut") else ""))
    )


def _joined(one: Line, other: Line) -> Line:
    """Messages that one turn answers: as that turn was given them."""
    text = one.said.text + BETWEEN_MESSAGES + other.said.text
    return Line(min(one.first, other.first), max(one.last, other.last), Said(one.said.role, text))


def _cut(said: Said) -> Said:
    """What is too long for a history has its beginning and its end in it, the same ones in every turn."""
    return Said(said.role, tokens.cut_to(said.text, share(LINE_PERCENT)))


def summary_text(payload: dict[str, Any]) -> str:
    """A summary's event as the model is told it."""
    parts = [f"Summary of the conversation before this: {payload['text']}"]
    if payload["outcomes"]:
        left_out = payload["outcomes_left_out"]
        head = "What was really done" + (f" (the newest; {left_out} older ones left out)" if left_out else "")
        parts.append("\n- ".join([f"{head}:", *payload["outcomes"]]))
    if payload["ids"]:
        parts.append(f"Numbers and ids that were mentioned: {', '.join(payload['ids'])}")
    if payload["language"]:
        parts.append(f"The customer writes in: {payload['language']}")
    return "\n".join(parts)


def succeeded(conversation_id: UUID, tools: set[str]) -> set[str]:
    """Those of `tools` that have succeeded in the conversation. No query where none is asked about."""
    if not tools:
        return set()
    done = Event.objects.filter(
        conversation_id=conversation_id,
        kind="tool_returned",
        payload__ok=True,
        payload__tool__in=sorted(tools),
    )
    return set(done.values_list("payload__tool", flat=True))


def used(conversation_id: UUID, *, but: UUID) -> list[str]:
    """The tools that were called in the conversation, in the order of their first use, without those of turn `but`."""
    called = Event.objects.filter(conversation_id=conversation_id, kind="tool_called").exclude(turn_id=but)
    first = called.values("payload__tool").annotate(first=Min("seq")).order_by("first")
    return list(first.values_list("payload__tool", flat=True))


def recorded(turn_id: UUID) -> dict[str, Fact]:
    """What earlier attempts at this turn recorded, by key."""
    rows = Event.objects.filter(turn_id=turn_id).exclude(key="").only("kind", "payload", "key", "agent")
    return {row.key: Fact(row.kind, row.payload, key=row.key, agent=row.agent) for row in rows}
