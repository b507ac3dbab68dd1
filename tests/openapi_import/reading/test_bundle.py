"""References that lead out of the document: asked for once, made local, refused in words."""

import json
from typing import Any

import pytest

from openapi_import.errors import SpecInvalid
from openapi_import.reading.bundle import Limits, bundle
from openapi_import.reading.faults import Faults
from openapi_import.reading.operations import Spec
from openapi_import.reading.references import follow
from openapi_import.reading.text import read_text
from tests.openapi_import.documents import document, parameter

HERE = "https://shop.example/api/openapi.json"
Object = dict[str, Any]


class Web:
    """Documents by address. `asked` is what was asked for, in order."""

    def __init__(self, **documents: Any) -> None:
        self.documents = {f"https://shop.example/{path}": content for path, content in documents.items()}
        self.asked: list[str] = []
        self.faults = Faults()

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.documents:
            raise SpecInvalid("There is no document at this address (status 404).")
        content = self.documents[url]
        return content.encode() if isinstance(content, str) else json.dumps(content).encode()

    def bundled(self, made: Object | str, base_url: str = HERE, **limits: int) -> Object:
        text = read_text((made if isinstance(made, str) else json.dumps(made)).encode())
        found, self.done = bundle(
            text, base_url=base_url, faults=self.faults, fetch=self.fetch, limits=Limits(**limits)
        )
        return found


def web(documents: dict[str, Any]) -> Web:
    return Web(**documents)


def body(reference: str) -> Object:
    return {"requestBody": {"content": {"application/json": {"schema": {"$ref": reference}}}}}


def body_schema(found: Object, path: str = "/a") -> Any:
    media = found["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return follow(found, media["schema"])


def test_a_document_that_refers_to_itself_only_is_left_alone() -> None:
    there = web({})
    made = document(
        {"/a": {"post": body("#/components/schemas/A")}}, components={"schemas": {"A": {"type": "null"}}}
    )

    assert there.bundled(made) == made
    assert (there.asked, there.done) == ([], None)


def test_chains_of_documents_are_followed_relative_to_each_and_once() -> None:
    there = web(
        {
            "api/paths/a.yaml": """
post:
  parameters: [{$ref: '../../shared/parameters.json#/limit'}]
  requestBody:
    content: {application/json: {schema: {$ref: 'schemas.yaml#/Order'}}}
""",
            "shared/parameters.json": {"limit": parameter("limit"), "unused": {"$ref": "never.json"}},
            "api/paths/schemas.yaml": """
Order:
  properties:
    next: {$ref: '#/Order'}
    item: {$ref: '../openapi.json#/components/schemas/Item'}
    whole: {$ref: 'item%20of.yaml'}
Unused: {$ref: nowhere.yaml}
""",
            "api/paths/item%20of.yaml": "{type: object, properties: {again: {$ref: 'schemas.yaml#/Order'}}}",
        }
    )
    made = document({"/a": {"$ref": "paths/a.yaml"}}, components={"schemas": {"Item": {"type": "string"}}})

    found = there.bundled(made)

    assert sorted(there.asked) == sorted(there.documents)
    assert list(there.faults) == []
    (operation,) = Spec(found, there.faults).operations()
    assert [one.name for one in operation.parameters] == ["limit"]
    assert operation.request_body is not None
    order = follow(found, operation.request_body.content["application/json"].schema)
    assert follow(found, order["properties"]["next"]) is order
    assert follow(found, order["properties"]["item"]) == {"type": "string"}
    assert follow(found, follow(found, order["properties"]["whole"])["properties"]["again"]) is order
    assert there.done is not None
    assert [one["url"] for one in there.done.documents] == there.asked
    assert '"$ref": "#/' in json.dumps(found)
    assert "never.json" in json.dumps(found)  # what nobody reaches stays as it was


def test_data_that_looks_like_a_reference_is_none() -> None:
    data = {"$ref": "https://evil.example/x"}
    schema = {
        "example": data, "default": data, "enum": [data], "x-note": data, "const": data,
        "properties": {"$ref": {"type": "string"}, "example": {"$ref": "#"}, "default": {"type": "integer"}},
    }  # fmt: skip
    there = web({})

    found = there.bundled(
        document({"/a": {"post": body("#/components/schemas/A")}}, components={"schemas": {"A": schema}})
    )

    assert (there.asked, list(there.faults)) == ([], [])
    assert body_schema(found) == schema


@pytest.mark.parametrize(
    ("reference", "base_url", "message"),
    [
        ("https://shop.example/gone.json#/A", HERE,
         "https://shop.example/gone.json could not be read. There is no document at this address (status 404)."),
        ("broken.json", HERE, "https://shop.example/api/broken.json could not be read. "
         "The document is neither JSON nor YAML "
         "(line 1, column 2: Expecting property name enclosed in double quotes)."),
        ("file:///etc/passwd", HERE, "The reference 'file:///etc/passwd' does not lead to a web address."),
        ("data:,{}", HERE, "The reference 'data:,{}' does not lead to a web address."),
        ("other.json", "", "The reference 'other.json' leads to another file, and where this document comes from is "
         "not known. Import it from its address, or put both into one document."),
        ("#nowhere", HERE, "The reference '#nowhere' points to nothing."),
    ],
)  # fmt: skip
def test_a_reference_that_cannot_be_followed_is_a_fault_of_what_needs_it(
    reference: str, base_url: str, message: str
) -> None:
    there = web({"api/broken.json": "{"})
    item = {"$ref": reference}
    made = document({"/a": {"post": {"parameters": [item]}}, "/b": {"get": {}}})

    found = there.bundled(made, base_url)
    operations = list(Spec(found, there.faults).operations())

    assert [(one.path, bool(one.unusable)) for one in operations] == [("/a", True), ("/b", False)]
    assert [(fault.pointer, fault.message) for fault in there.faults if fault.severity == "error"] == [
        ("/paths/~1a/post/parameters/0/$ref", message)
    ]


def test_an_address_that_was_refused_is_not_asked_for_again() -> None:
    there = web({})

    there.bundled(document({f"/{n}": {"post": body(f"gone.json#/{n}")} for n in range(3)}))

    assert there.asked == ["https://shop.example/api/gone.json"]
    assert len(list(there.faults)) == 3


def test_documents_bytes_and_nodes_are_limited_over_all_documents() -> None:
    documents = {f"api/d{n}.json": {"A": {"description": "x" * 1_000, "enum": [0] * 100}} for n in range(10)}
    made = document({f"/{n}": {"post": body(f"d{n}.json#/A")} for n in range(10)})

    for limits, most, words in (
        ({"documents": 4}, 3, "refers to more than 3 others"),
        ({"bytes": 8_000}, 10, "larger than"),
        ({"nodes": 500}, 10, " values."),
    ):
        there = web(documents)
        there.bundled(made, **limits)
        assert len(there.asked) <= most
        assert there.done is not None
        assert 0 < len(there.done.documents) < 10
        assert words in [fault.message for fault in there.faults][-1]


def test_faults_of_another_document_name_it() -> None:
    there = web(
        {"api/p.json": {"post": {"parameters": [{"$ref": "#/gone"}, {"$ref": "q.json"}], "x": "\ud800"}}}
    )

    found = there.bundled(document({"/a": {"$ref": "p.json"}}))
    list(Spec(found, there.faults).operations())

    url = "https://shop.example/api/p.json"
    assert {(fault.document, fault.pointer) for fault in there.faults} >= {
        (url, "/post/x"), (url, "/post/parameters/0/$ref"), (url, "/post/parameters/1/$ref"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "reference", ["Item", "#item", "https://ids.example/item", "#components/schemas/Item"]
)
def test_names_anchors_and_ids_are_found(reference: str) -> None:
    item = {"$anchor": "item", "$id": "https://ids.example/item", "type": "string"}
    there = web({})

    found = there.bundled(document({"/a": {"post": body(reference)}}, components={"schemas": {"Item": item}}))

    assert body_schema(found) == item
    assert (there.asked, list(there.faults)) == ([], [])


def test_a_documents_own_address_counts_from_3_2_on() -> None:
    there = web({"v2/a.json": {"type": "integer"}})

    found = there.bundled(document({"/a": {"post": body("a.json")}}) | {"$self": "/v2/openapi.json"})

    assert body_schema(found) == {"type": "integer"}


def test_an_alias_is_rewritten_once() -> None:
    """Here it is met as a map of names and as a schema."""
    aliased = "A: {properties: &p {$ref: '#/names'}}\nB: {items: *p}\nnames: {x: {type: string}}"
    there = web({"api/d.yaml": aliased})

    found = there.bundled(document({"/a": {"post": body("d.yaml#/A")}, "/b": {"post": body("d.yaml#/B")}}))

    names = {"x": {"type": "string"}}
    assert follow(found, body_schema(found, "/a")["properties"]) == names
    assert follow(found, body_schema(found, "/b")["items"]) == names
