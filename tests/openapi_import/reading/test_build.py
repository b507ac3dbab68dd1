"""One operation as a tool, with all that comes from the document."""

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openapi_import.reading.build import Built, Names, build
from openapi_import.reading.keywords import size_of
from openapi_import.reading.operations import parse
from tests.openapi_import.documents import document, json_body, one_operation, parameter

Object = dict[str, Any]
SERVERS = [{"url": "https://api.shop.example/v1"}]


def built(raw: Object, **more: Any) -> Built:
    return build(one_operation(raw, **{"servers": SERVERS, **more}), Names())


def answer(schema: Object, kind: str = "application/json", status: str = "200") -> Object:
    return {status: {"description": "ok", "content": {kind: {"schema": schema}}}}


def test_everything_of_an_operation_is_there_and_is_json() -> None:
    raw = {
        "operationId": "orders.cancel",
        "summary": "Cancel an order",
        "description": "Stops it.",
        "tags": ["orders"],
        "deprecated": True,
        "parameters": [parameter("id", "path"), parameter("Authorization", "header")],
        "requestBody": json_body({"type": "object", "properties": {"reason": {"type": "string"}}}),
        "responses": answer({"type": "object"}),
    }

    made = built(raw, path="/orders/{id}")

    assert (made.operation_id, made.method, made.path) == ("orders.cancel", "POST", "/orders/{id}")
    assert made.pointer == "/paths/~1orders~1{id}/post"
    assert (made.name[:14], made.title, made.tags) == ("orders_cancel_", "Cancel an order", ["orders"])
    assert made.tool_description.startswith("Deprecated: ")
    assert made.tool["server_url"] == "https://api.shop.example/v1"
    assert set(made.tool) == {
        "server_url",
        "parameters",
        "request_body",
        "input_schema",
        "security",
        "response",
    }
    assert made.left_out == {"Authorization": "a credential"}
    assert made.losses == ["Authorization is left out: it is a credential."]
    assert made.unusable == ""
    assert json.loads(json.dumps(made.as_json(), allow_nan=False)) == made.as_json()


def test_an_operation_that_cannot_be_called_says_why_and_is_still_listed() -> None:
    parsed = parse(document({"/a/{}": {"get": {"operationId": "x", "responses": {}}}}, servers=SERVERS))
    [operation] = parsed.operations or parsed.unusable

    made = build(operation, Names())

    assert made.tool == {}
    assert made.unusable
    assert (made.name, made.operation_id) == ("x", "x")


def test_a_tool_whose_address_is_not_known_says_so() -> None:
    made = built({}, servers=[{"url": "/v1"}])

    assert made.unusable == ""
    assert made.tool["server_url"] == ""
    assert made.losses[0].startswith("The document does not say where the API is")


SCHEMES = {
    "key": {"type": "apiKey", "in": "query", "name": "token", "description": "long"},
    "signed_in": {
        "type": "oauth2",
        "flows": {
            "clientCredentials": {
                "tokenUrl": "https://a.example/t",
                "scopes": {"read": "Read.", "write": "Write."},
            }
        },
    },
}


def test_security_is_what_the_operation_asks_for_in_alternatives() -> None:
    raw = {"security": [{"signed_in": ["read"], "key": []}, {"key": []}, {"gone": []}]}

    made = built(raw, components={"securitySchemes": SCHEMES})

    key = {"kind": "apiKey", "in": "query", "name": "token", "scopes": []}
    both, alone = made.tool["security"]
    assert alone == {"key": key}
    assert both["key"] == key
    assert both["signed_in"]["scopes"] == ["read"]
    assert both["signed_in"]["flows"] == {
        "clientCredentials": {"tokenUrl": "https://a.example/t", "scopes": {"read": "Read."}}
    }
    assert made.losses == ["It asks for credentials that the document does not declare: gone."]


@pytest.mark.parametrize(
    ("declared", "security", "expected"),
    [
        (parameter("X-Api-Key", "header", required=True), [], [{"header X-Api-Key"}]),
        (parameter("X-Api-Key", "header"), [], [{"header X-Api-Key"}, set()]),
        (parameter("api_key", "query", required=True), [], [{"query api_key"}]),
        (
            parameter("X-Api-Key", "header", required=True),
            [{"signed_in": []}],
            [{"signed_in", "header X-Api-Key"}],
        ),
        (parameter("Authorization", "header", required=True), [{"signed_in": []}], [{"signed_in"}]),
        (parameter("Authorization", "header", required=True), [], [{"header Authorization"}]),
    ],
)
def test_a_key_that_is_declared_as_a_parameter_is_a_credential_and_no_argument(
    declared: Object, security: list[Any], expected: list[set[str]]
) -> None:
    made = built({"parameters": [declared], "security": security}, components={"securitySchemes": SCHEMES})

    assert [set(alternative) for alternative in made.tool["security"]] == expected
    assert declared["name"] in made.left_out
    assert made.tool["parameters"] == []
    for name, scheme in [pair for alternative in made.tool["security"] for pair in alternative.items()]:
        if name != "signed_in":
            assert scheme == {"kind": "apiKey", "in": declared["in"], "name": declared["name"], "scopes": []}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, [{"key": {"kind": "apiKey", "in": "query", "name": "token", "scopes": []}}]),
        ({"security": []}, []),
    ],
)
def test_security_of_the_document_holds_unless_the_operation_has_its_own(
    raw: Object, expected: list[Object]
) -> None:
    made = built(raw, components={"securitySchemes": SCHEMES}, security=[{"key": []}])

    assert made.tool["security"] == expected


@pytest.mark.parametrize(
    ("responses", "kinds", "binary"),
    [
        (answer({"type": "object"}), ["application/json"], False),
        (answer({"type": "string", "format": "binary"}, "application/pdf"), ["application/pdf"], True),
        (answer({}, "image/png"), ["image/png"], True),
        (answer({"type": "string"}, "text/csv"), ["text/csv"], False),
        (answer({}, "text/plain", "404") | {"204": {"description": "gone"}}, [], False),
        (answer({}, "application/xml", "201") | {"default": {"description": "?", "content": {"text/plain": {}}}},
         ["application/xml"], False),
        ({}, [], False),
    ],
)  # fmt: skip
def test_what_is_answered_is_known(responses: Object, kinds: list[str], binary: bool) -> None:
    response = built({"responses": responses}).tool["response"]

    assert (response["content_types"], response["binary"]) == (kinds, binary)


NUMBER = {"type": "integer"}
LIST = {"type": "array", "items": {"type": "object"}}
NONE = {"argument": "", "size": "", "items": "", "next": "", "more": "", "total": ""}


@pytest.mark.parametrize(
    ("asked", "properties", "expected"),
    [
        ({"starting_after": {"type": "string"}, "limit": NUMBER}, {"data": LIST, "has_more": {"type": "boolean"}},
         {"kind": "cursor", "argument": "starting_after", "size": "limit", "items": "data", "more": "has_more"}),
        ({"pageToken": {"type": "string"}}, {"files": LIST, "nextPageToken": {"type": "string"}},
         {"kind": "cursor", "argument": "pageToken", "items": "files", "next": "nextPageToken"}),
        ({"page": NUMBER, "per_page": NUMBER}, {"meta": {"properties": {"total": NUMBER}}, "results": LIST},
         {"kind": "page", "argument": "page", "size": "per_page", "items": "results", "total": "meta.total"}),
        ({"offset": NUMBER, "limit": NUMBER}, {"total_count": NUMBER},
         {"kind": "offset", "argument": "offset", "size": "limit", "total": "total_count"}),
        ({}, {"value": LIST, "@odata.nextLink": {"type": "string"}},
         {"kind": "link", "items": "value", "next": "@odata.nextLink"}),
        ({"from": {"type": "string", "format": "date"}, "limit": NUMBER}, {"data": LIST}, None),
        ({"q": {"type": "string"}}, {"name": {"type": "string"}}, None),
    ],
)  # fmt: skip
def test_pages_are_recognised(asked: Object, properties: Object, expected: Object | None) -> None:
    raw = {
        "parameters": [parameter(name, schema=schema) for name, schema in asked.items()],
        "responses": answer({"$ref": "#/components/schemas/Page"}),
    }
    schemas = {"Page": {"allOf": [{"type": "object", "properties": properties}]}}

    paging = built(raw, method="get", components={"schemas": schemas}).tool["response"]["paging"]

    assert paging == (None if expected is None else NONE | expected)


def test_thousands_of_operations_share_what_they_refer_to() -> None:
    fields = {f"f{n}": {"$ref": f"#/components/schemas/S{n + 1}"} for n in range(40)}
    named = {f"S{n}": {"type": "object", "properties": fields if n < 40 else {}} for n in range(42)}
    paths = {
        f"/p{n}": {"post": {"requestBody": json_body({"$ref": "#/components/schemas/S0"})}}
        for n in range(300)
    }
    spec = parse(document(paths, components={"schemas": named}, servers=SERVERS))
    names = Names()

    made = [build(operation, names) for operation in spec.operations]

    first, last = made[0].tool["input_schema"], made[-1].tool["input_schema"]
    assert len(made) == 300
    assert 12 * 1024 < size_of(first) <= 24 * 1024 + 200
    assert first == last
    assert first["properties"]["f0"] is last["properties"]["f0"]  # converted once


# Whatever somebody writes in any place of a document: a tool that providers take, or a reason why there is none.

WHOLE: Object = {
    "parameters": [
        parameter("id", "path", style="matrix"),
        parameter("filter", schema={"$ref": "#/components/schemas/Order"}, style="deepObject", explode=True),
        {"name": "where", "in": "query", "content": {"application/json": {"schema": {"type": "array", "items": {}}}}},
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "allOf": [{"$ref": "#/components/schemas/Order"}, {"properties": {"file": {"format": "binary"}}}]
                },
                "encoding": {"file": {"contentType": "image/png", "headers": {}}, "total": {"style": "form"}},
            },
        },
    },
    "responses": answer({"$ref": "#/components/schemas/Order"}),
    "security": [{"key": []}],
}  # fmt: skip
ORDER = {
    "type": "object", "required": ["total"], "discriminator": {"propertyName": "kind", "mapping": {"a": "Order"}},
    "properties": {
        "total": {"type": "number", "minimum": 0, "default": 1}, "kind": {"enum": ["a", None]},
        "lines": {"type": "array", "items": {"oneOf": [{"$ref": "#/components/schemas/Order"}, {"type": "string"}]}},
    },
}  # fmt: skip
JUNK = st.sampled_from(
    [None, True, 0, -1, 1.5, 10**30, "", "x", "#/", "\u2028", [], {}, [[]], [None], {"a": []}, {"$ref": "#"},
     {"$ref": 5}, {"$ref": "#/components/schemas/Order"}, {"type": []}, {"type": {"a": 1}}, {"allOf": "x"},
     {"oneOf": [1]}, {"enum": {}}, {"properties": []}, {"items": [{}]}, {"required": [{}]}]
)  # fmt: skip


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), JUNK), min_size=1, max_size=4))
def test_whatever_stands_anywhere_there_is_a_tool_or_a_reason(changes: list[tuple[int, Any]]) -> None:
    whole = copy.deepcopy(WHOLE)
    components = {"schemas": {"Order": copy.deepcopy(ORDER)}, "securitySchemes": copy.deepcopy(SCHEMES)}
    for number, junk in changes:
        places = _places([whole, components])
        container, key = places[number % len(places)]
        container[key] = copy.deepcopy(junk)
    if not isinstance(whole, dict):
        return
    spec = parse(document({"/orders/{id}": {"post": whole}}, components=components, servers=SERVERS))

    for operation in (*spec.operations, *spec.unusable):
        made = build(operation, Names())

        assert bool(made.tool) != bool(made.unusable)
        json.dumps(made.as_json(), allow_nan=False)
        if made.tool:
            jsonschema.Draft202012Validator.check_schema(made.tool["input_schema"])
