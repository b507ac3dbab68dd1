"""From an operation to a recipe and the schema of its arguments."""

import json
from typing import Any

import jsonschema
import pytest

from openapi_import.errors import SpecInvalid
from openapi_import.reading.recipes import recipe
from tests.openapi_import.documents import json_body, one_operation, parameter, recipe_of


def test_path_query_header_and_body_become_arguments() -> None:
    made = recipe_of(
        {
            "parameters": [
                parameter("id", "path", {"type": "integer"}, description="Its number."),
                parameter("limit", schema={"type": "integer", "maximum": 5}),
                parameter("X-Trace", "header", required=True),
            ],
            "requestBody": json_body(
                {
                    "type": "object",
                    "properties": {"reason": {"type": "string"}, "note": {}},
                    "required": ["reason"],
                }
            ),
        },
        path="/orders/{id}",
    )

    assert made.parameters == [
        {"argument": "id", "name": "id", "in": "path", "required": True, "style": "simple", "explode": False},
        {
            "argument": "limit",
            "name": "limit",
            "in": "query",
            "required": False,
            "style": "form",
            "explode": True,
        },
        {
            "argument": "X-Trace",
            "name": "X-Trace",
            "in": "header",
            "required": True,
            "style": "simple",
            "explode": False,
        },
    ]
    assert made.request_body == {
        "content_type": "application/json",
        "required": True,
        "fields": {"reason": "reason", "note": "note"},
    }
    assert made.input_schema == {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "description": "Its number."},
            "limit": {"type": "integer", "maximum": 5},
            "X-Trace": {"type": "string"},
            "reason": {"type": "string"},
            "note": {},
        },
        "required": ["id", "X-Trace", "reason"],
        "additionalProperties": False,
    }


def test_clashing_names_are_kept_apart_and_each_goes_to_its_place() -> None:
    made = recipe_of(
        {
            "parameters": [parameter("id", "path"), parameter("id", "query"), parameter("id", "header")],
            "requestBody": json_body({"type": "object", "properties": {"id": {}, "id_body": {}}}),
        },
        path="/orders/{id}",
    )

    assert [(p["argument"], p["in"]) for p in made.parameters] == [
        ("id", "path"), ("id_query", "query"), ("id_header", "header"),
    ]  # fmt: skip
    assert made.request_body is not None
    fields = made.request_body["fields"]
    assert sorted(fields.values()) == ["id", "id_body"]
    assert len({"id", "id_query", "id_header", *fields}) == 5
    assert set(made.input_schema["properties"]) == {"id", "id_query", "id_header", *fields}


def test_argument_names_are_legal_for_every_model_provider() -> None:
    names = ["filter[status]", "$top", "日付", "a.b", "x" * 100, "a b", "a/b"]

    made = recipe_of({"parameters": [parameter(name) for name in names]})

    arguments = [p["argument"] for p in made.parameters]
    assert arguments[:2] == ["filter_status", "top"]
    assert [p["name"] for p in made.parameters] == names
    assert len(set(arguments)) == len(names)
    assert all(
        len(a) <= 64 and a.isascii() and a.replace("_", "a").replace("-", "a").isalnum() for a in arguments
    )


HEADERS = [
    "Authorization", "HOST", "Cookie", "Content-Length", "content-type", "Transfer-Encoding", "Connection",
    "Proxy-Authorization", "X-Forwarded-For", "Forwarded", "Idempotency-Key", "X-HTTP-Method-Override",
    "Sec-Fetch-Site",
    "X-API-Key", "X-Original-URL", "Upgrade", "Expect", "Accept",
]  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_a_model_never_sets_who_or_where(name: str) -> None:
    made = recipe_of({"parameters": [parameter(name, "header", required=True), parameter("fine", "header")]})

    assert [p["name"] for p in made.parameters] == ["fine"]
    assert set(made.input_schema["properties"]) == {"fine"}
    assert made.left_out == {name: "a header that is not the model's to set"}


def test_declared_api_keys_and_cookies_are_no_arguments() -> None:
    schemes = {
        "a": {"type": "apiKey", "in": "query", "name": "token"},
        "b": {"$ref": "#/components/securitySchemes/c"},
        "c": {"type": "apiKey", "in": "header", "name": "X-Shop-Secret"},
    }

    made = recipe_of(
        {
            "parameters": [
                parameter("token"), parameter("x-shop-secret", "header"), parameter("session", "cookie"),
                parameter("q"),
            ]
        },
        components={"securitySchemes": schemes},
    )  # fmt: skip

    assert [p["name"] for p in made.parameters] == ["q"]
    assert set(made.left_out.values()) == {"a credential"}


def test_a_placeholder_without_a_parameter_gets_one_and_a_stray_path_parameter_none() -> None:
    made = recipe_of({"parameters": [parameter("stray", "path")]}, path="/a/{one}/{two}")

    assert [(p["name"], p["required"]) for p in made.parameters] == [("one", True), ("two", True)]
    assert made.input_schema["required"] == ["one", "two"]


@pytest.mark.parametrize("path", ["/a/{}", "/a/{b", "/a/{{b}}"])
def test_a_broken_placeholder_makes_no_tool(path: str) -> None:
    with pytest.raises(SpecInvalid):
        recipe_of({}, path=path)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "string"},
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "integer"}},
        {"oneOf": [{"type": "object", "properties": {"a": {}}}, {"type": "string"}]},
        {"type": "object", "properties": {"a": {}}, "minProperties": 1},
        {"type": ["object", "null"], "properties": {"a": {}}},
    ],
)
def test_a_body_that_is_no_plain_object_stays_whole(schema: dict[str, Any]) -> None:
    made = recipe_of({"requestBody": json_body(schema)})

    assert made.request_body == {"content_type": "application/json", "required": True, "argument": "body"}
    assert made.input_schema["properties"]["body"] == schema
    assert made.input_schema["required"] == ["body"]


def test_an_optional_body_without_required_fields_stays_optional() -> None:
    body = json_body({"type": "object", "properties": {"reason": {}}}, required=False)

    made = recipe_of({"requestBody": body})

    assert made.request_body is not None
    assert made.request_body["required"] is False
    assert "required" not in made.input_schema


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        (["text/xml", "application/json"], "application/json"),
        (["application/vnd.api+json"], "application/vnd.api+json"),
        (["application/vnd.api+json", "application/json; charset=utf-8"], "application/json; charset=utf-8"),
        (["*/*"], "application/json"),
    ],
)
def test_the_json_of_several_media_types_is_taken(kinds: list[str], chosen: str) -> None:
    content = {kind: {"schema": {"type": "array"}} for kind in kinds}

    made = recipe_of({"requestBody": {"required": True, "content": content}})

    assert made.request_body is not None
    assert made.request_body["content_type"] == chosen


def test_a_body_that_must_be_a_form_makes_no_tool_yet() -> None:
    content = {"multipart/form-data": {"schema": {"type": "object"}}}

    with pytest.raises(SpecInvalid, match="multipart/form-data"):
        recipe_of({"requestBody": {"required": True, "content": content}})


SCHEMAS = {
    "Node": {
        "type": "object",
        "properties": {
            "next": {"$ref": "#/components/schemas/Node"},
            "note": {"$ref": "#/components/schemas/A~1B%20C"},
        },
    },
    "A/B C": {"type": "string", "maxLength": 3},
    "Unused": {"type": "string"},
}


def test_references_stay_references_and_circles_stay_finite() -> None:
    body = json_body({"type": "object", "properties": {"tree": {"$ref": "#/components/schemas/Node"}}})

    made = recipe_of({"requestBody": body}, components={"schemas": SCHEMAS})

    assert made.input_schema["properties"]["tree"] == {"$ref": "#/$defs/Node"}
    assert set(made.input_schema["$defs"]) == {"Node", "A_B_C"}
    check = jsonschema.Draft202012Validator(made.input_schema)
    check.check_schema(made.input_schema)
    assert check.is_valid({"tree": {"next": {"next": {"note": "abc"}}}})
    assert not check.is_valid({"tree": {"next": {"next": {"note": "abcd"}}}})


def test_a_body_behind_references_is_taken_apart_too() -> None:
    schemas = {
        "Alias": {"$ref": "#/components/schemas/Order"},
        "Order": {"type": "object", "properties": {"a": {}}},
    }

    made = recipe_of(
        {"requestBody": json_body({"$ref": "#/components/schemas/Alias"})}, components={"schemas": schemas}
    )

    assert made.request_body is not None
    assert made.request_body["fields"] == {"a": "a"}
    assert "$defs" not in made.input_schema


def test_properties_named_like_keywords_are_properties() -> None:
    names = ["default", "enum", "example", "$ref", "type", "properties", "nullable", "readOnly"]
    body = json_body({"type": "object", "properties": {name: {"type": "string"} for name in names}})

    made = recipe_of({"requestBody": body})

    assert made.request_body is not None
    assert list(made.request_body["fields"].values()) == names


def test_what_openapi_3_0_writes_differently_means_the_same() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "nullable": True, "enum": ["x"]},
            "b": {
                "type": "number",
                "minimum": 0,
                "exclusiveMinimum": True,
                "maximum": 9,
                "exclusiveMaximum": False,
            },
            "c": {"$ref": "#/components/schemas/C", "description": "does not count"},
            "d": {"type": "string", "example": "e"},
        },
    }

    made = recipe_of(
        {"requestBody": json_body(schema)},
        version="3.0.3",
        components={"schemas": {"C": {"type": "integer"}}},
    )

    assert made.input_schema["properties"] == {
        "a": {"type": ["string", "null"], "enum": ["x", None]},
        "b": {"type": "number", "exclusiveMinimum": 0, "maximum": 9},
        "c": {"$ref": "#/$defs/C"},
        "d": {"type": "string", "examples": ["e"]},
    }


def test_what_is_only_answered_is_not_asked_for() -> None:
    schema = {
        "type": "object",
        "properties": {"id": {"type": "string", "readOnly": True}, "name": {"type": "string"}},
        "required": ["id", "name"],
    }

    made = recipe_of({"requestBody": json_body(schema)})

    assert set(made.input_schema["properties"]) == {"name"}
    assert made.input_schema["required"] == ["name"]


def test_the_words_of_a_refusal_are_kept() -> None:
    schema = {"type": "integer", "minimum": 1, "x-error-message": "Invalid: {value}.", "x-other": "gone"}

    made = recipe_of({"parameters": [parameter("percent", schema=schema)]})

    assert made.input_schema["properties"]["percent"] == {
        "type": "integer",
        "minimum": 1,
        "x-error-message": "Invalid: {value}.",
    }


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        (r"^cus_[0-9]{1,12}$", True),
        (r"^[a-z]+@[a-z]+$", True),
        (r"(a+)+$", False),
        (r"(a|a)*b", False),
        (r"^(a)\1$", False),
        (r".*.*.*x", False),
        (r"[", False),
        (r"\p{L}", False),
        ("a" * 301, False),
    ],
)
def test_only_patterns_that_end_soon_are_kept(pattern: str, kept: bool) -> None:
    made = recipe_of({"parameters": [parameter("a", schema={"type": "string", "pattern": pattern})]})

    assert ("pattern" in made.input_schema["properties"]["a"]) is kept


def test_keywords_that_move_references_are_left_out() -> None:
    schema = {
        "type": "string",
        "$id": "https://evil.example",
        "$dynamicRef": "#x",
        "$anchor": "x",
        "$schema": "y",
    }

    made = recipe_of({"parameters": [parameter("a", schema=schema)]})

    assert made.input_schema["properties"]["a"] == {"type": "string"}


def test_a_schema_that_refers_out_of_the_document_makes_no_tool() -> None:
    with pytest.raises(SpecInvalid, match="leads out of the document"):
        recipe_of({"parameters": [parameter("a", schema={"$ref": "other.json#/A"})]})


def test_a_schema_beyond_the_limit_makes_no_tool() -> None:
    enum = [f"value {number}" for number in range(30_000)]

    with pytest.raises(SpecInvalid, match="larger than 256 KiB"):
        recipe_of({"parameters": [parameter("a", schema={"enum": enum})]})


def test_a_recipe_is_plain_json() -> None:
    operation = one_operation(
        {"requestBody": json_body({"type": "object", "properties": {"a": True, "b": {"const": None}}})}
    )

    made = recipe(operation)

    assert json.loads(json.dumps(made.input_schema, allow_nan=False)) == made.input_schema
    assert made.input_schema["properties"] == {"a": True, "b": {"const": None}}
