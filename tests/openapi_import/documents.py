"""Small documents for the tests of the import."""

from typing import Any

from openapi_import.reading.operations import Operation, parse
from openapi_import.reading.recipes import Recipe, recipe

Object = dict[str, Any]


def document(paths: Object, *, version: str = "3.1.0", **more: Any) -> Object:
    return {"openapi": version, "info": {"title": "Shop", "version": "1"}, "paths": paths, **more}


def one_operation(raw: Object, *, method: str = "post", path: str = "/orders", **more: Any) -> Operation:
    """The one operation of a document that has no other."""
    parsed = parse(document({path: {method: raw}}, **more))
    assert parsed.unusable == ()
    (operation,) = parsed.operations
    return operation


def recipe_of(raw: Object, **more: Any) -> Recipe:
    return recipe(one_operation(raw, **more))


def json_body(schema: Any, **more: Any) -> Object:
    return {"required": True, "content": {"application/json": {"schema": schema}}} | more


def parameter(name: str, place: str = "query", schema: Any = None, **more: Any) -> Object:
    return {"name": name, "in": place, "schema": {"type": "string"} if schema is None else schema} | more
