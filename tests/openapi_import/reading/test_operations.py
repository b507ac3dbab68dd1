"""From a document to its operations."""

import pytest

from openapi_import.errors import SpecInvalid
from openapi_import.reading.operations import Media, parse
from openapi_import.reading.servers import server_url
from tests.openapi_import.documents import document, one_operation, parameter

OUT = "leads out of the document, which is not supported."
OK = {"responses": {"200": {"description": "ok"}}}


def test_operations_come_with_what_is_said_about_them() -> None:
    raw = {
        "operationId": "cancel",
        "summary": " Cancel ",
        "description": "Cancels.",
        "tags": ["a", 1],
        "deprecated": True,
    }

    operation = one_operation(raw, path="/orders/{id}")

    assert (operation.method, operation.path, operation.operation_id) == ("POST", "/orders/{id}", "cancel")
    assert (operation.summary, operation.description, operation.tags) == ("Cancel", "Cancels.", ("a",))
    assert operation.deprecated


def test_an_operation_without_an_id_is_called_by_method_and_path() -> None:
    assert one_operation(OK, method="get", path="/a/{b}").operation_id == "get /a/{b}"


def test_parameters_of_the_path_are_overridden_by_name_and_place() -> None:
    item = {
        "parameters": [parameter("a", description="path's"), parameter("b"), parameter("a", "header")],
        "get": {"parameters": [parameter("a", description="operation's", required=True)]},
    }

    (operation,) = parse(document({"/x": item})).operations

    found = [(p.name, p.place, p.description, p.required) for p in operation.parameters]
    assert found == [
        ("a", "query", "operation's", True),
        ("b", "query", "", False),
        ("a", "header", "", False),
    ]


def test_references_are_followed_with_both_kinds_of_escape() -> None:
    parsed = parse(
        document(
            {
                "/shared": {"parameters": [{"$ref": "#/components/parameters/a~1b"}], "get": OK},
                "/again": {"$ref": "#/paths/~1shared"},
                "/body": {"post": {"requestBody": {"$ref": "#/components/requestBodies/The%20Body"}}},
            },
            components={
                "parameters": {
                    "a/b": {"$ref": "#/components/parameters/real~0one"},
                    "real~one": parameter("q"),
                },
                "requestBodies": {
                    "The Body": {"content": {"application/json": {"schema": {"type": "object"}}}}
                },
            },
        )
    )

    assert parsed.skipped == ()
    shared, again, body = parsed.operations
    assert [p.name for p in shared.parameters] == [p.name for p in again.parameters] == ["q"]
    assert body.request_body is not None
    assert body.request_body.content == {"application/json": Media({"type": "object"})}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"parameters": [{"$ref": "https://evil.example/x.json"}]},
         f"The reference 'https://evil.example/x.json' {OUT}"),
        ({"parameters": [{"$ref": "file:///etc/passwd"}]}, f"The reference 'file:///etc/passwd' {OUT}"),
        ({"parameters": [{"$ref": "#/components/parameters/gone"}]},
         "The reference '#/components/parameters/gone' points to nothing."),
        ({"parameters": [{"$ref": "#/components/parameters/circle"}]}, "A chain of references does not end."),
        ({"parameters": {"a": 1}}, "Its parameters are not a list."),
        ({"parameters": [{"name": "a", "in": "body"}]},
         "A parameter has no name or no valid place (path, query, header or cookie)."),
        ({"requestBody": "x"}, "The request body is not an object."),
        ("x", "The operation is not an object."),
    ],
)  # fmt: skip
def test_an_operation_that_cannot_be_used_is_skipped_alone(raw: object, reason: str) -> None:
    paths = {"/bad": {"post": raw}, "/good": {"get": OK}}
    circle = {"parameters": {"circle": {"$ref": "#/components/parameters/circle"}}}

    parsed = parse(document(paths, components=circle))

    assert [(skipped.path, skipped.reason) for skipped in parsed.skipped] == [("/bad", reason)]
    assert [operation.path for operation in parsed.operations] == ["/good"]


def test_of_two_operations_with_one_id_the_first_counts() -> None:
    parsed = parse(document({"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}}))

    assert [operation.path for operation in parsed.operations] == ["/a"]
    assert [skipped.reason for skipped in parsed.skipped] == ["Its id 'x' is used twice."]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"swagger": "2.0", "paths": {}},
         "Swagger 2.0 documents are not supported yet. Convert the document to OpenAPI 3."),
        ({"openapi": "4.0.0", "paths": {}}, "OpenAPI 4.0.0 is not supported. Use 3.0 or 3.1."),
        ({"paths": {}}, "The document does not say which version of OpenAPI it follows (the field openapi)."),
        ({"openapi": "3.1.0"}, "The document has no paths."),
        ({"openapi": "3.0.3", "paths": []}, "The document has no paths."),
    ],
)  # fmt: skip
def test_what_is_no_openapi_document_is_refused(made: dict[str, object], message: str) -> None:
    with pytest.raises(SpecInvalid) as refusal:
        parse(made)

    assert refusal.value.message == message


HERE = "https://docs.shop.example/v1/openapi.json"


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ([{"url": "https://api.shop.example/v2/"}], "https://api.shop.example/v2"),
        ([{"url": "/"}], "https://docs.shop.example"),
        ([{"url": "/v2"}], "https://docs.shop.example/v2"),
        ([{"url": "api"}], "https://docs.shop.example/v1/api"),
        ([{"url": "//api.shop.example"}], "https://api.shop.example"),
        ([{"url": "https://{where}.shop.example:{port}",
           "variables": {"where": {"default": "eu"}, "port": {"default": 8443}}}], "https://eu.shop.example:8443"),
        ([{"url": "ftp://a.example"}, {"url": "https://b.example"}], "https://b.example"),
        ([], "https://docs.shop.example"),
    ],
)  # fmt: skip
def test_a_tool_is_at_the_first_usable_server(servers: list[object], expected: str) -> None:
    operation = one_operation(OK, servers=servers)

    assert server_url(operation.servers, HERE) == expected


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example", "https://user:secret@a.example", "https://a.example/?key=1", "https://a.example#x",
        "javascript:alert(1)", "https://a.example\\@b.example", "https://a .example", "https://{gone}.example",
        "file:///etc/passwd", "https://a.example\r\nHost: b",
    ],
)  # fmt: skip
def test_a_server_that_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(SpecInvalid):
        server_url(({"url": url},), HERE)


def test_the_nearest_servers_count() -> None:
    parsed = parse(
        document(
            {
                "/a": {"servers": [{"url": "https://path.example"}], "get": OK},
                "/b": {
                    "servers": [{"url": "https://path.example"}],
                    "get": OK | {"servers": [{"url": "https://op.example"}]},
                },
                "/c": {"get": OK},
            },
            servers=[{"url": "https://doc.example"}],
        )
    )

    found = [server_url(operation.servers, HERE) for operation in parsed.operations]
    assert found == ["https://path.example", "https://op.example", "https://doc.example"]
