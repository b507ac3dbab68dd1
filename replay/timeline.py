"""Events as steps and as sentences: the one place that knows how a fact reads. API and console use it.

Every event becomes exactly one step, also one of a kind that is not known here: a replay loses nothing but what nobody
may be shown (`replay.redaction`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from chat.markdown import to_html
from chat.models import Event
from replay import redaction
from replay import told_people as people
from replay import told_turns as turns
from replay.words import AGENT, CUSTOMER, INTERNAL, NOTE, STAFF, Told, pretty
from smartsupport.lib.ids import parse_uuid

STEP_TYPES = {
    "message_received": "user_message",
    "routed": "supervisor_routing",
    "model_called": "model_call",
    "call_requested": "call_request",
    "tool_called": "tool_call",
    "tool_returned": "tool_result",
    "approval_opened": "interrupt",
    "approval_voted": "interrupt_voted",
    "approval_reopened": "interrupt",
    "approval_decided": "interrupt_resolved",
    "approval_expired": "interrupt_expired",
    "action_settled": "action_settled",
    "action_repeated": "action_repeated",
    "replied": "agent_response",
    "question_asked": "clarification",
    "handoff_requested": "handoff",
    "taken_over": "takeover",
    "handed_back": "handback",
    "staff_wrote": "staff_message",
    "note_written": "note",
    "tagged": "tags",
    "conversation_resolved": "conversation_resolved",
    "turn_completed": "turn_completed",
    "turn_failed": "turn_failed",
    "turn_stopped": "turn_stopped",
    "turn_retried": "turn_retried",
    "summarised": "summary",
    "feedback_asked": "feedback_request",
    "feedback_given": "feedback",
}
"""The type of a step by the kind of its event. A kind that is not here is its own type."""


SAID = {
    "message_received": "content",
    "replied": "content",
    "question_asked": "message",
    "staff_wrote": "content",
    "note_written": "content",
}
"""Where an event has what a person wrote or read: it stays as it was said."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event, told. `tone`: who speaks, or what sort of fact it is. `text` is never markup. `mark`: what is to be
    known of a message beside its text."""

    seq: int
    type: str
    at: datetime
    tone: str
    title: str
    icon: str
    text: str = ""
    mark: str = ""
    agent: str = ""
    tool: str | None = None
    params: dict[str, Any] | None = None
    result: Any = None
    reasoning: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost_micros: int | None = None
    duration_ms: int | None = None
    details: list[tuple[str, str]] = field(default_factory=list)
    turn_id: Any = None
    interrupt_id: str | None = None

    @property
    def tokens(self) -> int | None:
        """Tokens in and out together; None where no model was asked or none were reported."""
        if self.tokens_in is None and self.tokens_out is None:
            return None
        return (self.tokens_in or 0) + (self.tokens_out or 0)

    @property
    def cost_usd(self) -> float | None:
        return None if self.cost_micros is None else self.cost_micros / 1_000_000

    @property
    def html(self) -> SafeString | None:
        """What an agent or staff wrote, rendered and cleaned as it is shown; None for what is plain text."""
        return mark_safe(to_html(self.text)) if self.tone in (AGENT, STAFF, NOTE) else None  # noqa: S308 - it is clean

    @property
    def spoken(self) -> bool:
        """Whether a person said or read this in the chat."""
        return self.tone in (CUSTOMER, AGENT, STAFF)


def step(event: Event) -> Step:
    """The step of one event. Never raises: an odd payload is shown as it is."""
    payload = shown_payload(event)
    tell = SENTENCES.get(event.kind, _unknown)
    told = tell(event, payload)
    return Step(
        seq=event.seq,
        type=STEP_TYPES.get(event.kind, event.kind),
        at=event.created_at,
        agent=event.agent,
        tokens_in=event.tokens_in,
        tokens_out=event.tokens_out,
        tokens_cached=event.tokens_cached,
        cost_micros=event.cost_micros,
        duration_ms=event.duration_ms,
        turn_id=event.turn_id,
        interrupt_id=_interrupt_id(payload),
        **told,
    )


def shown_payload(event: Event) -> dict[str, Any]:
    """The event's payload as people are shown it. Worked out once for an event, however often it is asked."""
    known: dict[str, Any] | None = event.__dict__.get("shown_payload")
    if known is None:
        known = event.__dict__["shown_payload"] = _shown(event)
    return known


def _shown(event: Event) -> dict[str, Any]:
    payload = event.payload if isinstance(event.payload, dict) else {"payload": event.payload}
    shown: dict[str, Any] = redaction.redacted(payload)
    words = payload.get(SAID.get(event.kind, ""))
    return shown | {SAID[event.kind]: redaction.said(words)} if isinstance(words, str) else shown


def _interrupt_id(payload: dict[str, Any]) -> str | None:
    """The approval that a step leads to: its own, or that of an action that did not work."""
    name = "action_id" if payload.get("ok") is False else "interrupt_id"
    known = parse_uuid(payload.get(name))
    return str(known) if known else None


def _unknown(event: Event, payload: dict[str, Any]) -> Told:
    spoken = payload.get("content") or payload.get("message")
    return {
        "tone": INTERNAL,
        "title": event.kind.replace("_", " ").capitalize(),
        "icon": "info",
        "text": spoken if isinstance(spoken, str) else "",
        "details": [("Details", pretty(payload))] if payload else [],
    }


SENTENCES: dict[str, Callable[[Event, dict[str, Any]], Told]] = {
    "message_received": turns.message,
    "routed": turns.routed,
    "model_called": turns.model,
    "call_requested": turns.call_requested,
    "tool_called": turns.tool_called,
    "tool_returned": turns.tool_returned,
    "approval_opened": people.approval_opened,
    "approval_voted": people.approval_voted,
    "approval_reopened": people.approval_reopened,
    "approval_decided": people.approval_decided,
    "approval_expired": people.approval_expired,
    "action_settled": people.settled,
    "action_repeated": people.repeated,
    "replied": turns.replied,
    "question_asked": turns.question,
    "handoff_requested": people.handoff,
    "taken_over": people.taken_over,
    "handed_back": people.handed_back,
    "staff_wrote": people.staff_wrote,
    "note_written": people.note_written,
    "tagged": people.tagged,
    "conversation_resolved": people.resolved,
    "turn_completed": turns.completed,
    "turn_failed": turns.failed,
    "turn_stopped": turns.stopped,
    "turn_retried": turns.retried,
    "summarised": turns.summarised,
    "feedback_asked": people.feedback_asked,
    "feedback_given": people.feedback_given,
}
