"""One answer of an agent: tool calls that are still to be made, or what to tell the customer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from agents.lexical import is_goodbye, is_greeting, is_noise, is_thanks, normalised
from agents.lexical_router import clarifying_question, is_request
from agents.providers.offline import answers, phrases, plan
from agents.providers.offline.conversation import Made, Prompt
from agents.providers.offline.tools import FIND_TOOLS, HAND_OFF, Tool

Call = tuple[str, dict[str, Any]]
QUERY_MOST = 500

_WHO = re.compile(
    r"\b(?:who|what) are you\b|\bare you (?:a )?(?:\w+ )?(?:bot|human|robot|person|real|ai)\b"
    r"|你是谁|你是机器人吗"
)


@dataclass(frozen=True)
class Reply:
    text: str = ""
    calls: tuple[Call, ...] = ()


def compose(prompt: Prompt, tools: Sequence[Tool], today: date) -> Reply:
    """The next answer to a prompt. Calls come first; when all are back, what they came to is told."""
    names = {tool.name for tool in tools}
    own = [call for call in prompt.made if call.name in names and call.name != FIND_TOOLS]
    if plan.wants_person(prompt) and HAND_OFF in names:
        return _hand_off(prompt, "The customer asked for a person.")
    if _WHO.search(normalised(prompt.message)) and not own:
        return Reply(phrases.say("who", prompt.language))
    steps = plan.make(prompt, tools, today)
    calls = _still_to_make(steps, own)
    if calls and not _stopped(own):
        return Reply(calls=tuple(calls))
    if own:
        return _report(prompt, tools, own, steps)
    if FIND_TOOLS in names and not steps and _asks_for_something(prompt):
        return Reply(calls=((FIND_TOOLS, {"query": prompt.message.strip()[:QUERY_MOST]}),))
    missing = [step for step in steps if step.missing]
    if missing:
        return Reply("\n\n".join(phrases.ask_for(s.tool, s.missing, prompt.language) for s in missing))
    return Reply(_conversation(prompt, tools))


def _still_to_make(steps: Sequence[plan.Step], own: Sequence[Made]) -> list[Call]:
    """Planned calls without those already made. A call whose arguments a person edited counts as made,
    too.
    """
    made: dict[str, list[dict[str, Any]]] = {}
    for call in own:
        made.setdefault(call.name, []).append(call.arguments)
    planned = [(step.tool.name, call) for step in steps if not step.missing for call in step.calls]
    left = []
    for name, arguments in planned:
        if arguments in made.get(name, []):
            made[name].remove(arguments)
        else:
            left.append((name, arguments))
    remaining = []
    for name, arguments in left:
        if made.get(name):
            made[name].pop()
        else:
            remaining.append((name, arguments))
    return remaining


def _stopped(own: Sequence[Made]) -> bool:
    """True once something was declined, expired or unclear: what was to follow is not attempted."""
    return any(
        c.outcome
        and not c.outcome.ok
        and c.outcome.kind in ("rejected", "expired", "cancelled", "skipped", "unknown")
        for c in own
    )


def _asks_for_something(prompt: Prompt) -> bool:
    """True for a message that some tool may serve, while nobody has looked for one."""
    message = prompt.message
    said_only = is_greeting(message) or is_thanks(message) or is_goodbye(message) or is_noise(message)
    return not (said_only or prompt.calls_of(FIND_TOOLS))


def _hand_off(prompt: Prompt, reason: str) -> Reply:
    done = prompt.calls_of(HAND_OFF)
    if not done:
        return Reply(calls=((HAND_OFF, {"reason": reason}),))
    outcome = done[-1].outcome
    if outcome and outcome.ok:
        return Reply(phrases.say("handed_off", prompt.language))
    told = outcome.message if outcome else ""
    return Reply(phrases.failed(HAND_OFF, outcome.kind if outcome else "unknown", told, prompt.language))


def _report(prompt: Prompt, tools: Sequence[Tool], own: Sequence[Made], steps: Sequence[plan.Step]) -> Reply:
    by_name = {tool.name: tool for tool in tools}
    if any(call.name == HAND_OFF for call in own):
        return _hand_off(prompt, "")
    unanswered = _unanswered(own, by_name)
    if unanswered and HAND_OFF in by_name and is_request(prompt.message):
        return _hand_off(prompt, f"No agent can do this: {prompt.message.strip()[:200]}")
    parts = [answers.write_outcome(call, by_name.get(call.name), prompt.language) for call in own]
    if unanswered:
        parts.append(phrases.OFFER_PERSON[prompt.language])
    parts += [phrases.ask_for(s.tool, s.missing, prompt.language) for s in steps if s.missing]
    return Reply("\n\n".join(dict.fromkeys(parts)))


def _unanswered(own: Sequence[Made], by_name: dict[str, Tool]) -> bool:
    """True when a tool for free questions found nothing."""
    for call in own:
        tool = by_name.get(call.name)
        if tool and tool.takes_any_question and call.outcome and call.outcome.ok:
            result = call.outcome.result
            lists = [v for v in result.values() if isinstance(v, list)] if isinstance(result, dict) else []
            if not result or (lists and not any(lists)):
                return True
    return False


def _conversation(prompt: Prompt, tools: Sequence[Tool]) -> str:
    message, language = prompt.message, prompt.language
    if not message.strip() or is_greeting(message):
        return prompt.greeting or phrases.say("hello", language)
    if is_thanks(message):
        return phrases.say("welcome", language)
    if is_goodbye(message):
        return phrases.say("goodbye", language)
    if is_noise(message):
        return clarifying_question(language)
    return phrases.cannot_serve(
        [tool for tool in tools if tool.name not in (HAND_OFF, FIND_TOOLS) and not tool.takes_any_question],
        language,
    )
