"""One plain value for a parameter: a number, a date, yes or no, a choice, a text."""

import re
from typing import Any

from agents.lexical import normalised
from agents.providers.offline import choices, values
from agents.providers.offline.sources import Sources
from agents.providers.offline.tools import Parameter, Tool


def find_scalar(parameter: Parameter, tool: Tool, text: str, sources: Sources) -> Any:
    own = text == sources.clause.text
    if parameter.choices:
        return choices.find_choice(parameter, text, answering=sources.answering, required=parameter.required)
    if parameter.type in ("integer", "number"):
        return _find_number(parameter, text, sources) if own or parameter.required else None
    if parameter.type == "boolean":
        return choices.find_boolean(parameter, text, answering=sources.answering) if own else None
    if parameter.schema.get("format") in ("date", "date-time") or set(parameter.parts) & {
        "date",
        "day",
        "since",
        "until",
    }:
        return _find_date(parameter, text, sources)
    return _find_text(parameter, tool, text, sources)


def _find_number(parameter: Parameter, text: str, sources: Sources) -> values.Number | None:
    parts = set(parameter.parts)
    if parts & {"percent", "percentage", "pct", "discount"}:
        found = values.percentages(text)
        return found[0] if found else _bare_number(text, sources)
    if parts & {"days", "weeks", "months", "years", "hours", "minutes", "nights", "duration", "day", "night"}:
        duration = _in_unit(parameter, values.durations(text))
        if duration is not None:
            return duration
        return _bare_number(text, sources) if parameter.required else None
    if parts & {"amount", "price", "sum", "total", "cents"}:
        sums = values.amounts(text)
        if sums:
            return sums[0] * 100 if "cents" in parts else sums[0]
    counted = _counted(parameter, text)
    return counted if counted is not None else (_bare_number(text, sources) if parameter.required else None)


def _in_unit(parameter: Parameter, found: list[tuple[values.Number, str]]) -> values.Number | None:
    wanted = next((part.rstrip("s") for part in parameter.parts if part.rstrip("s") in values.UNITS), "day")
    for amount, unit in found:
        if unit == wanted or {unit, wanted} == {"day", "night"}:
            return amount
        if wanted == "day" and (days := values.in_days(amount, unit)) is not None:
            return days
    return None


def _counted(parameter: Parameter, text: str) -> values.Number | None:
    """A number that stands with a word of the parameter: `2 guests`, `last 5`, `quantity 3`."""
    clean = normalised(text)
    if parameter.name in ("limit", "count", "n", "top", "max_results", "page_size"):
        match = re.search(
            r"(?:last|latest|top|first|recent|newest|最近|最新)(?:的)?\s*([a-z]+|\d+|[一二两三四五六七八九十]+)",
            clean,
        )
        value = values.number_of(match.group(1)) if match else None
        if value is not None:
            return value
    words = {part.rstrip("s") for part in parameter.parts} | set(choices.nouns_of(parameter))
    for word in sorted(words - {"number", "count", "of", "size", "the", "limit"}):
        if len(word) < 3:
            continue
        match = re.search(rf"{values.NUMBER}\s+(?:[a-z]+\s+)?{re.escape(word)}s?\b", clean) or re.search(
            rf"\b{re.escape(word)}s?\s*(?:is|to|of|=|:)?\s*{values.NUMBER}(?![\w%])", clean
        )
        value = values.number_of(match.group(1)) if match else None
        if value is not None:
            return value
    return None


def _bare_number(text: str, sources: Sources) -> values.Number | None:
    """The one number in a message that is the answer to a question for a number."""
    if not sources.answering:
        return None
    found = [values.number_of(match) for match in re.findall(values.NUMBER, normalised(text))]
    numbers = [value for value in found if value is not None]
    if sources.several_missing:  # then a long number is the identifier that is missing as well
        numbers = [value for value in numbers if abs(value) < 100]
    return numbers[0] if len(numbers) == 1 else None


_STARTS = frozenset({"since", "from", "after", "start", "check", "begin", "starting", "从", "自"})


_ENDS = frozenset({"until", "till", "to", "before", "by", "end", "through", "ending", "到", "至", "out"})


def _find_date(parameter: Parameter, text: str, sources: Sources) -> str | None:
    said = values.dates(text, sources.today)
    if not said:
        return None
    chosen = said[0]
    wanted_end = bool(set(parameter.parts) & _ENDS)
    wanted_start = bool(set(parameter.parts) & _STARTS) and not wanted_end
    if wanted_end:
        ends = [day for day in said if day.before in _ENDS]
        if not ends and (len(said) < 2 or not parameter.required) and not sources.answering:
            return None
        chosen = ends[0] if ends else said[-1]
    elif wanted_start and not parameter.required and chosen.before not in _STARTS | {"between", "last", "on"}:
        return None
    iso = chosen.day.isoformat()
    return f"{iso}T00:00:00Z" if parameter.schema.get("format") == "date-time" else iso


def _find_text(parameter: Parameter, tool: Tool, text: str, sources: Sources) -> str | None:
    own = text == sources.clause.text
    parts, form = set(parameter.parts), parameter.schema.get("format")
    if form == "email" or "email" in parts:
        return next(iter(values.emails(text)), None)
    if form == "uri" or parts & {"url", "link", "website"}:
        return next(iter(values.links(text)), None)
    if parts & {"phone", "telephone", "mobile"}:
        return next(iter(values.phones(text)), None)
    if "reason" in parts or parts & {"because", "explanation"}:
        return choices.find_reason(parameter, sources) if own else None
    if parameter.is_free_text and parameter.required and (tool.takes_any_question or sources.answering):
        return (sources.message if sources.answering else sources.clause.text).strip() if own else None
    found = choices.find_named_text(parameter, tool, text)
    if found is None and sources.answering and own and parameter.required:
        found = sources.message.strip(" .!。！") or None
    return found
