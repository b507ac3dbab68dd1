"""Which of several schemas a value is, told by one of its properties (`discriminator`)."""

from collections.abc import Callable
from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.references import pointer_tokens
from openapi_import.reading.text import Document

Schema = dict[str, Any]
MAX_CHILDREN = 40


class Discriminators:
    """`resolved` follows references. Children of a schema are the named schemas whose `allOf` refers to it."""

    def __init__(self, document: Document, resolved: Callable[[Any], Any]) -> None:
        self._document = document
        self._resolved = resolved
        self._heirs: dict[tuple[str, ...], list[tuple[str, Schema]]] | None = None
        self._made: dict[int, tuple[list[Any], list[Schema | None]]] = {}

    def has(self, schema: Any) -> bool:
        """Whether a schema has one."""
        return isinstance(schema, dict) and bool(_property(schema))

    def pins(self, schema: Schema, branches: list[Any]) -> list[Schema | None]:
        """For each branch of a choice, the rule that its property has the value that stands for it."""
        name = _property(schema)
        if not name:
            return [None] * len(branches)
        mapping = _mapping(schema)
        found: list[Schema | None] = []
        for branch in branches:
            reference = branch.get("$ref") if isinstance(branch, dict) else None
            if not isinstance(reference, str):
                found.append(None)
                continue
            own = reference.rpartition("/")[2]
            values = [value for value, aim in mapping.items() if aim in (reference, own)] or [own]
            found.append(_pin(name, values))
        return found

    def children(self, schema: Schema) -> tuple[list[Any], list[Schema | None]]:
        """The schemas that a base with a discriminator stands for, and their pins; none where there are none."""
        name = _property(schema)
        if not name:
            return [], []
        if id(schema) not in self._made:
            self._made[id(schema)] = self._children(schema, name)
        return self._made[id(schema)]

    def _children(self, schema: Schema, name: str) -> tuple[list[Any], list[Schema | None]]:
        mapped: dict[str, list[str]] = {}
        for value, aim in _mapping(schema).items():
            mapped.setdefault(aim if "#" in aim else f"#/components/schemas/{aim}", []).append(value)
        if not mapped:
            for reference, child in self._heirs_of(schema):
                own = child.get("x-ms-discriminator-value") or reference.rpartition("/")[2]
                mapped[reference] = [str(own)]
        usable = {
            reference: values
            for reference, values in mapped.items()
            if self._resolved({"$ref": reference}) is not None
        }
        if not usable or len(usable) > MAX_CHILDREN:
            return [], []
        branches: list[Any] = [{"$ref": reference} for reference in usable]
        if any(self._resolved(branch) is schema for branch in branches):
            branches = [branch for branch in branches if self._resolved(branch) is not schema]
            if not branches:
                return [], []
        return branches, [_pin(name, usable[branch["$ref"]]) for branch in branches]

    def _heirs_of(self, schema: Schema) -> list[tuple[str, Schema]]:
        if self._heirs is None:
            self._heirs = {}
            for place, schemas in _named_schemas(self._document):
                for name, child in schemas.items():
                    self._note(place, name, child)
        for place, schemas in _named_schemas(self._document):
            for name, other in schemas.items():
                if other is schema:
                    return self._heirs.get((*place, name), [])
        return []

    def _note(self, place: tuple[str, ...], name: Any, child: Any) -> None:
        parents = child.get("allOf") if isinstance(child, dict) else None
        for parent in parents if isinstance(parents, list) else ():
            reference = parent.get("$ref") if isinstance(parent, dict) else None
            if isinstance(reference, str) and self._heirs is not None:
                try:
                    tokens = tuple(pointer_tokens(reference))
                except SpecInvalid:
                    continue
                escaped = str(name).replace("~", "~0").replace("/", "~1").replace("%", "%25")
                pointer = f"#/{'/'.join(place)}/{escaped}"
                self._heirs.setdefault(tokens, []).append((pointer, child))


def _named_schemas(document: Document) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    components = document.get("components")
    found: list[tuple[tuple[str, ...], Any]] = [(("definitions",), document.get("definitions"))]
    if isinstance(components, dict):
        found.append((("components", "schemas"), components.get("schemas")))
    return [(place, schemas) for place, schemas in found if isinstance(schemas, dict)]


def _property(schema: Schema) -> str:
    declared = schema.get("discriminator")
    if isinstance(declared, str):  # Swagger 2.0
        return declared
    name = declared.get("propertyName") if isinstance(declared, dict) else None
    return name if isinstance(name, str) else ""


def _mapping(schema: Schema) -> dict[str, str]:
    declared = schema.get("discriminator")
    mapping = declared.get("mapping") if isinstance(declared, dict) else None
    if not isinstance(mapping, dict):
        return {}
    return {value: aim for value, aim in mapping.items() if isinstance(aim, str)}


def _pin(name: str, values: list[str]) -> Schema:
    return {"type": "object", "properties": {name: {"type": "string", "enum": values}}, "required": [name]}
