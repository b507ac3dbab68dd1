"""What an agent's tools are about, in few words: what routing reads of an agent that has too many to read them all.

The same for the same tools, and small however many they are, so that the routing prompt stays both.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache

from agents import lexicon
from agents.cards import ToolCard
from agents.lexical import concept_of
from agents.lexical_fit import split_name
from agents.registry import ToolSpec

CARDS_MOST = 30
CHARACTERS_MOST = 6000
"""Of all cards together: 1,500 tokens or so."""
ROOM_MOST = 1500
"""Characters of one card."""
LIKE = {"VIEW": "get", "TRACK": "get", "CREATE": "create", "CHANGE": "update", "APPLY": "apply"}
VERBS = frozenset(
    "accept acknowledge approve archive assign attach award calculate capture check claim clear close complete "
    "confirm connect convert copy decline deny detach disable disconnect dismiss dispatch download duplicate "
    "enable end escalate execute export extend finish import invite issue join launch leave link mark merge mute "
    "notify open pause ping post preview publish refresh reject release remind reopen reorder replace reply rerun "
    "restart retry revoke rotate run score share sign skip split start submit sync test translate trigger undo "
    "unlink unpublish upload validate verify void".split()
)
"""Verbs of APIs that `agents.lexicon` has no concept for."""


@lru_cache(maxsize=64)
def digest(tools: tuple[ToolSpec, ...]) -> tuple[ToolCard, ...]:
    """One card for each thing that the tools do (`get`, `cancel`), in the order of the alphabet: the verb, and what it
    is done to, the commonest first. What is rare is left out where there is no room."""
    things: dict[str, Counter[str]] = defaultdict(Counter)
    for tool in tools:
        verb, rest = _taken_apart(tool)
        things[verb].update(rest)
    room, cards = CHARACTERS_MOST, []
    for verb in sorted(things, key=lambda verb: (-things[verb].total(), verb))[:CARDS_MOST]:
        room -= len(verb)
        if room < 0:
            break
        said = _commonest(things[verb], min(room, ROOM_MOST))
        room -= len(said)
        cards.append(ToolCard(verb, said))
    return tuple(sorted(cards, key=lambda card: card.name))


def _taken_apart(tool: ToolSpec) -> tuple[str, Iterable[str]]:
    """What the tool's name says is done, and to what."""
    words = split_name(tool.name)
    said = next((word for word in words if _verb(word)), "")
    verb = _verb(said) or ("update" if tool.writes else "get")
    return verb, {_singular(word) for word in words if word != said and len(word) > 1 and not word.isdigit()}


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )


def _verb(word: str) -> str:
    """The one word for all verbs of the like: `get` for list, show and find. "" for what is no verb."""
    if word in VERBS:
        return word
    concept = lexicon.NAME_VERBS.get(word) or concept_of(word) or ""
    return LIKE.get(concept, concept.lower()) if concept.isupper() else ""


def _commonest(things: Counter[str], room: int) -> str:
    said = ""
    for thing, _ in sorted(things.items(), key=lambda one: (-one[1], one[0])):
        longer = f"{said}, {thing}" if said else thing
        if len(longer) > room:
            break
        said = longer
    return said
