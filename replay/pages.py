"""A conversation's timeline, turn by turn, in pages: three queries, however long the conversation is."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from chat.models import Conversation, Event, Turn, TurnStatus
from replay.timeline import Step, step
from replay.words import INTERNAL
from smartsupport.lib.ids import digest

TURNS_PER_PAGE = 20
UNFINISHED = (TurnStatus.QUEUED, TurnStatus.RUNNING, TurnStatus.WAITING)


@dataclass(frozen=True, slots=True)
class Block:
    """What is shown together: one step (`step`), or steps that happened inside, folded (`folded`)."""

    step: Step | None = None
    folded: list[Step] = field(default_factory=list)

    @property
    def seq(self) -> int:
        """The number that the fold is remembered by: it stays when more steps come to it."""
        return self.step.seq if self.step else self.folded[0].seq

    @property
    def tools(self) -> str:
        """What was used among the folded steps, in the words of the log."""
        return ", ".join(row.title for row in self.folded if row.type == "tool_call")


@dataclass(frozen=True, slots=True)
class Group:
    """One turn and its steps in order; without a turn: what happened between turns."""

    turn: Turn | None
    steps: list[Step]

    @property
    def blocks(self) -> list[Block]:
        """The steps as they are shown. What people said, were asked and have to look at stands by itself."""
        blocks: list[Block] = []
        for row in self.steps:
            if row.type == "turn_completed":
                continue
            if row.tone != INTERNAL:
                blocks.append(Block(row))
            elif blocks and blocks[-1].folded:
                blocks[-1].folded.append(row)
            else:
                blocks.append(Block(folded=[row]))
        return blocks

    @property
    def tokens(self) -> int:
        return sum(row.tokens or 0 for row in self.steps)

    @property
    def seconds(self) -> float | None:
        """From the first claim to the end, waiting for people included."""
        if self.turn is None or self.turn.started_at is None or self.turn.sealed_at is None:
            return None
        return (self.turn.sealed_at - self.turn.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Page:
    groups: list[Group]
    number: int
    count: int
    live: str  # what is going on now, in words; empty when nothing is
    statuses: Sequence[str] = ()
    """Of all its turns, in order."""

    @property
    def is_last(self) -> bool:
        return self.number == self.count


def page_of(conversation: Conversation, number: int | None, *, at: int | None = None) -> Page:
    """Page `number` (1 is the oldest) of a conversation, or the one that event `at` is on; None, or one that does not
    exist: the newest."""
    turns = Turn.objects.filter(conversation=conversation).order_by("message_seq")
    known = list(turns.values_list("status", "message_seq"))
    statuses = [status for status, _ in known]
    count = max(1, -(-len(statuses) // TURNS_PER_PAGE))
    if at is not None and at <= conversation.last_seq:
        number = max(0, bisect_right([seq for _, seq in known], at) - 1) // TURNS_PER_PAGE + 1
    if number is None or not 1 <= number <= count:
        number = count
    start = (number - 1) * TURNS_PER_PAGE
    shown = list(turns[start : start + TURNS_PER_PAGE + 1])
    following = shown[TURNS_PER_PAGE:]
    shown = shown[:TURNS_PER_PAGE]
    between = Q(turn=None, seq__gt=0 if number == 1 else shown[0].message_seq - 1)
    if following:
        between &= Q(seq__lt=following[0].message_seq)
    events = (
        Event.objects.filter(conversation=conversation).filter(Q(turn__in=shown) | between).order_by("seq")
    )
    return Page(_grouped(shown, list(events)), number, count, _live(statuses), statuses)


def _live(statuses: list[str]) -> str:
    if TurnStatus.RUNNING in statuses:
        return "An agent is working on it"
    if TurnStatus.WAITING in statuses:
        return "Waiting for a decision"
    return "Waiting for a free worker" if TurnStatus.QUEUED in statuses else ""


def _grouped(turns: list[Turn], events: list[Event]) -> list[Group]:
    """Groups by where they begin. Facts without a turn that follow each other stay together."""
    by_turn: dict[object, list[Step]] = {turn.pk: [] for turn in turns}
    loose: list[list[Step]] = []
    for event in events:
        told = step(event)
        if event.turn_id is not None:
            by_turn[event.turn_id].append(told)
        elif loose and loose[-1][-1].seq == told.seq - 1:
            loose[-1].append(told)
        else:
            loose.append([told])
    groups = [(turn.message_seq, Group(turn, by_turn[turn.pk])) for turn in turns]
    groups += [(steps[0].seq, Group(None, steps)) for steps in loose]
    return [group for _, group in sorted(groups, key=lambda pair: pair[0])]


def live_state(conversation: Conversation, *shown: object) -> str:
    """Changes whenever an open page does: what it compares to know that it is up to date. `shown`: what else stands on
    it. One query."""
    unfinished = Turn.objects.filter(conversation=conversation, status__in=UNFINISHED)
    statuses = sorted(unfinished.values_list("status", flat=True))
    row = conversation
    said = [row.last_seq, row.status, row.held_by, statuses, row.solved, row.score, row.cost_micros]
    return digest([*said, str(row.waiting_since), *shown])[:16]
