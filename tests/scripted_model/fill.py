"""Any JSON Schema, filled: the smallest value that it allows, and chosen intents where it has a place for them."""

from typing import Any

Schema = dict[str, Any]


def from_schema(schema: Schema, *, intents: list[str]) -> Any:
    return _value(schema, schema, "", intents)


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


def _value(rule: Schema, root: Schema, name: str, intents: list[str]) -> Any:
    rule = _resolve(rule, root)
    if "const" in rule:
        return rule["const"]
    if rule.get("enum"):
        return rule["enum"][0]
    kind = rule.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in rule:
        wanted = rule.get("required", list(rule.get("properties", {})))
        return {key: _value(rule["properties"][key], root, key, intents) for key in wanted}
    if kind == "array":
        return _array(rule, root, name, intents)
    if kind in ("number", "integer"):
        return _number(rule, name)
    return {"boolean": False, "null": None}.get(str(kind), _text(name, intents) if kind == "string" else None)


def _array(rule: Schema, root: Schema, name: str, intents: list[str]) -> list[Any]:
    item = rule.get("items") or {}
    if name == "intents":
        return [_with_agent(_value(item, root, name, intents), agent) for agent in intents]
    return [_value(item, root, name, intents) for _ in range(rule.get("minItems", 0))]


def _with_agent(value: Any, agent: str) -> Any:
    return {**value, "agent": agent} if isinstance(value, dict) else agent


def _number(rule: Schema, name: str) -> float:
    if name == "confidence":
        return 0.9
    low = rule.get("minimum", 0)
    return max(low, 0) if rule.get("maximum", 1) >= 0 else float(rule["maximum"])


def _text(name: str, intents: list[str]) -> str:
    if name == "question":
        return "" if intents else "Could you tell me a little more about what you need?"
    return "The message asks for it." if name in ("why", "reason") else ""


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
