"""Which agent's tools fit which request, by words alone. The offline model's router, and the net under every other."""

import math
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

FITS = 2.0  # the least score at which a tool is thought to serve a request

_READ_FIRST = frozenset(
    "get check list show view find search fetch track lookup read describe retrieve query".split()
)
_READ_LAST = frozenset("status history info details summary policy report".split())
_RELATED = {"plan": {"account", "subscription"}, "subscription": {"account", "plan"}, "balance": {"account"}}
_FAQ = re.compile(
    r"\b(?:policy|policies|opening hours|business hours|hours|warranty|guarantee|terms|contact|located|privacy"
    r"|what can you do|what do you do|who are you|what are you|how can you help|are you (?:a )?(?:bot|human|robot|real)"
    r"|how long do(?:es)?|what happens if|do you (?:ship|offer|accept|have|sell|deliver|support))\b|政策|规定|营业时间|保修|你能做什么|你是谁|你会什么"
)


@dataclass(frozen=True)
class ToolProfile:
    """A tool's concepts: what its name says, what its keywords say, what its description adds."""

    name: str
    named: Reading
    keywords: Reading
    described: Reading
    reads: bool

    @property
    def effects(self) -> frozenset[str]:
        if self.reads:
            return frozenset()
        named = self.named.effects or self.described.effects
        particular = named - {"CREATE", "APPLY"}
        return particular or named

    @property
    def topics(self) -> frozenset[str]:
        """What a reading tool reads about: effects in its name are nouns there (`check_dispute_status`)."""
        return (self.named.actions | self.keywords.actions) - {"VIEW"} if self.reads else frozenset()

    @property
    def things(self) -> frozenset[str]:
        return self.named.things | self.named.words

    def knows(self, thing: str) -> bool:
        everything = (self.named, self.keywords, self.described)
        return any(thing in reading.things or thing in reading.words for reading in everything)


def split_name(name: str) -> list[str]:
    """`get_orderStatus` -> `["get", "order", "status"]`."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [part for part in re.split(r"[^a-z0-9]+", spaced.lower()) if part]


def profile_of(tool: ToolCard, keywords: Sequence[str] = ()) -> ToolProfile:
    """The concepts of a tool from its name, its description and the keywords of its agent."""
    parts = split_name(tool.name)
    named = read(" ".join(parts))
    verbs = frozenset(lexicon.NAME_VERBS[part] for part in parts[:1] if part in lexicon.NAME_VERBS)
    named = Reading(named.actions | verbs, named.things, named.words)
    reads = bool(parts) and (parts[0] in _READ_FIRST or (parts[-1] in _READ_LAST and not verbs - {"VIEW"}))
    described = read(tool.description)
    if not reads and not named.effects and not named.reads:
        reads = bool(_first_words(tool.description).reads) or not described.effects
    return ToolProfile(tool.name, named, read(" . ".join(keywords)), described, reads)


def _first_words(description: str) -> Reading:
    """What a description opens with: "Search the help centre ..." says more of a tool than the rest of its text."""
    return read(" ".join(description.split()[:2]))


def _weight(thing: str, profiles: Sequence[ToolProfile]) -> float:
    """A thing that few tools know of says more than one that all of them name."""
    known = sum(profile.knows(thing) for profile in profiles)
    return 1.0 + math.log(len(profiles) / known) if known else 0.0


def _thing_score(asked: Reading, tool: ToolProfile, profiles: Sequence[ToolProfile]) -> float:
    score = 0.0
    for thing in sorted(asked.things | asked.words):
        weight = _weight(thing, profiles)
        if thing in tool.things:
            score += 2.0 * weight
        elif thing in tool.keywords.things or thing in tool.keywords.words:
            score += 1.2 * weight
        elif thing in tool.described.things or thing in tool.described.words:
            score += 0.7 * weight
        elif _RELATED.get(thing, set()) & tool.things:
            score += 1.6
    return score


def _speaks_of_something_else(asked: Reading, tool: ToolProfile) -> bool:
    """True when the customer names a known thing (`subscription`) and the tool is about another (`order`)."""
    about = asked.things - {"expiry", "price", "billing", "name"}
    if not about:
        return False
    related = {other for thing in about for other in _RELATED.get(thing, set())}
    return not any(tool.knows(thing) for thing in about) and not (related & tool.things)


def fit(asked: Reading, tool: ToolProfile, profiles: Sequence[ToolProfile]) -> float:
    """How well a tool serves a request: 0 not at all, `FITS` and above well. `profiles`: all tools in the choice."""
    if _speaks_of_something_else(asked, tool):
        return 0.0
    return _fit_reading(asked, tool, profiles) if tool.reads else _fit_writing(asked, tool, profiles)


def _fit_reading(asked: Reading, tool: ToolProfile, profiles: Sequence[ToolProfile]) -> float:
    topical = (asked.effects | (asked.reads - {"VIEW"})) & tool.topics
    if asked.effects and not asked.asks_about and not (topical and asked.reads):
        return 0.0
    if asked.things & lexicon.TELLING_THINGS and not any(
        tool.knows(t) for t in asked.things & lexicon.TELLING_THINGS
    ):
        return 0.0
    described = asked.reads & tool.described.actions - {"VIEW"}
    score = _thing_score(asked, tool, profiles) + 3.0 * len(topical) + 1.0 * bool(described and not topical)
    if not score:
        return 0.0
    return score + (1.0 if asked.question or "VIEW" in asked.actions else 0.0) + 0.5


def _fit_writing(asked: Reading, tool: ToolProfile, profiles: Sequence[ToolProfile]) -> float:
    if asked.asks_about:
        return 0.0
    things = _thing_score(asked, tool, profiles)
    shared = asked.effects & tool.effects
    telling = asked.things & lexicon.TELLING_THINGS & (tool.things | tool.keywords.things)
    only_looking = "VIEW" in asked.actions and not asked.wanting
    if shared:
        if (
            asked.things
            and not asked.things & (tool.things | tool.keywords.things)
            and not asked.effects - {"CREATE"}
        ):
            things *= 0.5  # "create a discount" is nearer to apply_discount than to generate_coupon
            return (1.5 + things) * (0.5 if asked.reads else 1.0)
        return (4.0 + things) * (0.5 if "VIEW" in asked.actions else 1.0)
    if asked.effects & tool.keywords.effects:
        return 3.0 + things
    if telling and not only_looking and not asked.effects - {"CREATE", "APPLY", "CHANGE"}:
        return 2.0 + things
    if asked.wanting and not asked.effects and not asked.reads and things >= 2.0:
        return 2.0 + 0.25 * things
    return 0.0


# --- routing -------------------------------------------------------------------------------------------------------


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
    """The fallback agent for a clear question or request that no specialist covers; None for a mere remark."""
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
    """The parts of a message that ask for something; mere background ("I ordered last week, ...") is left out."""
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
    """(`human` or `ai`, text, agent name if the message carries one), oldest first, messages without text left out."""
    found = []
    for message in history:
        if isinstance(message, HumanMessage | AIMessage) and message.text.strip():
            role = "human" if isinstance(message, HumanMessage) else "ai"
            found.append((role, message.text, message.name or ""))
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
