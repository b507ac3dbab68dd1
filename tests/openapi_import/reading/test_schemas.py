"""Schemas as a model is shown them: without references, of a size, and allowing what the document allows."""

import time
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openapi_import.reading.parts import Part
from openapi_import.reading.schemas import Schemas

Object = dict[str, Any]
DEEP = 8


def schemas(named: Object, dialect: str = "3.1") -> Schemas:
    if dialect == "2.0":
        return Schemas({"swagger": "2.0", "definitions": named}, dialect)
    return Schemas({"openapi": f"{dialect}.0", "components": {"schemas": named}}, dialect)


def ref(name: str, **beside: Any) -> Object:
    return {"$ref": f"#/components/schemas/{name}"} | beside


def part_of(schema: Any, depth: int = DEEP, dialect: str = "3.1", **named: Any) -> Part:
    found = schemas(named, dialect).part(schema, depth)
    assert found is not None
    jsonschema.Draft202012Validator.check_schema(found.value)
    return found


def shown(schema: Any, depth: int = DEEP, dialect: str = "3.1", **named: Any) -> Any:
    return part_of(schema, depth, dialect, **named).value


def losses(part: Part) -> list[str]:
    return [f"{loss.path} {loss.text}".strip() for loss in part.losses]


STRING = {"type": "string"}
NULL = {"type": "null"}


# References


def test_what_is_referred_to_is_written_where_it_is_used() -> None:
    named = {"A/B C": {"type": "string", "maxLength": 3}, "Alias": ref("A~1B%20C")}

    assert shown({"type": "array", "items": ref("Alias")}, **named) == {
        "type": "array",
        "items": named["A/B C"],
    }


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("3.1", {"type": "string", "description": "Here.", "maxLength": 3, "minLength": 2}),
        ("3.0", {"type": "string", "description": "Here.", "minLength": 2}),
    ],
)
def test_what_stands_beside_a_reference_counts_from_3_1_on(dialect: str, expected: Object) -> None:
    named = {"A": {"type": "string", "description": "There.", "minLength": 2}}

    assert shown(ref("A", description="Here.", maxLength=3), dialect=dialect, **named) == expected


def test_a_property_may_be_called_like_a_keyword() -> None:
    names = [
        "default",
        "enum",
        "example",
        "$ref",
        "type",
        "properties",
        "required",
        "allOf",
        "nullable",
        "readOnly",
    ]
    schema = {"type": "object", "properties": dict.fromkeys(names, STRING)}

    assert shown(schema) == schema


# Sizes and circles

NODE = {"type": "object", "properties": {"name": STRING, "next": ref("Node")}}


def test_a_circle_is_written_out_as_deep_as_it_is_wanted_and_then_ends() -> None:
    end = part_of(ref("Node"), 0, Node=NODE)
    twice = part_of(ref("Node"), 2, Node=NODE)

    assert end.value == {"type": "object"}
    assert twice.value == {
        "type": "object",
        "properties": {
            "name": STRING,
            "next": {"type": "object", "properties": {"name": STRING, "next": end.value}},
        },
    }
    assert twice.cut
    assert losses(twice) == ["next.next has 2 more optional fields, left out for its size"]


def test_below_the_cut_only_what_is_required_is_kept() -> None:
    line = {
        "type": "object",
        "required": ["sku"],
        "properties": {"sku": STRING, "note": STRING, "tags": {"type": "array"}},
    }
    order = {"type": "object", "properties": {"lines": {"type": "array", "items": ref("Line")}}}

    cut = part_of(order, 1, Line=line)

    assert cut.value["properties"]["lines"]["items"] == {
        "type": "object", "properties": {"sku": STRING}, "required": ["sku"]
    }  # fmt: skip
    assert losses(cut) == ["lines[] has 2 more optional fields, left out for its size"]
    assert not part_of(order, 4, Line=line).cut


def test_what_all_of_requires_is_kept_wherever_it_is_described() -> None:
    schema = {"allOf": [{"required": ["a"]}, {"properties": {"a": STRING, "b": STRING}}], "required": ["b"]}

    assert shown(schema, 0) == {
        "type": "object",
        "required": ["b", "a"],
        "properties": {"a": STRING, "b": STRING},
    }


@pytest.mark.parametrize(
    ("next_one", "expected"),
    [
        ({"type": "array", "items": ref("Node")}, {"type": "array", "maxItems": 0}),
        ({"anyOf": [ref("Node"), STRING]}, STRING),
        ({"anyOf": [ref("Node"), NULL]}, NULL),
    ],
)
def test_a_circle_that_is_required_ends_where_the_document_lets_it(
    next_one: Object, expected: Object
) -> None:
    node = {"type": "object", "required": ["next"], "properties": {"next": next_one}}

    end = part_of(ref("Node"), 0, Node=node)

    assert end.value["properties"] == {"next": expected}
    assert end.losses


def test_a_nullable_circle_ends_with_null_in_3_0() -> None:
    node = {
        "type": "object",
        "required": ["next"],
        "properties": {"next": {"nullable": True, "allOf": [ref("Node")]}},
    }

    assert shown(ref("Node"), 0, "3.0", Node=node)["properties"] == {"next": NULL}


def test_a_circle_without_an_end_has_no_value() -> None:
    node = {"type": "object", "required": ["next"], "properties": {"next": ref("Node")}}

    assert schemas({"Node": node}).part(ref("Node"), 3) is None


@pytest.mark.parametrize("schema", [ref("A"), {"allOf": [ref("A")]}, {"anyOf": [ref("A"), ref("B")]}])
def test_circles_of_references_alone_end(schema: Object) -> None:
    named = {"A": {"anyOf": [ref("B"), STRING]}, "B": {"oneOf": [ref("A"), {"type": "integer"}]}}

    assert {"type": "string"} in shown(schema, **named)["anyOf"]


def test_what_grows_without_end_takes_no_time() -> None:
    named = {
        f"S{n}": {"type": "object", "required": ["a", "b"], "properties": {
            letter: {"anyOf": [ref(f"S{(n * 7 + i) % 50}"), ref(f"S{(n * 3 + i) % 50}")]}
            for i, letter in enumerate("abcdef")
        }}
        for n in range(50)
    }  # fmt: skip
    made = schemas(named)

    began = time.process_time()
    for depth in range(DEEP + 1):
        made.begin()
        made.part(ref("S0"), depth)

    assert time.process_time() - began < 5


# Combinations


def test_all_of_becomes_one_schema() -> None:
    base = {
        "type": "object",
        "properties": {"id": {"type": "string", "minLength": 1}, "kind": STRING},
        "required": ["id"],
    }
    schema = {
        "allOf": [
            ref("Base"),
            {"properties": {"id": {"maxLength": 9}, "n": {"type": "integer"}}, "required": ["n"]},
        ],
        "description": "Both.",
    }

    assert shown(schema, Base=base) == {
        "type": "object",
        "properties": {
            "id": {"type": "string", "minLength": 1, "maxLength": 9}, "kind": STRING, "n": {"type": "integer"},
        },
        "required": ["id", "n"],
        "description": "Both.",
    }  # fmt: skip


def test_a_choice_keeps_its_branches_and_each_has_the_common_rules() -> None:
    schema = {
        "type": "object",
        "properties": {"id": STRING},
        "oneOf": [
            {"properties": {"a": STRING}, "required": ["a"]},
            {"properties": {"b": STRING}},
            {"type": "null"},
        ],
    }

    found = shown(schema)

    assert found == {"anyOf": [
        {"type": "object", "properties": {"id": STRING, "a": STRING}, "required": ["a"]},
        {"type": "object", "properties": {"id": STRING, "b": STRING}},
        NULL,
    ]}  # fmt: skip


@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
def test_the_branches_of_a_discriminator_know_their_value(dialect: str) -> None:
    named = {
        "Pet": {"oneOf": [ref("Cat"), ref("Dog")],
                "discriminator": {"propertyName": "kind", "mapping": {"tom": "#/components/schemas/Cat"}}},
        "Cat": {"type": "object", "properties": {"kind": STRING, "lives": {"type": "integer"}}},
        "Dog": {"type": "object", "properties": {"bark": STRING}},
    }  # fmt: skip

    cat, dog = shown(ref("Pet"), dialect=dialect, **named)["anyOf"]

    assert cat["properties"]["kind"] == {"type": "string", "enum": ["tom"]}
    assert dog["properties"]["kind"] == {"type": "string", "enum": ["Dog"]}
    assert cat["required"] == dog["required"] == ["kind"]


def test_a_base_stands_for_those_that_inherit_from_it() -> None:
    named = {
        "Pet": {
            "type": "object",
            "discriminator": "kind",
            "required": ["kind"],
            "properties": {"kind": STRING},
        },
        "Cat": {"allOf": [{"$ref": "#/definitions/Pet"}, {"properties": {"lives": {"type": "integer"}}}]},
        "Dog": {"allOf": [{"$ref": "#/definitions/Pet"}], "x-ms-discriminator-value": "woof"},
    }

    branches = shown({"$ref": "#/definitions/Pet"}, dialect="2.0", **named)["anyOf"]

    assert [branch["properties"]["kind"]["enum"] for branch in branches] == [["Cat"], ["woof"]]
    assert branches[0]["properties"]["lives"] == {"type": "integer"}
    alone = shown({"$ref": "#/definitions/Cat"}, dialect="2.0", **named)
    assert set(alone["properties"]) == {"kind", "lives"}


def test_a_child_of_a_choice_inherits_and_does_not_choose_again() -> None:
    named = {
        "Pet": {"oneOf": [ref("Cat")], "discriminator": {"propertyName": "kind"}, "type": "object",
                "properties": {"kind": STRING}},
        "Cat": {"allOf": [ref("Pet"), {"properties": {"lives": {"type": "integer"}}}]},
    }  # fmt: skip

    assert set(shown(ref("Cat"), **named)["properties"]) == {"kind", "lives"}
    assert set(shown({"allOf": [ref("Pet")]}, **named)["properties"]) == {"kind", "lives"}


# Types, null, values


@pytest.mark.parametrize(
    ("dialect", "schema", "expected"),
    [
        ("3.0", {"type": "string", "nullable": True, "enum": ["x", None]},
         {"anyOf": [{"type": "string", "enum": ["x"]}, NULL]}),
        ("2.0", {"type": "string", "x-nullable": True}, {"anyOf": [STRING, NULL]}),
        ("3.1", {"type": "string", "nullable": True}, STRING),
        ("3.1", {"type": ["string", "null"]}, {"anyOf": [STRING, NULL]}),
        ("3.1", {"type": ["integer", "string"], "minimum": 1, "maxLength": 3},
         {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "maxLength": 3}]}),
        ("3.1", {"enum": ["a", None]}, {"anyOf": [{"type": "string", "enum": ["a"]}, NULL]}),
        ("3.1", {"const": "a"}, {"type": "string", "enum": ["a"]}),
        ("3.1", {"type": "integer", "enum": [1, 2, 3]}, {"type": "integer", "minimum": 1, "maximum": 3}),
        ("3.0", {"type": "integer", "enum": ["7"]}, {"type": "integer", "const": 7}),
        ("3.0", {"type": "string", "enum": [True, 1.5]}, {"type": "string", "enum": ["true", "1.5"]}),
        ("3.0", {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": False},
         {"type": "number", "exclusiveMinimum": 0, "maximum": 9}),
        ("3.1", {"type": "number", "exclusiveMinimum": 0}, {"type": "number", "exclusiveMinimum": 0}),
        ("3.0", {"type": "integer", "default": "10"}, {"type": "integer", "default": 10}),
        ("3.0", {"type": "integer", "default": "many", "example": "x"}, {"type": "integer"}),
        ("3.0", {"type": "string", "example": "e"}, {"type": "string", "examples": ["e"]}),
        ("3.0", {"type": "string", "enum": ["a"], "default": "b"}, {"type": "string", "enum": ["a"]}),
        ("3.0", {"properties": {"a": STRING}}, {"type": "object", "properties": {"a": STRING}}),
        ("3.0", {"type": "String"}, STRING),
        ("3.0", {"type": "file"}, STRING),
        ("3.0", {"type": "widget"}, {}),
        ("3.1", {"prefixItems": [STRING, {"type": "integer"}], "minItems": 2},
         {"type": "array", "minItems": 2, "items": {"anyOf": [STRING, {"type": "integer"}]}}),
        ("3.1", {"type": "array", "items": False}, {"type": "array", "maxItems": 0}),
        ("3.1", {"type": "object", "properties": {"a": True, "b": False}}, {"type": "object", "properties": {"a": {}}}),
        ("3.1", {"type": "object", "additionalProperties": False}, {"type": "object", "additionalProperties": False}),
        ("3.1", {"type": "string", "minLength": 5, "maxLength": 2}, STRING),
        ("3.1", True, {}),
        ("3.1", "nonsense", {}),
    ],
)  # fmt: skip
def test_every_dialect_means_the_same_in_the_end(dialect: str, schema: Any, expected: Object) -> None:
    assert shown(schema, dialect=dialect) == expected


def test_values_in_numbers_that_do_not_follow_each_other_are_listed_one_by_one() -> None:
    found = shown({"type": "integer", "enum": [10, 20], "description": "How many."})

    assert found["anyOf"] == [{"type": "integer", "const": 10}, {"type": "integer", "const": 20}]
    assert found["description"] == "How many. One of 10, 20."


def test_what_is_only_answered_is_left_out_and_what_is_only_asked_stays() -> None:
    schema = {
        "type": "object",
        "required": ["id", "by_reference", "secret"],
        "properties": {
            "id": {"readOnly": True},
            "by_reference": ref("Id"),
            "secret": {"type": "string", "writeOnly": True},
        },
    }

    assert shown(schema, Id={"type": "string", "readOnly": True}) == {
        "type": "object", "properties": {"secret": STRING}, "required": ["secret"]
    }  # fmt: skip


def test_rules_that_providers_do_not_take_are_named() -> None:
    schema = {
        "type": "object", "properties": {"a": STRING}, "not": {"required": ["a"]}, "if": {}, "then": {},
        "patternProperties": {"^x": STRING},
    }  # fmt: skip

    part = part_of({"type": "object", "properties": {"it": schema}})

    assert part.value["properties"]["it"] == {"type": "object", "properties": {"a": STRING}}
    assert losses(part) == [
        "it has the rule `not`, which only the business system checks",
        "it has the rule `if`, which only the business system checks",
        "it has rules for names of a pattern, which only the business system checks",
    ]


def test_a_list_of_values_that_is_too_long_is_told_by_example() -> None:
    part = part_of({"type": "string", "enum": [f"value {n}" for n in range(30_000)]})

    assert part.value["description"].startswith("One of 30000 values, for example value 0, value 1, ")
    assert losses(part) == ["is one of 30000 values, which are not listed"]


def test_descriptions_are_one_plain_line_of_a_length() -> None:
    text = (
        "<p>The  <b>first</b> [sentence](https://a.example/b?c=d) of some length.</p>\n\nThe second one is here."
        + " More words." * 60
    )

    found = shown({"type": "string", "description": text})["description"]

    assert found.startswith("The first sentence of some length. The second one is here. More words.")
    assert len(found) <= 300
    assert found.endswith("words.")


# For every schema

LEAVES = st.sampled_from(
    [STRING, {"type": "integer"}, {"type": "boolean"}, NULL, {"enum": ["a", "b"]}, {}, {"type": ["string", "null"]},
     ref("A"), ref("B"), {"type": "number", "minimum": 1}]
)  # fmt: skip
SCHEMA: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            },
            optional={
                "required": st.lists(st.sampled_from("abc"), unique=True),
                "additionalProperties": st.booleans(),
            },
        ),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@example(
    {"type": "object", "properties": {"c": {"$ref": "#/components/schemas/B"}}},
    {"allOf": [{"$ref": "#/components/schemas/B"}]},
    {"allOf": [{"$ref": "#/components/schemas/A"}]},
    4,
    "2.0",
)
@given(SCHEMA, SCHEMA, SCHEMA, st.integers(0, 4), st.sampled_from(["2.0", "3.0", "3.1", "3.2"]))
def test_any_schema_becomes_one_that_providers_take(
    schema: Any, a: Any, b: Any, depth: int, dialect: str
) -> None:
    made = Schemas({"components": {"schemas": {"A": a, "B": b}}}, dialect)

    part = made.part(schema, depth)

    if part is not None:
        jsonschema.Draft202012Validator.check_schema(part.value)
        assert not list(_refused(part.value))
        assert made.part(schema, depth) == part


def _refused(schema: Any) -> Any:
    """Keywords that one of the providers refuses or misreads."""
    assert isinstance(schema, dict)
    yield from {"$ref", "$defs", "allOf", "oneOf", "prefixItems", "nullable"} & schema.keys()
    if isinstance(schema.get("type"), list) or None in schema.get("enum", []):
        yield "null"
    for name in schema.get("properties", {}):
        yield from _refused(schema["properties"][name])
    for inner in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        yield from _refused(inner)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _refused(schema["additionalProperties"])


@pytest.mark.parametrize(
    "make",
    [
        lambda n: {
            "type": "object", "required": ["a", "b"], "properties": {"a": ref(f"S{n + 1}"), "b": ref(f"S{n + 1}")}
        },
        lambda n: {
            "anyOf": [*({"type": "array", "minItems": 1, "items": ref(f"S{n + 1}")} for _ in "ab"), ref(f"S{n + 2}")]
        },
        lambda n: {"allOf": [{"anyOf": [ref(f"S{n + 1}"), {"properties": {f"{mark}{n}": {}}}]} for mark in "ab"]},
    ],
)  # fmt: skip
def test_what_doubles_with_every_step_stays_small(make: Any) -> None:
    named = {f"S{n}": make(n) for n in range(300)} | {"S300": STRING, "S301": STRING}

    began = time.process_time()
    sizes = [len(str(shown(ref("S0"), depth, **named))) for depth in (0, 3)]

    assert max(sizes) < 30_000
    assert time.process_time() - began < 5
