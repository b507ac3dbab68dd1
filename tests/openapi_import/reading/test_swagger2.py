"""Swagger 2.0, read natively into the same shapes as OpenAPI 3."""

from typing import Any

import pytest

from openapi_import.reading.described import Media, Operation, ParsedSpec, RequestBody, Response
from openapi_import.reading.operations import parse
from openapi_import.reading.servers import server_url

HERE = "http://docs.shop.example/v1/swagger.json"
Object = dict[str, Any]
ID = {"name": "id", "in": "path", "required": True, "type": "integer", "format": "int64", "minimum": 1}


def read(raw: Object, **more: Any) -> ParsedSpec:
    answers = {"responses": {"200": {"description": "ok"}}}
    paths = {"/a/{id}": {"parameters": [ID], "post": answers | raw}}
    info = {"title": "Shop", "version": "1"}
    return parse({"swagger": "2.0", "info": info, "paths": paths} | more, base_url=HERE)


def only(parsed: ParsedSpec) -> Operation:
    assert [operation.unusable for operation in parsed.unusable] == []
    (operation,) = parsed.operations
    return operation


def field(name: str, kind: str = "string", **more: Any) -> Object:
    return {"name": name, "in": "formData", "type": kind} | more


def test_parameters_have_their_schema_around_them() -> None:
    q = {
        "name": "q",
        "in": "query",
        "type": "string",
        "enum": ["a"],
        "description": "Find.",
        "x-nullable": True,
    }
    trace = {"name": "X-Trace", "in": "header", "type": "string", "allowEmptyValue": True}

    parsed = read({"parameters": [q, {"$ref": "#/parameters/trace"}]}, parameters={"trace": trace})

    operation = only(parsed)
    assert [(one.name, one.place, one.required, one.schema) for one in operation.parameters] == [
        ("id", "path", True, {"type": "integer", "format": "int64", "minimum": 1}),
        ("q", "query", False, {"type": "string", "enum": ["a"], "x-nullable": True}),
        ("X-Trace", "header", False, {"type": "string"}),
    ]
    assert (operation.parameters[1].description, operation.dialect) == ("Find.", "2.0")
    assert parsed.faults == ()


@pytest.mark.parametrize(
    ("place", "written", "style", "explode"),
    [
        ("query", None, "form", False),
        ("query", "csv", "form", False),
        ("query", "multi", "form", True),
        ("query", "ssv", "spaceDelimited", False),
        ("query", "pipes", "pipeDelimited", False),
        ("header", "csv", "simple", False),
    ],
)
def test_lists_are_written_as_the_document_says(
    place: str, written: str | None, style: str, explode: bool
) -> None:
    declared = {"name": "ids", "in": place, "type": "array", "items": {"type": "integer"}}

    operation = only(read({"parameters": [declared | ({"collectionFormat": written} if written else {})]}))

    found = operation.parameters[1]
    assert (found.style, found.explode) == (style, explode)
    assert found.schema == {"type": "array", "items": {"type": "integer"}}


def test_a_list_that_cannot_be_written_is_left_out_unless_it_is_needed() -> None:
    declared = {"name": "ids", "in": "query", "type": "array", "collectionFormat": "tsv"}
    message = "A list in query cannot be written as 'tsv'."

    optional, needed = read({"parameters": [declared]}), read({"parameters": [declared | {"required": True}]})

    assert [one.name for one in only(optional).parameters] == ["id"]
    assert [operation.unusable for operation in needed.unusable] == [message]
    at = "/paths/~1a~1{id}/post/parameters/0/collectionFormat"
    assert [(fault.pointer, fault.message) for fault in optional.faults] == [
        (at, f"{message} The parameter was left out.")
    ]
    assert [(fault.pointer, fault.message) for fault in needed.faults] == [(at, message)]


def test_a_body_is_of_every_kind_that_is_consumed() -> None:
    schema = {"$ref": "#/definitions/Order"}
    body = {"name": "order", "in": "body", "required": True, "schema": schema, "description": "The order."}

    by_operation = only(read({"parameters": [body], "consumes": ["application/xml", "text/json"]}))
    by_document = only(read({"parameters": [body]}, consumes=["application/merge-patch+json"]))
    by_nobody = only(read({"parameters": [body]}))

    assert by_operation.request_body == RequestBody(
        True, {"application/xml": Media(schema), "text/json": Media(schema)}, "The order."
    )
    assert by_document.request_body is not None
    assert list(by_document.request_body.content) == ["application/merge-patch+json"]
    assert by_nobody.request_body is not None
    assert list(by_nobody.request_body.content) == ["application/json"]


def test_form_fields_are_one_object() -> None:
    fields = [
        field("name", required=True, description="Of the cat."),
        field("tags", "array", items={"type": "string"}, collectionFormat="multi"),
    ]

    body = only(read({"parameters": fields})).request_body

    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Of the cat."},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name"],
    }
    encoding = {"tags": {"style": "form", "explode": True}}
    assert body == RequestBody(True, {"application/x-www-form-urlencoded": Media(schema, encoding)})


def test_a_file_makes_a_form_of_parts() -> None:
    fields = [field("photo", "file"), field("note")]

    for consumes in (
        None,
        ["application/x-www-form-urlencoded"],
        ["multipart/form-data", "application/json"],
    ):
        body = only(read({"parameters": fields} | ({"consumes": consumes} if consumes else {}))).request_body
        assert body is not None
        ((kind, media),) = body.content.items()
        assert (kind, body.required) == ("multipart/form-data", False)
        assert media.schema["properties"]["photo"] == {"type": "string", "format": "binary"}


def test_answers_are_of_every_kind_that_is_produced() -> None:
    responses = {
        "200": {"schema": {"type": "object"}},
        "201": {"schema": {"type": "file"}},
        "default": {"$ref": "#/responses/bad"},
    }

    raw = {"responses": responses, "produces": ["text/csv"]}
    operation = only(read(raw, responses={"bad": {"schema": {"type": "string"}}}))

    assert operation.responses == (
        Response("200", {"text/csv": {"type": "object"}}),
        Response("201", {"text/csv": {"type": "string", "format": "binary"}}),
        Response("default", {"text/csv": {"type": "string"}}),
    )


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (
            {"host": "api.shop.example", "basePath": "/v2", "schemes": ["http", "https"]},
            "https://api.shop.example/v2",
        ),
        ({"host": "api.shop.example", "schemes": ["http"]}, "http://api.shop.example"),
        ({"host": "api.shop.example:8443", "basePath": "v2/"}, "http://api.shop.example:8443/v2"),
        ({"basePath": "/v2"}, "http://docs.shop.example/v2"),
        ({"host": "https://api.shop.example/"}, "http://api.shop.example"),
        ({}, "http://docs.shop.example"),
    ],
)
def test_host_base_path_and_schemes_are_the_address(declared: Object, expected: str) -> None:
    operation = only(read({}, **declared))

    assert server_url(operation.servers, operation.base_url) == expected


def test_an_operations_own_schemes_count() -> None:
    operation = only(read({"schemes": ["http"]}, host="api.shop.example", schemes=["https"]))

    assert server_url(operation.servers, HERE) == "http://api.shop.example"


def test_what_breaks_the_rules_is_read_as_far_as_it_goes() -> None:
    body = {"name": "b", "in": "body", "schema": {"type": "object"}}
    parsed = read(
        {
            "parameters": [
                body,
                body | {"name": "c", "schema": {"type": "array"}},
                field("f"),
                {"name": "s", "in": "query", "schema": {"type": "string"}},
                {"name": "cookie", "in": "cookie", "type": "string"},
                "junk",
            ]
        }
    )

    operation = only(parsed)

    assert operation.request_body == RequestBody(False, {"application/json": Media({"type": "object"})})
    assert [(one.name, one.schema) for one in operation.parameters][1:] == [("s", {"type": "string"})]
    at = "/paths/~1a~1{id}/post/parameters"
    assert [(fault.pointer, fault.severity) for fault in parsed.faults] == [
        (f"{at}/4", "error"),
        (f"{at}/5", "error"),
        (f"{at}/3", "warning"),
        (f"{at}/1", "warning"),
        (f"{at}/2", "error"),
    ]
