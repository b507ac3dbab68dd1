"""Full-text search over what was said, and for who said it.

Words are compared as they stand, without their endings, in every language (Postgres' `simple`); the last one may be
unfinished. What was said is found by the index `event_words`, customers by `customer_words`, threads and references by
their own keys. Every search is bounded in time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from chat import handoff
from chat.models import Conversation
from smartsupport.lib.ids import is_thread_id
from smartsupport.lib.text import storable

LONGEST = 200
HITS_A_PAGE = 40
CONVERSATIONS = 10
SECONDS = 1.5
NEWEST = 8_000
"""Events that are looked through one by one before the index is asked. A word that many lines have is found among them
at once, where the index would have to read every line that has it to know which are the newest."""
ENOUGH = 5
"""Lines among those from which on a word counts as one that many have."""
_BEGIN, _END = "\x02", "\x03"
# As in the migrations that made the indexes: Postgres uses one only for the very same expression.
_SAID = "left(coalesce(payload ->> 'content', payload ->> 'message', ''), 20000)"
_CUSTOMER = (
    "to_tsvector('simple', name || ' ' || replace(email, '@', ' ') || ' ' || email || ' ' || "
    "coalesce(subject, ''))"
)
# What was typed, as people write in a search box ("a phrase", or, -without), the last word as a beginning.
_QUERY = """(
    SELECT CASE WHEN %(open)s AND written::text LIKE '%%''' THEN (written::text || ':*')::tsquery ELSE written END
    FROM websearch_to_tsquery('simple', %(text)s) AS written)"""
_LINES = f"""
    SELECT id, conversation_id, seq, kind, agent, created_at, {_SAID} AS said FROM chat_event
    WHERE kind IN ('message_received', 'replied', 'question_asked', 'staff_wrote', 'note_written')"""  # noqa: S608
_FLOOR = f"(SELECT coalesce(max(id), 0) - {NEWEST} FROM chat_event WHERE id < %(before)s)"  # noqa: S608
_SHOWN = f"""
SELECT id, conversation_id, seq, kind, agent, created_at, {_FLOOR} AS floor, ts_headline('simple', said, {_QUERY},
    'StartSel={_BEGIN}, StopSel={_END}, MaxWords=30, MinWords=15, ShortWord=0')
FROM found ORDER BY id DESC"""  # noqa: S608
_AMONG_NEWEST = f"""
WITH newest AS MATERIALIZED ({_LINES}
      AND id < %(before)s AND id >= {_FLOOR}
    ORDER BY id DESC
), found AS MATERIALIZED (
    SELECT * FROM newest WHERE to_tsvector('simple', said) @@ {_QUERY} LIMIT {HITS_A_PAGE + 1}
){_SHOWN}"""  # noqa: S608
_BY_INDEX = f"""
WITH fitting AS MATERIALIZED ({_LINES}
      AND to_tsvector('simple', {_SAID}) @@ {_QUERY}
), found AS MATERIALIZED (
    SELECT * FROM fitting WHERE id < %(before)s ORDER BY id DESC LIMIT {HITS_A_PAGE + 1}
){_SHOWN}"""  # noqa: S608
_NAMED = f"""
SELECT id FROM chat_conversation WHERE id IN (
    SELECT conversation.id FROM chat_conversation conversation
    JOIN (SELECT id FROM chat_customer WHERE {_CUSTOMER} @@ {_QUERY} LIMIT 200) who ON who.id = conversation.customer_id
    UNION (SELECT id FROM chat_conversation WHERE thread_id LIKE %(thread)s LIMIT 50)
) ORDER BY last_activity_at DESC LIMIT {CONVERSATIONS}"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that fits: `html` is its part with the words marked, everything else escaped."""

    conversation: Conversation
    seq: int
    kind: str
    agent: str
    at: datetime
    html: SafeString


@dataclass(frozen=True, slots=True)
class Found:
    """`conversations`: those whose customer, thread or reference fits. `hits`: lines, newest first; `older`: ask with
    this for those before them, None where there are none. `fault`: what to do where nothing could be looked for."""

    conversations: tuple[Conversation, ...] = ()
    hits: tuple[Hit, ...] = ()
    older: int | None = None
    fault: str = ""


class TooLong(Exception):
    """A statement was ended because it took too long."""


def search(typed: str, *, before: int | None = None) -> Found:
    """Look for `typed`, no statement for longer than SECONDS. Five statements. Never raises for what was typed."""
    text = storable(typed).strip()[:LONGEST]
    if not any(letter.isalnum() for letter in text):
        return Found(fault="Write a word, a name, a thread id or a reference (T-...).")
    try:
        with bounded(SECONDS):
            return _found(text, before)
    except TooLong:
        return Found(fault="This search takes too long. Add a word, or write the last one out.")


# What was set comes first: the list is worked off from left to right.
_BOUND = """
SELECT current_setting('statement_timeout'), current_setting('max_parallel_workers_per_gather'),
       set_config('statement_timeout', %s, true), set_config('max_parallel_workers_per_gather', %s, true)
"""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """A transaction in which Postgres ends what takes longer. Raises TooLong, and what was done in it is undone.

    Nothing in it runs in parallel: starting workers takes longer than reading the few rows of a page, and a busy
    machine has none to spare.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_BOUND, [str(int(seconds * 1000)), "0"])
            timeout, workers, *_ = cursor.fetchone() or ("0", "0")
            yield
            if connection.savepoint_ids:  # what is set is set for the whole of a transaction around this
                cursor.execute(_BOUND, [timeout, workers])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "57014":  # query_canceled
            raise
        raise TooLong from error


def _found(text: str, before: int | None) -> Found:
    ends_open = len(text) > 1 and text[-2:].isalnum()
    asked = {"text": text, "open": ends_open, "before": before or 2**62}
    lines, older = _lines(asked)
    named = [] if before else _named(text, asked)
    wanted = {*named, *(line[1] for line in lines)}
    known = Conversation.objects.select_related("customer").in_bulk(wanted)
    hits = (
        Hit(known[pk], seq, kind, agent, at, marked(head)) for _, pk, seq, kind, agent, at, _, head in lines
    )
    return Found(tuple(known[pk] for pk in named), tuple(hits), older)


def _lines(asked: dict[str, Any]) -> tuple[list[tuple[Any, ...]], int | None]:
    """Lines that fit, newest first, and the number before which to go on."""
    with connection.cursor() as cursor:
        cursor.execute(_AMONG_NEWEST, asked)
        lines = cursor.fetchall()
        if ENOUGH <= len(lines) <= HITS_A_PAGE:
            floor = lines[0][6]
            return lines, floor if floor > 1 else None
        if len(lines) < ENOUGH:
            cursor.execute(_BY_INDEX, asked)
            lines = cursor.fetchall()
    return lines[:HITS_A_PAGE], lines[HITS_A_PAGE - 1][0] if len(lines) > HITS_A_PAGE else None


def _named(text: str, asked: dict[str, Any]) -> list[UUID]:
    """The conversations whose customer fits, or that a thread id or a reference names; newest first."""
    if (reference := handoff.with_ticket(text)) is not None:
        rows = Conversation.objects.filter(reference).order_by("-last_activity_at")
        return list(rows.values_list("pk", flat=True)[:CONVERSATIONS])
    thread = text.replace("_", r"\_") + "%" if is_thread_id(text) else ""
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, {**asked, "thread": thread})
        return [pk for (pk,) in cursor.fetchall()]


def marked(head: str) -> SafeString:
    """A headline of Postgres as markup: only the marks are ours."""
    safe = str(escape(head)).replace(_BEGIN, "<mark>").replace(_END, "</mark>")
    return mark_safe(safe)  # noqa: S308 - escaped above
