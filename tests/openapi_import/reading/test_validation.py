"""The faults of a document as a whole: listed with their place, and nothing is left out because of them."""

from typing import Any

import pytest

from openapi_import.reading.faults import MAX_FAULTS, Faults
from openapi_import.reading.validation import advise
from tests.openapi_import.documents import document

OK = {"responses": {"200": {"description": "ok"}}}


def faults_of(made: dict[str, Any], dialect: str = "3.1") -> list[tuple[str, str]]:
    faults = Faults()
    advise(made, dialect, faults)
    return [(fault.pointer, fault.severity) for fault in faults]


def test_a_good_document_has_none() -> None:
    tree = {"type": ["object", "null"], "properties": {"next": {"$ref": "#/components/schemas/Tree"}}}
    odd_names = {
        "properties": {"type": {"type": "string"}, "$ref": {"type": "string"}, "enum": {"enum": ["a"]}}
    }
    data = {
        "example": {"$ref": "#/nowhere", "type": 1},
        "x-a": {"$ref": "#/nowhere"},
        "default": {"type": []},
    }

    made = document(
        {"/a": {"get": OK}}, components={"schemas": {"Tree": tree, "Odd": odd_names, "Data": data}}
    )

    assert faults_of(made) == []


@pytest.mark.parametrize(
    ("more", "pointer", "severity"),
    [
        ({"info": None}, "/info", "warning"),
        ({"info": {"title": "x"}}, "/info/version", "warning"),
        ({"servers": {}}, "/servers", "error"),
        ({"components": []}, "/components", "error"),
        ({"components": {"schemas": {"A": {"type": "text"}}}}, "/components/schemas/A/type", "warning"),
        ({"components": {"schemas": {"A": {"items": {"type": ["x"]}}}}}, "/components/schemas/A/items/type", "warning"),
        ({"components": {"schemas": {"a/b": {"allOf": [{"properties": []}]}}}},
         "/components/schemas/a~1b/allOf/0/properties", "warning"),
        ({"components": {"schemas": {"A": {"required": True}}}}, "/components/schemas/A/required", "warning"),
        ({"components": {"schemas": {"A": {"properties": {"p": {"$ref": "#/gone"}}}}}},
         "/components/schemas/A/properties/p/$ref", "error"),
        ({"paths": {"/a/{x}": {"get": OK}, "/a/{y}": {"put": OK}}}, "/paths/~1a~1{y}", "warning"),
    ],
)  # fmt: skip
def test_a_fault_is_listed_with_its_place(more: dict[str, Any], pointer: str, severity: str) -> None:
    assert faults_of(document({}) | more) == [(pointer, severity)]


def test_there_is_an_end_to_listing_them() -> None:
    schemas = {f"A{number}": {"type": "text"} for number in range(MAX_FAULTS + 5)}

    found = faults_of(document({}, components={"schemas": schemas}))

    assert len(found) == MAX_FAULTS + 1
    assert found[-1] == ("", "warning")
