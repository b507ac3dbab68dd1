"""A document's operations, with references followed only as far as needed.

One operation that cannot be used is skipped with a reason; it does not take the others with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.faults import Fault
from openapi_import.reading.references import follow
from openapi_import.reading.text import Document

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
MAX_OPERATIONS = 20_000
MAX_PARAMETERS = 200
PLACES = ("path", "query", "header", "cookie")


@dataclass(frozen=True)
class Parameter:
    """A parameter as it is declared. `schema` may contain references into the document.

    Empty style and `explode=None` mean the default of its place. With a content type the value is a serialised
    document of its own. `pointer` is where it stands.
    """

    name: str
    place: str  # path | query | header | cookie | querystring (3.2)
    required: bool
    schema: Any
    description: str = ""
    style: str = ""
    explode: bool | None = None
    allow_reserved: bool = False
    content_type: str = ""
    deprecated: bool = False
    pointer: str = ""


@dataclass(frozen=True)
class Media:
    """One kind of body. `encoding` as in the document: {property: {contentType, style, explode, headers}}."""

    schema: Any
    encoding: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RequestBody:
    """content: by media type, in the order of the document."""

    required: bool
    content: dict[str, Media]
    description: str = ""


@dataclass(frozen=True)
class Response:
    """status: "200", "4XX" or "default". content: {media type: schema}, references unresolved."""

    status: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One operation. `operation_id` is unique in its document; where the document gives none (`declared_id` is
    false), it is made of method and path. `servers` are as declared, nearest level first: operation, else path, else
    document. `security`: alternatives of {scheme: scopes}; None where the document says nothing about it, () where it
    says that none is needed. `unusable`: why it can be no tool, in a sentence; "" where it can.
    """

    method: str  # GET, POST, ...
    path: str
    operation_id: str
    document: Document = field(repr=False, compare=False)
    dialect: str = "3.1"  # 2.0 | 3.0 | 3.1 | 3.2
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    parameters: tuple[Parameter, ...] = ()
    request_body: RequestBody | None = None
    responses: tuple[Response, ...] = ()
    servers: tuple[Any, ...] = ()
    security: tuple[dict[str, tuple[str, ...]], ...] | None = None
    pointer: str = ""
    declared_id: bool = True
    external_docs_url: str = ""
    unusable: str = ""


@dataclass(frozen=True)
class Skipped:
    """An operation that cannot be used, and why."""

    method: str
    path: str
    reason: str


@dataclass(frozen=True)
class ParsedSpec:
    """`operations` are those that can be used; `faults` is everything that is wrong with the document."""

    title: str
    version: str
    operations: tuple[Operation, ...]
    skipped: tuple[Skipped, ...]
    faults: tuple[Fault, ...] = ()


def parse(document: Document) -> ParsedSpec:
    """The operations of an OpenAPI 3.0 or 3.1 document. Raises SpecInvalid where it is not one."""
    _check_version(document)
    paths = document.get("paths")
    if paths is None and "webhooks" in document:
        paths = {}
    if not isinstance(paths, dict):
        raise SpecInvalid("The document has no paths.")
    operations: list[Operation] = []
    skipped: list[Skipped] = []
    taken: set[str] = set()
    for method, path, item, raw in _raw_operations(document, paths, skipped):
        if len(operations) + len(skipped) >= MAX_OPERATIONS:
            raise SpecInvalid(f"The document has more than {MAX_OPERATIONS} operations.")
        try:
            operation = _operation(document, method, path, item, raw)
        except SpecInvalid as error:
            skipped.append(Skipped(method.upper(), path, error.message))
            continue
        if operation.operation_id in taken:
            skipped.append(
                Skipped(operation.method, path, f"Its id {operation.operation_id!r} is used twice.")
            )
            continue
        taken.add(operation.operation_id)
        operations.append(operation)
    declared = document.get("info")
    info: dict[str, Any] = declared if isinstance(declared, dict) else {}
    return ParsedSpec(_text(info, "title"), _text(info, "version"), tuple(operations), tuple(skipped))


def _check_version(document: Document) -> None:
    version = document.get("openapi")
    if isinstance(version, str) and version.startswith(("3.0", "3.1")):
        return
    if "swagger" in document:
        raise SpecInvalid("Swagger 2.0 documents are not supported yet. Convert the document to OpenAPI 3.")
    if isinstance(version, str | int | float):
        raise SpecInvalid(f"OpenAPI {version} is not supported. Use 3.0 or 3.1.")
    raise SpecInvalid("The document does not say which version of OpenAPI it follows (the field openapi).")


def _raw_operations(
    document: Document, paths: dict[str, Any], skipped: list[Skipped]
) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    for path, item in paths.items():
        if path.startswith("x-"):
            continue
        try:
            item = _object(follow(document, item), "The path")
            if not path.startswith("/"):
                raise SpecInvalid("The path does not begin with a slash.")
        except SpecInvalid as error:
            skipped.append(Skipped("", path, error.message))
            continue
        for method in METHODS:
            if method not in item:
                continue
            if isinstance(item[method], dict):
                yield method, path, item, item[method]
            else:
                skipped.append(Skipped(method.upper(), path, "The operation is not an object."))


def _operation(
    document: Document, method: str, path: str, item: dict[str, Any], raw: dict[str, Any]
) -> Operation:
    declared = raw.get("operationId")
    tags = raw.get("tags")
    return Operation(
        method=method.upper(),
        path=path,
        operation_id=(declared if isinstance(declared, str) and declared.strip() else f"{method} {path}")[
            :500
        ],
        document=document,
        summary=_text(raw, "summary") or _text(item, "summary"),
        description=_text(raw, "description") or _text(item, "description"),
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        deprecated=raw.get("deprecated") is True,
        parameters=_parameters(document, item, raw),
        request_body=_request_body(document, raw),
        servers=_servers(document, item, raw),
    )


def _parameters(document: Document, item: dict[str, Any], raw: dict[str, Any]) -> tuple[Parameter, ...]:
    """The path's parameters, overridden by the operation's of the same name and place."""
    found: dict[tuple[str, str], Parameter] = {}
    for level in (item, raw):
        declared = level.get("parameters") or []
        if not isinstance(declared, list):
            raise SpecInvalid("Its parameters are not a list.")
        for reference in declared:
            parameter = _parameter(document, reference)
            found[parameter.name, parameter.place] = parameter
    if len(found) > MAX_PARAMETERS:
        raise SpecInvalid(f"It has more than {MAX_PARAMETERS} parameters.")
    return tuple(found.values())


def _parameter(document: Document, reference: Any) -> Parameter:
    raw = _object(follow(document, reference), "A parameter")
    name, place = raw.get("name"), raw.get("in")
    if not isinstance(name, str) or not name or place not in PLACES:
        raise SpecInvalid("A parameter has no name or no valid place (path, query, header or cookie).")
    schema, content_type = raw.get("schema", {}), ""
    content = raw.get("content")
    if isinstance(content, dict) and content:
        content_type, media = next(iter(content.items()))
        schema = media.get("schema", {}) if isinstance(media, dict) else {}
    style, explode = raw.get("style"), raw.get("explode")
    return Parameter(
        name=name,
        place=place,
        required=raw.get("required") is True or place == "path",
        schema=schema,
        description=_text(raw, "description"),
        style=style if isinstance(style, str) else "",
        explode=explode if isinstance(explode, bool) else None,
        content_type=content_type,
    )


def _request_body(document: Document, raw: dict[str, Any]) -> RequestBody | None:
    if raw.get("requestBody") is None:
        return None
    body = _object(follow(document, raw["requestBody"]), "The request body")
    content = _object(body.get("content", {}), "The content of the request body")
    media = {
        kind: Media(media.get("schema", {})) if isinstance(media, dict) else Media({})
        for kind, media in content.items()
    }
    return RequestBody(body.get("required") is True, media, _text(body, "description"))


def _servers(document: Document, item: dict[str, Any], raw: dict[str, Any]) -> tuple[Any, ...]:
    for level in (raw, item, document):
        if isinstance(level.get("servers"), list) and level["servers"]:
            return tuple(level["servers"])
    return ({"url": "/"},)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SpecInvalid(f"{what} is not an object.")
    return value


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key)
    return value.strip() if isinstance(value, str) else ""
