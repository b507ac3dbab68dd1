"""What a document says of its operations, in one shape for every version of OpenAPI. Schemas stay as they are
written, with references into the document."""

from dataclasses import dataclass, field
from typing import Any

from openapi_import.reading.faults import Fault
from openapi_import.reading.text import Document

PLACES = ("path", "query", "header", "cookie", "querystring")


@dataclass(frozen=True)
class Parameter:
    """A parameter as it is declared. `schema` may contain references into the document.

    Empty style and `explode=None` mean the default of its place. With a content type the value is a serialised
    document of its own. `pointer` is where it stands.
    """

    name: str
    place: str  # path | query | header | cookie | querystring (3.2: all of the query, by its content type)
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
    false), it is made of method and path. `servers` are those of the nearest level that has any (operation, path,
    document), with `base_url` as what relative ones are relative to. `security`: alternatives of {scheme: scopes};
    None where the document says nothing about it, () where it says that none is needed. `unusable`: why it can be no
    tool, in a sentence; "" where it can.
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
    base_url: str = ""


@dataclass(frozen=True)
class Listed:
    """A webhook or callback: what the other side calls, which is shown and never called."""

    kind: str  # webhook | callback
    name: str
    method: str
    summary: str
    pointer: str


@dataclass(frozen=True)
class ParsedSpec:
    """`operations` are those that can be used, `unusable` the others; `faults` is all that is wrong."""

    title: str
    version: str
    operations: tuple[Operation, ...]
    unusable: tuple[Operation, ...]
    listed: tuple[Listed, ...]
    faults: tuple[Fault, ...]
