"""From a document to its operations."""

import pytest

from openapi_import.errors import SpecInvalid
from openapi_import.reading.faults import Faults
from openapi_import.reading.operations import Media, RequestBody, Response, parse
from openapi_import.reading.security import declared_schemes
from openapi_import.reading.servers import server_url
from tests.openapi_import.documents import document, one_operation, parameter

OUT = "leads out of the document and was not followed."
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

    assert parsed.unusable == ()
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
        ({"parameters": [{"name": "a", "in": "nowhere", "required": True}]},
         "A parameter has no name or no valid place (path, query, header or cookie)."),
        ({"requestBody": "x"}, "The request body is not an object."),
        ("x", "The operation is not an object."),
    ],
)  # fmt: skip
def test_an_operation_that_cannot_be_used_is_left_out_alone(raw: object, reason: str) -> None:
    paths = {"/bad": {"post": raw}, "/good": {"get": OK}}
    circle = {"parameters": {"circle": {"$ref": "#/components/parameters/circle"}}}

    parsed = parse(document(paths, components=circle))

    assert [(bad.method, bad.path, bad.unusable) for bad in parsed.unusable] == [("POST", "/bad", reason)]
    assert [fault.message for fault in parsed.faults if fault.severity == "error"] == [reason]
    assert [operation.path for operation in parsed.operations] == ["/good"]


def test_of_two_operations_with_one_id_both_are_kept_and_the_first_keeps_it() -> None:
    parsed = parse(document({"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}}))

    assert [(found.operation_id, found.declared_id) for found in parsed.operations] == [
        ("x", True), ("get /b", False),
    ]  # fmt: skip
    assert [(fault.pointer, fault.severity) for fault in parsed.faults if "twice" in fault.message] == [
        ("/paths/~1b/get/operationId", "warning")
    ]


def test_a_made_id_is_nobody_elses() -> None:
    paths = {"/a": {"get": {}}, "/b": {"get": {"operationId": "get /a"}}, "/c": {"get": {"operationId": ""}}}

    assert [found.operation_id for found in parse(document(paths)).operations] == [
        "get /a 2",
        "get /a",
        "get /c",
    ]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"swagger": "1.2", "paths": {}}, "Swagger 1.2 is not supported. Convert the document to OpenAPI 3."),
        ({"openapi": "4.0.0", "paths": {}},
         "OpenAPI 4.0.0 is not supported. Use Swagger 2.0 or OpenAPI 3.0, 3.1 or 3.2."),
        ({"paths": {}}, "The document does not say which version of OpenAPI it follows (the field openapi)."),
        ({"openapi": "3.1.0"}, "The document has no paths."),
        ({"openapi": "3.0.3", "paths": []}, "The document has no paths."),
    ],
)  # fmt: skip
def test_what_is_no_openapi_document_is_refused(made: dict[str, object], message: str) -> None:
    with pytest.raises(SpecInvalid) as refusal:
        parse(made)

    assert refusal.value.message == message


@pytest.mark.parametrize(
    ("made", "dialect", "severities"),
    [
        ({"openapi": "3.0.4"}, "3.0", []),
        ({"openapi": "3.1"}, "3.1", []),
        ({"openapi": "3.2.0"}, "3.2", []),
        ({"swagger": "2.0"}, "2.0", []),
        ({"swagger": 2.0}, "2.0", []),
        ({"openapi": 3.1}, "3.1", ["warning"]),
        ({"openapi": "3.9.1"}, "3.2", ["warning"]),
        ({"components": {}}, "3.0", ["error"]),
        ({"definitions": {}}, "2.0", ["error"]),
    ],
)
def test_every_version_is_known_and_a_missing_one_is_seen(
    made: dict[str, object], dialect: str, severities: list[str]
) -> None:
    answers = {"responses": {"200": {"description": "ok"}}}

    parsed = parse({**made, "info": {"title": "Shop", "version": 2}, "paths": {"/a": {"get": answers}}})

    assert [found.dialect for found in parsed.operations] == [dialect]
    assert [fault.severity for fault in parsed.faults] == severities
    assert (parsed.title, parsed.version) == ("Shop", "2")


def test_methods_of_3_2_and_odd_ones() -> None:
    item = {
        "get": OK, "query": OK, "trace": OK, "POST": OK, "summary": "All",
        "additionalOperations": {"LINK": OK, "TOO-LONG-A-METHOD": OK, "A B": OK},
    }  # fmt: skip

    parsed = parse(document({"/a": item}, version="3.2.0"))

    assert [found.method for found in parsed.operations] == ["GET", "QUERY", "POST", "LINK"]
    assert [(found.method, found.unusable) for found in parsed.unusable] == [
        ("TRACE", "TRACE shows a request's credentials to whoever reads its answer."),
        ("TOO-LONG", "The method 'TOO-LONG-A-METHOD' cannot be used."),
        ("A B", "The method 'A B' cannot be used."),
    ]
    assert {found.summary for found in parsed.operations} == {"All"}


def test_a_path_is_read_where_it_is_and_with_what_stands_beside_its_reference() -> None:
    made = document(
        {"a/{x}": {"$ref": "#/components/pathItems/A", "parameters": [parameter("q")]}},
        components={
            "pathItems": {"A": {"get": {"parameters": [parameter("x", "path", required=True), {"in": "x"}]}}}
        },
    )

    (operation,) = (parsed := parse(made)).operations

    assert (operation.path, operation.pointer) == ("/a/{x}", "/paths/a~1{x}/get")
    assert [(found.name, found.pointer) for found in operation.parameters] == [
        ("q", "/components/pathItems/A/parameters/0"),
        ("x", "/components/pathItems/A/get/parameters/0"),
    ]
    assert [(fault.pointer, fault.severity) for fault in parsed.faults] == [
        ("/paths/a~1{x}", "warning"),
        ("/components/pathItems/A/get/parameters/1", "error"),
    ]


def test_a_pointer_leads_through_what_is_itself_a_reference() -> None:
    made = document(
        {"/a": {"get": {"parameters": [{"$ref": "#/components/parameters/q"}]}}},
        components={"parameters": {"$ref": "#/x-shared"}},
    ) | {"x-shared": {"q": parameter("q")}}

    (operation,) = parse(made).operations

    assert [found.name for found in operation.parameters] == ["q"]


@pytest.mark.parametrize(("version", "expected"), [("3.0.3", "theirs"), ("3.1.0", "ours")])
def test_from_3_1_on_a_reference_describes_what_it_refers_to(version: str, expected: str) -> None:
    raw = {
        "parameters": [{"$ref": "#/components/parameters/q", "description": "ours", "name": "other"}],
        "requestBody": {"$ref": "#/components/requestBodies/b", "description": "ours"},
    }
    components = {
        "parameters": {"q": parameter("q", description="theirs")},
        "requestBodies": {"b": {"content": {"text/plain": {}}, "description": "theirs"}},
    }

    operation = one_operation(raw, version=version, components=components)

    assert [(found.name, found.description) for found in operation.parameters] == [("q", expected)]
    assert operation.request_body is not None
    assert operation.request_body.description == expected


def test_bodies_and_answers_come_with_all_their_kinds() -> None:
    raw = {
        "requestBody": {
            "required": "true",
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "multipart/form-data": {"schema": True, "encoding": {"a": {"contentType": "text/csv"}}},
                "application/jsonl": {"itemSchema": {"type": "integer"}},
                "text/plain": None,
            },
        },
        "responses": {
            "200": {"$ref": "#/components/responses/ok"},
            "404": {"$ref": "#/components/responses/gone"},
            "x-more": 1,
        },
    }
    ok = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}

    (operation,) = (
        parsed := parse(
            document({"/a": {"post": raw}}, version="3.2.0", components={"responses": {"ok": ok}})
        )
    ).operations

    assert operation.request_body == RequestBody(
        required=True,
        content={
            "application/json": Media({"type": "object"}),
            "multipart/form-data": Media(True, {"a": {"contentType": "text/csv"}}),
            "application/jsonl": Media({"type": "array", "items": {"type": "integer"}}),
            "text/plain": Media({}),
        },
    )
    assert operation.responses == (Response("200", {"application/json": {"$ref": "#/components/schemas/A"}}),)
    assert [(fault.pointer, fault.severity) for fault in parsed.faults] == [
        ("/paths/~1a/post/responses/404/$ref", "warning"),
        ("/paths/~1a/post/requestBody/content/text~1plain", "warning"),
    ]


def test_security_is_the_operations_or_the_documents() -> None:
    made = document(
        {
            "/a": {"get": OK},
            "/b": {"get": OK | {"security": []}},
            "/c": {"get": OK | {"security": [{"key": [], "oauth": ["a", 1]}, {}]}},
            "/d": {"get": OK | {"security": "key"}},
        },
        security=[{"key": []}],
        components={"securitySchemes": {"key": {"type": "http", "scheme": "basic"}}},
    )

    parsed = parse(made)

    assert [found.security for found in parsed.operations] == [
        ({"key": ()},), (), ({"key": (), "oauth": ("a",)}, {}), None,
    ]  # fmt: skip
    assert [(fault.pointer, fault.severity) for fault in parsed.faults] == [
        ("/paths/~1c/get/security/0", "warning"), ("/paths/~1d/get/security", "error"),
    ]  # fmt: skip
    assert parse(document({"/a": {"get": OK}})).operations[0].security is None


def test_security_schemes_of_both_versions_have_one_shape() -> None:
    code = {
        "authorizationUrl": "https://a.example/auth",
        "tokenUrl": "https://a.example/token",
        "scopes": {"r": "Read"},
    }
    three = {
        "openapi": "3.1.0",
        "components": {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "cookie", "name": "sid", "description": "Ask us."},
                "bearer": {"type": "http", "scheme": "Bearer", "bearerFormat": "JWT"},
                "oauth": {"type": "oauth2", "flows": {"authorizationCode": code, "x-a": {}}},
                "oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://a.example/.well-known"},
                "mutual": {"$ref": "#/components/securitySchemes/tls"},
                "tls": {"type": "mutualTLS"},
                "bad": {"type": "apiKey", "in": "body", "name": "x"},
                "worse": {"type": "magic"},
            }
        },
    }
    two = {
        "swagger": "2.0",
        "securityDefinitions": {
            "basic": {"type": "basic"},
            "oauth": {
                "type": "oauth2",
                "flow": "application",
                "tokenUrl": "https://a.example/token",
                "scopes": {"r": 1},
            },
        },
    }
    faults = Faults()

    assert declared_schemes(three, faults) == {
        "key": {"kind": "apiKey", "in": "cookie", "name": "sid", "description": "Ask us."},
        "bearer": {"kind": "http", "scheme": "bearer", "bearer_format": "JWT"},
        "oauth": {"kind": "oauth2", "flows": {"authorizationCode": code}},
        "oidc": {"kind": "openIdConnect", "url": "https://a.example/.well-known"},
        "mutual": {"kind": "mutualTLS"},
        "tls": {"kind": "mutualTLS"},
    }
    assert [fault.pointer for fault in faults] == [
        "/components/securitySchemes/bad", "/components/securitySchemes/worse",
    ]  # fmt: skip
    assert declared_schemes(two) == {
        "basic": {"kind": "http", "scheme": "basic"},
        "oauth": {
            "kind": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": "https://a.example/token", "scopes": {"r": ""}}},
        },
    }


def test_webhooks_and_callbacks_are_listed_and_are_no_operations() -> None:
    callback = {"{$request.body#/url}": {"post": {"summary": "Shipped"}}, "x-a": {"get": {}}}
    made = document(
        {"/a": {"post": OK | {"callbacks": {"shipped": {"$ref": "#/components/callbacks/shipped"}}}}},
        components={"callbacks": {"shipped": callback}},
        webhooks={"order.paid": {"post": {"description": "Paid"}}},
    )

    parsed = parse(made)

    assert [found.path for found in parsed.operations] == ["/a"]
    assert [(one.kind, one.name, one.method, one.summary, one.pointer) for one in parsed.listed] == [
        ("webhook", "order.paid", "POST", "Paid", "/webhooks/order.paid/post"),
        ("callback", "shipped", "POST", "Shipped",
         "/paths/~1a/post/callbacks/shipped/{$request.body#~1url}/post"),
    ]  # fmt: skip
    assert parse({"openapi": "3.1.0", "webhooks": {"a": {"post": {}}}}).operations == ()


def test_thirty_thousand_operations_are_read_and_more_are_refused() -> None:
    item = {"get": OK, "post": {"$ref": "#"}, "delete": OK, "put": OK}
    paths = {f"/a{number}/{{id}}": item for number in range(7_500)}

    assert len(parse(document(paths)).operations) == 30_000
    with pytest.raises(SpecInvalid, match=r"more than 30,000 operations"):
        parse(document(paths | {"/one-more": item}))


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
        ([{"url": "api.shop.example/v2"}], "https://api.shop.example/v2"),
        ([{"url": "https://[2001:db8::1]:8443/v2/"}], "https://[2001:db8::1]:8443/v2"),
        ([{"url": "https://{where}.shop.example",
           "variables": {"where": {"enum": ["us", "eu"]}}}], "https://us.shop.example"),
        ({"url": "https://api.shop.example"}, "https://api.shop.example"),
    ],
)  # fmt: skip
def test_a_tool_is_at_the_first_usable_server(servers: object, expected: str) -> None:
    operation = one_operation(OK, servers=servers)

    assert server_url(operation.servers, HERE) == expected


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example", "https://user:secret@a.example", "https://a.example/?key=1", "https://a.example#x",
        "javascript:alert(1)", "https://a.example\\@b.example", "https://a .example", "https://{gone}.example",
        "file:///etc/passwd", "https://a.example\r\nHost: b", "https://a.example:99999", "https://a%40b@c.example",
        "https://" + "a" * 2_000 + ".example",
    ],
)  # fmt: skip
def test_a_server_that_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(SpecInvalid):
        server_url(({"url": url},), HERE)


def test_without_an_address_of_the_document_relative_servers_are_refused_in_words() -> None:
    with pytest.raises(SpecInvalid) as refusal:
        server_url(({"url": "/v1"}, {"url": "ftp://a.example"}), "")

    assert refusal.value.message == (
        "Its server's address is relative (/v1), and where the document comes from is not known. "
        "Give the address of the API."
    )


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
