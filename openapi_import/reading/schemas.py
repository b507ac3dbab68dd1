"""Schemas of an OpenAPI document as self-contained JSON Schema (2020-12), for the request's direction.

References are kept: what a tool needs is copied once each into its `$defs`, so circular schemas stay finite.
Only keywords of a known meaning are taken: `$id` and `$dynamicRef` would change what a reference means, and a
pattern that can run for minutes would stop the process that checks arguments.
"""

import re
from collections.abc import Callable
from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.references import pointer_tokens, target
from openapi_import.reading.text import Document

ERROR_MESSAGE = "x-error-message"
MAX_DEFINITIONS = 1_000

_NUMBERS = ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum")
_COUNTS = (
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains",
    "maxContains",
)  # fmt: skip
_SCHEMA = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "dependentSchemas")
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
# Repeated groups and back references can take exponential time; Python warns of the others.
_UNSURE = re.compile(r"\)[*+{]|\\[1-9]|\(\?P=|\[\[|--|&&|~~|\|\|")
_UNBOUNDED = re.compile(r"[*+]|\{\d*,(?:\d{4,})?\}")
MAX_UNBOUNDED = 2  # each further one is another power of the length
MAX_PATTERN = 300


class Definitions:
    """The `$defs` of one tool, filled on demand. `convert` and `finish` are the whole use of it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._old = str(document.get("openapi", "")).startswith("3.0")
        self._names: dict[tuple[str, ...], str] = {}
        self._waiting: list[tuple[str, str]] = []

    def convert(self, schema: Any) -> Any:
        """The same schema, its references pointing to `#/$defs/...`. Raises SpecInvalid."""
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise SpecInvalid("A schema is not an object.")
        result: dict[str, Any] = {}
        if isinstance(schema.get("$ref"), str):
            result["$ref"] = f"#/$defs/{self._name(schema['$ref'])}"
            if self._old:  # in 3.0 what stands beside a reference does not count
                return result
        for key, read in _VALUES.items():
            if key in schema and (value := read(schema[key])) is not None:
                result[key] = value
        if "const" in schema:  # may be null
            result["const"] = schema["const"]
        if "default" in schema:
            result["default"] = schema["default"]
        self._children(schema, result)
        self._required(schema, result)
        if self._old:
            _modernise(schema, result)
        if "example" in schema and "examples" not in result:
            result["examples"] = [schema["example"]]
        return result

    def finish(self) -> dict[str, Any]:
        """Every definition that was referred to, and those that these refer to. Raises SpecInvalid."""
        found: dict[str, Any] = {}
        while self._waiting:
            name, reference = self._waiting.pop()
            found[name] = self.convert(target(self._document, reference))
        return dict(sorted(found.items()))

    def _name(self, reference: str) -> str:
        tokens = tuple(pointer_tokens(reference))
        if tokens not in self._names:
            if len(self._names) >= MAX_DEFINITIONS:
                raise SpecInvalid(f"Its schemas refer to more than {MAX_DEFINITIONS} others.")
            base = re.sub(r"[^A-Za-z0-9_.-]+", "_", tokens[-1] if tokens else "document")[:60] or "schema"
            name, number = base, 1
            while name in self._names.values():
                number += 1
                name = f"{base}_{number}"
            self._names[tokens] = name
            self._waiting.append((name, reference))
        return self._names[tokens]

    def _children(self, schema: dict[str, Any], result: dict[str, Any]) -> None:
        for key in _SCHEMA:
            if key in schema and not (key == "items" and isinstance(schema[key], list)):
                result[key] = self.convert(schema[key])
        for key in _SCHEMAS:
            if isinstance(schema.get(key), list) and schema[key]:
                result[key] = [self.convert(part) for part in schema[key]]
        for key in _NAMED:
            if isinstance(schema.get(key), dict):
                result[key] = {
                    name: self.convert(part) for name, part in schema[key].items() if not _only_answered(part)
                }

    def _required(self, schema: dict[str, Any], result: dict[str, Any]) -> None:
        if isinstance(schema.get("required"), list):
            declared = schema.get("properties")
            properties: dict[str, Any] = declared if isinstance(declared, dict) else {}
            names = [name for name in schema["required"] if isinstance(name, str)]
            wanted = [name for name in dict.fromkeys(names) if not _only_answered(properties.get(name))]
            if wanted:
                result["required"] = wanted


def _only_answered(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("readOnly") is True


def _modernise(schema: dict[str, Any], result: dict[str, Any]) -> None:
    """OpenAPI 3.0's own keywords: `nullable`, and limits whose exclusion is a flag."""
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if schema.get(exclusive) is True and limit in result:
            result[exclusive] = result.pop(limit)
    if schema.get("nullable") is True and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
        if "enum" in result and None not in result["enum"]:
            result["enum"] = [*result["enum"], None]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _list(value: Any) -> list[Any] | None:
    return value if isinstance(value, list) and value else None


def _type(value: Any) -> Any:
    if isinstance(value, str):
        return value if value in _TYPES else None
    if isinstance(value, list):
        known = [name for name in dict.fromkeys(map(str, value)) if name in _TYPES]
        return known or None
    return None


def _pattern(value: Any) -> str | None:
    """A pattern that is sure to compile and to end soon; the business system checks the others itself."""
    if not isinstance(value, str) or len(value) > MAX_PATTERN or _UNSURE.search(value):
        return None
    if len(_UNBOUNDED.findall(value)) > MAX_UNBOUNDED:
        return None
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return None
    return value


_VALUES: dict[str, Callable[[Any], Any]] = {
    "type": _type,
    "title": _text,
    "description": _text,
    "format": _text,
    "enum": _list,
    "examples": _list,
    "pattern": _pattern,
    "uniqueItems": _flag,
    "deprecated": _flag,
    "writeOnly": _flag,
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_COUNTS, _count),
    ERROR_MESSAGE: _text,
}
