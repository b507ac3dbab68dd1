"""Anything at all, through the whole of reading: lines or one sentence, in little time, and never an exception."""

import copy
import json
import string
import time
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openapi_import import reader
from openapi_import.errors import SpecInvalid
from openapi_import.reading.child import BROKEN, Failed, Line, Orders, encoded, read

Object = dict[str, Any]
KINDS = {"stage", "header", "fault", "listed", "operation"}
HERE = "https://shop.example/api/openapi.json"

ORDER = {"$ref": "#/components/schemas/Order"}
FILE = {"type": "string", "format": "binary"}
SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "next": {"$ref": "#/components/schemas/Order"},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        "kind": {"oneOf": [{"type": "string", "format": "date"}, {"$ref": "#/components/schemas/Kind"}]},
    },
    "discriminator": {"propertyName": "kind", "mapping": {"a": "#/components/schemas/Kind"}},
}
THREE: Object = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "https://{where}.shop.example", "variables": {"where": {"default": "eu", "enum": ["eu"]}}}],
    "security": [{"key": []}],
    "paths": {
        "/orders/{id}": {
            "parameters": [{"$ref": "#/components/parameters/id"}],
            "get": {
                "operationId": "getOrder",
                "parameters": [
                    {"name": "f", "in": "query", "style": "deepObject", "schema": ORDER},
                    {"name": "j", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}},
                ],
                "responses": {"200": {"content": {"application/json": {"schema": ORDER}}}},
            },
            "put": {
                "operationId": "getOrder",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Order"}},
                        "multipart/form-data": {
                            "schema": {"type": "object", "properties": {"file": FILE}},
                            "encoding": {"file": {"contentType": "image/png"}},
                        },
                    },
                },
                "callbacks": {"done": {"{$url}": {"post": {"summary": "x"}}}},
                "security": [{"oauth": ["w"]}, {}],
            },
        },
        "/other": {"$ref": "other.json#/item"},
    },
    "webhooks": {"paid": {"post": {}}},
    "components": {
        "parameters": {"id": {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}},
        "schemas": {"Order": SCHEMA, "Kind": {"allOf": [{"$ref": "#/components/schemas/Order"}], "nullable": True}},
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
            "oauth": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/t", "scopes": {"w": "Write"}}}},
        },
    },
}  # fmt: skip
TWO: Object = {
    "swagger": "2.0",
    "info": {"title": "Shop", "version": "1"},
    "host": "shop.example",
    "basePath": "/v1",
    "schemes": ["https"],
    "consumes": ["application/json"],
    "securityDefinitions": {"o": {"type": "oauth2", "flow": "accessCode", "tokenUrl": "/t", "scopes": {"r": "R"}}},
    "paths": {
        "/a/{x}": {
            "get": {
                "parameters": [
                    {"name": "x", "in": "path", "required": True, "type": "string"},
                    {"name": "l", "in": "query", "type": "array", "items": {}, "collectionFormat": "pipes"},
                ],
                "responses": {"200": {"schema": {"$ref": "#/definitions/A"}}},
            },
            "post": {"parameters": [{"name": "b", "in": "body", "schema": {"$ref": "#/definitions/A"}}]},
            "put": {"parameters": [{"name": "f", "in": "formData", "type": "file"}], "consumes": ["a/b"]},
        }
    },
    "definitions": {"A": {"type": "object", "properties": {"a": {"$ref": "#/definitions/A"}}, "x-nullable": True}},
}  # fmt: skip

WORDS = sorted(
    {
        "$ref",
        "$id",
        "$anchor",
        "$self",
        "allOf",
        "anyOf",
        "additionalOperations",
        "query",
        "trace",
        "x-webhooks",
        "",
        "~1",
    }
    | {key for made in (THREE, TWO) for key in json.dumps(made).split('"')[1::2]}
)
REFERENCES = st.sampled_from(
    ["#", "#/", "#/paths", "#/components/schemas/Order", "#/definitions/A", "#/%ZZ", "#a", "Order", "other.json", "//",
     "http:", "https://[", "file:///etc/passwd", "#/x-documents/other/item", "other.json#/item/get/parameters/0",
     "\ud800", "{" * 99]
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(WORDS)
    | st.sampled_from([10**400, -1, 2**64, 1e308, "x" * 70_000])
    | st.builds(lambda reference: {"$ref": reference}, REFERENCES)
)
VALUES = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), below, max_size=4)
        | st.builds(lambda value: {"$ref": value}, below)
    ),
    max_leaves=8,
)
PATIENTLY = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
OTHER = json.dumps({"item": {"get": {"parameters": [{"name": "q", "in": "query"}]}}}).encode()


def fetched(url: str) -> bytes:
    if url != "https://shop.example/api/other.json":
        raise SpecInvalid("Nothing there.")
    return OTHER


def lines_of(content: bytes, *, strict: bool = False) -> list[Line]:
    """All that the process would say of it; its own last line for a document that it refuses."""
    orders = Orders(len(content), 512, 60, 10_000_000, 5, base_url=HERE, strict=strict)
    found: list[Line] = []
    try:
        for line in read(content, orders, fetched):
            found.append(line)
    except Failed as error:
        found.append({"kind": "failed", "message": error.message})
    return found


def check(content: bytes) -> list[Line]:
    begun = time.process_time()
    found = lines_of(content)
    assert time.process_time() - begun < 10
    for line in found:
        json.dumps(line)
        assert line["kind"] in KINDS | {"failed"}
        assert line.get("message") != BROKEN
        assert line.get("unusable") != BROKEN
        assert line.get("message", ".").endswith(".")
    names = [line["name"] for line in found if line["kind"] == "operation"]
    assert len(names) == len(set(names))
    return found


def test_what_the_fuzz_begins_with_is_whole() -> None:
    for made, total in ((THREE, 3), (TWO, 3)):
        found = check(json.dumps(made).encode())
        assert [line["unusable"] for line in found if line["kind"] == "operation"] == [""] * total


@settings(PATIENTLY, max_examples=150)
@given(st.binary(max_size=300))
def test_random_bytes(content: bytes) -> None:
    check(content)


@settings(PATIENTLY, max_examples=200)
@given(st.text(alphabet="&*<>|-?:{}[],\"'#%@!~=\n\t ab019.\\u", max_size=200))
def test_random_yaml(text: str) -> None:
    check(text.encode())


@settings(PATIENTLY, max_examples=200)
@given(st.data())
def test_real_documents_with_anything_anywhere(data: st.DataObject) -> None:
    made = copy.deepcopy(data.draw(st.sampled_from([THREE, TWO])))
    made["openapi" if "openapi" in made else "swagger"] = data.draw(
        st.sampled_from(["2.0", "3.0.3", "3.1.0", "3.2.0"]) if "openapi" in made else st.just("2.0")
    )
    for _ in range(data.draw(st.integers(1, 3))):
        value: Any = made
        while isinstance(value, dict | list) and value:
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(value[key], dict | list) or not value[key] or data.draw(st.integers(0, 3)) == 0:
                if isinstance(value, dict) and data.draw(st.booleans()):
                    value[data.draw(st.sampled_from(WORDS))] = data.draw(VALUES)
                else:
                    value[key] = data.draw(VALUES)
                break
            value = value[key]
    try:
        content = json.dumps(made).encode()
    except ValueError:  # an integer of more digits than Python writes
        return

    check(content)


@settings(PATIENTLY, max_examples=150)
@given(st.sampled_from([THREE, TWO]), st.booleans(), st.data())
def test_real_documents_with_broken_text(made: Object, as_yaml: bool, data: st.DataObject) -> None:
    text = yaml.safe_dump(made, sort_keys=False) if as_yaml else json.dumps(made, indent=1)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        upto = at + data.draw(st.sampled_from([0, 0, 1, 5, 50]))
        junk = data.draw(
            st.sampled_from(
                [*string.punctuation, "\n", " ", "\0", "&a", "*a", "- ", "<<: ", "{" * 500, "1e999"]
            )
        )
        text = text[:at] + junk + text[upto:]

    check(text.encode(errors="replace"))


@pytest.mark.parametrize(
    "content",
    [
        b'{"openapi":"3.1.0","paths":' + b'{"/":' * 100_000,
        b"openapi: 3.1.0\npaths: " + b"{a: " * 100_000,
        b"- " * 100_000,
        b"? " * 100_000,
        b"&a " * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        b"!" * 100_000,
        b"'" * 100_000,
        b'"\\' * 100_000,
        b"a: |\n" + b" " * 100_000,
        b"%" * 100_000,
        b"a: 1\n" * 100_000,
        b"{" + b"a," * 100_000,
        b'{"a":1' + b"0" * 100_000 + b"}",
        b"a: 0x" + b"f" * 1_000_000,
    ],
    ids=lambda content: content[:12].decode(),
)
def test_what_repeats_itself_ends_soon(content: bytes) -> None:
    assert check(content)[-1]["kind"] == "failed"


def test_a_small_document_of_endless_tools_is_given_up() -> None:
    item = {"get": {"description": "x" * 10_000}}
    paths = {"/a": item} | {f"/{n}": {"$ref": "#/paths/~1a"} for n in range(1_000)}
    content = json.dumps({"openapi": "3.1.0", "paths": paths}).encode()
    orders = Orders(len(content), 512, 60, 10_000_000, 5, base_url=HERE)
    said: list[bytes] = []

    with pytest.raises(Failed, match=r"would be larger than 1 MiB"):
        said.extend(encoded(read(content, orders, fetched), 1024 * 1024))

    assert 900_000 < sum(map(len, said)) <= 1024 * 1024


def test_the_process_survives_what_its_parts_survive() -> None:
    wide = {f"s{n}": {"$ref": f"#/components/schemas/s{n + 1}"} for n in range(5_000)}
    hostile: list[bytes] = [
        b"\xff" * 1_000,
        json.dumps(THREE).encode()[:-1],
        json.dumps(THREE | {"components": {"schemas": wide}}).encode(),
        json.dumps(THREE | {"paths": {"$ref": "#/paths"}}).encode(),
        json.dumps(THREE | {"components": {"$ref": "#"}}).encode(),
        yaml.safe_dump(TWO).replace("$ref", "<<").encode(),
    ]

    for content in hostile:
        found = list(reader.read(content, base_url=HERE, fetch=fetched, stop=lambda: False))
        assert found[-1]["kind"] in ("end", "failed")
        assert not any(line.get("message") == BROKEN for line in found)
