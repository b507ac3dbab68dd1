"""The facts of a trial as steps for people."""

import json
from typing import Any

from agents.facts import Fact
from agents.playground.trial import Step

LONGEST = 20_000
ASKED_OF = {"customer": "The customer would be asked", "staff": "Staff would be asked"}
BY = {
    "model": "The model chose",
    "continued": "The conversation goes on, so the model was not asked",
    "staff": "You chose",
}


def step_of(fact: Fact) -> Step | None:
    """None for what another step tells already."""
    tell = _TOLD.get(fact.kind)
    return tell(fact) if tell else None


def _named(agent: str) -> str:
    return agent.replace("_", " ")


def _routed(fact: Fact) -> Step:
    agents = [_named(one) for one in fact.payload["agents"]]
    how = BY.get(fact.payload["by"], "")
    return Step(
        "routed",
        f"Goes to {' and then '.join(agents)}",
        text=str(fact.payload["reason"]),
        payload={"how": how, "agents": fact.payload["agents"]},
    )


def _asked_back(fact: Fact) -> Step:
    return Step("reply", "Asks back before it goes to an agent", text=str(fact.payload["message"]))


def _handed_over(fact: Fact) -> Step:
    return Step("routed", "A person would be asked to take over", text=str(fact.payload["reason"]))


def _replied(fact: Fact) -> Step:
    title = f"{_named(fact.agent).capitalize()} replies" if fact.agent else "Reply"
    return Step("reply", title, text=str(fact.payload["content"]), payload={"agent": fact.agent})


def _called(fact: Fact) -> Step:
    return Step(
        "called",
        f"Calls {fact.payload['title']}",
        payload={**fact.payload, "arguments": [*fact.payload["args"].items()]},
    )


def _returned(fact: Fact) -> Step:
    result = json.dumps(fact.payload.get("result"), indent=2, ensure_ascii=False)
    cut = result if len(result) <= LONGEST else f"{result[:LONGEST]}\n… (cut)"
    payload: dict[str, Any] = {**fact.payload, "duration_ms": fact.duration_ms, "result_text": cut}
    if fact.payload["ok"]:
        return Step("returned", f"{fact.payload['tool']} answered", payload=payload)
    error = fact.payload["error"]
    if error["kind"] == "validation":
        return Step(
            "refused", f"{fact.payload['tool']} was not called", text=error["message"], payload=payload
        )
    return Step("refused", f"{fact.payload['tool']} failed", text=error["message"], payload=payload)


def _simulated(fact: Fact) -> Step:
    payload = fact.payload
    if payload["outcome"] == "not_called":
        title, text = (
            f"Would call {payload['title']}",
            "Not called: reading calls are off. The agent was told so.",
        )
    else:
        told = (
            "the approver declined"
            if payload["outcome"] == "declined"
            else "this was simulated and went well"
        )
        title, text = f"Would do: {payload['title']}", f"Not sent. The agent was told that {told}."
    asked = ASKED_OF.get(payload.get("approver", ""), "")
    if asked and payload["needed"] > 1:
        asked += ", two different people"
    return Step("simulated", title, text=text, payload={**payload, "asked_of": asked})


_TOLD = {
    "routed": _routed,
    "question_asked": _asked_back,
    "handoff_requested": _handed_over,
    "replied": _replied,
    "tool_called": _called,
    "tool_returned": _returned,
    "call_simulated": _simulated,
}
