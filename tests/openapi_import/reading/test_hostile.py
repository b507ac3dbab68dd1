"""A document with anything anywhere is refused or skipped in words; it never breaks the reader."""

import copy
import random
from typing import Any

import jsonschema
import pytest

from openapi_import.errors import SpecInvalid
from openapi_import.reading.operations import parse
from openapi_import.reading.recipes import recipe
from openapi_import.reading.servers import server_url
from smartsupport.demo.document import build
from smartsupport.lib.ids import canonical_json

JUNK: list[Any] = [
    None, True, 0, -1, 1.5, "", "x", "\u202e", "#", "#/", "#/%ZZ", "#/paths", "{" * 50,
    [], [None], [[]], [{}], {}, {"$ref": 1}, {"$ref": "#"}, {"$ref": "#/components"},
    {"$ref": "https://evil.example/"}, {"type": {}}, {"type": ["object", 1]}, {"allOf": [{}]},
    {"properties": []},
    {"properties": {"a": None}}, {"enum": {}}, {"required": [{}]},
    {"type": "object", "properties": {"__proto__": {}, "": {}}},
    {"oneOf": [{"$ref": "#/components/schemas/Money"}]},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in inner for place in places(child, (*path, key)))]


def put(document: Any, path: tuple[Any, ...], junk: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = copy.deepcopy(junk)


@pytest.mark.parametrize("seed", range(10))
def test_junk_anywhere_is_refused_in_words(seed: int) -> None:
    dice = random.Random(seed)
    usable = 0
    for _ in range(8):
        document = copy.deepcopy(build())
        for _ in range(dice.randint(1, 3)):
            put(document, dice.choice([place for place in places(document) if place]), dice.choice(JUNK))
        try:
            operations = parse(document).operations
        except SpecInvalid:
            continue
        for operation in operations:
            try:
                made = recipe(operation)
                server_url(operation.servers, "https://shop.example/openapi.json")
            except SpecInvalid:
                continue
            usable += 1
            canonical_json([made.parameters, made.request_body])
            jsonschema.Draft202012Validator.check_schema(made.input_schema)
            assert len(made.input_schema["properties"]) == len(made.parameters) + arguments_in(
                made.request_body
            )

    assert usable > 20


def arguments_in(request_body: dict[str, Any] | None) -> int:
    if not request_body:
        return 0
    return 1 if "argument" in request_body else len(request_body["fields"])
