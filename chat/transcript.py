"""A conversation in pages, newest first, for somebody who scrolls up.

A page is what happened from one message up to the next page's beginning; it always shows a message. What belongs
together stays together: the result of a tool call, and what became of an approval, are on the page of the call and of
the approval, however much later they came. So a page may end with frames that are newer than its neighbour's.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from agents.models import Action
from chat.frames import LAST_LINE, Frame, Shown, of_event
from chat.models import Conversation, Event

LIMIT = 20
MOST = 100
EVENTS_MOST = 500
"""Events of one page, as long as it shows a message."""
BYTES_MOST = 512 * 1024
"""Of a page in JSON: a frame of the socket may have 1 MiB. Long results of tools are left out before messages are."""
TOO_LONG = {"note": "This result is too long to show here."}
MESSAGES = tuple(LAST_LINE)
OPENINGS = {"tool_called": "call_id", "approval_opened": "interrupt_id"}
FOLLOWING = {
    "tool_returned": "call_id",
    "approval_decided": "interrupt_id",
    "approval_expired": "interrupt_id",
    "approval_reopened": "interrupt_id",
}
"""What is shown on the page of what it belongs to, and the field that says to what."""

Group = tuple[UUID | None, str]


@dataclass(frozen=True, slots=True)
class Page:
    """`frames` in the order of their events; `next` is the `before` of the page before this one, None at the beginning.

    Only the newest page has `seq`, the number up to which it was read, and `pending`: approvals that wait for a
    decision and are shown on an earlier page.
    """

    frames: list[Frame]
    next: int | None
    seq: int | None = None
    pending: tuple[Frame, ...] = ()

    def answer(self) -> dict[str, Any]:
        """The fields of the socket's frame and of the API's answer."""
        return {"frames": self.frames, "pending": list(self.pending), "next": self.next, "seq": self.seq}


def page(conversation: Conversation, *, before: int | None = None, limit: int = LIMIT) -> Page:
    """Up to `limit` (1 to 100) messages before event `before` (None: the newest), with what happened between them.

    At most six queries, over an index, for at most EVENTS_MOST events and those that belong to them.
    """
    last = conversation.last_seq
    end = last + 1 if before is None else max(1, min(before, last + 1))
    starts = _starts(conversation, end, min(max(limit, 1), MOST))
    low = starts[-1] if starts else 1
    rows = _rows(conversation).filter(seq__gte=low, seq__lt=end)
    frames = {row.seq: _frames(conversation, row) for row in rows}
    low = _that_fits(frames, starts)
    older = low > 1 and _messages(conversation, low).exists()
    if not older and low > 1:
        low, rows = 1, _rows(conversation).filter(seq__lt=end)
    here = [row for row in rows if row.seq >= low]
    kept = [*_without_earlier(conversation, here, low), *_later(conversation, here, end)]
    shown = [frame for row in kept for frame in frames.get(row.seq) or _frames(conversation, row)]
    pending = _pending(conversation, low) if before is None else ()
    return Page(_shortened(shown), low if older else None, last if before is None else None, pending)


def _rows(conversation: Conversation) -> QuerySet[Event]:
    return Event.objects.filter(conversation=conversation).order_by("seq")


def _messages(conversation: Conversation, end: int) -> QuerySet[Event]:
    return Event.objects.filter(conversation=conversation, seq__lt=end, kind__in=MESSAGES)


def _starts(conversation: Conversation, end: int, limit: int) -> list[int]:
    """Where the page may begin: the newest messages before `end`, newest first. Numbers have no gaps, so they also say
    how many events lie between."""
    newest = _messages(conversation, end).order_by("-seq").values_list("seq", flat=True)
    return list(newest.filter(seq__gte=end - EVENTS_MOST)[:limit]) or list(newest[:1])


def _frames(conversation: Conversation, row: Event) -> list[Frame]:
    shown = Shown(
        conversation.thread_id, row.seq, row.kind, row.turn_id, row.agent, row.payload, row.created_at
    )
    return of_event(shown)


def _that_fits(frames: dict[int, list[Frame]], starts: list[int]) -> int:
    """The earliest of the beginnings with which the page is not too large; at least the newest message is on it."""
    if not starts:
        return 1
    low, size, possible = starts[0], 0, set(starts)
    for seq in sorted(frames, reverse=True):
        size += sum(map(_size, frames[seq]))
        if size > BYTES_MOST and seq < starts[0]:
            break
        if seq in possible:
            low = seq
    return low


def _size(frame: Frame) -> int:
    return len(json.dumps(frame, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _group(row: Event) -> Group | None:
    """The call or the approval that an event opens or follows."""
    field = OPENINGS.get(row.kind) or FOLLOWING.get(row.kind)
    return (row.turn_id, str(row.payload[field])) if field else None


def _groups(rows: Iterable[Event], kinds: Mapping[str, str]) -> set[Group]:
    """What the events of these kinds open or follow."""
    return {group for row in rows if row.kind in kinds and (group := _group(row))}


def _turns(groups: set[Group]) -> set[UUID]:
    return {turn_id for turn_id, _ in groups if turn_id}


def _without_earlier(conversation: Conversation, rows: list[Event], low: int) -> list[Event]:
    """The events without those that follow something from before `low`."""
    strays = _groups(rows, FOLLOWING) - _groups(rows, OPENINGS)
    if not strays:
        return rows
    keys = [f"{name}:{of}" for _, of in strays if of for name in ("call", "approval")]
    opening = _rows(conversation).filter(seq__lt=low, turn_id__in=_turns(strays), key__in=keys)
    earlier = _groups(opening, OPENINGS)
    return [row for row in rows if row.kind not in FOLLOWING or _group(row) not in earlier]


def _later(conversation: Conversation, rows: list[Event], end: int) -> list[Event]:
    """What came after the page and follows something on it."""
    opened = _groups(rows, OPENINGS)
    if not opened or end > conversation.last_seq:
        return []
    following = _rows(conversation).filter(seq__gte=end, turn_id__in=_turns(opened), kind__in=FOLLOWING)
    return [row for row in following if _group(row) in opened]


def _pending(conversation: Conversation, low: int) -> tuple[Frame, ...]:
    """The newest `interrupt` of each approval that waits and was opened before `low`."""
    if low == 1:
        return ()
    waiting = Action.objects.awaiting().filter(turn__conversation=conversation).values_list("pk", "turn_id")
    known = {str(action_id): turn_id for action_id, turn_id in waiting}
    if not known:
        return ()
    asked = Q(kind="approval_opened") | Q(kind="approval_reopened")
    rows = _rows(conversation).filter(asked, turn_id__in=set(known.values()))
    newest: dict[str, Event] = {}
    early = set()
    for row in rows:
        action_id = row.payload["interrupt_id"]
        if action_id in known:
            newest[action_id] = row
            if row.kind == "approval_opened" and row.seq < low:
                early.add(action_id)
    return tuple(
        frame
        for action_id in newest
        if action_id in early
        for frame in _frames(conversation, newest[action_id])
    )


def _shortened(frames: list[Frame]) -> list[Frame]:
    """The frames, without the longest results of tools where all together are too long to send."""
    sizes = [_size(frame) for frame in frames]
    excess = sum(sizes) - BYTES_MOST
    for place in sorted(range(len(frames)), key=lambda place: -sizes[place]):
        if excess <= 0:
            break
        if frames[place]["type"] == "tool_result":
            without: dict[str, Any] = {**frames[place], "result": TOO_LONG}
            excess -= sizes[place] - _size(without)
            frames[place] = without
    return frames
