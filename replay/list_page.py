"""The console's list of conversations, and what a search in it finds. See `replay.listed` for which rows."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from chat.models import Conversation, ConversationStatus
from chat.search import search
from chat.search_words import LONGEST
from replay.listed import (
    BADGES,
    COUNTED_TO,
    ESCALATED,
    HAPPENED,
    SCORES,
    SOLVED,
    WAITING,
    Wanted,
    choices,
    counts,
    page_of,
    state_of,
)
from smartsupport.lib import presence
from smartsupport.lib.bounded import TooLong, bounded
from smartsupport.lib.ids import digest

SECONDS = 2.0
SLOW, TOO_SLOW = timedelta(minutes=5), timedelta(minutes=30)
KIND = "conversation"
"""What it is called where it is kept who looks at what (smartsupport.lib.presence)."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the list. `wait` is "", "long" or "late": how long its customer has waited by now."""

    row: Conversation
    badge: str
    state: str
    wait: str
    here: str
    tags: list[str]

    @classmethod
    def now(cls, row: Conversation, here: list[str]) -> "Line":
        """`row.tags` are prefetched, or cost a query."""
        waits = timezone.now() - row.waiting_since if row.waiting_since else timedelta(0)
        wait = "late" if waits >= TOO_SLOW else "long" if waits >= SLOW else ""
        status, state = state_of(row)
        tags = [tag.name for tag in row.tags.all()]
        return cls(row, BADGES[ConversationStatus(status)], state, wait, ", ".join(here), tags)


@dataclass(frozen=True, slots=True)
class Chip:
    text: str
    count: int | None
    more: bool
    query: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """What the theme's frame asks a list for."""

    result_list: list[Conversation]
    opts: Any
    model_admin: Any


class ListPage:
    """The list's view, for the admin of conversations."""

    list_fullwidth = True

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, or what was found; to a page that asks with the `state` it shows: the live piece, or 204."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        typed = " ".join(request.GET.get("q", "").split())[:LONGEST]
        shown = self._found(request, typed) if typed else self._listed(request)
        if request.headers.get("HX-Request") and "state" in request.GET and not typed:
            if request.GET["state"] == shown["state"]:
                return HttpResponse(status=204)
            return TemplateResponse(request, "replay/list_live.html", shown)
        frame = self.admin_site.each_context(request)  # type: ignore[attr-defined]
        agents, tags = ([], []) if typed else choices()
        context = {
            **frame,
            "title": "Conversations",
            "opts": Conversation._meta,
            "cl": Shown(shown.get("rows", []), Conversation._meta, self),
            "filters": _filters(shown["wanted"], agents, tags),
            "tags": tags,
            **shown,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "replay/list.html", context)

    def _rights(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "may_answer": request.user.has_perm("chat.change_conversation"),
            "sees_costs": request.user.has_perm("agents.view_modelcall"),
            "list_url": reverse("admin:chat_conversation_changelist"),
        }

    def _listed(self, request: HttpRequest) -> dict[str, Any]:
        wanted, name = Wanted.of(request.GET), request.user.get_username()
        try:
            with bounded(SECONDS):
                page = page_of(wanted, name)
                by_status, total = counts(wanted.rows(name))
        except TooLong:
            fault = "This takes too long to look up. Take a filter away, or choose a day."
            return {"wanted": wanted, "fault": fault, "state": "", "typed": "", **self._rights(request)}
        here = presence.here(KIND, (row.pk for row in page.rows), but=name)
        lines = [Line.now(row, list(here.get(str(row.pk), ()))) for row in page.rows]
        shown = {
            "wanted": wanted,
            "typed": "",
            "rows": page.rows,
            "lines": lines,
            "newer": page.newer,
            "older": page.older,
            "chips": _chips(wanted, by_status),
            "total": min(total, COUNTED_TO),
            "more": total > COUNTED_TO,
            "address": wanted.query(before=wanted.before, after=wanted.after),
            "nobody_yet": not any(by_status.values()),
        }
        return {**shown, "state": _state(lines, shown), **self._rights(request)}

    def _found(self, request: HttpRequest, typed: str) -> dict[str, Any]:
        asked = request.GET.get("before", "")
        before = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else None
        found = search(typed, before=before)
        older = f"?{urlencode({'q': typed, 'before': found.older})}" if found.older else ""
        return {
            "wanted": Wanted(),
            "typed": typed,
            "found": found,
            "older": older,
            "newest": f"?{urlencode({'q': typed})}" if before else "",
            "fault": found.fault,
            "rows": list(found.conversations),
            "state": "",
            **self._rights(request),
        }


def _state(lines: list[Line], shown: dict[str, Any]) -> str:
    """Changes whenever something that the live piece shows does, but for ages, which the page counts by itself."""
    rows = [
        [
            str(line.row.pk), line.row.last_seq, line.state, line.wait, line.here, line.tags, line.row.cost_micros,
            line.row.live_agent, line.row.last_line, str(line.row.waiting_since), line.row.score, line.row.solved,
        ]
        for line in lines
    ]  # fmt: skip
    chips = [[chip.text, chip.count, chip.more] for chip in shown["chips"]]
    return digest([rows, chips, shown["total"], shown["newer"], shown["older"]])[:16]


def _chips(wanted: Wanted, by_status: dict[str, int]) -> list[Chip]:
    """Every conversation by its status, whatever else the list is narrowed by: a chip leads to just those."""
    order = ("waiting", "held", "open", "resolved")
    chips = [Chip("All", None, False, "?", not wanted.narrows)]
    for status in order:
        only, count = Wanted(status=status), by_status[status]
        chips.append(
            Chip(
                str(ConversationStatus(status).label),
                min(count, COUNTED_TO),
                count > COUNTED_TO,
                only.query(),
                wanted.query() == only.query(),
            )
        )
    mine, waits = Wanted(happened="mine"), Wanted(waiting=1)
    chips.append(Chip("You have", None, False, mine.query(), wanted.query() == mine.query()))
    chips.append(Chip("Longest wait", None, False, waits.query(), wanted.query() == waits.query()))
    return chips


def _filters(wanted: Wanted, agents: list[str], tags: list[str]) -> list[dict[str, Any]]:
    """The form's fields: name, label, [(value, words)], and what is chosen."""

    def field(name: str, label: str, every: str, options: list[tuple[Any, str]]) -> dict[str, Any]:
        chosen = str(getattr(wanted, name) or "")
        known = [(str(value), words) for value, words in options]
        if chosen and chosen not in dict(known):
            known.append((chosen, chosen))
        return {"name": name, "label": label, "every": every, "options": known, "chosen": chosen}

    return [
        field("status", "Status", "Every status", list(ConversationStatus.choices)),
        field("agent", "Agent", "Every agent", [(name, name) for name in agents]),
        field("tag", "Tag", "Every tag", [(name, name) for name in tags]),
        field("waiting", "Waits longer than", "Any time", list(WAITING.items())),
        field("happened", "What happened", "Anything", list(HAPPENED.items())),
        field("escalated", "Asked for a person", "At any time, or not", list(ESCALATED.items())),
        field("score", "Score", "Any, or none", list(SCORES.items())),
        field("solved", "Customer says", "Anything, or nothing", list(SOLVED.items())),
    ]
