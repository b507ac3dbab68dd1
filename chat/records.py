"""What the log says was done in a conversation, as short lines for the model that goes on with it.

Never the names of staff, nor what they noted for themselves: a model may repeat to the customer what it reads.
"""

from typing import Any

from smartsupport.lib.ids import canonical_json
from smartsupport.lib.text import shorten

ARGUMENTS_MOST, RESULT_MOST = 300, 300
OF_ACTIONS = ("tool_called", "tool_returned")
"""Only those of an action are recorded here: what a read brought is in the answer that came of it."""
OTHERS = (
    "approval_opened",
    "approval_reopened",
    "approval_decided",
    "approval_expired",
    "action_settled",
    "handoff_requested",
    "taken_over",
    "handed_back",
    "turn_stopped",
    "turn_failed",
)
OUTCOMES = ("tool_returned", "approval_expired", "action_settled")
"""What must never be forgotten, with each approval that was declined."""


def is_outcome(kind: str, payload: dict[str, Any]) -> bool:
    return kind in OUTCOMES or payload.get("resolution") == "rejected"


def sentence(kind: str, payload: dict[str, Any], arguments: dict[str, Any] | None) -> str:
    """One line about an event. `arguments` are those of the action that it is about, None where they are not known."""
    tell = _FIXED.get(kind)
    if tell is not None:
        return tell
    action = str(payload.get("action") or payload.get("tool") or "")
    if arguments is not None:
        action += f" {shorten(canonical_json(arguments), ARGUMENTS_MOST)}"
    return _ABOUT[kind](action, payload)


_FIXED = {
    "taken_over": "A colleague took the conversation over.",
    "handed_back": "The colleague gave the conversation back to the agents.",
    "turn_stopped": "The answer was stopped here. What had not been sent by then was not carried out.",
    "turn_failed": "The answer broke off here because of a fault.",
}


def _opened(action: str, payload: dict[str, Any]) -> str:
    return f"Asked {_approver(payload.get('approver'))} to approve {action}. It waits for that."


def _reopened(action: str, payload: dict[str, Any]) -> str:
    return f"The tool had changed, so nothing was sent. Asked our staff to approve {action} again."


def _decided(action: str, payload: dict[str, Any]) -> str:
    who = _approver(payload.get("by")).capitalize()
    if payload.get("resolution") != "approved":
        reason = f" Reason given: {payload['reason']}" if payload.get("reason") else ""
        return f"{who} declined {action}. It was not carried out.{reason}"
    changed = "; ".join(
        f"{name}: {canonical_json(now)} instead of {canonical_json(was)}"
        for name, (was, now) in (payload.get("changed") or {}).items()
    )
    return f"{who} approved {action}" + (
        f", but with {shorten(changed, ARGUMENTS_MOST)}." if changed else "."
    )


def _expired(action: str, payload: dict[str, Any]) -> str:
    return f"Nobody decided on {action} in time. It was not carried out."


def _called(action: str, payload: dict[str, Any]) -> str:
    return f"{action} was sent. Its outcome is not known yet."


def _returned(action: str, payload: dict[str, Any]) -> str:
    if payload.get("ok"):
        result = payload.get("result")
        told = (
            f" Result: {shorten(canonical_json(result), RESULT_MOST)}" if result not in (None, {}, []) else ""
        )
        return f"{action} was done.{told}"
    error = payload.get("error") or {}
    if error.get("kind") == "unknown":
        return f"{action} was sent, but nobody knows whether it happened. Our staff will check."
    return f"{action} was not done: {shorten(str(error.get('message', '')), RESULT_MOST)}"


def _settled(action: str, payload: dict[str, Any]) -> str:
    return f"Our staff have checked: {action} {'happened' if payload.get('happened') else 'did not happen'}."


def _handoff(action: str, payload: dict[str, Any]) -> str:
    return f"A colleague was asked to take over: {shorten(str(payload.get('reason', '')), RESULT_MOST)}"


def _approver(by: object) -> str:
    return "the customer" if by == "customer" else "our staff"


_ABOUT = {
    "approval_opened": _opened,
    "approval_reopened": _reopened,
    "approval_decided": _decided,
    "approval_expired": _expired,
    "tool_called": _called,
    "tool_returned": _returned,
    "action_settled": _settled,
    "handoff_requested": _handoff,
}
