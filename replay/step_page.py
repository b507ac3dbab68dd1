"""What the replay shows of one step: everything that is known of it, in blocks that a template draws."""

from datetime import UTC, datetime
from typing import Any

from agents.models import ModelCall
from chat.models import Conversation, Event
from replay import step_blocks as blocks
from replay.prompts import SentPrompt, sent
from replay.step_actions import approval, tool_call
from replay.step_blocks import Block, Message
from replay.timeline import shown_payload, step
from replay.told_turns import candidates
from replay.words import text_of

WITH_MODEL = ("model_called", "routed", "question_asked", "handoff_requested", "summarised")
OF_APPROVALS = (
    "approval_opened",
    "approval_voted",
    "approval_reopened",
    "approval_decided",
    "approval_expired",
    "action_settled",
    "action_repeated",
)
SOURCES = {
    "provider": "as the provider reported it",
    "price": "from the price list",
    "free": "the offline model costs nothing",
    "unknown": "",
}
BY = {
    "model": "The model chose",
    "continued": "Nobody was asked: the message plainly goes on with the agent at work",
    "staff": "Staff chose",
    "rule": "A rule of the platform",
}
ROLES = {
    "system": "System prompt",
    "user": "Customer",
    "assistant": "Agent",
    "tool": "Tool result",
}
NO_CANDIDATES = "This step is older than the keeping of candidates: only the outcome is known."
SUMMARY_PROMPT = "The prompt of a summary is not kept. It was made from what was said up to step {}."


def of(event: Event, conversation: Conversation, *, sees_approvals: bool) -> list[Block]:
    """The blocks of one step, most telling first. Never raises for what stands in the log. Six queries at most."""
    payload = shown_payload(event)
    told = step(event)
    if event.kind in ("tool_called", "tool_returned"):
        first = tool_call(event, payload, sees_approvals=sees_approvals)
    elif event.kind in OF_APPROVALS:
        first = approval(event, payload, told, sees_approvals=sees_approvals)
    elif event.kind == "model_called":
        first = _answer(payload)
    elif event.kind in ("routed", "question_asked") and ("by" in payload or "candidates" in payload):
        first = _routing(event, payload)
    else:
        first = [blocks.text("", told.text)] if told.text else []
        first += [blocks.code(name, value) for name, value in told.details]
    asked = _model(event, payload) if event.kind in WITH_MODEL else []
    prompt = _prompt(event, payload) if asked or event.kind == "model_called" else []
    return [*first, *asked, *prompt, blocks.code("The event as it is recorded", payload, folded=True)]


def _answer(payload: dict[str, Any]) -> list[Block]:
    listed = payload.get("tool_calls")
    calls = [call for call in listed if isinstance(call, dict)] if isinstance(listed, list) else []
    said, thought = text_of(payload, "text"), text_of(payload, "reasoning")
    found = [blocks.text("Answer", said)] if said else []
    found += [blocks.code(f"Calls {text_of(call, 'name') or '?'}", call.get("args")) for call in calls]
    found += [blocks.text("What it thought", thought, folded=True)] if thought else []
    return found or [blocks.note("The model answered nothing.")]


def _routing(event: Event, payload: dict[str, Any]) -> list[Block]:
    listed = payload.get("agents")
    names = ", then ".join(map(str, listed)) if isinstance(listed, list) else ""
    how = BY.get(text_of(payload, "by"), text_of(payload, "by"))
    if event.kind == "question_asked":
        how = "The model was too unsure to choose, and the customer was asked"
    if fault := text_of(payload, "fault"):
        how = f"By words alone: the model's answer could not be used ({fault})"
    least = payload.get("least")
    found = [
        blocks.facts(
            "How it was routed",
            [
                ("Agents", names),
                ("Asked", text_of(payload, "message")),
                ("How", how),
                ("Reason", text_of(payload, "reason")),
                ("Least confidence", f"{least:.0%}" if isinstance(least, float) else None),
            ],
        )
    ]
    weighed = candidates(payload)
    if weighed:
        rows = [
            tuple(
                map(blocks.visible, (one.agent, one.confidence, "Yes" if one.taken else "No", one.why or "–"))
            )
            for one in weighed
        ]
        found.append(
            Block("table", "Candidates", head=("Agent", "Confidence", "Sure enough", "Why"), rows=rows)
        )
    elif "candidates" in payload:
        found.append(blocks.note("The model named no agent."))
    elif payload.get("by") == "model":
        found.append(blocks.note(NO_CANDIDATES))
    return found


def _model(event: Event, payload: dict[str, Any]) -> list[Block]:
    """Which model was asked, what it took and what it cost; nothing where none was."""
    call = ModelCall.objects.filter(conversation=event.conversation_id, event_seq=event.seq).first()
    if call is None and not text_of(payload, "model") and event.tokens_in is None:
        return []
    source = SOURCES.get(call.cost_source, "") if call else ""
    price = blocks.cost(call.cost_micros if call else event.cost_micros)
    return [
        blocks.facts(
            "Model",
            [
                ("Model", (call.model if call else "") or text_of(payload, "model")),
                ("Provider", (call.provider if call else "") or text_of(payload, "provider")),
                ("Tokens in", _counted(event.tokens_in)),
                ("of these from its cache", _counted(event.tokens_cached, some=True)),
                (
                    "of these written to its cache",
                    _counted(call.tokens_cache_write, some=True) if call else None,
                ),
                ("Tokens out", _counted(event.tokens_out)),
                ("of these for reasoning", _counted(call.tokens_reasoning, some=True) if call else None),
                ("Cost", f"{price}, {source}" if source else price),
                ("Time", None if event.duration_ms is None else f"{event.duration_ms:,} ms"),
            ],
        )
    ]


def _counted(number: int | None, *, some: bool = False) -> str | None:
    """`some`: only where anything is known of it."""
    return f"{number:,}" if number is not None else None if some else "not reported"


def _prompt(event: Event, payload: dict[str, Any]) -> list[Block]:
    if event.kind == "summarised":
        return [blocks.note(SUMMARY_PROMPT.format(text_of(payload, "through_seq") or "?"))]
    prompt = sent(event)
    found = [blocks.note(prompt.why)] if prompt.why else []
    if prompt.messages:
        found.append(Block("messages", "Prompt as sent", messages=_messages(prompt)))
    if prompt.tools:
        names = ", ".join(text_of(_function(tool), "name") or "?" for tool in prompt.tools)
        title = f"Tools offered: {len(prompt.tools)} ({names})"
        found.append(blocks.code(blocks.visible(title[:300]), prompt.tools, folded=True))
    if prompt.format:
        found.append(blocks.code("Form that the answer had to have", prompt.format, folded=True))
    return found


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    return function if isinstance(function, dict) else tool


def _messages(prompt: SentPrompt) -> list[Message]:
    """All but the system prompt open, unless there are many: then the newest ones."""
    many = len(prompt.messages) - 6
    return [
        _message(message, folded=message.get("role") == "system" or (many > 0 and place <= many))
        for place, message in enumerate(prompt.messages)
    ]


def _message(message: dict[str, Any], *, folded: bool) -> Message:
    role, name, calls = text_of(message, "role"), text_of(message, "name"), message.get("tool_calls")
    words = ROLES.get(role, role or "?") + (f" ({name})" if name else "")
    made = [
        (text_of(call, "name"), blocks.visible(blocks.cut(blocks.written(call.get("args")))))
        for call in (calls if isinstance(calls, list) else [])
        if isinstance(call, dict)
    ]
    return Message(
        blocks.visible(words), blocks.visible(blocks.cut(text_of(message, "content"))), made, folded
    )


def exact(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M:%S}.{at.microsecond // 1000:03d} UTC"
