"""A document's operations, with references followed only as far as needed.

One operation that cannot be used is marked with the reason; it does not take the others with it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.described import (
    Media,
    Operation,
    Parameter,
    ParsedSpec,
    RequestBody,
    Response,
)
from openapi_import.reading.dialects import dialect_of
from openapi_import.reading.faults import MAX_POINTER, Fault, Faults, Unusable
from openapi_import.reading.inputs import Inputs, text
from openapi_import.reading.listed import listed
from openapi_import.reading.references import follow_at, is_reference
from openapi_import.reading.security import declared_schemes, requirements
from openapi_import.reading.servers import swagger_servers
from openapi_import.reading.swagger2 import SwaggerInputs
from openapi_import.reading.text import Document, escaped

__all__ = [
    "Fault",
    "Media",
    "Operation",
    "Parameter",
    "ParsedSpec",
    "RequestBody",
    "Response",
    "Spec",
    "parse",
]

METHODS = frozenset("get put post delete options head patch trace query".split())
MAX_OPERATIONS = 30_000
MAX_METHOD = 8
MAX_PATH = 2_000
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")

Object = dict[str, Any]


def parse(document: Document, *, base_url: str = "") -> ParsedSpec:
    """All operations of a Swagger 2.0 or OpenAPI 3 document. Raises SpecInvalid where it is not one."""
    faults = Faults()
    spec = Spec(document, faults, base_url=base_url)
    operations = list(spec.operations())
    return ParsedSpec(
        spec.title,
        spec.version,
        tuple(operation for operation in operations if not operation.unusable),
        tuple(operation for operation in operations if operation.unusable),
        tuple(listed(spec.document, spec.places, spec.dialect)),
        tuple(faults),
    )


@dataclass(frozen=True)
class Place:
    """Where an operation stands: `item` is its path's, with `pointer` and `item_pointer` to where they really are."""

    method: str
    path: str
    listed_at: str
    raw: Any
    pointer: str
    item: Object
    item_pointer: str


class Spec:
    """A document that is being read. Raises SpecInvalid where it is not OpenAPI, or has too many operations.

    `base_url`: the address of the document, which relative servers are relative to; "" where there is none.
    """

    def __init__(self, document: Document, faults: Faults, *, base_url: str = "") -> None:
        self.document = document
        self.faults = faults
        self.base_url = base_url
        self.dialect = dialect_of(document, faults)
        info = document.get("info")
        self.title = text(info, "title") if isinstance(info, dict) else ""
        version = info.get("version") if isinstance(info, dict) else None
        self.version = str(version).strip() if isinstance(version, str | int | float) else ""
        self._inputs = (SwaggerInputs if self.dialect == "2.0" else Inputs)(document, self.dialect, faults)
        self.schemes = declared_schemes(document, faults)
        self._security = requirements(document.get("security"), "/security", faults, self.schemes)
        self._taken: set[str] = set()
        self.places = list(self._places())

    def operations(self) -> Iterator[Operation]:
        """Every operation, in the document's order; what is wrong is added to the faults on the way."""
        declared = {
            place.raw["operationId"]
            for place in self.places
            if isinstance(place.raw, dict) and isinstance(place.raw.get("operationId"), str)
        }
        for place in self.places:
            yield self._operation(place, declared)

    def _places(self) -> Iterator[Place]:
        paths = self.document.get("paths")
        if is_reference(paths):
            paths, _ = follow_at(self.document, paths, "/paths")
        if paths is None and ("webhooks" in self.document or self.dialect in ("3.1", "3.2")):
            if not any(key in self.document for key in ("webhooks", "components")):
                raise SpecInvalid("The document has no paths.")
            paths = {}
        if not isinstance(paths, dict):
            raise SpecInvalid("The document has no paths.")
        found = 0
        for path, reference in paths.items():
            if path.startswith("x-"):
                continue
            try:
                item, at = self._item(reference, f"/paths/{escaped(path)}")
            except Unusable as error:
                self.faults.error(error.pointer, error.message)
                continue
            for place in self._of_item(path, item, at):
                found += 1
                if found > MAX_OPERATIONS:
                    raise SpecInvalid(f"The document has more than {MAX_OPERATIONS:,} operations.")
                yield place

    def _item(self, reference: Any, pointer: str) -> tuple[Object, str]:
        """A path's item. What stands beside its reference is added to what it refers to."""
        item, at = follow_at(self.document, reference, pointer)
        if not isinstance(item, dict):
            raise Unusable("The path is not an object.", at)
        if is_reference(reference) and len(reference) > 1:
            item = {**item, **{key: value for key, value in reference.items() if key != "$ref"}}
        return item, at

    def _of_item(self, path: str, item: Object, at: str) -> Iterator[Place]:
        listed_at = f"/paths/{escaped(path)}"
        if not path.startswith("/"):
            self.faults.warning(listed_at, "The path does not begin with a slash; one was added.")
            path = f"/{path}"
        for key, raw in item.items():
            if key.lower() in METHODS:
                if key != key.lower():
                    self.faults.warning(f"{at}/{escaped(key)}", "Methods are written in small letters.")
                yield Place(
                    key.upper(), path, f"{listed_at}/{escaped(key)}", raw, f"{at}/{escaped(key)}", item, at
                )
        more = item.get("additionalOperations")
        if isinstance(more, dict) and self.dialect == "3.2":
            for key, raw in more.items():
                step = f"/additionalOperations/{escaped(key)}"
                yield Place(key, path, f"{listed_at}{step}", raw, f"{at}{step}", item, at)

    def _operation(self, place: Place, declared: set[str]) -> Operation:
        raw, item = place.raw if isinstance(place.raw, dict) else {}, place.item
        operation_id, own = self._id(place, raw, declared)
        tags, docs = raw.get("tags"), raw.get("externalDocs")
        parts: Object = {}
        unusable = ""
        try:
            self._check(place)
            parts["responses"] = self._inputs.responses(raw, place.pointer)
            parameters, body = self._inputs.read(raw, place.pointer, item, place.item_pointer)
            self._check_path(place, parameters)
            parts |= {"parameters": parameters, "request_body": body}
        except Unusable as error:
            self.faults.error(error.pointer, error.message)
            unusable = error.message
        return Operation(
            method=place.method[:MAX_METHOD],
            path=place.path[:MAX_PATH],
            operation_id=operation_id,
            document=self.document,
            dialect=self.dialect,
            summary=text(raw, "summary") or text(item, "summary"),
            description=text(raw, "description") or text(item, "description"),
            tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
            deprecated=raw.get("deprecated") is True,
            servers=self._servers(raw, item),
            security=requirements(raw["security"], f"{place.pointer}/security", self.faults, self.schemes)
            if raw.get("security") is not None
            else self._security,
            pointer=place.listed_at[:MAX_POINTER],
            declared_id=own,
            external_docs_url=text(docs, "url") if isinstance(docs, dict) else "",
            unusable=unusable,
            base_url=self.base_url,
            **parts,
        )

    def _check(self, place: Place) -> None:
        if not isinstance(place.raw, dict):
            raise Unusable("The operation is not an object.", place.pointer)
        if not _TOKEN.fullmatch(place.method) or len(place.method) > MAX_METHOD:
            raise Unusable(f"The method {place.method[:50]!r} cannot be used.", place.pointer)
        if place.method == "TRACE":
            raise Unusable("TRACE shows a request's credentials to whoever reads its answer.", place.pointer)
        if len(place.path) > MAX_PATH:
            raise Unusable(f"Its path is longer than {MAX_PATH:,} characters.", place.pointer)
        if "://" in place.path.partition("?")[0]:
            raise Unusable("Its path is a whole address.", place.pointer)

    def _check_path(self, place: Place, parameters: tuple[Parameter, ...]) -> None:
        placeholders = set(_PLACEHOLDER.findall(place.path))
        declared = {parameter.name: parameter for parameter in parameters if parameter.place == "path"}
        for name in sorted(placeholders - declared.keys()):
            self.faults.warning(
                place.pointer, f"Its path has {{{name[:100]}}}, which no parameter declares; it is text."
            )
        for name in declared.keys() - placeholders:
            self.faults.warning(
                declared[name].pointer, f"The parameter {name[:100]!r} is not in the path {place.path[:200]}."
            )

    def _id(self, place: Place, raw: Object, declared: set[str]) -> tuple[str, bool]:
        """An id that no other operation of the document has, and whether it is the document's own."""
        own = raw.get("operationId")
        if isinstance(own, str) and own.strip():
            own = own.strip()[:500]
            if own not in self._taken:
                self._taken.add(own)
                return own, True
            self.faults.warning(
                f"{place.pointer}/operationId",
                f"The id {own[:100]!r} is used twice; here it was made of method and path.",
            )
        elif own is not None:
            self.faults.warning(f"{place.pointer}/operationId", "The operation's id is not text or is empty.")
        base = made = f"{place.method.lower()} {place.path}"[:480]
        number = 1
        while made in self._taken or made in declared:
            number += 1
            made = f"{base} {number}"
        self._taken.add(made)
        return made, False

    def _servers(self, raw: Object, item: Object) -> tuple[Any, ...]:
        if self.dialect == "2.0":
            return swagger_servers(
                self.document, raw.get("schemes", self.document.get("schemes")), self.base_url
            )
        for level in (raw, item, self.document):
            servers = level.get("servers")
            if isinstance(servers, dict) and "url" in servers:
                servers = [servers]
            if isinstance(servers, list) and servers:
                return tuple(servers)
        return ({"url": "/"},)
