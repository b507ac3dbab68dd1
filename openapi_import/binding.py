"""Arguments that the server fills in from the verified identity of the customer."""

import re
from collections.abc import Mapping
from typing import Any

from smartsupport.lib.ids import canonical_json
from smartsupport.lib.own_headers import names_person

BINDINGS = frozenset({"customer.id"})
"""What an argument can be bound to."""
DEFINITION = re.compile(r'"\$ref":"#/\$defs/([^"]+)"')


def arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """{argument: its schema} of a tool's input schema."""
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def faults(bound: object, schema: Mapping[str, Any]) -> list[str]:
    """What is wrong with {argument: binding}, in sentences; `schema` has all arguments, bound ones too."""
    if not isinstance(bound, Mapping):
        return ["Give an object of arguments and what each is bound to."]
    known = arguments(schema)
    missing = [f"There is no argument {name!r} to bind." for name in bound if name not in known]
    return missing + [
        f"Unknown binding {binding!r}. Known: {', '.join(sorted(BINDINGS))}."
        for binding in bound.values()
        if not isinstance(binding, str) or binding not in BINDINGS
    ]


def with_namesakes(bound: Mapping[str, str], tool: Mapping[str, Any]) -> dict[str, str]:
    """What is bound, and the arguments that bear the same name in another place (`customer_id` in the path and in the
    body, `X-Customer-Id`). Left to the model, one of them would name another customer beside the bound one, and which
    of them counts would be the business system's choice. `tool` as in `Classification.tool`."""
    written = {one["argument"]: one["name"] for one in tool.get("parameters", [])}
    written |= (tool.get("request_body") or {}).get("fields", {})
    names = {_plain(written.get(argument, argument)): to for argument, to in bound.items()}
    return dict(bound) | {
        argument: names[_plain(name)] for argument, name in written.items() if _plain(name) in names
    }


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().removeprefix("x-"))


def nobodys(tool: Mapping[str, Any], bound: Mapping[str, str]) -> set[str]:
    """Arguments that are headers saying whose request it is, and are not bound: no model fills one in, and it is not
    sent. `tool` as in `Classification.tool`."""
    return {
        one["argument"]
        for one in tool.get("parameters", [])
        if one["in"] == "header" and one["argument"] not in bound and names_person(one["name"])
    }


def seen_by_model(tool: Mapping[str, Any], bound: Mapping[str, str]) -> dict[str, Any]:
    """The schema of the arguments that a model fills in. `tool` as in `Classification.tool`."""
    hidden = {**bound, **dict.fromkeys(nobodys(tool, bound), "")}
    return without_bound(tool.get("input_schema") or {}, hidden)


def without_bound(schema: Mapping[str, Any], bound: Mapping[str, str]) -> dict[str, Any]:
    """The schema that the model sees: without bound arguments, and definitions that only they needed."""
    seen = dict(schema)
    seen["properties"] = {name: part for name, part in arguments(schema).items() if name not in bound}
    required = [name for name in seen.pop("required", []) if name not in bound]
    if required:
        seen["required"] = required
    definitions = seen.pop("$defs", {})
    wanted: dict[str, Any] = {}
    waiting = DEFINITION.findall(canonical_json(seen)) if definitions else []
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in wanted:
            wanted[name] = definitions[name]
            waiting += DEFINITION.findall(canonical_json(definitions[name]))
    return {**seen, "$defs": wanted} if wanted else seen
