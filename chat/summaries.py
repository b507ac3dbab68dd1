"""The older part of a long conversation becomes a summary: an event of its own, made once, in the background.

Nothing waits for it: while there is none, a turn is told the newest part alone. Losing the task is harmless, because
the next turn asks for it again. What was said stays in the log; only what a model is told gets shorter.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from celery import current_app, shared_task
from django.conf import settings
from django.db import connection, transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from agents import summarising, tokens, unanswered
from agents.facts import Fact, summarised
from agents.providers import as_outage, chat_model, close_models
from agents.spending import ledger, limits
from agents.spending.models import ModelCall
from agents.spending.usage import Call
from chat import events, history
from chat.history import Line
from chat.models import Conversation, Event, Turn, TurnStatus

log = structlog.get_logger(__name__)

# Shares of the history's budget, in percent: what stays told whole, and the parts of a summary, which are together
# `history.SUMMARY_PERCENT`.
KEPT_PERCENT, LEAST_PERCENT = 20, 10
TEXT_PERCENT, OUTCOMES_PERCENT, IDS_PERCENT = 14, 10, 5
INPUT_TOKENS = 20_000
ROWS_AT_ONCE = 1_000
IN_ONE_GO = 10
KICK_SECONDS = 3
LOCK = 0x5355  # names our advisory locks among others'
UNFINISHED = [TurnStatus.QUEUED, TurnStatus.RUNNING, TurnStatus.WAITING]
_ID = re.compile(r"(?<![\w.])#?(?=[\w-]*\d{2})[A-Za-z]{0,8}[-_]?\d[\w-]{1,40}(?![\w.]*@)")


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def summarise_conversation(conversation_id: str) -> None:
    """Summarise until what is told whole is short enough again."""
    for _ in range(IN_ONE_GO):
        if not make(UUID(conversation_id)):
            return


def kick(conversation_id: UUID) -> None:
    """Ask the jobs for a summary. A broker that is away or silent fails nobody: the next turn asks again."""
    options = {"socket_timeout": KICK_SECONDS, "socket_connect_timeout": KICK_SECONDS, "max_retries": 1}
    try:
        with current_app.connection_for_write(
            connect_timeout=KICK_SECONDS, transport_options=options
        ) as broker:
            summarise_conversation.apply_async([str(conversation_id)], connection=broker, retry=False)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("summary_not_asked_for", error=str(error))


def make(conversation_id: UUID) -> bool:
    """Summarise the older part of what is still told whole, if that is too much. Returns whether an event was written.

    A model that cannot be reached leaves everything as it is, and so does a budget of the deployment that is used up.
    """
    with _alone(conversation_id) as alone:
        if not alone:
            return False
        last = _newest(conversation_id)
        after = last["through_seq"] if last else 0
        lines = _older(conversation_id, after)
        if not lines:
            return False
        try:
            limits.check(None)
        except limits.UsageLimitReached as refusal:
            log.warning("summary_postponed", kind=refusal.code, **refusal.extra)
            return False
        limit = history.share(TEXT_PERCENT)
        earlier = last["text"] if last else ""
        try:
            with unanswered.told(ModelCall.Purpose.SUMMARY):
                notes = asyncio.run(_ask([line.said for line in lines], earlier, limit))
        except Exception as error:
            outage = as_outage(error)
            if outage is None:
                raise
            log.warning("summary_postponed", kind=outage.kind, detail=outage.detail)
            return False
        payload = {
            **_remembered(last, lines),
            "text": notes.text,
            "language": notes.language,
            "by": notes.by,
            "after_seq": after,
            "through_seq": max(line.last for line in lines),
        }
        call = Call(
            ModelCall.Purpose.SUMMARY,
            settings.LLM_PROVIDER,
            notes.model,
            notes.usage,
            duration_ms=notes.duration_ms,
        )
        written = _record(conversation_id, summarised(payload, call))
        if not written:
            ledger.record(call, conversation_id=conversation_id)  # paid for all the same
        return written


async def _ask(said: Sequence[Any], earlier: str, limit: int) -> summarising.Notes:
    try:
        return await summarising.summarise(chat_model(), earlier=earlier, said=said, limit=limit)
    finally:
        await close_models()


@contextmanager
def _alone(conversation_id: UUID) -> Iterator[bool]:
    """Whether nobody else summarises this conversation at the moment. The lock goes with the process that holds it."""
    name = [LOCK, conversation_id.int % 2**31]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", name)
        [alone] = cursor.fetchone() or (False,)
    try:
        yield bool(alone)
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", name)


def _newest(conversation_id: UUID) -> dict[str, Any] | None:
    """The newest summary."""
    made = Event.objects.filter(conversation_id=conversation_id, kind=history.SUMMARY)
    return made.order_by("-seq").values_list("payload", flat=True).first()


def _older(conversation_id: UUID, after: int) -> list[Line]:
    """What the next summary is to cover: nothing, or the lines from event `after` to a place where the conversation can
    be cut in two."""
    end = _settled_before(conversation_id)
    lines = history.lines_after(conversation_id, after, end, limit=ROWS_AT_ONCE)
    if sum(line.tokens for line in lines) <= history.share(history.SUMMARISE_ABOVE_PERCENT):
        return []
    return lines[: _cut(lines)]


def _settled_before(conversation_id: UUID) -> int:
    """The first event that may not be summarised yet: of a turn that is not finished, or can be tried again."""
    in_order = Turn.objects.filter(conversation_id=conversation_id).order_by("message_seq")
    first = in_order.filter(status__in=UNFINISHED).values_list("message_seq", flat=True).first()
    newest = in_order.last()
    retriable = newest.message_seq if newest and newest.status == TurnStatus.FAILED else None
    return min([seq for seq in (first, retriable) if seq is not None], default=2**62)


def _cut(lines: Sequence[Line]) -> int:
    """How many lines to summarise. The rest begins with somebody's message, and no event of it is older than what is
    summarised; it is as much as is to stay whole, or as little more as possible. 0: there is no such place."""
    kept = [0] * (len(lines) + 1)  # tokens from here to the end
    first = [2**62] * (len(lines) + 1)  # the oldest event from here to the end
    for place in range(len(lines) - 1, -1, -1):
        kept[place] = kept[place + 1] + lines[place].tokens
        first[place] = min(first[place + 1], lines[place].first)
    best, last = 0, 0
    for place in range(1, len(lines)):
        last = max(last, lines[place - 1].last)
        begins = lines[place].said.role in ("customer", "staff")
        spent = kept[0] - kept[place]
        if not begins or last >= first[place] or spent < history.share(LEAST_PERCENT):
            continue
        if best and spent > INPUT_TOKENS:
            break
        best = place
        if kept[place] <= history.share(KEPT_PERCENT):
            break
    return best


def _remembered(last: dict[str, Any] | None, lines: Sequence[Line]) -> dict[str, Any]:
    """What no model may forget: outcomes and ids, the newest where there is not room for all."""
    outcomes = [*(last["outcomes"] if last else ()), *(line.said.text for line in lines if line.outcome)]
    said = [line.said.text for line in lines if line.said.role in ("customer", "staff")]
    found = [match.group().lstrip("#") for text in said for match in _ID.finditer(text)]
    ids = list(dict.fromkeys(reversed([*(last["ids"] if last else ()), *found])))[::-1]
    kept = _newest_within(history.share(OUTCOMES_PERCENT), outcomes)
    left_out = (last["outcomes_left_out"] if last else 0) + len(outcomes) - len(kept)
    return {
        "outcomes": kept,
        "outcomes_left_out": left_out,
        "ids": _newest_within(history.share(IDS_PERCENT), ids),
    }


def _newest_within(room: int, texts: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for text in reversed(texts):
        room -= tokens.estimated(text) + 1
        if room < 0:
            break
        kept.append(text)
    return kept[::-1]


def _record(conversation_id: UUID, fact: Fact) -> bool:
    """Write the summary if it still follows the newest one and everything in it is settled. It counts as no activity of
    the conversation: nobody has said anything."""
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
        last = _newest(conversation_id)
        stands = (last["through_seq"] if last else 0) == fact.payload["after_seq"]
        if not stands or _settled_before(conversation_id) <= fact.payload["through_seq"]:
            return False
        events.append(conversation_id, [fact])
        Conversation.objects.filter(pk=conversation_id).update(last_activity_at=conversation.last_activity_at)
    log.info(
        "conversation_summarised",
        conversation_id=str(conversation_id),
        through_seq=fact.payload["through_seq"],
        by=fact.payload["by"],
    )
    return True
