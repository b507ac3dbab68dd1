"""Which thing a request means: the one it names, or the one it points back to. Never a guess.

A request looks back before it looks ahead: "Cancel it and give me 10% off order 1048" cancels what was spoken of
before, because `it` cannot mean an order that is named only in the next request.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from agents import lexicon
from agents.lexical import normalised, read
from agents.providers.offline import identifiers
from agents.providers.offline.sources import Sources
from agents.providers.offline.tools import Parameter, Tool, belongs_to, pattern_of, prefix_of

_ANOTHER = re.compile(r"\b(?:another|different|other) (?:one|order|transaction|dispute)\b|另一个|别的|其他")
_NEWEST = re.compile(r"\b(?:latest|newest|most recent|first|last (?!one))\b|最近|最新|第一")
_PLURAL = re.compile(r"\b(?:all|both|them|those|these)\b|全部|都|它们|两个")
_POINTING = re.compile(lexicon.POINTING_BACK)
_RULED_OUT = re.compile(
    r"(?:(?:(?:^|[,;.]\s*|\b(?:and|but) )not|\binstead of|\brather than|\bexcept(?: for)?|\bother than)"
    r"(?: (?:the|my|order|orders|transaction|transactions|dispute|disputes|number))*"
    r"|(?:不是|而不是|除了)(?:订单|交易|争议)?(?:号|编号)?)\s*#?$"
)


@dataclass(frozen=True)
class _Wanted:
    """What is looked for: an identifier for this parameter of this tool."""

    parameter: Parameter
    tool: Tool
    today: date


def meant(parameter: Parameter, tool: Tool, sources: Sources) -> list[Any]:
    """The values that a request can only mean for an identifier; empty where the customer has to be asked."""
    wanted = _Wanted(parameter, tool, sources.today)
    if not parameter.required:
        return _best(wanted, sources.clause.text, least=2.0)[:1]
    least = 0.25 if sources.answering and not sources.several_missing else 0.5
    here = _best(wanted, sources.clause.text, least)
    if here and not _adds_to_a_pronoun(sources.clause.text, sources.today):
        return here
    excluded = _excluded(wanted, sources.message)
    return [value for value in _referred_to(wanted, sources, named=here) if value not in excluded]


def _referred_to(wanted: _Wanted, sources: Sources, *, named: Sequence[Any]) -> list[Any]:
    """What a request means that does not name it, or that names something only after a pronoun (`named`)."""
    said = normalised(sources.clause.text)
    added = list(named) or _best(wanted, ". ".join(sources.added), least=1.0)
    if _ANOTHER.search(said):
        return _only(added)
    before = _before(wanted, sources.earlier, plural=bool(_PLURAL.search(said)))
    if before is not None:
        return [] if named and named != before else before
    points_back = bool(_POINTING.search(said))
    if added and not points_back:
        return _only(added)
    ahead = added if points_back else _best(wanted, ". ".join(sources.later), least=1.0)
    remembered = _remembered(wanted, sources, said)
    if remembered is None:
        return _only(ahead or _best(wanted, ". ".join(sources.earlier), least=0.5))
    return [] if ahead and ahead != remembered else remembered


def _only(found: Sequence[Any]) -> list[Any]:
    return list(found) if len(found) == 1 else []


# --- where it was named ---------------------------------------------------------------------------


def _before(wanted: _Wanted, texts: Sequence[str], *, plural: bool) -> list[Any] | None:
    """What the earlier parts of the message name last.

    None when they name nothing that fits; empty when they leave open which one is meant.
    """
    mentions = [mention for text in texts if (mention := _scored(wanted, text, least=1.0))]
    if not mentions:
        return None
    best = max(strength for mention in mentions for strength, _ in mention)
    clear = [{value: None for strength, value in mention if strength == best} for mention in mentions]
    if plural:
        return list(dict.fromkeys(value for values in clear for value in values))
    last = next(list(values) for values in reversed(clear) if values)
    newest = {value for _, value in mentions[-1]}
    return _only(last) if newest <= set(last) else []


def _remembered(wanted: _Wanted, sources: Sources, said: str) -> list[Any] | None:
    """The newest fitting identifier of the conversation.

    None when there is none; empty when the newest text names several to choose from.
    """
    for role, text in sources.remembered:
        least = 1.0 if role == "human" else 2.0
        flat = _flattened(text)
        found = _best(wanted, flat, least)
        if not found and wanted.parameter.noun in read(text).things:  # a list of such things, under a heading
            found = _best(wanted, flat, least=1.0)
        if len(found) > 1 and not _PLURAL.search(said):
            return found[:1] if _NEWEST.search(said) else []
        if found:
            return found
    return None


def _flattened(text: str) -> str:
    """JSON keys and markdown read as words: `"order_id": 1042` -> `order id 1042`; `txn_8f3a` stays whole."""
    return re.sub(r"[\"*`{}\[\]]+|(?<![A-Za-z])_+|_+(?![\w-]{0,40}\d)", " ", text)


def _adds_to_a_pronoun(text: str, today: date) -> bool:
    """True for "cancel it, 1048": the number may say what `it` is, or be one more."""
    first = next(iter(identifiers.identifiers(text, today)), None)
    if first is None:
        return False
    before, comma, _ = normalised(text)[: first.start].rpartition(",")
    return bool(comma) and bool(_POINTING.search(before)) and not _PLURAL.search(before)


# --- what a text names ----------------------------------------------------------------------------


def _best(wanted: _Wanted, text: str, least: float) -> list[Any]:
    """The values that fit best, each once, in the order in which they stand."""
    usable = _scored(wanted, text, least)
    best = max((strength for strength, _ in usable), default=0.0)
    return list(dict.fromkeys(value for strength, value in usable if strength == best))


def _scored(wanted: _Wanted, text: str, least: float) -> list[tuple[float, Any]]:
    """(how well it fits, value) of each identifier that fits at least so well and is not ruled out."""
    clean = normalised(text)
    scored = [
        (_strength(i, wanted.parameter, wanted.tool), _converted(i.value, wanted.parameter))
        for i in identifiers.identifiers(text, wanted.today)
        if not _is_ruled_out(clean, i)
    ]
    return [(strength, value) for strength, value in scored if value is not None and strength >= least]


_REACH = 40  # characters before an identifier in which it may be ruled out


def _is_ruled_out(clean: str, identifier: identifiers.Identifier) -> bool:
    cut = identifier.start > _REACH
    before = clean[identifier.start - _REACH : identifier.start] if cut else clean[: identifier.start]
    return _RULED_OUT.search(f" {before}" if cut else before) is not None


def _excluded(wanted: _Wanted, message: str) -> set[Any]:
    """What the message says is not meant: "all except 1042"."""
    clean = normalised(message)
    found = [i for i in identifiers.identifiers(message, wanted.today) if _is_ruled_out(clean, i)]
    return {_converted(i.value, wanted.parameter) for i in found}


def _strength(identifier: identifiers.Identifier, parameter: Parameter, tool: Tool) -> float:
    """3: named with its noun; 2: its prefix fits; 1: stands alone; 0: it names something else, or
    may be anything."""
    noun = parameter.noun or next(iter(sorted(tool.profile.named.things)), "")
    prefix = prefix_of(identifier.value)
    if noun and identifier.noun == noun:
        return 3.0
    if identifier.coded:
        return 0.0
    if prefix and noun:
        return 2.0 if belongs_to(prefix, noun) else (0.5 if not identifier.known else 0.0)
    if not identifier.noun:
        return 1.0 if len(identifier.value) >= 3 or prefix else 0.25
    return 0.0 if identifier.known else 0.5


def _converted(value: str, parameter: Parameter) -> Any:
    """The identifier in the parameter's type, None when it cannot be one."""
    if parameter.type == "integer":
        digits = re.fullmatch(r"(?:[A-Za-z]+[_-])?(\d+)", value)
        return int(digits.group(1)) if digits else None
    pattern = pattern_of(parameter.schema)
    return value if pattern is None or pattern.search(value) else None
