"""What the graph reports: facts in the past tense, which the conversation's log keeps. One function per kind, so that
a payload has one shape. `key` names what happens once in a turn: a turn that is run again finds it by its key."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.prompt_parts import Part, Prompt
from agents.spending.usage import Call, Usage

__all__ = ["Call", "Fact", "Usage"]


@dataclass(frozen=True, slots=True)
class Fact:
    """`call`: the call of a model that it tells of, which is entered into the ledger with it, and `parts` what of its
    prompt may not be stored yet. A fact without a kind is no event: only its call is entered."""

    kind: str
    payload: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    agent: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    duration_ms: int | None = None
    call: Call | None = None
    parts: tuple[Part, ...] = ()


def routed(
    *,
    agents: list[str],
    reason: str,
    by: str,
    usage: Usage,
    duration_ms: int | None,
    model: str = "",
    provider: str = "",
    weighed: dict[str, Any] | None = None,
    prompt: Prompt | None = None,
) -> Fact:
    """`model` and `provider`: of whoever was asked; empty where nobody was. `weighed`: what else was thought of
    (`agents.routing.Decision.weighed`)."""
    fact = Fact("routed", {"agents": agents, "reason": reason, "by": by, **(weighed or {})}, key="route")
    return _of_call(fact, Call("route", provider, model, usage, duration_ms=duration_ms), prompt)


def question_asked(
    *,
    message: str,
    usage: Usage,
    duration_ms: int | None,
    model: str = "",
    provider: str = "",
    weighed: dict[str, Any] | None = None,
    prompt: Prompt | None = None,
) -> Fact:
    fact = Fact("question_asked", {"message": message, **(weighed or {})}, key="route")
    return _of_call(fact, Call("route", provider, model, usage, duration_ms=duration_ms), prompt)


def handoff_requested(
    *,
    reason: str,
    by: str,
    key: str,
    agent: str = "",
    usage: Usage | None = None,
    duration_ms: int | None = None,
    model: str = "",
    provider: str = "",
    weighed: dict[str, Any] | None = None,
    prompt: Prompt | None = None,
) -> Fact:
    fact = Fact("handoff_requested", {"reason": reason, "by": by, **(weighed or {})}, key=key, agent=agent)
    return _of_call(fact, Call("route", provider, model, usage or Usage(), duration_ms=duration_ms), prompt)


def summarised(payload: dict[str, Any], call: Call) -> Fact:
    """`payload` as `chat.summaries` makes it."""
    return _of_call(Fact("summarised", payload), call)


def broke_off(*, agent: str, model: str, provider: str, duration_ms: int) -> Fact:
    """No event: an answer that had begun and did not end. What it cost, its provider does not tell."""
    return Fact("", call=Call("answer", provider, model, Usage(), agent, duration_ms))


def _of_call(fact: Fact, call: Call, prompt: Prompt | None = None) -> Fact:
    """The fact as what came of a call of a model; as it is, where the call names no provider: nobody was asked."""
    usage = call.usage
    asked: dict[str, Any] = {"model": call.model, "provider": call.provider} if call.provider else {}
    if prompt and call.provider:
        asked["prompt"] = prompt.names
    return replace(
        fact,
        payload=fact.payload | asked,
        tokens_in=usage.tokens_in,
        tokens_out=usage.tokens_out,
        tokens_cached=usage.tokens_cached,
        duration_ms=call.duration_ms,
        call=call if call.provider else None,
        parts=prompt.parts if prompt and call.provider else (),
    )


def model_called(
    *,
    step: int,
    agent: str,
    text: str,
    tool_calls: list[dict[str, Any]],
    model: str,
    usage: Usage,
    duration_ms: int,
    tools: Sequence[str] = (),
    provider: str = "",
    asked: str = "",
    prompt: Prompt | None = None,
) -> Fact:
    """`tools` names those that the model was given, where the agent has too many to be given all of them. `asked` is as
    in Call."""
    payload: dict[str, Any] = {"text": text, "tool_calls": tool_calls, "model": model}
    if tools:
        payload["tools"] = list(tools)
    fact = Fact("model_called", payload, key=f"model:{step}", agent=agent)
    return _of_call(fact, Call("answer", provider, model, usage, agent, duration_ms, asked), prompt)


def replied(*, agent: str, content: str, key: str, cut: bool = False) -> Fact:
    """`cut`: the turn ended before the text was whole."""
    return Fact("replied", {"content": content, **({"cut": True} if cut else {})}, key=key, agent=agent)


def note_written(*, content: str, by_name: str, once: str, key: str) -> Fact:
    """What a member of staff wrote for colleagues: no customer, model or other system is ever told of it."""
    return Fact("note_written", {"content": content, "by_name": by_name, "once": once}, key=key)


def tagged(*, added: Sequence[str], removed: Sequence[str], by_name: str) -> Fact:
    """The tags of a conversation have changed, by staff or a program; as a note, this is for staff alone."""
    return Fact("tagged", {"added": list(added), "removed": list(removed), "by_name": by_name})


def feedback_asked() -> Fact:
    """The customer was asked whether their question was solved."""
    return Fact("feedback_asked")


def feedback_given(*, solved: bool | None, score: int | None, comment: str) -> Fact:
    """All that the customer thinks now: what they said before and did not change is in it again."""
    return Fact("feedback_given", {"solved": solved, "score": score, "comment": comment})


def call_requested(*, tool: str, title: str, args: dict[str, Any], by: str, by_name: str) -> Fact:
    """Somebody outside asks for one call of a tool. `by`: their decider id."""
    payload = {"tool": tool, "title": title, "args": args, "by": by, "by_name": by_name}
    return Fact("call_requested", payload, key="requested")


def tool_called(
    *,
    agent: str,
    tool: str,
    title: str,
    args: dict[str, Any],
    call_id: str,
    action_id: UUID | None = None,
    overridden: Sequence[str] = (),
) -> Fact:
    """`overridden` names what the model tried to fill in although the server does. What it gave is not kept."""
    payload: dict[str, Any] = {"tool": tool, "title": title, "args": args, "call_id": call_id}
    if action_id:
        payload["action_id"] = str(action_id)
    if overridden:
        payload["overridden"] = list(overridden)
    return Fact("tool_called", payload, key=f"call:{call_id}", agent=agent)


def tool_returned(
    *,
    agent: str,
    tool: str,
    call_id: str,
    ok: bool,
    result: Any = None,
    error: dict[str, str] | None = None,
    status: int | None = None,
    action_id: UUID | None = None,
    duration_ms: int | None = None,
    more: str = "",
    request: dict[str, Any] | None = None,
) -> Fact:
    """`result` is whole, whatever the model was shown of it; `more` says that the business has more than this.
    `request`: what was sent, as `tool_request.Request.shown` has it; an action keeps its own."""
    payload: dict[str, Any] = {"tool": tool, "call_id": call_id, "ok": ok}
    if ok:
        payload["result"] = result
    if error:
        payload["error"] = error
    if status is not None:
        payload["status"] = status
    if action_id:
        payload["action_id"] = str(action_id)
    if more:
        payload["more"] = more
    if request:
        payload["request"] = {name: value for name, value in request.items() if value}
    return Fact("tool_returned", payload, key=f"tool:{call_id}", agent=agent, duration_ms=duration_ms)


def approval_opened(
    *,
    interrupt_id: UUID,
    agent: str,
    action: str,
    params: dict[str, Any],
    message: str,
    approver: str,
    expires_at: datetime,
    overridden: Sequence[str] = (),
) -> Fact:
    """`overridden` as in `tool_called`."""
    payload: dict[str, Any] = {
        "interrupt_id": str(interrupt_id),
        "action": action,
        "params": params,
        "message": message,
        "approver": approver,
        "expires_at": expires_at.isoformat(),
    }
    if overridden:
        payload["overridden"] = list(overridden)
    return Fact("approval_opened", payload, key=f"approval:{interrupt_id}", agent=agent)


def approval_decided(
    *,
    interrupt_id: UUID,
    action: str,
    resolution: str,
    by: str,
    by_name: str,
    reason: str,
    attempt: int = 0,
    params: dict[str, Any] | None = None,
    changed: dict[str, list[Any]] | None = None,
) -> Fact:
    """`changed` {argument: [as proposed, as approved]} and the new `params` where staff edited them. `attempt` counts
    how often the approval came back because its tool had changed."""
    payload: dict[str, Any] = {
        "interrupt_id": str(interrupt_id),
        "action": action,
        "resolution": resolution,
        "by": by,
        "by_name": by_name,
        "reason": reason,
    }
    if changed:
        payload |= {"params": params, "changed": changed}
    return Fact("approval_decided", payload, key=_decision(interrupt_id, attempt))


def _decision(interrupt_id: UUID, attempt: int) -> str:
    return f"decision:{interrupt_id}:{attempt}" if attempt else f"decision:{interrupt_id}"


def approval_voted(*, interrupt_id: UUID, action: str, by_name: str, votes: int, needed: int) -> Fact:
    payload = {"interrupt_id": str(interrupt_id), "action": action, "by_name": by_name}
    return Fact("approval_voted", {**payload, "votes": votes, "needed": needed})


def approval_reopened(
    *,
    interrupt_id: UUID,
    agent: str,
    action: str,
    params: dict[str, Any],
    message: str,
    approver: str,
    expires_at: datetime,
    difference: list[dict[str, Any]],
    attempt: int,
) -> Fact:
    """It was approved, but the tool is another one now: nothing was sent, and staff are asked again."""
    payload = {
        "interrupt_id": str(interrupt_id),
        "action": action,
        "params": params,
        "message": message,
        "approver": approver,
        "expires_at": expires_at.isoformat(),
        "difference": difference,
    }
    return Fact("approval_reopened", payload, key=f"reopened:{interrupt_id}:{attempt}", agent=agent)


def approval_expired(*, interrupt_id: UUID, action: str, message: str, attempt: int = 0) -> Fact:
    payload = {"interrupt_id": str(interrupt_id), "action": action, "message": message}
    return Fact("approval_expired", payload, key=_decision(interrupt_id, attempt))


def action_settled(*, interrupt_id: UUID, action: str, happened: bool, by_name: str, note: str) -> Fact:
    payload = {"interrupt_id": str(interrupt_id), "action": action, "happened": happened}
    return Fact(
        "action_settled", {**payload, "by_name": by_name, "note": note}, key=f"settlement:{interrupt_id}"
    )


def action_repeated(*, interrupt_id: UUID, action: str, by_name: str, attempt: int) -> Fact:
    """An action of unknown outcome is about to be sent again; `by_name` is empty where nobody asked for it."""
    payload = {"interrupt_id": str(interrupt_id), "action": action, "by_name": by_name, "attempt": attempt}
    return Fact("action_repeated", payload, key=f"repeat:{interrupt_id}:{attempt}")
