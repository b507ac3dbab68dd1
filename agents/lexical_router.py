"""Which agent's tools fit which request, by words alone. The offline model's router, and the net under
every other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from agents import lexicon
from agents.cards import FALLBACK, AgentCard, ToolCard
from agents.lexical import (
    Clause,
    Reading,
    asks_for_person,
    clauses,
    ends_with_question,
    is_affirmation,
    is_noise,
    is_only_values,
    is_small_talk,
    language_of,
    normalised,
    read,
)
from agents.lexical_fit import FITS, ToolProfile, fit, profile_of

_FAQ = re.compile(
    r"\b(?:policy|policies|opening hours|business hours|hours|warranty|guarantee|terms|contact"
    r"|located|privacy"
    r"|what can you do|what do you do|who are you|what are you|how can you help|are you (?:a )?(?:bot"
    r"|human|robot|real)"
    r"|how long do(?:es)?|what happens if|do you (?:ship|offer|accept|have|sell|deliver"
    r"|support))\b|政策|规定|营业时间|保修|你能做什么|你是谁|你会什么"
)


@dataclass(frozen=True)
class Intent:
    agent: str
    confidence: float
    why: str


@dataclass(frozen=True)
class Route:
    """A router's answer, before any rule of the platform is applied to it."""

    intents: tuple[Intent, ...] = ()
    wants_person: bool = False
    person_reason: str = ""
    question: str = ""
    reason: str = ""


@dataclass(frozen=True)
class _Candidate:
    agent: str
    profile: ToolProfile = field(compare=False)


def _candidates(cards: Sequence[AgentCard]) -> list[_Candidate]:
    return [
        _Candidate(card.name, profile_of(tool, card.keywords))
        for card in cards
        if card.name != FALLBACK
        for tool in (card.tools or (ToolCard(card.name, card.description),))
    ]


def agent_scores(cards: Sequence[AgentCard], asked: Reading) -> dict[str, float]:
    """The best score of each agent's tools for one request; agents that do not fit at all are left out."""
    candidates = _candidates(cards)
    profiles = [candidate.profile for candidate in candidates]
    best: dict[str, float] = {}
    for candidate in candidates:
        score = fit(asked, candidate.profile, profiles)
        if score > best.get(candidate.agent, 0.0):
            best[candidate.agent] = score
    return best


def _has_value(clause: Clause) -> bool:
    return bool(re.search(r"\d", clause.text)) or bool(
        re.search(lexicon.POINTING_BACK, normalised(clause.text))
    )


def _clause_intent(cards: Sequence[AgentCard], clause: Clause) -> Intent | None:
    asked = clause.reading
    if is_general_question(clause.text) and any(card.name == FALLBACK for card in cards):
        return Intent(FALLBACK, 0.8, "a general question")
    if asked.empty and not asked.words:
        return None
    scores = agent_scores(cards, asked)
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is not None and scores[best] >= FITS:
        vague = not asked.actions and not asked.wanting and not asked.question and not _has_value(clause)
        vague = (vague and not asked.things & lexicon.TELLING_THINGS) or (asked.negated and not asked.reads)
        confidence = 0.4 if vague else min(0.95, 0.5 + scores[best] / 20)
        if not asked.actions and not vague:
            confidence = min(confidence, 0.6 if not asked.things & lexicon.TELLING_THINGS else 0.9)
        return Intent(best, round(confidence, 2), f"“{_short(clause.text)}” fits its tools")
    return _uncovered(cards, clause, confidence=0.6)


def _uncovered(cards: Sequence[AgentCard], clause: Clause, *, confidence: float) -> Intent | None:
    """The fallback agent for a clear question or request that no specialist covers; None for a mere
    remark.
    """
    asked = clause.reading
    clear = asked.question or asked.effects or (asked.wanting and (asked.words or asked.things))
    if not clear or not (asked.words or asked.things or asked.effects):
        return None
    if not any(card.name == FALLBACK for card in cards):
        return None
    return Intent(FALLBACK, confidence, "no specialist covers this")


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _merged(intents: Sequence[Intent | None]) -> tuple[Intent, ...]:
    merged: dict[str, Intent] = {}
    for intent in intents:
        if intent and (intent.agent not in merged or merged[intent.agent].confidence < intent.confidence):
            merged[intent.agent] = intent
    return tuple(merged.values())


def asking_clauses(message: str) -> list[Clause]:
    """The parts of a message that ask for something; mere background ("I ordered last week, ...") is
    left out.
    """
    parts = clauses(message)
    if not any(part.reading.actions for part in parts):
        return list(parts)
    return [
        part
        for part in parts
        if part.reading.actions or part.reading.things & lexicon.TELLING_THINGS or part.reading.wanting
    ]


def is_general_question(text: str) -> bool:
    """True for a question that is about how the business works, not about one customer's affairs."""
    return _FAQ.search(normalised(text)) is not None


def is_request(message: str) -> bool:
    """True when something is to be done, rather than known."""
    return any(part.reading.effects and not is_general_question(part.text) for part in clauses(message))


def own_intents(cards: Sequence[AgentCard], message: str) -> tuple[Intent, ...]:
    """The intents that a message carries by itself, in order, each agent once."""
    intents = [_clause_intent(cards, part) for part in asking_clauses(message)]
    certain = [intent for intent in intents if intent and intent.confidence >= 0.5]
    return _merged(certain or intents)


def _texts(history: Sequence[BaseMessage]) -> list[tuple[str, str, str]]:
    """(`human` or `ai`, text, agent name if the message carries one), oldest first, messages without
    text left out.
    """
    found = []
    for message in history:
        if isinstance(message, HumanMessage | AIMessage) and message.text.strip():
            role = "human" if isinstance(message, HumanMessage) else "ai"
            found.append((role, str(message.text), message.name or ""))
    return found


def _followed_intents(cards: Sequence[AgentCard], history: Sequence[BaseMessage]) -> tuple[Intent, ...]:
    """Whom a message that carries no intent of its own continues with: the agent that spoke or asked last."""
    texts = _texts(history)
    names = {card.name for card in cards}
    asked_by = [
        n for role, text, n in texts[_last_human(texts) + 1 :] if n in names and ends_with_question(text)
    ]
    if asked_by:
        return _merged([Intent(name, 0.85, "answers its question") for name in asked_by])
    answer = next((text for role, text, _ in reversed(texts) if role == "ai"), "")
    for role, text, _ in reversed(texts):
        if role == "human" and (intents := own_intents(cards, text)):
            likely = (
                agent_scores(cards, read(answer)) if len(intents) > 1 and ends_with_question(answer) else {}
            )
            asked = [i for i in intents if likely and i.agent == max(likely, key=lambda name: likely[name])]
            chosen = asked or intents
            return tuple(Intent(i.agent, 0.8, "continues the earlier request") for i in chosen)
    return ()


def _last_human(texts: Sequence[tuple[str, str, str]]) -> int:
    return max((i for i, (role, _, _) in enumerate(texts) if role == "human"), default=-1)


def was_asked(history: Sequence[BaseMessage]) -> bool:
    """True when the newest answer ends in a question."""
    texts = _texts(history)
    return bool(texts) and texts[-1][0] == "ai" and ends_with_question(texts[-1][1])


def offered_person(history: Sequence[BaseMessage]) -> bool:
    """True when the newest answer ends by asking whether a person should take over."""
    texts = _texts(history)
    last = re.split(r"(?<=[.!?。！？])\s*|\n+", texts[-1][1].strip()) if was_asked(history) else []
    question = next((part for part in reversed(last) if part), "")
    return re.search(r"\b(?:person|human|colleague|someone)\b|人工|同事", question) is not None


def _continues_earlier(message: str, history: Sequence[BaseMessage]) -> bool:
    reading = read(message)
    if is_only_values(message) and (was_asked(history) or is_elliptic(message)):
        return True
    if is_affirmation(message):
        return was_asked(history)
    return was_asked(history) and reading.empty and bool(reading.words) and not reading.question


def is_elliptic(message: str) -> bool:
    """True for a message that repeats the earlier request with other values: `and 1043?`, `15% instead`."""
    return bool(
        re.search(
            r"^(?:and|what about|how about|also|same for|no[, ]|那|还有)|\b(?:too|instead)\b|[呢也]",
            normalised(message),
        )
    )


def clarifying_question(language: str, *, bare_value: str = "") -> str:
    """The default question when a message is ambiguous."""
    if language == "zh":
        return (
            f"关于 {bare_value}，您想让我做什么？"
            if bare_value
            else "不好意思，我没有完全明白。请问您需要什么帮助？"
        )
    if bare_value:
        return f"What would you like me to do with {bare_value}?"
    return (
        "I want to be sure I help with the right thing. Could you tell me a little more about what you need?"
    )


def route(cards: Sequence[AgentCard], history: Sequence[BaseMessage], message: str) -> Route:
    """Route one message by words alone. `history` is what was said before it, oldest first."""
    humans = [text for role, text, _ in reversed(_texts(history)) if role == "human"]
    language = language_of(message, *humans)
    if asks_for_person(message):
        return Route(
            wants_person=True, person_reason="The customer asked for a person.", reason="asked for a person"
        )
    if is_affirmation(message) and offered_person(history):
        return Route(
            wants_person=True, person_reason="The customer accepted the offer of a person.", reason="yes"
        )
    if is_affirmation(message) and was_asked(history) and (followed := _followed_intents(cards, history)):
        return Route(intents=followed, reason="agrees to what was asked")
    if is_small_talk(message):
        return Route(intents=_small_talk(cards), reason="small talk")
    if is_noise(message) or is_affirmation(message):
        return Route(question=clarifying_question(language), reason="no request recognised")
    intents = own_intents(cards, message)
    waiting = _continues_earlier(message, history)
    if (not intents or all(i.agent == FALLBACK for i in intents)) and waiting:
        intents = _followed_intents(cards, history) or intents
    if intents:
        return Route(intents=intents, reason="; ".join(f"{i.agent}: {i.why}" for i in intents))
    if is_only_values(message):
        value = message.strip(" ?!.#")
        return Route(
            question=clarifying_question(language, bare_value=value), reason="a value without a request"
        )
    reading = read(message)
    if len(reading.words | reading.things) >= 2 and any(card.name == FALLBACK for card in cards):
        return Route(
            intents=(Intent(FALLBACK, 0.55, "no specialist covers this"),), reason="no specialist covers this"
        )
    return Route(question=clarifying_question(language), reason="no request recognised")


def _small_talk(cards: Sequence[AgentCard]) -> tuple[Intent, ...]:
    names = [card.name for card in cards]
    chosen = FALLBACK if FALLBACK in names else names[0]
    return (Intent(chosen, 0.9, "small talk"),)


def contenders(cards: Sequence[AgentCard], message: str) -> set[str]:
    """Every agent of which some tool fits some part of the message at all, however weakly."""
    return {name for part in clauses(message) for name in agent_scores(cards, part.reading)}
