"""Any JSON Schema, filled: the smallest value that it allows, and what is known by name."""

from typing import Any

Schema = dict[str, Any]


def from_schema(schema: Schema, known: dict[str, Any]) -> Any:
    """A value that satisfies `schema`. `known` gives values by property name; a list of objects fills an
    array, one entry each, with what each object knows."""
    return _value(schema, schema, "", known)


def enum_named(schema: Schema, name: str) -> list[str]:
    """The values allowed for the first property `name` that has a list of them, at any depth."""
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            rule = (node.get("properties") or {}).get(name)
            allowed = _resolve(rule, schema).get("enum") if isinstance(rule, dict) else None
            if allowed:
                return [value for value in allowed if isinstance(value, str)]
            waiting += node.values()
    return []


def _value(rule: Schema, root: Schema, name: str, known: dict[str, Any]) -> Any:
    rule = _resolve(rule, root)
    if name in known and not isinstance(known[name], list):
        return known[name]
    if "const" in rule:
        return rule["const"]
    if rule.get("enum"):
        return rule["enum"][0]
    kind = rule.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in rule:
        wanted = rule.get("required", list(rule.get("properties", {})))
        return {key: _value(rule["properties"][key], root, key, known) for key in wanted}
    if kind == "array":
        return _array(rule, root, name, known)
    if kind in ("number", "integer"):
        low, high = rule.get("minimum", 0), rule.get("maximum", 1)
        return max(low, 0) if high >= 0 else high
    return {"boolean": False, "string": ""}.get(str(kind))


def _array(rule: Schema, root: Schema, name: str, known: dict[str, Any]) -> list[Any]:
    item = rule.get("items") or {}
    if name in known:
        return [_value(item, root, "", {**known, **entry}) for entry in known[name]]
    return [_value(item, root, "", known) for _ in range(rule.get("minItems", 0))]


def _resolve(rule: Schema, root: Schema) -> Schema:
    """Follow a `$ref` within the document, and the first alternative that is not null."""
    while "$ref" in rule:
        target: Any = root
        for part in rule["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        rule = target
    options = rule.get("anyOf") or rule.get("oneOf") or rule.get("allOf")
    if options:
        return _resolve(next((item for item in options if item.get("type") != "null"), options[0]), root)
    return rule
