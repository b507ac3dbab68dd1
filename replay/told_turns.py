"""Sentences for what turns, models and tools did."""

from typing import Any, NamedTuple

from chat.models import Event
from replay.words import AGENT, CUSTOMER, INTERNAL, PROBLEM, Told, mapping_of, pretty, text_of


def _named(event: Event) -> str:
    return event.agent or "The agent"


def message(event: Event, payload: dict[str, Any]) -> Told:
    return {"tone": CUSTOMER, "title": "Customer", "icon": "person", "text": text_of(payload, "content")}


def routed(event: Event, payload: dict[str, Any]) -> Told:
    listed = payload.get("agents")
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    if payload.get("by") == "continued" and names:
        title = f"Stayed with {_joined(names)}"
    else:
        title = f"Passed to {_joined(names)}" if names else "Passed to nobody"
    reason = text_of(payload, "reason")
    weighed = candidates(payload)
    lines = [
        f"{one.agent}: {one.confidence}{f', {one.why}' if one.why else ''}{'' if one.taken else ' (too unsure)'}"
        for one in weighed
    ]
    return {
        "tone": INTERNAL,
        "title": title,
        "icon": "call_split",
        "text": reason,
        "reasoning": reason or None,
        "details": [("Confidence", "\n".join(lines))] if lines else [],
    }


class Candidate(NamedTuple):
    """An agent that was thought of for a message. `taken`: the confidence was enough."""

    agent: str
    confidence: str
    why: str
    taken: bool


def candidates(payload: dict[str, Any]) -> list[Candidate]:
    """Those of a `routed` or `question_asked` event; none where nobody was asked, or the event is an old one."""
    listed, least = payload.get("candidates"), _number(payload.get("least"))
    found = []
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict):
            sure = _number(one.get("confidence"))
            told = "not known" if sure is None else f"{round(sure * 100)} %"
            taken = sure is None or least is None or sure >= least
            found.append(Candidate(text_of(one, "agent"), told, text_of(one, "why"), taken))
    return found


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, then {names[-1]}"


def model(event: Event, payload: dict[str, Any]) -> Told:
    calls = payload.get("tool_calls")
    wanted = (
        [str(call.get("name", "?")) for call in calls if isinstance(call, dict)]
        if isinstance(calls, list)
        else []
    )
    said = text_of(payload, "text")
    does = f"chose {_joined(wanted)}" if wanted else "wrote an answer" if said else "answered nothing"
    details = [("Text", said)] if said else []
    if wanted:
        details.append(("Tool calls", pretty(calls)))
    model = text_of(payload, "model")
    return {
        "tone": INTERNAL,
        "title": f"{_named(event)}'s model {does}",
        "icon": "neurology",
        "text": f"Model: {model}" if model else "",
        "details": details,
        "reasoning": text_of(payload, "reasoning") or None,
    }


def call_requested(event: Event, payload: dict[str, Any]) -> Told:
    tool, params = text_of(payload, "tool"), mapping_of(payload, "args")
    title = text_of(payload, "title") or tool
    return {
        "tone": INTERNAL,
        "title": f"{text_of(payload, 'by_name') or 'Another system'} asked for “{title}”",
        "icon": "api",
        "tool": tool,
        "params": params,
        "details": [("Tool", tool), ("Arguments", pretty(params))],
    }


def tool_called(event: Event, payload: dict[str, Any]) -> Told:
    tool, params = text_of(payload, "tool"), mapping_of(payload, "args")
    title = text_of(payload, "title") or tool
    return {
        "tone": INTERNAL,
        "text": overridden(payload),
        "title": f"{_named(event)} used “{title}”",
        "icon": "build",
        "tool": tool,
        "params": params,
        "details": [("Tool", tool), ("Arguments", pretty(params))],
    }


def tool_returned(event: Event, payload: dict[str, Any]) -> Told:
    tool, ok = text_of(payload, "tool"), payload.get("ok") is True
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
    error = mapping_of(payload, "error")
    return {
        "tone": PROBLEM,
        "title": f"No clear answer from {tool}" if error.get("kind") == "unknown" else f"{tool} did not work",
        "icon": "error",
        "text": text_of(error, "message"),
        "tool": tool,
        "result": error or None,
        "details": [*details, ("Error", pretty(error))],
    }


def replied(event: Event, payload: dict[str, Any]) -> Told:
    told = {"tone": AGENT, "title": _named(event), "icon": "smart_toy", "text": text_of(payload, "content")}
    return {**told, "mark": "cut off here"} if payload.get("cut") is True else told


def question(event: Event, payload: dict[str, Any]) -> Told:
    title = event.agent or "Asked the customer back"
    return {"tone": AGENT, "title": title, "icon": "help", "text": text_of(payload, "message")}


def completed(event: Event, payload: dict[str, Any]) -> Told:
    return {"tone": INTERNAL, "title": "Finished", "icon": "done_all"}


def retried(event: Event, payload: dict[str, Any]) -> Told:
    who = "Staff" if payload.get("by") == "staff" else "The customer"
    return {"tone": INTERNAL, "title": f"{who} had it tried again", "icon": "replay"}


def summarised(event: Event, payload: dict[str, Any]) -> Told:
    """A summary is the model's and the staff's to read; the customer keeps the whole conversation."""
    through = payload.get("through_seq")
    outcomes = payload.get("outcomes")
    known = [str(one) for one in outcomes] if isinstance(outcomes, list) else []
    details = [("Summary", text_of(payload, "text"))]
    if known:
        details.append(("What was done", "\n".join(known)))
    return {
        "tone": INTERNAL,
        "title": "Summarised what was said before, for the agents",
        "icon": "summarize",
        "text": f"Up to step {through}." if isinstance(through, int) else "",
        "details": [(name, value) for name, value in details if value],
    }


def failed(event: Event, payload: dict[str, Any]) -> Told:
    detail = text_of(payload, "detail")
    return {
        "tone": PROBLEM,
        "title": "The turn failed",
        "icon": "report",
        "text": text_of(payload, "message"),
        "details": [("Code", text_of(payload, "code"))] + ([("Detail", detail)] if detail else []),
    }


def stopped(event: Event, payload: dict[str, Any]) -> Told:
    return {"tone": INTERNAL, "title": "Stopped before it was finished", "icon": "stop_circle"}


def overridden(payload: dict[str, Any]) -> str:
    """What a model tried to fill in although that is not its business."""
    names = payload.get("overridden")
    if not isinstance(names, list) or not names:
        return ""
    listed = ", ".join(str(name) for name in names)
    return f"The agent tried to fill in {listed} itself. The verified customer's was used instead."
