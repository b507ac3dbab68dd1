"""The replay: a conversation step by step, for whoever asks why an agent did what it did. Read-only.

`urls` are routed by the conversations' admin. Its links and forms load the page whole; `player.js` asks for the same
addresses and puts the pieces of the answer in place.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.admin import ModelAdmin
from django.contrib.postgres.aggregates import ArrayAgg
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Min, Q, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse

from chat.models import Conversation, Event, Turn
from replay import step_blocks, step_page
from replay.player_export import download
from replay.step_blocks import Block, visible
from replay.steps import KINDS, Wanted, window
from replay.timeline import Step, step
from smartsupport.lib.console import identified
from smartsupport.lib.text import shorten

LINE_CHARACTERS = 110
KEYS = (
    (("j", "→"), "next step"),
    (("k", "←"), "step before"),
    (("t",), "next turn"),
    (("Shift+T",), "turn before"),
    (("g",), "first step"),
    (("Shift+G",), "last step"),
    (("/",), "filter"),
    (("?",), "these keys"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A step as the list has it. `turn`: the number of the turn that begins here; 0 for none."""

    step: Step
    title: str
    text: str
    after: str
    turn: int
    chosen: bool
    href: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the steps up to one, or of all: what they took and cost. `unknown`: model calls whose cost nobody knows."""

    tokens_in: int
    tokens_out: int
    cost_micros: int
    unknown: int


def urls(admin: "ModelAdmin[Conversation]") -> list[Any]:
    """The replay's addresses, below a conversation's own. Each asks for `chat.view_conversation`."""

    def page(request: HttpRequest, object_id: str) -> HttpResponse:
        conversation = _conversation(admin, request, object_id)
        shown = {**admin.admin_site.each_context(request), "opts": admin.opts, **_page(request, conversation)}
        return TemplateResponse(request, "replay/player.html", shown)

    def export(request: HttpRequest, object_id: str) -> HttpResponseBase:
        return download(request, _conversation(admin, request, object_id))

    guarded = admin.admin_site.admin_view
    return [
        path("<path:object_id>/replay/", guarded(page), name="chat_conversation_replay"),
        path("<path:object_id>/replay/replay.json", guarded(export), name="chat_conversation_replay_export"),
    ]


def _conversation(admin: "ModelAdmin[Conversation]", request: HttpRequest, object_id: str) -> Conversation:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    row = identified(Conversation.objects.select_related("customer"), object_id).first()
    if row is None:
        raise Http404("This conversation does not exist.")
    return row


def _page(request: HttpRequest, conversation: Conversation) -> dict[str, Any]:
    wanted = Wanted.of(request.GET)
    turns = list(
        Turn.objects.filter(conversation=conversation)
        .order_by("message_seq")
        .values_list("pk", "message_seq")
    )
    asked_turn = wanted.turn
    if asked_turn:
        place = turns[min(asked_turn, len(turns)) - 1][1] if turns else 1
        wanted = Wanted(near=place, kind=wanted.kind, agent=wanted.agent, failed=wanted.failed)
    listed = window(conversation, wanted)
    # Filtered or not: a link to a step shows it.
    event = (
        Event.objects.filter(conversation=conversation, seq=listed.chosen).first() if listed.chosen else None
    )
    sums = _sums(conversation, listed.chosen)
    began = sums["began"] or conversation.created_at
    numbers = {pk: number for number, (pk, _) in enumerate(turns, start=1)}
    before, after = listed.beside()
    return {
        "title": f"Replay of the conversation with {visible(str(conversation.customer))}",
        "conversation": conversation,
        "wanted": wanted,
        "total": conversation.last_seq,
        "note": _note(request, wanted, conversation, listed.chosen_is_listed, asked_turn, len(turns)),
        "lines": _lines(listed.rows, listed.chosen, numbers, began, wanted),
        "first": wanted.query(near=1),
        "last": wanted.query(before=conversation.last_seq + 1),
        "earlier": wanted.query(before=listed.rows[0].seq) if listed.earlier and listed.rows else "",
        "later": wanted.query(after=listed.rows[-1].seq) if listed.later and listed.rows else "",
        "groups": [(name, words, name in wanted.kind) for name, (words, _) in KINDS.items()],
        "agents": [
            (name, visible(name))
            for name in sorted({*(sums["agents"] or ()), *([wanted.agent] if wanted.agent else [])})
        ],
        "turns": len(turns),
        "keys": KEYS,
        "all": Totals(sums["all_in"] or 0, sums["all_out"] or 0, conversation.cost_micros, sums["unknown"]),
        "whole": step_blocks.span((sums["ended"] - began).total_seconds()) if sums["ended"] else "",
        "export_url": reverse("admin:chat_conversation_replay_export", args=[conversation.pk]),
        "conversation_url": reverse("admin:chat_conversation_change", args=[conversation.pk]),
        **(_chosen(request, conversation, event, numbers, began, sums) if event else {}),
        "previous": wanted.query(step=before) if before else "",
        "next": wanted.query(step=after) if after else "",
        **_turns_beside(turns, listed.chosen, wanted),
    }


def _note(
    request: HttpRequest, wanted: Wanted, conversation: Conversation, is_listed: bool, turn: int, turns: int
) -> str:
    """What is to be said about a place that was asked for and is not there."""
    if wanted.step > conversation.last_seq:
        return f"There is no step {wanted.step:,}: this is the last one of {conversation.last_seq:,}."
    if turn > turns:
        return f"There is no turn {turn:,}: this conversation has {turns:,}."
    if wanted.step and wanted.narrows and not is_listed:
        return f"Step {wanted.step:,} does not fit the filter. It is shown all the same."
    return ""


def _sums(conversation: Conversation, chosen: int) -> dict[str, Any]:
    """What all steps took and those up to the chosen one, in one query."""
    events, so_far = Event.objects.filter(conversation=conversation), Q(seq__lte=chosen)
    unknown = Q(tokens_in__isnull=False, cost_micros__isnull=True) | Q(
        kind="model_called", cost_micros__isnull=True
    )
    return events.aggregate(
        began=Min("created_at"),
        ended=Max("created_at"),
        all_in=Sum("tokens_in"),
        all_out=Sum("tokens_out"),
        unknown=Count("pk", filter=unknown),
        in_so_far=Sum("tokens_in", filter=so_far),
        out_so_far=Sum("tokens_out", filter=so_far),
        cost_so_far=Sum("cost_micros", filter=so_far),
        unknown_so_far=Count("pk", filter=unknown & so_far),
        agents=ArrayAgg("agent", distinct=True, filter=~Q(agent="")),
    )


def _lines(
    rows: list[Event], chosen: int, numbers: dict[UUID, int], began: datetime, wanted: Wanted
) -> list[Line]:
    lines: list[Line] = []
    turn_before: object = None
    for row in rows:
        told = step(row)
        begins = row.turn_id != turn_before and row.turn_id is not None
        lines.append(
            Line(
                step=told,
                title=visible(shorten(told.title, LINE_CHARACTERS)),
                text=visible(shorten(told.text, LINE_CHARACTERS)),
                after=step_blocks.span((row.created_at - began).total_seconds()),
                turn=numbers.get(row.turn_id, 0) if begins and row.turn_id else 0,
                chosen=row.seq == chosen,
                href=wanted.query(step=row.seq),
            )
        )
        turn_before = row.turn_id
    return lines


def _chosen(
    request: HttpRequest,
    conversation: Conversation,
    event: Event,
    numbers: dict[UUID, int],
    began: datetime,
    sums: dict[str, Any],
) -> dict[str, Any]:
    told = step(event)
    number = numbers.get(event.turn_id, 0) if event.turn_id else 0
    after = step_blocks.span((event.created_at - began).total_seconds())
    when: list[tuple[str, Any]] = [
        ("When", step_page.exact(event.created_at)),
        ("After the beginning", after),
        ("Turn", f"{number:,} of {len(numbers):,}" if number else "between turns"),
        ("Agent", event.agent),
        ("Kind", event.kind),
    ]
    sees_approvals = request.user.has_perm("agents.view_action")
    shown: list[Block] = step_page.of(event, conversation, sees_approvals=sees_approvals)
    so_far = Totals(
        sums["in_so_far"] or 0,
        sums["out_so_far"] or 0,
        sums["cost_so_far"] or 0,
        sums["unknown_so_far"],
    )
    where = f", turn {number:,}" if number else ""
    return {
        "step": told,
        "step_title": visible(told.title),
        "step_link": f"?step={event.seq}",
        "said_of_it": visible(
            f"Step {event.seq:,} of {conversation.last_seq:,}{where}: {shorten(told.title, 80)}"
        ),
        "when": step_blocks.facts("", when),
        "blocks": shown,
        "so_far": so_far,
        "elapsed": after,
    }


def _turns_beside(turns: list[tuple[UUID, int]], chosen: int, wanted: Wanted) -> dict[str, str]:
    """Where the turn before and the next one begin."""
    earlier = [seq for _, seq in turns if seq < chosen]
    later = [seq for _, seq in turns if seq > chosen]
    return {
        "previous_turn": wanted.query(near=earlier[-1]) if earlier else "",
        "next_turn": wanted.query(near=later[0]) if later else "",
    }
