"""A sample instance of a tool's schema: the least that it asks for, or with every optional part to a depth.

What the schema itself offers (default, example, enum) comes first; a pattern is met by generating from it. The result
is checked against the schema by whoever calls, and a schema that this cannot meet counts as not judged, not as wrong.
"""

import importlib
from typing import Any

import rstr

# Nested stars multiply. The package has a function of the module's name.
importlib.import_module("rstr.xeger").STAR_PLUS_LIMIT = 4  # type: ignore[attr-defined]

FORMATS = {
    "date-time": "2026-03-01T12:00:00Z",
    "date": "2026-03-01",
    "time": "12:00:00Z",
    "uuid": "3f2b8c1e-6f4a-4a7e-9b1d-2c3d4e5f6a7b",
    "email": "ann@example.com",
    "uri": "https://example.com/a",
    "url": "https://example.com/a",
    "ipv4": "192.0.2.1",
    "ip": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
    "byte": "YQ==",
    "binary": "YQ==",
    "duration": "P1D",
}
MAX_DEPTH = 12


def sample(schema: Any, *, full: bool, depth: int = 0) -> Any:
    """An instance. `full`: with optional properties, three levels deep."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return "a"
    for offered in _offered(schema):
        return offered
    merged = _merged(schema)
    if merged is not schema:
        return sample(merged, full=full, depth=depth)
    kind = _kind(schema)
    if kind == "object":
        return _object(schema, full=full, depth=depth)
    if kind == "array":
        return _array(schema, full=full, depth=depth)
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "boolean":
        return True
    return None if kind == "null" else _text(schema)


def _offered(schema: dict[str, Any]) -> list[Any]:
    if "const" in schema:
        return [schema["const"]]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return [next((value for value in schema["enum"] if value is not None), schema["enum"][0])]
    return []


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """One schema of an allOf, and of the first branch of an anyOf or oneOf that is not null."""
    parts = [part for part in schema.get("allOf", []) if isinstance(part, dict)]
    for key in ("oneOf", "anyOf"):
        branches = [part for part in schema.get(key, []) if isinstance(part, dict)]
        chosen = next((part for part in branches if part.get("type") != "null"), None)
        parts += [chosen] if chosen else []
    if not parts:
        return schema
    whole = {key: value for key, value in schema.items() if key not in ("allOf", "oneOf", "anyOf")}
    for part in parts:
        part = _merged(part)
        for key, value in part.items():
            if key == "properties":
                whole[key] = {**whole.get(key, {}), **value}
            elif key == "required":
                whole[key] = [*dict.fromkeys([*whole.get(key, []), *value])]
            else:
                whole.setdefault(key, value)
    return whole


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return str(next((name for name in kind if name != "null"), "null"))
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _object(schema: dict[str, Any], *, full: bool, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    wanted = list(schema.get("required", []))
    if full and depth < 3:
        wanted += [name for name in properties if name not in wanted][:40]
    found = {name: sample(properties.get(name, {}), full=full, depth=depth + 1) for name in wanted}
    if len(found) < schema.get("minProperties", 0):
        extra = schema.get("additionalProperties", {})
        for name in [*properties, *(f"key{number}" for number in range(schema["minProperties"]))]:
            if len(found) >= schema["minProperties"]:
                break
            found.setdefault(name, sample(properties.get(name, extra), full=False, depth=depth + 1))
    return found


def _array(schema: dict[str, Any], *, full: bool, depth: int) -> list[Any]:
    # An empty list in a query or a form is nothing at all, so an argument that is a list has one item.
    least = schema.get("minItems", 0) or (1 if (full or depth == 1) and schema.get("maxItems", 1) else 0)
    items = schema.get("items", {})
    if schema.get("uniqueItems") and least > 1 and isinstance(items, dict) and "enum" in items:
        return list(items["enum"][:least])
    found = [sample(items, full=full, depth=depth + 1) for _ in range(min(least, 50))]
    if (
        schema.get("uniqueItems")
        and _kind(items if isinstance(items, dict) else {}) == "string"
        and least > 1
    ):
        return [f"{value}{number}" for number, value in enumerate(found)]
    return found


def _number(schema: dict[str, Any], *, whole: bool) -> float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = low if low is not None else min(1, high) if high is not None else 1
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        gap = 1 if whole or high is None else (high - value) / 2
        value = schema["exclusiveMinimum"] + gap
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        value = schema["exclusiveMaximum"] - 1
    step = schema.get("multipleOf")
    if step:
        value = -(-value // step) * step
    return int(value) if whole or float(value).is_integer() else value


def _text(schema: dict[str, Any]) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if schema.get("contentEncoding") == "base64":
        value = FORMATS["byte"]
    elif schema.get("format") in FORMATS:
        value = FORMATS[schema["format"]]
    elif schema.get("pattern"):
        return _from_pattern(schema["pattern"], least, most)
    else:
        value = "a"
    value = value.ljust(least, "a")
    return value[:most] if most is not None else value


def _from_pattern(pattern: str, least: int, most: int | None) -> str:
    for _ in range(20):
        try:
            value: str = rstr.xeger(pattern)
        except Exception:  # another dialect of patterns: not judged
            return "a" * max(least, 1)
        if least <= len(value) and (most is None or len(value) <= most) and "\n" not in value:
            return value
    return "a" * max(least, 1)
