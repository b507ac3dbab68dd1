"""What an agent should do with a message: which tools, with which arguments, and what to ask for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from langchain_core.messages import HumanMessage

from agents import lexicon
from agents.lexical import (
    Clause,
    asks_for_person,
    clauses,
    is_affirmation,
    is_only_values,
    is_small_talk,
    normalised,
    read,
)
from agents.lexical_fit import FITS, fit
from agents.lexical_router import (
    asking_clauses,
    is_elliptic,
    is_general_question,
    offered_person,
    was_asked,
)
from agents.providers.offline.arguments import Filled, fill
from agents.providers.offline.conversation import Prompt, remembered_texts
from agents.providers.offline.sources import Sources
from agents.providers.offline.tools import FIND_TOOLS, HAND_OFF, Parameter, Tool

REQUESTS_LIMIT = 16
"""Of one message; no more calls of one answer would be carried out either."""


@dataclass(frozen=True)
class Step:
    """One tool for one request, with its calls, or what is missing before it can be called."""

    tool: Tool
    calls: tuple[dict[str, Any], ...]
    missing: tuple[Parameter, ...] = ()


def wants_person(prompt: Prompt) -> bool:
    """Did the customer ask for a person, or say yes when offered one?"""
    if asks_for_person(prompt.message):
        return True
    return is_affirmation(prompt.message) and offered_person(prompt.earlier)


def make(prompt: Prompt, tools: Sequence[Tool], today: date) -> list[Step]:
    """The steps for the newest message, those of its parts that these tools do not cover left out."""
    usable = [tool for tool in tools if tool.name not in (HAND_OFF, FIND_TOOLS)]
    if is_small_talk(prompt.message) and not is_affirmation(prompt.message):
        return []
    if not _leans_back(prompt):
        steps = _steps(prompt.message, prompt, usable, today)
        if steps:
            return steps
    return _continued(prompt, usable, today) or _general(prompt, usable)


def _leans_back(prompt: Prompt) -> bool:
    message = prompt.message
    if is_only_values(message):
        return was_asked(prompt.earlier) or is_elliptic(message)
    return is_affirmation(message) and was_asked(prompt.earlier)


def choose(clause: Clause, tools: Sequence[Tool]) -> Tool | None:
    """The one tool that serves a request, None when none does."""
    profiles = [tool.profile for tool in tools]
    scored = [
        (fit(clause.reading, tool.profile, profiles), tool) for tool in tools if not tool.takes_any_question
    ]
    best = max(scored, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] >= FITS else None


def _steps(message: str, prompt: Prompt, tools: Sequence[Tool], today: date) -> list[Step]:
    requests = asking_clauses(message)[:REQUESTS_LIMIT]
    chosen = [(clause, choose(clause, tools)) for clause in requests]
    served = {clause.text for clause, tool in chosen if tool}
    parts = clauses(message)
    leftovers = [part.text for part in parts if part.text not in served]
    remembered = remembered_texts(prompt.earlier)
    steps: list[Step] = []
    at = -1
    for clause, tool in chosen:
        at = parts.index(clause, at + 1)
        if tool is None or (clause.reading.negated and not clause.reading.actions):
            continue
        sources = _around(parts, at, Sources(clause, message, remembered, today, leftovers=leftovers))
        filled = fill(tool, sources)
        fresh = tuple(
            call for call in filled.calls if not any(s.tool == tool and call in s.calls for s in steps)
        )
        if fresh and not (filled.missing and any(s.tool == tool for s in steps)):
            steps.append(Step(tool, fresh, filled.missing))
    return steps


def _around(parts: Sequence[Clause], at: int, sources: Sources) -> Sources:
    """The sources with what stands before and after the part at this place."""
    reason = next((part.reason for part in parts if part.reason), "")
    opens = bool(reason) and 0 <= sources.message.find(reason) < sources.message.find(sources.clause.text)
    before, after = [part.text for part in parts[:at]], parts[at + 1 :]
    later = [part.text for part in after if _asks(part)]
    return replace(
        sources,
        earlier=[reason, *before] if opens else before,
        added=[part.text for part in after if not _asks(part)],
        later=later if opens else [*later, reason],
    )


def _asks(part: Clause) -> bool:
    reading = part.reading
    telling = reading.actions or reading.things & lexicon.TELLING_THINGS
    return bool(telling or reading.wanting or reading.question or reading.negated)


def _continued(prompt: Prompt, tools: Sequence[Tool], today: date) -> list[Step]:
    """The earlier request that this message completes ("1042"), repeats ("and 1043?") or agrees to
    ("yes").
    """
    asked = was_asked(prompt.earlier)
    elliptic = is_elliptic(prompt.message) and is_only_values(prompt.message)
    if not asked and not elliptic:
        return []
    answers: list[str] = [prompt.message]
    earlier = list(prompt.earlier)
    while earlier:
        message = earlier.pop()
        if not isinstance(message, HumanMessage):
            continue
        before = Prompt(prompt.system, tuple(earlier), message.text, (), 0)
        steps = _steps(message.text, before, tools, today)
        if steps:
            return _completed(steps, message.text, answers, prompt, today, elliptic=elliptic)
        answers.insert(0, message.text)
    return []


def _completed(
    steps: Sequence[Step],
    request: str,
    answers: Sequence[str],
    prompt: Prompt,
    today: date,
    *,
    elliptic: bool,
) -> list[Step]:
    if is_affirmation(prompt.message) and not any(step.missing for step in steps):
        return list(steps)
    completed = []
    for step in steps:
        if not step.missing and not elliptic:
            continue  # carried out, or decided, when it was asked for
        current = step
        for answer in answers:
            current = _with_answer(current, request, answer, today, repeat=elliptic)
        if current.missing or current.calls != step.calls:
            completed.append(current)
    return completed


def _with_answer(step: Step, request: str, answer: str, today: date, *, repeat: bool) -> Step:
    clause = Clause(text=answer, reading=read(answer))
    alone = Sources(clause, answer, (), today, answering=True, several_missing=len(step.missing) > 1)
    wanted = step.tool.parameters if repeat and not step.missing else step.missing
    found: Filled = fill(Tool(step.tool.name, step.tool.description, tuple(wanted), step.tool.profile), alone)
    calls = [{**known, **new} for known in step.calls for new in found.calls]
    still = tuple(p for p in step.missing if not any(p.name in new for new in found.calls))
    order = [parameter.name for parameter in step.tool.parameters]
    return Step(step.tool, tuple({k: call[k] for k in order if k in call} for call in calls), still)


def _general(prompt: Prompt, tools: Sequence[Tool]) -> list[Step]:
    """A question that a tool for free questions takes: the parts that ask something general, else all of
    it.
    """
    tool = next((tool for tool in tools if tool.takes_any_question), None)
    if tool is None or not re.search(r"[^\W_]", normalised(prompt.message)):
        return []
    parts = [part.text for part in clauses(prompt.message) if is_general_question(part.text)]
    question = ". ".join(parts) or prompt.message.strip()
    name = tool.required[0].name
    limit = tool.required[0].schema.get("maxLength")
    return [Step(tool, ({name: question[: limit if isinstance(limit, int) else 1000]},))]
