"""From an operation to a recipe and the schema of its arguments."""

import json
from typing import Any

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
    assert list(made.left_out) == [name]
    assert made.left_out[name] in ("a header that is not the model's to set", "a credential")


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


ANY_OBJECT = {"type": "object", "additionalProperties": True}
ONE_FIELD = {"type": "object", "properties": {"a": {}}}


@pytest.mark.parametrize(
    ("schema", "argument"),
    [
        ({"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "string"}, {"type": "string"}),
        ({"type": "object"}, ANY_OBJECT),
        ({"type": "object", "additionalProperties": {"type": "integer"}},
         {"type": "object", "additionalProperties": {"type": "integer"}}),
        (ONE_FIELD | {"additionalProperties": {"type": "integer"}},
         ONE_FIELD | {"additionalProperties": {"type": "integer"}}),
        ({"oneOf": [ONE_FIELD, {"type": "string"}]}, {"anyOf": [ONE_FIELD, {"type": "string"}]}),
        (ONE_FIELD | {"minProperties": 1}, ONE_FIELD | {"minProperties": 1}),
        (ONE_FIELD | {"type": ["object", "null"]}, {"anyOf": [ONE_FIELD, {"type": "null"}]}),
    ],
)  # fmt: skip
def test_a_body_that_is_no_plain_object_stays_whole(schema: dict[str, Any], argument: dict[str, Any]) -> None:
    made = recipe_of({"requestBody": json_body(schema)})

    assert made.request_body == {"content_type": "application/json", "required": True, "argument": "body"}
    assert made.input_schema["properties"]["body"] == argument
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


def test_of_several_kinds_of_body_the_easiest_is_sent_and_the_others_are_named() -> None:
    kinds = ["image/png", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded"]
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    content = {kind: {"schema": schema} for kind in kinds}

    made = recipe_of({"requestBody": {"required": True, "content": content}})

    assert made.request_body is not None
    assert made.request_body["content_type"] == "application/x-www-form-urlencoded"
    assert made.request_body["fields"] == {"a": "a"}
    assert made.losses == [
        "Its body can also be image/png, text/plain, multipart/form-data; application/x-www-form-urlencoded is sent."
    ]


def test_files_are_given_in_base64_and_each_part_knows_what_it_is() -> None:
    properties = {
        "file": {"type": "string", "format": "binary", "description": "A scan."},
        "pages": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "note": {"type": "string"},
        "about": {"type": "object"},
    }
    encoding = {
        "file": {"contentType": "image/*, application/pdf"},
        "about": {"contentType": "application/json"},
    }
    media = {"schema": {"type": "object", "properties": properties}, "encoding": encoding}

    made = recipe_of({"requestBody": {"required": True, "content": {"multipart/form-data": media}}})

    assert made.request_body is not None
    assert made.request_body["encoding"] == {
        "file": {"content_type": "application/pdf", "binary": True},
        "pages": {"binary": True},
        "about": {"content_type": "application/json"},
    }
    shown = made.input_schema["properties"]
    assert shown["file"]["contentEncoding"] == "base64"
    assert shown["file"]["description"].startswith("A scan. ")
    assert shown["pages"]["items"]["contentEncoding"] == "base64"
    assert "format" not in shown["file"]


@pytest.mark.parametrize(
    ("kind", "schema", "encoding"),
    [
        ("application/pdf", {}, {"body": {"binary": True}}),
        ("application/octet-stream", {"type": "string", "format": "binary"}, {"body": {"binary": True}}),
        ("text/csv", {"type": "string"}, {"body": {"text": True}}),
        ("application/xml", {"type": "object", "properties": {"a": {}}}, {"body": {"text": True}}),
    ],
)
def test_a_body_that_is_no_json_is_one_text(
    kind: str, schema: dict[str, Any], encoding: dict[str, Any]
) -> None:
    made = recipe_of({"requestBody": {"required": True, "content": {kind: {"schema": schema}}}})

    assert made.request_body == {
        "content_type": kind,
        "required": True,
        "argument": "body",
        "encoding": encoding,
    }
    assert made.input_schema["properties"]["body"]["type"] == "string"


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
    assert made.input_schema["properties"] == {"a": {}}


def test_properties_named_like_keywords_are_properties() -> None:
    names = ["default", "enum", "example", "$ref", "type", "properties", "nullable", "readOnly"]
    body = json_body({"type": "object", "properties": {name: {"type": "string"} for name in names}})

    made = recipe_of({"requestBody": body})

    assert made.request_body is not None
    assert list(made.request_body["fields"].values()) == names


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
    ("pattern", "kept", "checked"),
    [
        (r"^cus_[0-9]{1,12}$", True, True),
        (r"^[a-z]+@[a-z]+$", True, True),
        (r"(a+)+$", True, False),
        (r"(a|a)*b", True, False),
        (r"^(a)\1$", True, False),
        (r".*.*.*x", True, False),
        (r"[", False, False),
        (r"\p{L}", False, False),
        ("a" * 301, True, False),
        ("a" * 501, False, False),
    ],
)
def test_the_model_reads_every_pattern_and_those_that_could_take_for_ever_are_a_loss(
    pattern: str, kept: bool, checked: bool
) -> None:
    made = recipe_of({"parameters": [parameter("a", schema={"type": "string", "pattern": pattern})]})

    assert ("pattern" in made.input_schema["properties"]["a"]) is kept
    assert ("Pattern: " in made.input_schema["properties"]["a"].get("description", "")) is not kept
    assert any("its pattern is not checked before a call" in loss for loss in made.losses) is not checked


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


def test_a_schema_that_refers_to_nothing_takes_any_value_and_says_so() -> None:
    made = recipe_of({"parameters": [parameter("a", schema={"$ref": "#/components/schemas/Gone"})]})

    assert made.input_schema["properties"] == {"a": {}}
    assert made.losses == ["a refers to #/components/schemas/Gone, which is not there."]


def test_a_tool_that_needs_too_much_is_none() -> None:
    properties = {f"{'x' * 60}{number}": {"type": "string"} for number in range(3_000)}
    schema = {"type": "object", "properties": properties, "required": list(properties)}

    with pytest.raises(SpecInvalid, match="larger than 256 KiB"):
        recipe_of({"requestBody": json_body(schema)})


def test_what_is_too_much_for_one_tool_is_left_out_from_the_end() -> None:
    properties = {f"field{number:03}": {"type": "string", "description": "x" * 200} for number in range(900)}
    schema = {"type": "object", "properties": properties, "required": ["field899"]}

    made = recipe_of({"requestBody": json_body(schema)})

    shown = list(made.input_schema["properties"])
    assert len(json.dumps(made.input_schema)) < 25 * 1024
    assert (shown[0], shown[-1], len(shown) > 300) == ("field000", "field899", True)
    assert made.request_body is not None
    assert list(made.request_body["fields"]) == shown
    [loss] = made.losses
    assert loss.startswith("There are too many optional arguments for one tool; left out: ")
    assert f"and {900 - len(shown) - 10} more" in loss


def test_a_recipe_is_plain_json() -> None:
    operation = one_operation(
        {"requestBody": json_body({"type": "object", "properties": {"a": True, "b": {"const": None}}})}
    )

    made = recipe(operation)

    assert json.loads(json.dumps(made.input_schema, allow_nan=False)) == made.input_schema
    assert made.input_schema["properties"] == {"a": {}, "b": {"type": "null"}}


@pytest.mark.parametrize(
    ("path", "declared", "literal"),
    [
        ("/v1/{+name}", "name", "+name"),
        ("/{bucket}/{key+}", "key", "key+"),
        ("/x/{id:[0-9]+}", "id", "id:[0-9]+"),
        ("/x/{ID}", "id", "ID"),
    ],
)
def test_a_placeholder_that_says_more_is_filled_in_where_it_stands(
    path: str, declared: str, literal: str
) -> None:
    made = recipe_of({"parameters": [parameter(declared, "path")]}, path=path)

    [entry] = [entry for entry in made.parameters if entry["name"] == literal]
    assert (entry["argument"], entry["in"], entry["required"]) == (declared, "path", True)
    assert entry.get("allow_reserved", False) == ("+" in (literal[0], literal[-1]))


def test_styles_are_taken_from_the_document_and_those_of_another_place_are_replaced() -> None:
    raw = [
        parameter("a", "path", style="matrix", explode=True),
        parameter("b", style="pipeDelimited", explode=False, allowReserved=True),
        parameter("c", style="matrix"),
        parameter("d", "cookie"),
    ]

    made = recipe_of({"parameters": raw}, path="/x/{a}")

    assert [(p["style"], p["explode"], p.get("allow_reserved", False)) for p in made.parameters] == [
        ("matrix", True, False), ("pipeDelimited", False, True), ("form", True, False), ("form", True, False),
    ]  # fmt: skip
    assert made.losses == ["c: the style 'matrix' is none of its place; 'form' is used."]


def test_what_cannot_be_written_empty_has_to_have_something_in_it() -> None:
    raw = [
        parameter("id", "path"),
        parameter("ids", schema={"type": "array"}, required=True),
        parameter("filter", schema={"type": "object"}, required=True),
        parameter("more", schema={"type": "array"}),
    ]

    shown = recipe_of({"parameters": raw}, path="/x/{id}").input_schema["properties"]

    assert (shown["id"]["minLength"], shown["ids"]["minItems"], shown["filter"]["minProperties"]) == (1, 1, 1)
    assert shown["more"] == {"type": "array", "items": {}}


def test_null_is_offered_only_where_it_can_be_sent() -> None:
    nullable = {"type": ["string", "null"]}
    body = json_body({"type": "object", "properties": {"b": nullable}})

    shown = recipe_of({"parameters": [parameter("a", schema=nullable)], "requestBody": body}).input_schema

    assert shown["properties"] == {
        "a": {"type": "string"},
        "b": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }


def test_an_optional_body_without_properties_is_none() -> None:
    empty = {"type": "object", "properties": {}}

    assert recipe_of({"requestBody": json_body(empty, required=False)}, method="get").request_body is None
    assert recipe_of({"requestBody": json_body(empty)}).request_body is not None


def test_a_form_that_is_described_as_its_file_gets_a_part_for_it() -> None:
    content = {"multipart/form-data": {"schema": {"type": "string", "format": "binary"}}}

    made = recipe_of({"requestBody": {"required": True, "content": content}})

    assert made.request_body is not None
    assert made.request_body["fields"] == {"file": "file"}
    assert made.request_body["encoding"] == {"file": {"binary": True}}
    assert made.losses == [
        "The document does not name the part that the file is sent in; it is called `file`."
    ]
