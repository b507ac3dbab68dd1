"""What a request may mean in the words of tools: families of like words, from `tool_words.txt`."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from agents import lexicon
from agents.lexical import normalised

WORDS = Path(__file__).parent / "tool_words.txt"
FAMILY = 0.75
"""What another word of the family counts against the word that was said."""
JOINED = 0.9
CONCEPTS_MOST, OTHERS_MOST = 24, 40
PHRASE_MOST = 5
"""Words in the longest phrase that is looked up."""
GAP_MOST = 4
PARTICLES = frozenset("back out off up down in into on away aside over offline online".split())
"""What may stand apart from its verb, with up to `GAP_MOST` words between them: take it all back."""

_CHINESE = re.compile("|".join(re.escape(word) for word in sorted(lexicon.CHINESE, key=len, reverse=True)))
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")
_SPOKEN_VERBS = {"VIEW": "show", "TRACK": "track"}

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing that a request speaks of: the words that may name it, each with what it counts (0 to 1)."""

    words: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Families:
    """`others`: the key of a word or phrase -> what it may mean besides. `forms`: a stem -> the word as it is also
    written, its plain form last. `filler`: words that are never searched for."""

    others: Mapping[Key, Sequence[str]]
    forms: Mapping[str, Sequence[str]]
    filler: frozenset[str]

    def key(self, phrase: str) -> Key:
        return _key(phrase, self.forms)


def _key(phrase: str, forms: Mapping[str, Sequence[str]]) -> Key:
    """What all forms of a phrase have in common: sent back, sending back and send back are one."""
    roots = (stem(word) for word in phrase.split())
    return tuple(stem(forms[root][-1]) if root in forms else root for root in roots)


@lru_cache(maxsize=1)
def families() -> Families:
    """The families of `tool_words.txt`."""
    sections = _sections()
    filler = frozenset(word for line in sections["[filler]"] for word in line.split())
    forms = {stem(form): _listed(line) for line in sections["[forms]"] for form in _listed(line)}
    others: dict[Key, dict[str, None]] = defaultdict(dict)
    for line in sections["[words]"]:
        said, arrow, meant = line.partition("->")
        members = {member: _key(member, forms) for member in _listed(meant if arrow else said)}
        for member in _listed(said):
            own = _key(member, forms)
            others[own].update((other, None) for other, key in members.items() if key != own)
    return Families({key: tuple(found) for key, found in others.items()}, forms, filler)


def _sections() -> dict[str, list[str]]:
    """The lines of the file by section, without comments."""
    sections: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in WORDS.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("["):
            section = text
        elif text:
            sections[section].append(text)
    return sections


def _listed(text: str) -> list[str]:
    return [member.strip() for member in text.split(",") if member.strip()]


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without its endings, the same for cancel, cancels, cancelled and cancelling. Rougher than Postgres's
    stemmer, and used only to find a word's family."""
    for ending, instead in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        base = word.removesuffix(ending)
        if base != word and len(base) >= 3 and not word.endswith(("ss", "us", "is")):
            word = base + instead
            if ending in ("ing", "ed") and word[-1] == word[-2] and word[-1] not in "aeiouls":
                word = word[:-1]
            break
    word = word.removesuffix("e") if len(word) > 3 else word
    if word.endswith("ll"):
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") else word


def spoken(text: str) -> list[str]:
    """The words of a text in small letters: camelCase and snake_case split, apostrophes away, Chinese as the words that
    `agents.lexicon` has for it. Numbers and identifiers are left out: they name one order, not a tool."""
    split = _HUMP.sub(" ", text).replace("’", "'")
    plain = re.sub(r"(?<=\w)'(?=\w)", "", normalised(split))
    english = _CHINESE.sub(lambda found: f" {_in_english(lexicon.CHINESE[found.group()])} ", plain)
    return [word for word in _WORD.findall(english) if _is_word(word)]


def _in_english(concepts: str) -> str:
    return " ".join(_SPOKEN_VERBS.get(concept, concept.lower()) for concept in concepts.split())


def _is_word(word: str) -> bool:
    digits = sum(letter.isdigit() for letter in word)
    return len(word) <= 40 and (not digits or (digits == 1 and len(word) in (2, 3)))


def concepts(text: str) -> list[Concept]:
    """What a request speaks of, in order, each thing once."""
    known = families()
    found: dict[Key, Concept] = {}
    for said, following in _phrases(spoken(text), known):
        forms = _forms(said, known)
        others = [other for form in forms for other in known.others.get(known.key(form), ())]
        if said in known.filler and not others:
            continue
        words = {} if said in known.filler else dict.fromkeys(forms, 1.0)
        if following:
            words.setdefault(said + following, JOINED)
        for other in others[:OTHERS_MOST]:
            words.setdefault(other, FAMILY)
        found.setdefault(known.key(said), Concept(words))
    return list(found.values())[:CONCEPTS_MOST]


def _forms(said: str, known: Families) -> list[str]:
    """The word as it was said, and as it is also written."""
    american = re.sub(r"is(e|ed|es|er|ing|ations?)$", r"iz\1", said) if len(said) > 6 else said
    return list(dict.fromkeys([said, american, *known.forms.get(stem(said), ())]))


def _phrases(words: list[str], known: Families) -> Iterator[tuple[str, str]]:
    """The words, with those together that a family names as one; and for a single word the one after it."""
    left = list(words)
    while left:
        phrase, length = _phrase_at_front(left, known)
        following = left[1] if length == 1 and len(left) > 1 else ""
        joins = following and left[0] not in known.filler and following not in known.filler
        yield phrase, following if joins else ""
        del left[:length]


def _phrase_at_front(left: list[str], known: Families) -> tuple[str, int]:
    """The longest phrase that the words begin with, and how many of them it takes. A particle that stands apart from
    its verb is taken out of its place."""
    for length in range(min(PHRASE_MOST, len(left)), 1, -1):
        if known.key(phrase := " ".join(left[:length])) in known.others:
            return phrase, length
    for place in range(2, min(GAP_MOST + 2, len(left))):
        if left[place] not in PARTICLES:
            continue
        phrase, nearer = f"{left[0]} {left[place]}", f"{left[place - 1]} {left[place]}"
        if known.key(phrase) in known.others and known.key(nearer) not in known.others:
            del left[place]
            return phrase, 1
    return left[0], 1
