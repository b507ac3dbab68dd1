"""What in a sentence names a thing: numbers of orders, references, UUIDs, and the noun that stands with
them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from agents import lexicon
from agents.lexical import concept_of, normalised
from agents.providers.offline import values

_REACH = 60  # characters before an identifier in which its noun is looked for


@dataclass(frozen=True)
class Identifier:
    """Something like a number of an order. `noun` is what stood with it (`order`), "" when nothing did."""

    value: str
    noun: str
    known: bool  # the noun is one of the word lists, not just a word that stood there
    start: int
    coded: bool = False  # `B100`, which names a thing only where the very noun stands with it


_PREFIXED = re.compile(r"(?<![\w-])[A-Za-z]{2,10}[_-](?=[\w-]*\d)[A-Za-z0-9][\w-]*(?<!-)")


_CODED = re.compile(r"(?<![\w-])[A-Za-z]{1,4}\d{2,14}(?![\w-])")


_UUID = re.compile(r"(?<![\w-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![\w-])")


_PLAIN = re.compile(r"(?<![A-Za-z0-9_.,/+-])#?\d{1,18}(?![A-Za-z0-9_%/]|[.,]\d|-\d)")


_LINK = re.compile(
    r"(?:\b(?:number|numbers|no|nr|num|id|ids|ref|reference|with|is|the|of|and|or|code)\b|[#:：.,，、&和与()\"'\s]|号码?|编号|是|的)+$"
)


_CHINESE_THINGS = sorted((w for w, c in lexicon.CHINESE.items() if c.islower()), key=len, reverse=True)


def _masked(text: str, today: date) -> str:
    """The text with everything that has digits but is no identifier blanked out, positions kept."""
    spans = [(d.start, d.end) for d in values.dates(text, today)]
    patterns = (
        values.NUMBER + r"\s*-?\s*(?:%|percent|per cent|pct|折)",
        values.AMOUNT.pattern,
        values.DURATION.pattern,
        r"\d{1,2}:\d{2}|\b\d{1,2}\s?(?:am|pm)\b",
        r"https?://\S+",
        r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
        r"\+\d[\d ()-]{6,}\d",
        r"\(\d+(?: of \d+)?\)|（[^）]*）",
        r"\b(?:last|latest|top|first|recent|newest)\s+\d{1,2}\b",
    )
    spans += [match.span() for pattern in patterns for match in re.finditer(pattern, text)]
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _noun_before(text: str) -> tuple[str, bool]:
    """The noun right before an identifier, looking past "number", "#" and the like; and whether the
    lists know it.
    """
    trimmed = text
    while (match := _LINK.search(trimmed)) and match.group():
        trimmed = trimmed[: match.start()]
    for word in _CHINESE_THINGS:
        if trimmed.endswith(word):
            return lexicon.CHINESE[word], True
    words = re.findall(r"[a-z]+$", trimmed)
    if not words:
        return "", False
    concept = concept_of(words[0])
    if concept:
        return (concept, True) if concept.islower() else ("", False)
    return ("", False) if words[0] in lexicon.STOP_WORDS else (words[0].rstrip("s"), False)


def identifiers(text: str, today: date) -> list[Identifier]:
    """Everything in a text that may name a thing, in order, with the noun that stands with it."""
    clean = normalised(text)
    masked = _masked(clean, today)
    found: list[Identifier] = []
    taken: list[tuple[int, int]] = []
    for pattern in (_UUID, _PREFIXED, _CODED, _PLAIN):
        for match in pattern.finditer(masked):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue
            taken.append(match.span())
            noun, known = _noun_before(clean[max(0, match.start() - _REACH) : match.start()])
            if not noun and (
                after := re.match(r"\s*(?:号|号的|这个|那个)?\s*(订单|交易|争议|发票)", clean[match.end() :])
            ):
                noun, known = lexicon.CHINESE[after.group(1)].lower(), True
            value = _as_written(text, match.group().lstrip("#"))
            found.append(Identifier(value, noun, known, match.start(), pattern is _CODED))
    found.sort(key=lambda identifier: identifier.start)
    return _with_inherited_nouns(found, clean)


def _as_written(text: str, value: str) -> str:
    at = text.lower().find(value)
    return text[at : at + len(value)] if at >= 0 else value


def _with_inherited_nouns(found: Sequence[Identifier], text: str) -> list[Identifier]:
    """`orders 1042, 1043 and 1044`: what follows in a list is of the same kind."""
    result: list[Identifier] = []
    for identifier in found:
        if result and not identifier.noun:
            last = result[-1]
            between = text[last.start + len(last.value) : identifier.start]
            if re.fullmatch(r"\s*#?\s*(?:[,，、&#和与]|and|or|\s)+\s*#?", between):
                identifier = replace(identifier, noun=last.noun, known=last.known)
        result.append(identifier)
    return result
