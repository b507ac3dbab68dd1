"""A document's schemas as JSON Schema 2020-12, written apart from the product: this is the judge's own reading.

References are kept and collected under `$defs`. What a request may not contain (readOnly) is not required of it.
"""

from typing import Any
from urllib.parse import unquote

import jsonschema_rs

ONE = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else")
MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
PLAIN = (
    "enum", "const", "type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "pattern",
)  # fmt: skip


class Dangling(Exception):
    """A reference that leads nowhere in this document."""


def follow(document: Any, value: Any) -> Any:
    """`value`, or what it refers to. Raises Dangling."""
    for _ in range(50):
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
            return value
        value = pointed(document, value["$ref"])
    raise Dangling("circle")


def pointed(document: Any, reference: str) -> Any:
    if not reference.startswith("#"):
        raise Dangling(reference)
    found = document
    for token in unquote(reference[1:]).split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and token in found:
            found = found[token]
        elif isinstance(found, list) and token.isdecimal() and int(token) < len(found):
            found = found[int(token)]
        else:
            raise Dangling(reference)
    return found


class Schemas:
    """Validators for the schemas of one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.old = "swagger" in document or str(document.get("openapi", "")).startswith("3.0")
        self._names: dict[str, str] = {}
        self._waiting: list[str] = []
        self._made: dict[
            int, tuple[Any, Any]
        ] = {}  # by identity; the schema is kept, so that no other gets its id

    def validator(self, schema: Any) -> Any:
        """A jsonschema_rs validator; patterns that its engine cannot read are not checked."""
        if id(schema) not in self._made:
            self._made[id(schema)] = schema, self._validator(schema)
        return self._made[id(schema)][1]

    def _validator(self, schema: Any) -> Any:
        self._names, self._waiting = {}, []
        whole = {"allOf": [self._convert(schema)], "$defs": self._definitions()}
        try:
            return jsonschema_rs.Draft202012Validator(whole)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return jsonschema_rs.Draft202012Validator(without_patterns(whole))

    def _definitions(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._waiting:
            reference = self._waiting.pop()
            found[self._names[reference]] = self._convert(pointed(self.document, reference))
        return found

    def _convert(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema if isinstance(schema, bool) else {}
        if isinstance(schema.get("$ref"), str):
            reference = schema["$ref"]
            if reference not in self._names:
                self._names[reference] = f"d{len(self._names)}"
                self._waiting.append(reference)
            referred = {"$ref": f"#/$defs/{self._names[reference]}"}
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            return referred if self.old or not beside else {"allOf": [referred, self._convert(beside)]}
        result = {key: schema[key] for key in PLAIN if key in schema}
        for key in ONE:
            if key in schema and not (key == "items" and isinstance(schema[key], list)):
                result[key] = self._convert(schema[key])
        for key in MANY:
            if isinstance(schema.get(key), list) and schema[key]:
                result[key] = [self._convert(part) for part in schema[key]]
        self._properties(schema, result)
        return self._aged(schema, _tidied(result))

    def _properties(self, schema: dict[str, Any], result: dict[str, Any]) -> None:
        declared = schema.get("properties")
        properties: dict[str, Any] = declared if isinstance(declared, dict) else {}
        if properties:
            result["properties"] = {name: self._convert(part) for name, part in properties.items()}
        if isinstance(schema.get("required"), list):
            result["required"] = [
                name
                for name in dict.fromkeys(schema["required"])
                if isinstance(name, str) and not self._only_answered(properties.get(name))
            ]

    def _only_answered(self, schema: Any) -> bool:
        try:
            schema = follow(self.document, schema)
        except Dangling:
            return False
        return isinstance(schema, dict) and schema.get("readOnly") is True

    def _aged(self, schema: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        if not self.old:
            return result
        for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            flag = result.pop(exclusive, None)
            if flag is True and limit in result:
                result[exclusive] = result.pop(limit)
        if result.get("type") == "file":
            result["type"] = "string"
        if schema.get("nullable") is True or schema.get("x-nullable") is True:
            return {"anyOf": [result, {"type": "null"}]}
        return result


TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}
NUMERIC = ("minimum", "maximum", "multipleOf")


def _tidied(result: dict[str, Any]) -> dict[str, Any]:
    """Without values that their keyword cannot have: real documents have a type of `int`, a minLength of "3"."""
    kind = result.get("type")
    if kind is not None and kind != "file":
        known = [name for name in (kind if isinstance(kind, list) else [kind]) if name in TYPES]
        result.pop("type")
        if known:
            result["type"] = known
    if not isinstance(result.get("enum", []), list):
        del result["enum"]
    if not isinstance(result.get("pattern", ""), str):
        del result["pattern"]
    for key in [
        key
        for key in result
        if key in NUMERIC or key.startswith(("minL", "maxL", "minI", "maxI", "minP", "maxP"))
    ]:
        if isinstance(result[key], bool) or not isinstance(result[key], int | float):
            del result[key]
    return result


def without_patterns(value: Any, *, names: bool = False) -> Any:
    """The same schema, with any pattern left out."""
    if isinstance(value, dict):
        return {
            key: without_patterns(part, names=not names and key in ("properties", "$defs"))
            for key, part in value.items()
            if names or key != "pattern"
        }
    return [without_patterns(part) for part in value] if isinstance(value, list) else value
