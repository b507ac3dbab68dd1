"""What the operations of one document have in common when tools are made of them, worked out once."""

from dataclasses import dataclass, field
from typing import Any

from openapi_import.reading.keywords import types_of
from openapi_import.reading.parts import Schema
from openapi_import.reading.schemas import Schemas
from openapi_import.reading.security import declared_schemes
from openapi_import.reading.text import Document

_WHOLE = ("oneOf", "anyOf", "enum", "const", "patternProperties", "minProperties", "maxProperties", "items")


@dataclass
class Fields:
    """The properties of an object, as schemas of the document. `losses`: rules of the object as a whole."""

    schemas: dict[str, Any] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)


class Shared:
    """`schemas` converts; `schemes` are the security schemes by name; `credentials` are the (place, lower-case name) of
    every API key that the document declares."""

    def __init__(self, document: Document, dialect: str) -> None:
        self.document = document
        self.schemas = Schemas(document, dialect)
        self.schemes = declared_schemes(document)
        self.credentials = {
            (scheme["in"], scheme["name"].lower())
            for scheme in self.schemes.values()
            if scheme["kind"] == "apiKey"
        }

    def flat(self, schema: Any) -> Fields | None:
        """The properties of a body that can be arguments of their own without losing a rule of it; None where it has
        to stay whole: a choice, a map, a list, a value that may be null."""
        found = Fields()
        collected: dict[str, list[Any]] = {}
        if not self._collect(schema, collected, found, None) or not collected:
            return None
        hidden = {name for name, parts in collected.items() if any(map(self.schemas.answered_only, parts))}
        for name, parts in collected.items():
            if name not in hidden and False not in parts:
                found.schemas[name] = parts[0] if len(parts) == 1 else self.schemas.kept({"allOf": parts})
        found.required = [name for name in dict.fromkeys(found.required) if name not in hidden]
        for name in found.required:
            found.schemas.setdefault(name, {})
        return found

    def _collect(
        self,
        schema: Any,
        collected: dict[str, list[Any]],
        found: Fields,
        child: Schema | None,
        hops: int = 0,
    ) -> bool:
        aim = self.schemas.resolved(schema)
        if not isinstance(aim, dict) or hops > 10:
            return False
        if not self._is_plain(aim, inherited=child is not None and self.schemas.inherits(child, aim)):
            return False
        beside = isinstance(schema, dict) and aim is not schema and len(schema) > 1 and not self.schemas.old
        if beside and not self._collect(
            {k: v for k, v in schema.items() if k != "$ref"}, collected, found, None, hops + 1
        ):
            return False
        properties = aim.get("properties")
        for name, part in properties.items() if isinstance(properties, dict) else ():
            parts = collected.setdefault(name, [])
            if not any(part is other for other in parts):
                parts.append(part)
        if isinstance(aim.get("required"), list):
            found.required += [name for name in aim["required"] if isinstance(name, str)]
        for key in ("not", "if", "dependentRequired", "dependentSchemas", "dependencies"):
            if key in aim:
                found.losses.append(f"Its body has the rule `{key}`, which only the business system checks.")
        if aim.get("additionalProperties") in (True, {}):
            found.losses.append(
                "Its body may have fields of any name; only those that are named can be sent."
            )
        parents = aim.get("allOf")
        return all(
            self._collect(part, collected, found, aim, hops + 1)
            for part in (parents if isinstance(parents, list) else ())
        )

    def _is_plain(self, schema: Schema, *, inherited: bool) -> bool:
        kinds, null = types_of(schema)
        if kinds not in ([], ["object"]) or null or schema.get("nullable") is True:
            return False
        if isinstance(schema.get("additionalProperties"), dict) and schema["additionalProperties"]:
            return False
        if inherited:
            return not any(schema.get(key) for key in _WHOLE if key not in ("oneOf", "anyOf"))
        return not any(schema.get(key) for key in _WHOLE) and not self.schemas.has_children(schema)


_last: list[Shared] = []


def shared_of(document: Document, dialect: str) -> Shared:
    """The one of this document; that of the document before is forgotten."""
    if not _last or _last[0].document is not document or _last[0].schemas.dialect != dialect:
        _last[:] = [Shared(document, dialect)]
    return _last[0]
