"""Sentences for what people did and were asked: approvals, hand-overs, staff."""

from datetime import UTC, datetime
from typing import Any

from django.utils.formats import date_format

from chat.models import Event
from replay.told_turns import overridden
from replay.words import APPROVAL, INTERNAL, NOTE, STAFF, Told, mapping_of, pretty, text_of


def approval_opened(event: Event, payload: dict[str, Any]) -> Told:
    asked = "the customer" if payload.get("approver") == "customer" else "staff"
    params = mapping_of(payload, "params")
    return {
        "tone": APPROVAL,
        "title": f"Asked {asked} for approval",
        "icon": "gavel",
        "text": "\n".join(line for line in (text_of(payload, "message"), overridden(payload)) if line),
        "tool": text_of(payload, "action"),
        "params": params,
        "details": [("Action", text_of(payload, "action")), ("Arguments", pretty(params))],
    }


def approval_voted(event: Event, payload: dict[str, Any]) -> Told:
    who, action = text_of(payload, "by_name") or "Somebody", text_of(payload, "action")
    votes, needed = text_of(payload, "votes"), text_of(payload, "needed")
    return {
        "tone": APPROVAL,
        "title": f"{who} approved {action}; a second person has to agree",
        "icon": "how_to_reg",
        "text": f"{votes} of {needed} have agreed. Nothing was sent yet." if votes and needed else "",
        "tool": action,
    }


def approval_reopened(event: Event, payload: dict[str, Any]) -> Told:
    action, params = text_of(payload, "action"), mapping_of(payload, "params")
    return {
        "tone": APPROVAL,
        "title": f"{action} came back to staff, because the tool has changed",
        "icon": "undo",
        "text": "It was approved, but nothing was sent. Staff have to look at what is different.",
        "tool": action,
        "params": params,
        "details": [("What has changed", pretty(payload.get("difference"))), ("Arguments", pretty(params))],
    }


def approval_decided(event: Event, payload: dict[str, Any]) -> Told:
    approved = payload.get("resolution") == "approved"
    name, action = text_of(payload, "by_name"), text_of(payload, "action")
    who = "The customer" if payload.get("by") == "customer" else name or "Staff"
    reason, changed = text_of(payload, "reason"), mapping_of(payload, "changed")
    did = "approved" if approved else "declined"
    lines = [_change(argument, pair) for argument, pair in changed.items()]
    result = {
        "resolution": payload.get("resolution"),
        "by": payload.get("by"),
        "by_name": name,
        "reason": reason,
    }
    return {
        "tone": APPROVAL,
        "title": f"{who} {did} {action}{' with changes' if changed else ''}",
        "icon": "thumb_up" if approved else "thumb_down",
        "text": "\n".join([*lines, *([f"Reason: {reason}"] if reason else [])]),
        "tool": action,
        "params": mapping_of(payload, "params") or None,
        "result": {**result, "changed": changed} if changed else result,
    }


def _change(argument: str, pair: Any) -> str:
    was, now = pair if isinstance(pair, list) and len(pair) == 2 else (None, pair)
    return f"{argument}: {_shown(now)} instead of {_shown(was)}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else value if isinstance(value, str) else pretty(value)


def approval_expired(event: Event, payload: dict[str, Any]) -> Told:
    action = text_of(payload, "action")
    title = f"Nobody decided on {action} in time"
    return {
        "tone": APPROVAL,
        "title": title,
        "icon": "timer_off",
        "text": text_of(payload, "message"),
        "tool": action,
    }


def settled(event: Event, payload: dict[str, Any]) -> Told:
    action, happened = text_of(payload, "action"), payload.get("happened") is True
    who, note = text_of(payload, "by_name") or "Staff", text_of(payload, "note")
    return {
        "tone": APPROVAL,
        "title": f"{who} found that {action} {'happened' if happened else 'did not happen'}",
        "icon": "fact_check",
        "text": f"Note, for staff only: {note}" if note else "",
        "tool": action,
        "result": {"happened": payload.get("happened"), "by_name": text_of(payload, "by_name"), "note": note},
    }


ASKED_BY = {"model": "The agent", "customer": "The customer", "rule": "A rule", "staff": "Staff"}


def repeated(event: Event, payload: dict[str, Any]) -> Told:
    action, who = text_of(payload, "action"), text_of(payload, "by_name")
    return {
        "tone": APPROVAL,
        "title": f"{who or 'Smart Support'} sent {action} again, to find out what came of it",
        "icon": "replay",
        "text": "With the same Idempotency-Key: the business system acts once.",
        "tool": action,
    }


def taken_over(event: Event, payload: dict[str, Any]) -> Told:
    who = text_of(payload, "by_name") or "Staff"
    return {
        "tone": APPROVAL,
        "title": f"{who} took the conversation over",
        "icon": "front_hand",
        "text": "From here on people answer: the agents say and do nothing.",
    }


def handed_back(event: Event, payload: dict[str, Any]) -> Told:
    who = text_of(payload, "by_name") or "Staff"
    return {
        "tone": APPROVAL,
        "title": f"{who} gave the conversation back to the agents",
        "icon": "smart_toy",
        "text": "They answer what the customer writes next.",
    }


def handoff(event: Event, payload: dict[str, Any]) -> Told:
    who = text_of(payload, "by_name") or ASKED_BY.get(text_of(payload, "by"), "The agent")
    lines = [text_of(payload, "reason")]
    if at := _moment(payload.get("available_at")):
        lines.append(f"Nobody is there before {at}; the customer was told so.")
    if ticket := text_of(payload, "ticket"):
        lines.append(f"The customer's reference: {ticket}")
    return {
        "tone": APPROVAL,
        "title": f"{who} asked for a person",
        "icon": "support_agent",
        "text": "\n".join(line for line in lines if line),
    }


def _moment(value: Any) -> str:
    """A time of the log in the words of the console; "" for what is none."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return value
    return f"{date_format(at.astimezone(UTC), 'j M Y, H:i')} UTC" if at and at.tzinfo else ""


def staff_wrote(event: Event, payload: dict[str, Any]) -> Told:
    who = text_of(payload, "by_name") or "Staff"
    told = {"tone": STAFF, "title": who, "icon": "support_agent", "text": text_of(payload, "content")}
    return {**told, "mark": "the customer sees it as “Our team”"}


def note_written(event: Event, payload: dict[str, Any]) -> Told:
    """A colleague's note: no customer, no model and no other system sees it."""
    who = text_of(payload, "by_name") or "Staff"
    told = {"tone": NOTE, "title": who, "icon": "sticky_note_2", "text": text_of(payload, "content")}
    return {**told, "mark": "internal note: only staff read this"}


def tagged(event: Event, payload: dict[str, Any]) -> Told:
    """A change of the tags, by staff or a program. Customers never hear of tags."""
    who = text_of(payload, "by_name") or "Staff"
    did = [f"{verb} {_tags(payload.get(verb))}" for verb in ("added", "removed") if payload.get(verb)]
    return {"tone": INTERNAL, "title": f"{who} {' and '.join(did) or 'changed the tags'}", "icon": "sell"}


def _tags(names: Any) -> str:
    listed = [str(name) for name in names] if isinstance(names, list) else [str(names)]
    return f"the tag{'' if len(listed) == 1 else 's'} {', '.join(f'“{name}”' for name in listed)}"


def resolved(event: Event, payload: dict[str, Any]) -> Told:
    who = text_of(payload, "by_name") or "Staff"
    return {"tone": INTERNAL, "title": f"{who} marked the conversation as resolved", "icon": "task_alt"}


def feedback_asked(event: Event, payload: dict[str, Any]) -> Told:
    return {"tone": INTERNAL, "title": "Asked the customer whether this helped", "icon": "reviews"}


def feedback_given(event: Event, payload: dict[str, Any]) -> Told:
    solved, score, comment = payload.get("solved"), payload.get("score"), text_of(payload, "comment")
    said = {True: "solved", False: "not solved"}.get(solved) if isinstance(solved, bool) else None
    parts = [f"{score} of 5" if isinstance(score, int) and not isinstance(score, bool) else None, said]
    known = ", ".join(part for part in parts if part)
    return {
        "tone": INTERNAL,
        "title": f"The customer said: {known}" if known else "The customer answered without a score",
        "icon": "reviews",
        "text": comment,
    }
