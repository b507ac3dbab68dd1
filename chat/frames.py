"""Events as the frames of the chat socket. Every event frame carries `thread_id`, `seq`, `turn_id` and `at`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.policy import FIND_TOOLS
from chat.markdown import to_html

RESULT_LIMIT = 70_000


@dataclass(frozen=True, slots=True)
class Shown:
    """What a frame is made of: one event, with its place in the log."""

    thread_id: str
    seq: int
    kind: str
    turn_id: UUID | None
    agent: str
    payload: dict[str, Any]
    created_at: datetime


Frame = dict[str, Any]


def of_event(event: Shown) -> list[Frame]:
    """The frames of one event, in order; none for what is internal."""
    make = _MAKERS.get(event.kind)
    if make is None:
        return []
    common: Frame = {
        "thread_id": event.thread_id,
        "seq": event.seq,
        "turn_id": str(event.turn_id) if event.turn_id else None,
        "at": event.created_at.isoformat(),
    }
    return [{**frame, **common} for frame in make(event)]


def _user_message(event: Shown) -> list[Frame]:
    payload = event.payload
    return [
        {
            "type": "user_message",
            "content": payload["content"],
            "client_message_id": payload.get("client_message_id"),
        }
    ]


def _routing(event: Shown) -> list[Frame]:
    return [{"type": "routing", "agents": event.payload["agents"], "reason": event.payload["reason"]}]


def _tool_call(event: Shown) -> list[Frame]:
    payload = event.payload
    if payload["tool"] == FIND_TOOLS:  # which tools an agent has is the staff's to know
        return []
    return [
        {
            "type": "tool_call",
            "agent": event.agent,
            "tool": payload["tool"],
            "title": payload["title"],
            "args": payload["args"],
            "call_id": payload["call_id"],
        }
    ]


def _tool_result(event: Shown) -> list[Frame]:
    payload = event.payload
    if payload["tool"] == FIND_TOOLS:
        return []
    result = payload.get("result") if payload["ok"] else payload.get("error")
    return [
        {
            "type": "tool_result",
            "agent": event.agent,
            "tool": payload["tool"],
            "ok": payload["ok"],
            "result": result
            if len(str(result)) <= RESULT_LIMIT
            else {"note": "This result is too long to show here."},
            "call_id": payload["call_id"],
        }
    ]


def _interrupt(event: Shown) -> list[Frame]:
    """Also for an approval that came back: what of the tool has changed is the staff's to know."""
    fields = ("interrupt_id", "action", "params", "message", "approver", "expires_at")
    return [{"type": "interrupt", "agent": event.agent, **{field: event.payload[field] for field in fields}}]


def _interrupt_resolved(event: Shown) -> list[Frame]:
    payload = event.payload
    return [
        {
            "type": "interrupt_resolved",
            "interrupt_id": payload["interrupt_id"],
            "resolution": payload["resolution"],
            "by": payload["by"],
            **({"params": payload["params"], "changed": payload["changed"]} if "changed" in payload else {}),
        }
    ]


def _interrupt_expired(event: Shown) -> list[Frame]:
    payload = event.payload
    return [
        {
            "type": "interrupt_expired",
            "interrupt_id": payload["interrupt_id"],
            "action": payload["action"],
            "message": payload["message"],
        }
    ]


def _agent_response(event: Shown) -> list[Frame]:
    payload = event.payload
    return [
        {
            "type": "agent_response",
            "agent": event.agent,
            "content": payload["content"],
            "html": to_html(payload["content"]),
            "offset": payload.get("offset", 0),
            "end": payload.get("end", 0),
            **({"cut": True} if payload.get("cut") else {}),
        }
    ]


def _clarification(event: Shown) -> list[Frame]:
    return [{"type": "clarification", "message": event.payload["message"]}]


def _handoff(event: Shown) -> list[Frame]:
    """Why staff asked for a colleague is theirs to know."""
    payload = event.payload
    later: Frame = {name: payload[name] for name in ("ticket", "available_at") if name in payload}
    reason = "" if payload["by"] == "staff" else payload["reason"]
    return [{"type": "handoff", "reason": reason, "by": payload["by"], **later}]


def _taken_over(event: Shown) -> list[Frame]:
    return [{"type": "handoff", "reason": "", "by": "staff"}]


def _handback(event: Shown) -> list[Frame]:
    return [{"type": "handback"}]


def _retrying(event: Shown) -> list[Frame]:
    return [{"type": "retrying"}]


def _staff_message(event: Shown) -> list[Frame]:
    """Which member of staff wrote is not the customer's to know: to them it is the company."""
    content = event.payload["content"]
    return [{"type": "staff_message", "content": content, "html": to_html(content)}]


def _feedback_request(event: Shown) -> list[Frame]:
    return [{"type": "feedback_request"}]


def _feedback(event: Shown) -> list[Frame]:
    return [
        {"type": "feedback", **{name: event.payload.get(name) for name in ("solved", "score", "comment")}}
    ]


def _complete(status: str) -> Callable[[Shown], list[Frame]]:
    return lambda event: [{"type": "message_complete", "status": status}]


def _failed(event: Shown) -> list[Frame]:
    payload = event.payload
    until = {"resets_at": payload["resets_at"]} if "resets_at" in payload else {}
    return [
        {"type": "error", "code": payload["code"], "message": payload["message"], "retriable": True, **until},
        {"type": "message_complete", "status": "failed"},
    ]


_MAKERS: dict[str, Callable[[Shown], list[Frame]]] = {
    "message_received": _user_message,
    "routed": _routing,
    "tool_called": _tool_call,
    "tool_returned": _tool_result,
    "approval_opened": _interrupt,
    "approval_reopened": _interrupt,
    "approval_decided": _interrupt_resolved,
    "approval_expired": _interrupt_expired,
    "replied": _agent_response,
    "question_asked": _clarification,
    "handoff_requested": _handoff,
    "staff_wrote": _staff_message,
    "taken_over": _taken_over,
    "handed_back": _handback,
    "turn_retried": _retrying,
    "turn_completed": _complete("completed"),
    "turn_stopped": _complete("stopped"),
    "turn_failed": _failed,
    "feedback_asked": _feedback_request,
    "feedback_given": _feedback,
}
"""Which kinds a customer sees. `model_called` is not here: prompts and usage are the staff's."""

TOLD_TWICE = ("turn_failed",)
"""Kinds that are told in more than one frame."""

LAST_LINE = {
    "message_received": "content",
    "replied": "content",
    "question_asked": "message",
    "staff_wrote": "content",
}
"""Kinds whose text is a conversation's last line in lists, and the payload's field."""
