"""The replay: a conversation step by step, for whoever asks why an agent did what it did. Read-only.

Its links and forms load the page whole; `player.js` asks for the same addresses and puts the pieces of the answer in
place. `player_news` has what comes meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Max, Min, Q, Sum
from django.http import HttpRequest
from django.urls import reverse

from chat.models import Conversation, Event, Turn
from replay import step_blocks, step_page
from replay.step_blocks import Block, visible
from replay.steps import KINDS, Wanted, window
from replay.timeline import Step, step
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


def page(request: HttpRequest, conversation: Conversation) -> dict[str, Any]:
    wanted = Wanted.of(request.GET)
    turns = turns_of(conversation)
    asked_turn = wanted.turn
    if asked_turn:
        place = turns[min(asked_turn, len(turns)) - 1][1] if turns else 1
        wanted = Wanted(near=place, kind=wanted.kind, agent=wanted.agent, failed=wanted.failed)
    listed = window(conversation, wanted)
    # Filtered or not: a link to a step shows it.
    event = (
        Event.objects.filter(conversation=conversation, seq=listed.chosen).first() if listed.chosen else None
    )
    sums = sums_of(conversation, listed.chosen)
    began = sums["began"] or conversation.created_at
    numbers = {pk: number for number, (pk, _) in enumerate(turns, start=1)}
    before, after = listed.beside()
    return {
        "title": f"Replay of the conversation with {visible(str(conversation.customer))}",
        "conversation": conversation,
        "wanted": wanted,
        "total": conversation.last_seq,
        "note": _note(request, wanted, conversation, listed.chosen_is_listed, asked_turn, len(turns)),
        "lines": lines_of(listed.rows, listed.chosen, numbers, began, wanted),
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
        **whole_of(conversation, sums, began),
        "news_url": reverse("admin:chat_conversation_replay_news", args=[conversation.pk]),
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


def sums_of(conversation: Conversation, chosen: int) -> dict[str, Any]:
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


def turns_of(conversation: Conversation) -> list[tuple[UUID, int]]:
    """(id, number of the first event) of each turn, in order."""
    rows = Turn.objects.filter(conversation=conversation).order_by("message_seq")
    return list(rows.values_list("pk", "message_seq"))


def whole_of(conversation: Conversation, sums: dict[str, Any], began: datetime) -> dict[str, Any]:
    """What the totals say of the whole conversation."""
    return {
        "all": Totals(sums["all_in"] or 0, sums["all_out"] or 0, conversation.cost_micros, sums["unknown"]),
        "whole": step_blocks.span((sums["ended"] - began).total_seconds()) if sums["ended"] else "",
    }


def so_far_of(event: Event, sums: dict[str, Any], began: datetime) -> dict[str, Any]:
    """What they say up to this step."""
    return {
        "step": event,
        "so_far": Totals(
            sums["in_so_far"] or 0,
            sums["out_so_far"] or 0,
            sums["cost_so_far"] or 0,
            sums["unknown_so_far"],
        ),
        "elapsed": step_blocks.span((event.created_at - began).total_seconds()),
    }


def lines_of(
    rows: list[Event],
    chosen: int,
    numbers: dict[UUID, int],
    began: datetime,
    wanted: Wanted,
    turn_before: UUID | None = None,
) -> list[Line]:
    """`turn_before`: the turn of the line above the first one."""
    lines: list[Line] = []
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
    where = f", turn {number:,}" if number else ""
    return {
        **so_far_of(event, sums, began),
        "step": told,
        "step_title": visible(told.title),
        "step_link": f"?step={event.seq}",
        "said_of_it": visible(
            f"Step {event.seq:,} of {conversation.last_seq:,}{where}: {shorten(told.title, 80)}"
        ),
        "when": step_blocks.facts("", when),
        "blocks": shown,
    }


def _turns_beside(turns: list[tuple[UUID, int]], chosen: int, wanted: Wanted) -> dict[str, str]:
    """Where the turn before and the next one begin."""
    earlier = [seq for _, seq in turns if seq < chosen]
    later = [seq for _, seq in turns if seq > chosen]
    return {
        "previous_turn": wanted.query(near=earlier[-1]) if earlier else "",
        "next_turn": wanted.query(near=later[0]) if later else "",
    }
