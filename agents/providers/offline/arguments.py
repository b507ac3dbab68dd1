"""Filling a tool's arguments from what the customer wrote and what was said before."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from agents import lexicon
from agents.lexical import normalised, read
from agents.providers.offline import identifiers, values
from agents.providers.offline.scalars import find_scalar
from agents.providers.offline.sources import Sources
from agents.providers.offline.tools import Parameter, Tool, belongs_to, parameters_of, pattern_of, prefix_of


@dataclass(frozen=True)
class Filled:
    """One or more sets of arguments ("cancel 1042 and 1043" makes two), and what is required and missing."""

    calls: tuple[dict[str, Any], ...]
    missing: tuple[Parameter, ...] = field(default=())


def fill(tool: Tool, sources: Sources) -> Filled:
    """Every argument that the sources give. Values are passed on as said, also when they are out of range."""
    shared: dict[str, Any] = {}
    several: tuple[str, list[Any]] | None = None
    missing: list[Parameter] = []
    for parameter in tool.parameters:
        found = find(parameter, tool, sources)
        if not found:
            if parameter.required and "default" not in parameter.schema:
                missing.append(parameter)
        elif len(found) > 1 and several is None and parameter.required:
            several = (parameter.name, found)
        else:
            shared[parameter.name] = found[0]
    if several:
        order = [p.name for p in tool.parameters]
        calls = [{**shared, several[0]: value} for value in several[1]]
        return Filled(tuple({k: call[k] for k in order if k in call} for call in calls), tuple(missing))
    return Filled((shared,), tuple(missing))


def find(parameter: Parameter, tool: Tool, sources: Sources) -> list[Any]:
    """The values for one parameter: none, one, or (identifiers only) several."""
    if parameter.type == "array":
        return _find_array(parameter, tool, sources)
    if parameter.type == "object":
        return _find_object(parameter, tool, sources)
    if parameter.is_identifier:
        return _find_identifiers(parameter, tool, sources)
    for text in (sources.clause.text, sources.message):
        value = find_scalar(parameter, tool, text, sources)
        if value is not None:
            return [value]
    return []


def _find_array(parameter: Parameter, tool: Tool, sources: Sources) -> list[Any]:
    items = parameter.schema.get("items")
    name = parameter.name[:-1] if parameter.name.endswith("s") else parameter.name
    single = Parameter(name, items if isinstance(items, Mapping) else {}, parameter.required)
    if single.is_identifier:
        found = _find_identifiers(single, tool, sources)
        return [found] if found else []
    if single.schema.get("format") == "email" or "email" in single.parts:
        found = values.emails(sources.message)
        return [found] if found else []
    value = find(single, tool, sources) if single.type not in ("array", "object") else []
    return [value] if value else []


def _find_object(parameter: Parameter, tool: Tool, sources: Sources) -> list[Any]:
    inner = Tool(tool.name, tool.description, parameters_of(parameter.schema, parameter.schema), tool.profile)
    filled = fill(inner, sources)
    return [filled.calls[0]] if filled.calls[0] and not filled.missing else []


# --- identifiers ----------------------------------------------------------------------------------


def _strength(identifier: identifiers.Identifier, parameter: Parameter, tool: Tool) -> float:
    """3: named with its noun; 2: its prefix fits; 1: stands alone; 0: it names something else."""
    noun = parameter.noun or next(iter(sorted(tool.profile.named.things)), "")
    prefix = prefix_of(identifier.value)
    if noun and identifier.noun == noun:
        return 3.0
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


def _identifiers_in(text: str, parameter: Parameter, tool: Tool, today: date, least: float) -> list[Any]:
    scored = [
        (_strength(i, parameter, tool), _converted(i.value, parameter))
        for i in identifiers.identifiers(text, today)
    ]
    usable = [(strength, value) for strength, value in scored if value is not None and strength >= least]
    best = max((strength for strength, _ in usable), default=0.0)
    return list(dict.fromkeys(value for strength, value in usable if strength == best))


def _find_identifiers(parameter: Parameter, tool: Tool, sources: Sources) -> list[Any]:
    least = 0.25 if sources.answering and not sources.several_missing else 0.5
    if not parameter.required:
        return _identifiers_in(sources.clause.text, parameter, tool, sources.today, least=2.0)[:1]
    here = _identifiers_in(sources.clause.text, parameter, tool, sources.today, least)
    if here:
        return here
    in_message = _identifiers_in(sources.message, parameter, tool, sources.today, least=0.5)
    if in_message:
        return _nearest_before(sources, in_message)
    return _remembered(parameter, tool, sources)


def _nearest_before(sources: Sources, found: list[Any]) -> list[Any]:
    """Of identifiers elsewhere in the message: the last one before the clause, else the first."""
    at = sources.message.find(sources.clause.text)
    before = [value for value in found if 0 <= sources.message.find(str(value)) < at]
    return [before[-1] if before else found[0]]


_ANOTHER = re.compile(r"\b(?:another|different|other) (?:one|order|transaction|dispute)\b|另一个|别的|其他")
_NEWEST = re.compile(r"\b(?:latest|newest|most recent|first|last (?!one))\b|最近|最新|第一")


def _remembered(parameter: Parameter, tool: Tool, sources: Sources) -> list[Any]:
    """The newest fitting identifier of the conversation; none when the newest text names several to
    choose from.
    """
    said = normalised(sources.clause.text)
    if _ANOTHER.search(said):
        return []
    for role, text in sources.remembered:
        least = 1.0 if role == "human" else 2.0
        flat = _flattened(text)
        found = _identifiers_in(flat, parameter, tool, sources.today, least)
        if not found and parameter.noun in read(text).things:  # a list of such things, under a heading
            found = _identifiers_in(flat, parameter, tool, sources.today, least=1.0)
        if len(found) == 1:
            return found
        if found:
            return _chosen(found, role, said)
    return []


def _chosen(found: list[Any], role: str, said: str) -> list[Any]:
    if re.search(r"\b(?:all|both|them|those|these)\b|全部|都|它们|两个", said):
        return found
    if _NEWEST.search(said):
        return found[:1]
    return found[-1:] if role == "human" and re.search(lexicon.POINTING_BACK, said) else []


def _flattened(text: str) -> str:
    """JSON keys and markdown read as words: `"order_id": 1042` -> `order id 1042`."""
    return re.sub(r"[_\"*`{}\[\]]+", " ", re.sub(r"(?<=\w)_id\b", " id", text))
