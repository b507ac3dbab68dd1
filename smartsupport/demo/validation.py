"""Checks a request against the document. It knows as much of JSON Schema as the document uses.

A value that fails is refused with 422 and one sentence. Where the schema carries `x-error-message`, a number
out of range is refused in those words, `{value}` standing for the number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from .errors import Refusal, invalid, malformed

Object = dict[str, Any]
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def follow(document: Object, node: Object) -> Object:
    """The component that a `$ref` names, or the node itself."""
    while "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def path_arguments(document: Object, item: Object, found: Mapping[str, str]) -> Object:
    """The checked values of the path's own parameters."""
    return {
        parameter["name"]: _from_text(
            parameter["name"], follow(document, parameter["schema"]), found[parameter["name"]]
        )
        for parameter in (follow(document, node) for node in item.get("parameters", []))
    }


def query_arguments(document: Object, operation: Object, query: Mapping[str, list[str]]) -> Object:
    """The checked query parameters, defaults filled in. A name that the operation lacks is refused."""
    declared = [follow(document, node) for node in operation.get("parameters", [])]
    parameters = {node["name"]: node for node in declared if node["in"] == "query"}
    for name, values in query.items():
        if name not in parameters:
            raise invalid(f"{name} is not a parameter of this operation.")
        if len(values) > 1:
            raise invalid(f"{name} must be given once.")
    arguments: Object = {}
    for name, parameter in parameters.items():
        schema = follow(document, parameter["schema"])
        if name in query:
            arguments[name] = _from_text(name, schema, query[name][0])
        elif parameter["required"]:
            raise invalid(f"{name} is missing.")
        elif "default" in schema:
            arguments[name] = schema["default"]
    return arguments


def body_arguments(document: Object, operation: Object, body: Any) -> Object:
    """The checked properties of the JSON body, defaults filled in. `body` is None where there was none."""
    request = operation.get("requestBody")
    if request is None:
        if body not in (None, {}):
            raise invalid("This operation takes no request body.")
        return {}
    if body is None:
        if request["required"]:
            raise malformed("The request body is missing. It must be a JSON object.")
        body = {}
    if not isinstance(body, dict):
        raise malformed("The request body must be a JSON object.")
    schema = follow(document, request["content"]["application/json"]["schema"])
    for name in body:
        if name not in schema["properties"]:
            raise invalid(f"{name} is not a property of this request.")
    arguments: Object = {}
    for name, node in schema["properties"].items():
        property_schema = follow(document, node)
        if name in body:
            arguments[name] = _checked(name, property_schema, body[name])
        elif name in schema.get("required", []):
            raise invalid(f"{name} is missing.")
        elif "default" in property_schema:
            arguments[name] = property_schema["default"]
    return arguments


def _from_text(name: str, schema: Object, text: str) -> Any:
    if schema["type"] == "integer":
        if not WHOLE_NUMBER.fullmatch(text):
            raise invalid(f"{name} must be a whole number.")
        return _checked(name, schema, int(text))
    return _checked(name, schema, text)


def _checked(name: str, schema: Object, value: Any) -> Any:
    if schema["type"] == "integer":
        return _whole_number(name, schema, value)
    if not isinstance(value, str):
        raise invalid(f"{name} must be a text.")
    return _text(name, schema, value)


def _whole_number(name: str, schema: Object, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"{name} must be a whole number.")
    least, most = schema.get("minimum"), schema.get("maximum")
    whole = isinstance(value, int) or value.is_integer()
    if whole and (least is None or value >= least) and (most is None or value <= most):
        return int(value)
    raise _out_of_range(name, schema, value, least, most)


def _out_of_range(name: str, schema: Object, value: float, least: int | None, most: int | None) -> Refusal:
    if "x-error-message" in schema:
        return invalid(schema["x-error-message"].replace("{value}", str(value)))
    if least is not None and most is not None:
        return invalid(f"{name} must be a whole number from {least} to {most}.")
    return invalid(
        f"{name} must be a whole number of at least {least}." if least is not None else f"{name} is invalid."
    )


def _text(name: str, schema: Object, value: str) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if len(value.strip()) < least:
        raise invalid(
            f"{name} must not be empty." if least == 1 else f"{name} must have at least {least} characters."
        )
    if most is not None and len(value) > most:
        raise invalid(f"{name} must have at most {most} characters.")
    if "enum" in schema and value not in schema["enum"]:
        raise invalid(f"{name} must be one of: {', '.join(schema['enum'])}.")
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        raise invalid(f"{name} is not valid.")
    if schema.get("format") == "date" and not _is_day(value):
        raise invalid(f"{name} must be a day written as YYYY-MM-DD.")
    return value


def _is_day(text: str) -> bool:
    if not DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
