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

VERBS_MOST = 24
THINGS_MOST = 24
"""Of each verb."""


@lru_cache(maxsize=64)
def digest(tools: tuple[ToolSpec, ...]) -> tuple[ToolCard, ...]:
    """One card for each verb that the names of the tools begin with, the commonest first: the verb, and what it is done
    to, the commonest first. `get` and `change` stand for names without a verb."""
    things: dict[str, Counter[str]] = defaultdict(Counter)
    for tool in tools:
        verb, rest = _taken_apart(tool)
        things[verb].update(rest)
    verbs = sorted(things, key=lambda verb: (-things[verb].total(), verb))[:VERBS_MOST]
    return tuple(ToolCard(verb, ", ".join(_commonest(things[verb]))) for verb in sorted(verbs))


def _taken_apart(tool: ToolSpec) -> tuple[str, Iterable[str]]:
    words = split_name(tool.name)
    verb = next((word for word in words if _is_verb(word)), "change" if tool.writes else "get")
    return verb, {word for word in words if word != verb and len(word) > 1 and not word.isdigit()}


def _is_verb(word: str) -> bool:
    return word in lexicon.NAME_VERBS or (concept_of(word) or "").isupper()


def _commonest(things: Counter[str]) -> list[str]:
    return [thing for thing, _ in sorted(things.items(), key=lambda one: (-one[1], one[0]))[:THINGS_MOST]]
