"""Two schemas that both hold, as one schema: what `allOf` says, without `allOf`.

Model providers take no `allOf` at the top of a tool and read it badly below. Works on schemas that
`openapi_import.reading.schemas` made. Where two rules contradict each other, the first one stays.
"""

from typing import Any

MAX_BRANCHES = 12

_GREATER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_SMALLER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A schema of what `one` and `other` allow. Neither is changed."""
    if not one or not other:
        return other or one
    found = dict(one)
    for key, value in other.items():
        if key not in found:
            found[key] = value
        elif found[key] == value:
            continue
        elif key == "properties":
            found[key] = _properties(found[key], value)
        elif key == "required":
            found[key] = list(dict.fromkeys([*found[key], *value]))
        elif key == "type":
            if {found[key], value} == {"integer", "number"}:
                found[key] = "integer"
        elif key == "enum":
            found[key] = [item for item in found[key] if item in value] or found[key]
        elif key in _GREATER:
            found[key] = max(found[key], value)
        elif key in _SMALLER:
            found[key] = min(found[key], value)
        elif key == "items":
            found[key] = both(found[key], value)
        elif key == "additionalProperties":
            found[key] = _others(found[key], value)
        elif key == "anyOf":
            found[key] = _branches(found[key], value)
    return found


def _properties(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    found = dict(one)
    for name, part in other.items():
        found[name] = both(found[name], part) if name in found else part
    return found


def _others(one: Any, other: Any) -> Any:
    if one is False or other is False:
        return False
    if one is True or other is True:
        return other if one is True else one
    return both(one, other)


def _branches(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every pair of branches that do not exclude each other; too many pairs, and the first choice stays alone."""
    pairs = [both(left, right) for left in one for right in other if agree(left, right)]
    return pairs if 0 < len(pairs) <= MAX_BRANCHES else one


def agree(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """False where no value can satisfy both, as far as types and listed values tell."""
    kinds = one.get("type"), other.get("type")
    if None not in kinds and kinds[0] != kinds[1] and set(kinds) != {"integer", "number"}:
        return False
    if "enum" in one and "enum" in other:
        return any(item in other["enum"] for item in one["enum"])
    if "const" in one and "const" in other:
        return bool(one["const"] == other["const"])
    ours, theirs = one.get("properties", {}), other.get("properties", {})
    needed = {*one.get("required", ()), *other.get("required", ())}
    return all(agree(ours[name], theirs[name]) for name in needed if name in ours and name in theirs)
