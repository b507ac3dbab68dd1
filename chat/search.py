"""The console's search over what was said, and for who said it: lines and conversations. Bounded in time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from chat.models import Conversation
from chat.search_words import CUSTOMER, LINES, QUERY, SAID, SECONDS, OnlyLeftOut, Wanted
from smartsupport.lib.bounded import TooLong, bounded

HITS_A_PAGE = 40
CONVERSATIONS = 10
NEWEST = 8_000
"""Events that are looked through one by one before the index is asked. A word that many lines have is found among them
at once, where the index would have to read every line that has it to know which are the newest."""
ENOUGH = 5
"""Lines among those from which on a word counts as one that many have."""
_BEGIN, _END = "\x02", "\x03"
_FLOOR = f"(SELECT coalesce(max(id), 0) - {NEWEST} FROM chat_event WHERE id < %(before)s)"  # noqa: S608
_SHOWN = f"""
SELECT id, conversation_id, seq, kind, agent, created_at, {_FLOOR} AS floor, ts_headline('simple', said, {QUERY},
    'StartSel={_BEGIN}, StopSel={_END}, MaxWords=30, MinWords=15, ShortWord=0')
FROM found ORDER BY id DESC"""  # noqa: S608
_AMONG_NEWEST = f"""
WITH newest AS MATERIALIZED ({LINES}
      AND id < %(before)s AND id >= {_FLOOR}
    ORDER BY id DESC
), found AS MATERIALIZED (
    SELECT * FROM newest WHERE to_tsvector('simple', said) @@ {QUERY} LIMIT {HITS_A_PAGE + 1}
){_SHOWN}"""  # noqa: S608
_BY_INDEX = f"""
WITH fitting AS MATERIALIZED ({LINES}
      AND to_tsvector('simple', {SAID}) @@ {QUERY}
), found AS MATERIALIZED (
    SELECT * FROM fitting WHERE id < %(before)s ORDER BY id DESC LIMIT {HITS_A_PAGE + 1}
){_SHOWN}"""  # noqa: S608
_NAMED = f"""
SELECT id FROM chat_conversation WHERE id IN (
    SELECT conversation.id FROM chat_conversation conversation
    JOIN (SELECT id FROM chat_customer WHERE {CUSTOMER} @@ {QUERY} LIMIT 200) who ON who.id = conversation.customer_id
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


def search(typed: str, *, before: int | None = None) -> Found:
    """Look for `typed`, no statement for longer than SECONDS. Five statements, two more where it has a hyphen. Never
    raises for what was typed."""
    wanted = Wanted.of(typed)
    if wanted is None:
        return Found(fault="Write a word, a name, a thread id or a reference (T-...).")
    try:
        with bounded(SECONDS):
            if wanted.only_a_thread():
                return Found(_of_threads(wanted.text))
            return _found(wanted, before)
    except OnlyLeftOut as refused:
        return Found(fault=refused.message)
    except TooLong:
        return Found(fault="This search takes too long. Add a word, or write the last one out.")


def _found(wanted: Wanted, before: int | None) -> Found:
    asked = {**wanted.asked, "before": before or 2**62}
    lines, older = _lines(asked)
    named = [] if before else _named(wanted, asked)
    shown = {*named, *(line[1] for line in lines)}
    known = Conversation.objects.select_related("customer").in_bulk(shown)
    hits = (
        Hit(known[pk], seq, kind, agent, at, marked(head)) for _, pk, seq, kind, agent, at, _, head in lines
    )
    return Found(tuple(known[pk] for pk in named), tuple(hits), older)


def _of_threads(beginning: str) -> tuple[Conversation, ...]:
    rows = Conversation.objects.select_related("customer").filter(thread_id__startswith=beginning)
    return tuple(rows.order_by("-last_activity_at")[:CONVERSATIONS])


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


def _named(wanted: Wanted, asked: dict[str, Any]) -> list[UUID]:
    """The conversations whose customer fits, or that a thread id or a reference names; newest first."""
    if wanted.reference is not None:
        rows = Conversation.objects.filter(wanted.reference).order_by("-last_activity_at")
        return list(rows.values_list("pk", flat=True)[:CONVERSATIONS])
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, asked)
        return [pk for (pk,) in cursor.fetchall()]


def marked(head: str) -> SafeString:
    """A headline of Postgres as markup: only the marks are ours."""
    safe = str(escape(head)).replace(_BEGIN, "<mark>").replace(_END, "</mark>")
    return mark_safe(safe)  # noqa: S308 - escaped above
