"""The keywords of one schema, read alone: what checks a value, cleaned of what is not valid or not of its type.

The result is what every model provider takes: one `type` per schema, `enum` for text only, no null among its values.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from smartsupport.lib.patterns import compiles, ends_soon
from smartsupport.lib.text import unhidden

ERROR_MESSAGE = "x-error-message"
TYPES = ("string", "integer", "number", "boolean", "array", "object")
# Types that documents write although there are none of that name.
_ALSO = {
    "int": "integer", "long": "integer", "int32": "integer", "int64": "integer", "float": "number",
    "double": "number", "decimal": "number", "bool": "boolean", "str": "string", "text": "string",
    "date": "string", "datetime": "string", "date-time": "string", "uuid": "string", "file": "string",
    "list": "array", "map": "object", "dict": "object",
}  # fmt: skip
MAX_DESCRIPTION = 300
MAX_ENUM_BYTES = 4_096
MAX_EXAMPLE_BYTES = 200

MAX_PATTERN = 500

_written = json.JSONEncoder(separators=(",", ":")).encode

_LINKS = re.compile(r"!?\[([^\]\[]{0,200})\]\([^)\s]{0,500}\)")
_TAGS = re.compile(r"<[^<>]{1,200}>")
_SPACE = re.compile(r"\s+")


def types_of(schema: dict[str, Any]) -> tuple[list[str], bool]:
    """The types that a schema allows (none: any), and whether null is one of them."""
    declared = schema.get("type")
    named = declared if isinstance(declared, list) else [declared]
    known: list[str] = []
    for name in named:
        name = _ALSO.get(name.lower(), name.lower()) if isinstance(name, str) else ""
        if name in TYPES and name not in known:
            known.append(name)
    null = "null" in named
    if "integer" in known and "number" in known:
        known.remove("integer")
    if not known and not null:
        if isinstance(schema.get("properties"), dict) and schema["properties"]:
            known = ["object"]
        elif "items" in schema or "prefixItems" in schema:
            known = ["array"]
    return known, null


def words(text: Any, limit: int = MAX_DESCRIPTION) -> str:
    """Text of a document as one plain line of at most `limit` characters, cut at a sentence or a word, without HTML,
    addresses of links, and what a model reads and a reviewer does not see."""
    if not isinstance(text, str):
        return ""
    text = text[: limit * 6]
    if not text.isascii():
        text = unhidden(text)
    if "<" in text:
        text = _TAGS.sub(" ", text)
    if "](" in text:
        text = _LINKS.sub(lambda found: found[1], text)
    text = _SPACE.sub(" ", text).strip()
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    end = max(head.rfind(". "), head.rfind("! "), head.rfind("? "))
    if end > limit // 2:
        return head[: end + 1]
    return (head[: head.rfind(" ")] if head.rfind(" ") > limit // 2 else head).rstrip(" ,;:") + "…"


def checks(schema: dict[str, Any], kind: str, lost: Callable[[str], None]) -> dict[str, Any]:
    """The keywords that check a value of one type ("" for any), except those that contain schemas."""
    found: dict[str, Any] = {}
    if kind in ("string", ""):
        _bounds(schema, found, "minLength", "maxLength", _count)
        if kind and isinstance(schema.get("format"), str):
            found["format"] = schema["format"]
        _pattern(schema.get("pattern"), found, lost)
    if kind in ("integer", "number", ""):
        _numbers(schema, found)
        if kind and isinstance(schema.get("format"), str):
            found["format"] = schema["format"]
    if kind in ("array", ""):
        _bounds(schema, found, "minItems", "maxItems", _count)
        if schema.get("uniqueItems") is True:
            found["uniqueItems"] = True
    if kind in ("object", ""):
        _bounds(schema, found, "minProperties", "maxProperties", _count)
    return found


def values_of(schema: dict[str, Any], kind: str) -> list[Any] | None:
    """The values that `enum` and `const` leave of one type, brought into that type where they are written in
    another ("1" for 1). None: any value. Null is left out: it is a type of its own here."""
    values = schema.get("enum")
    if "const" in schema:
        values = [schema["const"]]
    if not isinstance(values, list) or not values:
        return None
    wanted = kind or (
        "string" if all(isinstance(value, str) for value in values if value is not None) else ""
    )
    if wanted == "string" and all(isinstance(value, str) for value in values):
        return list(dict.fromkeys(values))
    found: list[Any] = []
    for value in values:
        value = as_type(value, wanted)
        if value is not None and not any(value is other or _same(value, other) for other in found[-50:]):
            found.append(value)
    return found


def lists_null(schema: dict[str, Any]) -> bool:
    """Whether null is among the values that `enum` or `const` list."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return isinstance(values, list) and None in values


def only_null(schema: dict[str, Any]) -> bool:
    """Whether null is the only value."""
    return lists_null(schema) and ("const" in schema or set(map(str, schema["enum"])) == {"None"})


def as_type(value: Any, kind: str) -> Any:
    """`value` as a value of that type, or None where it is none."""
    if kind == "string":
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, int | float) else value if isinstance(value, str) else None
    if kind in ("integer", "number"):
        return _as_number(value, kind)
    if kind == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())
    if kind == "array":
        return value if isinstance(value, list) else None
    if kind == "object":
        return value if isinstance(value, dict) else None
    return value


def _as_number(value: Any, kind: str) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value) if isinstance(value, str) else value
        if number != number or number in (float("inf"), float("-inf")):
            return None
        whole = int(number)
    except (ValueError, OverflowError):
        return None
    return whole if whole == number else number if kind == "number" else None


def limited(values: list[Any], kind: str) -> dict[str, Any]:
    """A schema for one of these values of one type. Providers take `enum` for text only."""
    if not kind or kind in ("array", "object"):
        return {"const": values[0]} if len(values) == 1 else {"anyOf": [{"const": value} for value in values]}
    if kind == "string":
        return {"type": kind, "enum": values}
    if len(values) == 1:
        return {"type": kind, "const": values[0]}
    if kind == "boolean":
        return {"type": kind}
    ordered = sorted(values)
    if kind == "integer" and ordered == list(range(ordered[0], ordered[0] + len(ordered))):
        return {"type": kind, "minimum": ordered[0], "maximum": ordered[-1]}
    return {
        "anyOf": [{"type": kind, "const": value} for value in values],
        "description": f"One of {', '.join(map(str, values))}."[:MAX_DESCRIPTION],
    }


def _pattern(pattern: Any, found: dict[str, Any], lost: Callable[[str], None]) -> None:
    """The model reads every pattern that is one. What could take for ever is not run before a call
    (`agents.policy`); the business system checks it."""
    if not isinstance(pattern, str):
        return
    if len(pattern) <= MAX_PATTERN and compiles(pattern):
        found["pattern"] = pattern
    else:
        found["description"] = f"Pattern: {words(pattern, 120)}"
    if not ends_soon(pattern):
        lost("its pattern is not checked before a call")


def size_of(value: Any) -> int:
    """The length of `value` as JSON text."""
    return len(_written(value))


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a default or an example is short, and passes what the schema itself says of it."""
    if "anyOf" in schema:
        return any(fits(value, branch) for branch in schema["anyOf"])
    kind = schema.get("type", "")
    if (kind and not _same(as_type(value, kind), value)) or size_of(value) > MAX_EXAMPLE_BYTES:
        return False
    if ("enum" in schema and value not in schema["enum"]) or schema.get("const", value) != value:
        return False
    if isinstance(value, str):
        if "pattern" in schema and not (ends_soon(schema["pattern"]) and re.search(schema["pattern"], value)):
            return False
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))
    if isinstance(value, list):
        inner = schema.get("items", {})
        long = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return bool(long) and all(fits(item, inner) for item in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        within = schema.get("minimum", value) <= value <= schema.get("maximum", value)
        return bool(within) and (low is None or value > low) and (high is None or value < high)
    return not isinstance(value, dict)


def _numbers(schema: dict[str, Any], found: dict[str, Any]) -> None:
    """Limits; in OpenAPI 2.0 and 3.0, and often beyond, whether they are exclusive is a flag."""
    limits: dict[str, float] = {}
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        value, other = _number(schema.get(limit)), schema.get(exclusive)
        if other is True and value is not None:
            limits[exclusive] = value
        else:
            if value is not None:
                limits[limit] = value
            bound = _number(other)
            if bound is not None:
                limits[exclusive] = bound
    low = max((limits[key] for key in ("minimum", "exclusiveMinimum") if key in limits), default=None)
    high = min((limits[key] for key in ("maximum", "exclusiveMaximum") if key in limits), default=None)
    if low is None or high is None or low <= high:
        found.update(limits)
    step = _number(schema.get("multipleOf"))
    if step is not None and step > 0:
        found["multipleOf"] = step


def _bounds(
    schema: dict[str, Any], found: dict[str, Any], low: str, high: str, read: Callable[[Any], Any]
) -> None:
    least, most = read(schema.get(low)), read(schema.get(high))
    if least is not None and most is not None and least > most:
        return
    if least:
        found[low] = least
    if most is not None:
        found[high] = most


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other
