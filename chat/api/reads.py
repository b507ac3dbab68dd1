"""The rows behind the conversation routes, each read in a constant number of queries."""

import time
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from agents.models import Action
from agents.policy import FIND_TOOLS
from chat.models import Conversation, Customer, Event, Tag, Turn, TurnStatus
from chat.search_filter import with_words
from chat.search_words import SECONDS
from smartsupport.lib.bounded import TooLong, bounded
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import between, one_page

UNFINISHED = [TurnStatus.QUEUED, TurnStatus.RUNNING, TurnStatus.WAITING]
FINISHED = [TurnStatus.COMPLETED, TurnStatus.FAILED, TurnStatus.STOPPED]
MAX_WAITING_REQUESTS = 64
_waiting = BoundedSemaphore(MAX_WAITING_REQUESTS)


COUNTED_WITHIN = 0.5


class SearchTooBroad(ServiceError):
    code, status = "search_too_broad", 400
    message = "This search takes too long. Add a word, write the last one out, or say since when."


class TurnNotFound(ServiceError):
    code, status, message = "not_found", 404, "Turn not found"


def conversations(query: dict[str, Any], *, of: UUID | None = None) -> QuerySet[Conversation]:
    """The conversations that the query string asks for, newest activity first; `of`: of this customer alone."""
    rows = Conversation.objects.select_related("customer").prefetch_related("tags")
    rows = rows.order_by("-last_activity_at", "-id").filter(
        **between("last_activity_at", query), **between("created_at", query, "created_since", "created_until")
    )
    if of is not None:
        rows = rows.filter(customer_id=of)
    if status := query.get("status"):
        rows = rows.filter(status=status)
    if agent := query.get("agent"):
        rows = rows.filter(live_agent=agent)
    # Looked up first: Postgres then knows how many rows to expect, and reads them by their own index.
    if customer := query.get("customer"):
        rows = rows.filter(customer_id__in=customer_ids(customer))
    if tag := query.get("tag"):
        rows = rows.filter(tags__in=list(Tag.objects.filter(name=tag.lower()).values_list("pk", flat=True)))
    if text := query.get("q", "").strip():
        rows = with_words(rows, text)
    return rows


def page_of_conversations(
    query: dict[str, Any], *, of: UUID | None = None
) -> tuple[list[Conversation], dict[str, Any]]:
    """A page of them. Where `q` makes counting them take long, their `total` is None. Raises InvalidCursor, and
    SearchTooBroad where finding them takes too long."""
    if not query.get("q", "").strip():
        return one_page(conversations(query, of=of), query)
    try:
        with bounded(SECONDS):
            return one_page(conversations(query, of=of), query, counted_within=COUNTED_WITHIN)
    except TooLong:
        raise SearchTooBroad() from None


def customer_ids(name: str) -> list[UUID]:
    """Whom the filter `customer` names: by our id, or by the company's own. Nobody: an empty list."""
    chosen = Q(subject=name)
    if known := parse_uuid(name):
        chosen |= Q(pk=known)
    return list(Customer.objects.filter(chosen).values_list("pk", flat=True))


def conversation(thread_id: str) -> Conversation:
    """Raises ThreadNotFound."""
    row = Conversation.objects.select_related("customer").filter(thread_id=thread_id).first()
    if row is None:
        raise ThreadNotFound()
    return row


def tags(thread_id: str, *, lock: bool = False) -> dict[str, Any]:
    """{"thread_id", "tags"}; `lock`: nobody else changes them before the transaction ends. Raises ThreadNotFound."""
    rows = Conversation.objects.filter(thread_id=thread_id)
    row = (rows.select_for_update(no_key=True) if lock else rows).first()
    if row is None:
        raise ThreadNotFound()
    return {"thread_id": thread_id, "tags": sorted(row.tags.values_list("name", flat=True))}


def events_after(row: Conversation, *, after: int, limit: int) -> tuple[list[Event], int | None]:
    """Up to `limit` events behind `after`, in order, and the `after` of the next page (None: no more)."""
    found = list(row.events.filter(seq__gt=after).order_by("seq")[: limit + 1])
    more = len(found) > limit
    return found[:limit], found[limit - 1].seq if more else None


@dataclass(frozen=True, slots=True)
class TurnReport:
    """A turn, what was done and answered in it, and what it waits for."""

    turn: Turn
    asked: list[dict[str, Any]]
    position: int
    replies: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    pending: list[Action]
    failure: dict[str, str] | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.turn, name)

    @property
    def finished(self) -> bool:
        return self.turn.status in FINISHED


def turn_report(*, thread_id: str, turn_id: UUID | None) -> TurnReport:
    """Six queries at most. Raises TurnNotFound."""
    rows = Turn.objects.select_related("conversation")
    turn = rows.filter(pk=turn_id, conversation__thread_id=thread_id).first() if turn_id else None
    if turn is None:
        raise TurnNotFound()
    kinds = ["message_received", "replied", "question_asked", "turn_failed", "turn_retried"]
    facts = list(Event.objects.filter(turn=turn, kind__in=kinds).order_by("seq"))
    ahead = Turn.objects.filter(
        conversation_id=turn.conversation_id, status__in=UNFINISHED, message_seq__lt=turn.message_seq
    )
    failures = [fact for fact in facts if fact.kind == "turn_failed"]
    if turn.status != TurnStatus.FAILED:  # it was tried again
        failures = []
    return TurnReport(
        turn=turn,
        asked=[_asked(fact) for fact in facts if fact.kind == "message_received"],
        position=ahead.count() if turn.status in UNFINISHED else 0,
        replies=[_reply(fact) for fact in facts if fact.kind in ("replied", "question_asked")],
        tools=_calls(turn),
        pending=list(Action.objects.awaiting().filter(turn=turn).order_by("created_at")),
        failure=_failure(failures[-1]) if failures else None,
    )


def _asked(fact: Event) -> dict[str, Any]:
    return {"seq": fact.seq, "client_message_id": fact.payload.get("client_message_id")}


def _reply(fact: Event) -> dict[str, Any]:
    answered = fact.kind == "replied"
    return {
        "seq": fact.seq,
        "agent": fact.agent,
        "kind": "agent_response" if answered else "clarification",
        "content": str(fact.payload.get("content" if answered else "message", "")),
    }


def _calls(turn: Turn) -> list[dict[str, Any]]:
    """The calls of tools, in order, without what they brought, which may be long."""
    wanted = ("kind", "seq", "agent", "payload__tool", "payload__title", "payload__call_id", "payload__ok")
    facts = Event.objects.filter(turn=turn, kind__in=["tool_called", "tool_returned"]).order_by("seq")
    calls: dict[str, dict[str, Any]] = {}
    for kind, seq, agent, tool, title, call_id, ok in facts.values_list(*wanted):
        if tool == FIND_TOOLS:
            continue
        if kind == "tool_called":
            calls[call_id] = {"seq": seq, "agent": agent, "tool": tool, "title": title, "ok": None}
        elif call_id in calls:
            calls[call_id]["ok"] = ok
    return list(calls.values())


def _failure(fact: Event) -> dict[str, str]:
    return {"code": str(fact.payload.get("code", "error")), "message": str(fact.payload.get("message", ""))}


def wait_for_turn(turn_id: UUID, *, seconds: int) -> None:
    """Return when the turn is finished or waits for a decision, or after `seconds`.

    It looks at the row by its key, at growing intervals up to half a second, and gives its database
    connection back in between: a waiting request costs a sleeping thread of its own and two small queries a
    second. Beyond MAX_WAITING_REQUESTS in this process nobody waits; the caller is told 202 at once and can
    ask again.
    """
    if not seconds or not _waiting.acquire(blocking=False):
        return
    try:
        until = time.monotonic() + seconds
        pause = 0.05
        while not _settled(turn_id):
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, 0.5)
    finally:
        _waiting.release()


def _settled(turn_id: UUID) -> bool:
    status = Turn.objects.filter(pk=turn_id).values_list("status", flat=True).first()
    if not connection.in_atomic_block:
        connection.close()
    return status not in (TurnStatus.QUEUED, TurnStatus.RUNNING)
