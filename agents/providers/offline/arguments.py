"""Filling a tool's arguments from what the customer wrote and what was said before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.providers.offline import references, values
from agents.providers.offline.scalars import find_scalar
from agents.providers.offline.sources import Sources
from agents.providers.offline.tools import Parameter, Tool, parameters_of


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
        return references.meant(parameter, tool, sources)
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
        found = references.meant(single, tool, sources)
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
