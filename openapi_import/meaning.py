"""What differs between a published tool and an operation of a newer document, field by field, and whether it changes
what a call does or only how it reads. Pure."""

from collections.abc import Mapping
from typing import Any, Protocol

from openapi_import.binding import arguments, nobodys
from openapi_import.matching import Described, address

WORDING = frozenset({"title", "description", "example", "examples", "$comment", "externalDocs", "deprecated"})
"""Keywords of a schema that check nothing. `x-` keywords are wording, too."""
CHOICES = ("oneOf", "anyOf", "allOf", "prefixItems")
SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")

Entry = dict[str, Any]


class Live(Described, Protocol):
    """A published tool, or what was read of one."""

    @property
    def server_url(self) -> str: ...

    @property
    def parameters(self) -> Any: ...

    @property
    def request_body(self) -> Any: ...

    @property
    def input_schema(self) -> Any: ...

    @property
    def security(self) -> Any: ...

    @property
    def response(self) -> Any: ...

    @property
    def bound(self) -> Any: ...


class Read(Described, Protocol):
    """An operation of a document."""

    @property
    def tool(self) -> Any: ...


def another_operation(tool: Described, row: Described) -> bool:
    """Whether the operation has another method or path: something else under the old id."""
    return address(tool.method, tool.path) != address(row.method, row.path)


def differences(tool: Live, row: Read) -> list[Entry]:
    """[{"field", "was", "now", "meaning"}] in what comes from the document; wording of the tool itself is not here."""
    new: Mapping[str, Any] = row.tool
    found = []
    pairs = {
        "method": (tool.method, row.method),
        "path": (tool.path, row.path),
        "server_url": (tool.server_url, new.get("server_url", "")),
        "security": (tool.security, new.get("security", [])),
    }
    for field, (was, now) in pairs.items():
        if was != now:
            found.append(_entry(field, was, now))
    found += _arguments(tool, new)
    found += _sending(tool, new)
    if tool.response != new.get("response", {}):
        found.append(_entry("response", tool.response, new.get("response", {}), meaning=False))
    if tool.operation_id != row.operation_id:
        found.append(_entry("operation_id", tool.operation_id, row.operation_id, meaning=False))
    return found


def _entry(field: str, was: Any, now: Any, *, meaning: bool = True) -> Entry:
    return {"field": field, "was": was, "now": now, "meaning": meaning}


def _arguments(tool: Live, new: Mapping[str, Any]) -> list[Entry]:
    """The bound arguments of a tool are not in its schema: of those it is only known that they were there."""
    old, fresh = arguments(tool.input_schema), arguments(new.get("input_schema", {}))
    was_required = set(tool.input_schema.get("required", []))
    now_required = set(new.get("input_schema", {}).get("required", []))
    unfilled = nobodys(new, tool.bound) - old.keys()
    found = []
    for name in [*old, *(name for name in fresh if name not in old)]:
        field = f"argument {name}"
        if name in tool.bound or name in unfilled:
            continue
        if name not in fresh:
            found.append(_entry(field, old[name], None))
        elif name not in old:
            # What may be left out changes nothing for those who do not know it.
            found.append(_entry(field, None, fresh[name], meaning=name in now_required))
        else:
            if old[name] != fresh[name]:
                meant = checks(old[name]) != checks(fresh[name])
                found.append(_entry(field, old[name], fresh[name], meaning=meant))
            if (name in was_required) != (name in now_required):
                found.append(_entry(f"{field} is required", name in was_required, name in now_required))
    for name, binding in tool.bound.items():
        if name not in fresh:
            found.append(_entry(f"argument {name}", f"bound to {binding}", None))
    return found


def checks(schema: Any) -> Any:
    """A schema without what is only said about it."""
    if isinstance(schema, list):
        return [checks(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in WORDING or (isinstance(key, str) and key.startswith("x-")):
            continue
        if key in ("properties", "$defs", "patternProperties") and isinstance(value, dict):
            kept[key] = {name: checks(part) for name, part in value.items()}
        elif key in CHOICES or key in SINGLE:
            kept[key] = checks(value)
        elif key in ("required", "enum", "type") and isinstance(value, list):
            kept[key] = sorted(value, key=repr)
        else:
            kept[key] = value
    return kept


def _sending(tool: Live, new: Mapping[str, Any]) -> list[Entry]:
    """How arguments that are in both are sent. What was added or has gone is told of as an argument."""
    old = {parameter["argument"]: parameter for parameter in tool.parameters}
    fresh = {parameter["argument"]: parameter for parameter in new.get("parameters", [])}
    found = [
        _entry(f"how {name} is sent", was, fresh[name])
        for name, was in old.items()
        if name in fresh and _sent(was) != _sent(fresh[name])
    ]
    was, now = tool.request_body, new.get("request_body")
    if was and now and _body(was, now) != _body(now, was):
        found.append(_entry("request_body", was, now))
    return found


def _sent(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says nothing: a flag that is off, and `required`, which is told of as an argument."""
    return {
        key: value for key, value in parameter.items() if value not in (False, "", None) and key != "required"
    }


def _body(body: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """How a body is sent; of its fields those that both have."""
    plain = {key: value for key, value in body.items() if key not in ("fields", "encoding", "required")}
    theirs = other.get("fields") or {}
    fields = {key: name for key, name in (body.get("fields") or {}).items() if key in theirs}
    encoding = {
        name: how
        for name, how in (body.get("encoding") or {}).items()
        if "fields" not in body or name in fields.values()
    }
    return {**plain, "fields": fields, "encoding": encoding, "whole": "fields" not in body}
