"""How well a tool serves a request, by words alone: from the tool's name, keywords and description."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from agents import lexicon
from agents.cards import ToolCard
from agents.lexical import Reading, read

FITS = 2.0  # the least score at which a tool is thought to serve a request


_READ_FIRST = frozenset(
    "get check list show view find search fetch track lookup read describe retrieve query".split()
)


_READ_LAST = frozenset("status history info details summary policy report".split())


_RELATED = {"plan": {"account", "subscription"}, "subscription": {"account", "plan"}, "balance": {"account"}}


# What a customer may mean who only says "I want" or "give me": nobody cancels or refunds by wanting an order.
_GIVING = frozenset({"CREATE", "APPLY", "BOOK", "SEND", "CHANGE", "RESUME"})


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


@lru_cache(maxsize=2048)
def profile_of(tool: ToolCard, keywords: tuple[str, ...] = ()) -> ToolProfile:
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
    """What a description opens with: "Search the help centre ..." says more of a tool than the rest of
    its text.
    """
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
    """How well a tool serves a request: 0 not at all, `FITS` and above well. `profiles`: all tools in
    the choice.
    """
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
    gives = tool.effects <= _GIVING and not asked.things & lexicon.TELLING_THINGS
    if gives and asked.wanting and not asked.effects and not asked.reads and things >= 2.0:
        return 2.0 + 0.25 * things
    return 0.0
