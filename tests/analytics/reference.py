"""The numbers of a period, counted again from the raw rows, slowly and in plain Python, straight from the written
definitions: one walk through each conversation's events in order. Shares no code with what is tested except the
names of the totals."""

import math
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from agents.models import Action, ModelCall
from chat.models import Conversation, Event

DAY = timedelta(hours=24)


def upper_bound(milliseconds: int) -> int:
    upper = 0
    while upper < milliseconds:
        upper = max(upper + 1, math.ceil(round(upper * 1.1, 6)))
    return upper


def nearest_rank(durations: list[int], percent: int) -> int | None:
    if not durations:
        return None
    ordered = sorted(durations)
    return upper_bound(ordered[math.ceil(percent * len(ordered) / 100) - 1])


def milliseconds(span: timedelta) -> int:
    return span.days * 86_400_000 + span.seconds * 1000 + span.microseconds // 1000


class Walk:
    """One conversation, event by event."""

    def __init__(self, row: Conversation, now: datetime) -> None:
        self.row, self.now = row, now
        self.said: Event | None = None
        self.first_message: datetime | None = None
        self.asked_at: datetime | None = None
        self.message_at: datetime | None = None
        self.first_answer: int | None = None
        self.staff_answer: int | None = None
        self.staff_wrote = self.person = self.agent_answered = self.asked = self.fed_back = False
        self.effect_stands = self.read_stands = self.read_untold = self.broken = False
        self.solved: bool | None = None
        self.score: int | None = None
        self.answers: list[datetime] = []
        self.answers_before_yes: list[datetime] = []
        self.busy: set[Any] = set()
        self.turns: set[Any] = set()
        self.agents: set[str] = set()
        self.results: dict[Any, Event] = {}
        for event in Event.objects.filter(conversation=row).order_by("seq"):
            getattr(self, f"on_{event.kind}", self.ignored)(event)
            if event.agent and event.kind in ("replied", "tool_called", "approval_opened"):
                self.agents.add(event.agent)

    def ignored(self, event: Event) -> None:
        pass

    def on_message_received(self, event: Event) -> None:
        self.said, self.message_at = event, event.created_at
        self.first_message = self.first_message or event.created_at
        if event.turn_id:
            self.turns.add(event.turn_id)
            self.busy.add(event.turn_id)

    def on_turn_retried(self, event: Event) -> None:
        self.busy.add(event.turn_id)

    def on_turn_completed(self, event: Event) -> None:
        self.busy.discard(event.turn_id)

    on_turn_stopped = on_turn_completed

    def on_turn_failed(self, event: Event) -> None:
        self.busy.discard(event.turn_id)
        self.fails()

    def fails(self) -> None:
        self.effect_stands = self.read_stands = self.read_untold = False
        self.broken = True

    def on_replied(self, event: Event) -> None:
        self.agent_answered = True
        if self.read_untold and not event.payload.get("cut", False):
            self.read_stands, self.read_untold, self.broken = True, False, False
        self.answers.append(event.created_at)
        self.on_question_asked(event)

    def on_question_asked(self, event: Event) -> None:
        self.said = event
        if self.first_answer is None and not self.staff_wrote and self.first_message:
            self.first_answer = milliseconds(event.created_at - self.first_message)

    def comes(self) -> None:
        self.person = True
        self.effect_stands = self.read_stands = self.read_untold = False

    def on_handoff_requested(self, event: Event) -> None:
        self.asked_at = self.asked_at or event.created_at
        self.comes()

    def on_taken_over(self, event: Event) -> None:
        self.comes()

    def on_staff_wrote(self, event: Event) -> None:
        self.said = event
        self.answers.append(event.created_at)
        if not self.staff_wrote and (since := self.asked_at or self.message_at):
            self.staff_answer = milliseconds(event.created_at - since)
        self.staff_wrote = True
        self.comes()

    def on_tool_returned(self, event: Event) -> None:
        payload = event.payload
        if payload["tool"] == "find_tools":
            return
        if payload["ok"] and "action_id" in payload:
            self.effect_stands, self.broken = True, False
        elif payload["ok"]:
            self.read_untold = True
        else:
            self.fails()
        unseen = not payload["ok"] and payload["error"]["kind"] == "unknown"
        if event.duration_ms is not None or unseen:
            self.results[event.turn_id, payload["call_id"]] = event

    def on_action_settled(self, event: Event) -> None:
        if event.payload["happened"]:
            self.broken, self.effect_stands = False, True
        else:
            self.fails()

    def on_feedback_asked(self, event: Event) -> None:
        self.asked = True

    def on_feedback_given(self, event: Event) -> None:
        self.fed_back = True
        self.score = event.payload["score"] or self.score
        if event.payload["solved"] is not None:
            self.solved = event.payload["solved"]
        if event.payload["solved"]:
            self.answers_before_yes = list(self.answers)

    def outcome(self) -> str:
        begun = self.row.created_at
        over_at = (self.said.created_at if self.said else begun) + DAY
        quiet = self.now >= over_at
        others = Conversation.objects.filter(customer=self.row.customer_id).exclude(pk=self.row.pk)
        back = any(
            (begun, self.row.pk) < (other.created_at, other.pk) and other.created_at <= over_at
            for other in others
        )
        busy = bool(self.busy) and not quiet
        if self.solved:
            return "confirmed"
        said_no = self.solved is False
        if not said_no and not busy and (self.effect_stands or (self.read_stands and not back)):
            return "evidence"
        agent_last = bool(
            self.said and self.said.kind == "replied" and not self.said.payload.get("cut", False)
        )
        if quiet and agent_last and not (said_no or back or self.broken or self.person):
            return "contained"
        if self.person:
            return "escalated"
        if said_no or (not busy and (back or self.broken or quiet)):
            return "unresolved"
        return "open"


def of(first: date, last: date, now: datetime) -> dict[str, Any]:
    """Everything that is said of these days: {"sums", "percentiles", "agents", "tools"}."""
    sums: Counter[str] = Counter()
    waits: dict[str, list[int]] = defaultdict(list)
    agents: dict[str, Counter[str]] = defaultdict(Counter)
    calls: dict[str, list[Event]] = defaultdict(list)
    for row in Conversation.objects.all():
        if not first <= row.created_at.astimezone(UTC).date() <= last:
            continue
        walk = Walk(row, now)
        ledger = list(ModelCall.objects.filter(conversation=row))
        outcome = walk.outcome()
        resolved = outcome in ("confirmed", "evidence", "contained")
        sums["total"] += 1
        sums[outcome] += 1
        sums["with_person"] += walk.person
        sums["without_person"] += walk.agent_answered and not walk.person
        sums["turns"] += len(walk.turns)
        sums["cost_micros"] += sum(call.cost_micros or 0 for call in ledger)
        sums["unpriced_calls"] += sum(call.cost_micros is None for call in ledger)
        sums["asked"] += walk.asked
        sums["answered"] += walk.asked and walk.fed_back
        sums["scored"] += walk.score is not None
        sums["good"] += walk.score in (4, 5)
        sums["scores"] += walk.score or 0
        if walk.first_answer is not None:
            waits["first_answers"].append(walk.first_answer)
        if walk.staff_answer is not None:
            waits["person_answers"].append(walk.staff_answer)
        answers = walk.answers_before_yes if outcome == "confirmed" else walk.answers
        if resolved and answers and walk.first_message:
            waits["resolutions"].append(milliseconds(answers[-1] - walk.first_message))
        for action in Action.objects.filter(turn__conversation=row):
            said_yes = action.status not in ("rejected", "expired", "cancelled", "awaiting")
            sums["approved" if said_yes else action.status] += 1
            if action.decided_at and (said_yes or action.status == "rejected"):
                waits["approval_waits"].append(milliseconds(action.decided_at - action.created_at))
        for agent in walk.agents:
            agents[agent].update(conversations=1, resolved=int(resolved), with_person=int(walk.person))
            agents[agent]["cost"] += sum(call.cost_micros or 0 for call in ledger if call.agent == agent)
        for event in walk.results.values():
            calls[event.payload["tool"]].append(event)
    return {
        "sums": {name: count for name, count in sums.items() if count},
        "percentiles": {
            name: (len(spans), nearest_rank(spans, 50), nearest_rank(spans, 95))
            for name, spans in waits.items()
        },
        "agents": {
            name: tuple(own[what] for what in ("conversations", "resolved", "with_person", "cost"))
            for name, own in agents.items()
        },
        "tools": {
            name: (
                len(events),
                sum(not event.payload["ok"] for event in events),
                nearest_rank([event.duration_ms for event in events if event.duration_ms is not None], 95),
            )
            for name, events in calls.items()
        },
    }
