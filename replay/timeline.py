"""Events as steps and as sentences: the one place that knows how a fact reads. API and console use it.

Every event becomes exactly one step, also one of a kind that is not known here: a replay loses nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from chat.markdown import to_html
from chat.models import Event
from smartsupport.lib.ids import parse_uuid

CUSTOMER, AGENT, STAFF, INTERNAL, APPROVAL, PROBLEM = (
    "customer",
    "agent",
    "staff",
    "internal",
    "approval",
    "problem",
)

STEP_TYPES = {
    "message_received": "user_message",
    "routed": "supervisor_routing",
    "model_called": "model_call",
    "tool_called": "tool_call",
    "tool_returned": "tool_result",
    "approval_opened": "interrupt",
    "approval_decided": "interrupt_resolved",
    "approval_expired": "interrupt_expired",
    "action_settled": "action_settled",
    "replied": "agent_response",
    "question_asked": "clarification",
    "handoff_requested": "handoff",
    "staff_wrote": "staff_message",
    "conversation_resolved": "conversation_resolved",
    "turn_completed": "turn_completed",
    "turn_failed": "turn_failed",
    "turn_stopped": "turn_stopped",
}
"""The type of a step by the kind of its event. A kind that is not here is its own type."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event, told. `tone`: who speaks, or what sort of fact it is. `text` is never markup."""

    seq: int
    type: str
    at: datetime
    tone: str
    title: str
    icon: str
    text: str = ""
    agent: str = ""
    tool: str | None = None
    params: dict[str, Any] | None = None
    result: Any = None
    reasoning: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
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
        """What an agent or staff wrote, rendered and cleaned as the customer sees it; None for what is plain text."""
        return mark_safe(to_html(self.text)) if self.tone in (AGENT, STAFF) else None  # noqa: S308 - it is clean

    @property
    def spoken(self) -> bool:
        """Whether a person said or read this in the chat."""
        return self.tone in (CUSTOMER, AGENT, STAFF)


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def step(event: Event) -> Step:
    """The step of one event. Never raises: an odd payload is shown as it is."""
    payload = event.payload if isinstance(event.payload, dict) else {"payload": event.payload}
    tell = SENTENCES.get(event.kind, _unknown)
    told = tell(event, payload)
    return Step(
        seq=event.seq,
        type=STEP_TYPES.get(event.kind, event.kind),
        at=event.created_at,
        agent=event.agent,
        tokens_in=event.tokens_in,
        tokens_out=event.tokens_out,
        cost_micros=event.cost_micros,
        duration_ms=event.duration_ms,
        turn_id=event.turn_id,
        interrupt_id=_interrupt_id(payload),
        **told,
    )


def _interrupt_id(payload: dict[str, Any]) -> str | None:
    """The approval that a step leads to: its own, or that of an action that did not work."""
    name = "action_id" if payload.get("ok") is False else "interrupt_id"
    known = parse_uuid(payload.get(name))
    return str(known) if known else None


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    return value if isinstance(value, str) else "" if value is None else pretty(value)


def _mapping(payload: dict[str, Any], name: str) -> dict[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, dict) else {} if value is None else {name: value}


def _named(event: Event) -> str:
    return event.agent or "The agent"


def _message(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    return {"tone": CUSTOMER, "title": "Customer", "icon": "person", "text": _text(payload, "content")}


def _routed(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    listed = payload.get("agents")
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    if payload.get("by") == "continued" and names:
        title = f"Stayed with {_joined(names)}"
    else:
        title = f"Passed to {_joined(names)}" if names else "Passed to nobody"
    reason = _text(payload, "reason")
    return {
        "tone": INTERNAL,
        "title": title,
        "icon": "call_split",
        "text": reason,
        "reasoning": reason or None,
    }


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, then {names[-1]}"


def _model(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    calls = payload.get("tool_calls")
    wanted = (
        [str(call.get("name", "?")) for call in calls if isinstance(call, dict)]
        if isinstance(calls, list)
        else []
    )
    said = _text(payload, "text")
    does = f"chose {_joined(wanted)}" if wanted else "wrote an answer" if said else "answered nothing"
    details = [("Text", said)] if said else []
    if wanted:
        details.append(("Tool calls", pretty(calls)))
    model = _text(payload, "model")
    return {
        "tone": INTERNAL,
        "title": f"{_named(event)}'s model {does}",
        "icon": "neurology",
        "text": f"Model: {model}" if model else "",
        "details": details,
        "reasoning": _text(payload, "reasoning") or None,
    }


def _tool_called(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    tool, params = _text(payload, "tool"), _mapping(payload, "args")
    title = _text(payload, "title") or tool
    return {
        "tone": INTERNAL,
        "title": f"{_named(event)} used “{title}”",
        "icon": "build",
        "tool": tool,
        "params": params,
        "details": [("Tool", tool), ("Arguments", pretty(params))],
    }


def _tool_returned(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    tool, ok = _text(payload, "tool"), payload.get("ok") is True
    status = payload.get("status")
    details = [("HTTP status", str(status))] if status is not None else []
    if ok:
        result = payload.get("result")
        return {
            "tone": INTERNAL,
            "title": f"{tool} answered",
            "icon": "check_circle",
            "tool": tool,
            "result": result,
            "details": [*details, ("Result", pretty(result))],
        }
    error = _mapping(payload, "error")
    return {
        "tone": PROBLEM,
        "title": f"No clear answer from {tool}" if error.get("kind") == "unknown" else f"{tool} did not work",
        "icon": "error",
        "text": _text(error, "message"),
        "tool": tool,
        "result": error or None,
        "details": [*details, ("Error", pretty(error))],
    }


def _approval_opened(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    asked = "the customer" if payload.get("approver") == "customer" else "staff"
    params = _mapping(payload, "params")
    return {
        "tone": APPROVAL,
        "title": f"Asked {asked} for approval",
        "icon": "gavel",
        "text": _text(payload, "message"),
        "tool": _text(payload, "action"),
        "params": params,
        "details": [("Action", _text(payload, "action")), ("Arguments", pretty(params))],
    }


def _approval_decided(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    approved = payload.get("resolution") == "approved"
    name = _text(payload, "by_name")
    who = "The customer" if payload.get("by") == "customer" else name or "Staff"
    reason = _text(payload, "reason")
    return {
        "tone": APPROVAL,
        "title": f"{who} {'approved' if approved else 'declined'} {_text(payload, 'action')}",
        "icon": "thumb_up" if approved else "thumb_down",
        "text": f"Reason: {reason}" if reason else "",
        "tool": _text(payload, "action"),
        "result": {
            "resolution": payload.get("resolution"),
            "by": payload.get("by"),
            "by_name": name,
            "reason": reason,
        },
    }


def _approval_expired(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    action = _text(payload, "action")
    title = f"Nobody decided on {action} in time"
    return {
        "tone": APPROVAL,
        "title": title,
        "icon": "timer_off",
        "text": _text(payload, "message"),
        "tool": action,
    }


def _settled(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    action, happened = _text(payload, "action"), payload.get("happened") is True
    who, note = _text(payload, "by_name") or "Staff", _text(payload, "note")
    return {
        "tone": APPROVAL,
        "title": f"{who} found that {action} {'happened' if happened else 'did not happen'}",
        "icon": "fact_check",
        "text": f"Note: {note}" if note else "",
        "tool": action,
        "result": {"happened": payload.get("happened"), "by_name": _text(payload, "by_name"), "note": note},
    }


def _replied(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    return {"tone": AGENT, "title": _named(event), "icon": "smart_toy", "text": _text(payload, "content")}


def _question(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    title = event.agent or "Asked the customer back"
    return {"tone": AGENT, "title": title, "icon": "help", "text": _text(payload, "message")}


ASKED_BY = {"model": "The agent", "customer": "The customer", "rule": "A rule", "staff": "Staff"}


def _handoff(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    who = ASKED_BY.get(_text(payload, "by"), "The agent")
    return {
        "tone": APPROVAL,
        "title": f"{who} asked for a person",
        "icon": "support_agent",
        "text": _text(payload, "reason"),
    }


def _staff_wrote(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    who = _text(payload, "by_name") or "Staff"
    return {"tone": STAFF, "title": who, "icon": "support_agent", "text": _text(payload, "content")}


def _resolved(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    who = _text(payload, "by_name") or "Staff"
    return {"tone": INTERNAL, "title": f"{who} marked the conversation as resolved", "icon": "task_alt"}


def _completed(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    return {"tone": INTERNAL, "title": "Finished", "icon": "done_all"}


def _failed(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    detail = _text(payload, "detail")
    return {
        "tone": PROBLEM,
        "title": "The turn failed",
        "icon": "report",
        "text": _text(payload, "message"),
        "details": [("Code", _text(payload, "code"))] + ([("Detail", detail)] if detail else []),
    }


def _stopped(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    return {"tone": INTERNAL, "title": "Stopped before it was finished", "icon": "stop_circle"}


def _unknown(event: Event, payload: dict[str, Any]) -> dict[str, Any]:
    spoken = payload.get("content") or payload.get("message")
    return {
        "tone": INTERNAL,
        "title": event.kind.replace("_", " ").capitalize(),
        "icon": "info",
        "text": spoken if isinstance(spoken, str) else "",
        "details": [("Details", pretty(payload))] if payload else [],
    }


SENTENCES: dict[str, Callable[[Event, dict[str, Any]], dict[str, Any]]] = {
    "message_received": _message,
    "routed": _routed,
    "model_called": _model,
    "tool_called": _tool_called,
    "tool_returned": _tool_returned,
    "approval_opened": _approval_opened,
    "approval_decided": _approval_decided,
    "approval_expired": _approval_expired,
    "action_settled": _settled,
    "replied": _replied,
    "question_asked": _question,
    "handoff_requested": _handoff,
    "staff_wrote": _staff_wrote,
    "conversation_resolved": _resolved,
    "turn_completed": _completed,
    "turn_failed": _failed,
    "turn_stopped": _stopped,
}
