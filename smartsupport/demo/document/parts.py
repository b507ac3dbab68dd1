"""What the descriptions of the three faces have in common, as OpenAPI 3.1 objects."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

DISCOUNT_RANGE = "Invalid discount: {value}%. Must be between 1 and 100."
LARGEST_ID = 2_147_483_647


def ref(name: str, kind: str = "schemas") -> Object:
    """A pointer to a named component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def record(description: str, properties: Object, optional: tuple[str, ...] = ()) -> Object:
    """An object schema. Every property is always present, but for the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "description": description, "properties": properties, "required": required}


def text(description: str, **more: Any) -> Object:
    """A string."""
    return {"type": "string", "description": description, **more}


def number(description: str, **more: Any) -> Object:
    """A whole number."""
    return {"type": "integer", "description": description, **more}


def identifier(description: str, example: int) -> Object:
    """A whole number that names something."""
    return number(description, minimum=1, maximum=LARGEST_ID, examples=[example])


def moment(description: str) -> Object:
    """A date and time in UTC."""
    return text(description, format="date-time")


def day(description: str) -> Object:
    """A calendar day."""
    return text(description, format="date")


def or_null(schema: Object) -> Object:
    """The same, or null."""
    if "$ref" in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def many(schema: Object, description: str) -> Object:
    """A list."""
    return {"type": "array", "description": description, "items": schema}


def query(name: str, schema: Object) -> Object:
    """An optional query parameter. Its description is the schema's."""
    rest = {key: value for key, value in schema.items() if key != "description"}
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": schema["description"],
        "schema": rest,
    }


def in_path(name: str, schema: Object) -> Object:
    """A path parameter."""
    return {**query(name, schema), "in": "path", "required": True}


def body(description: str, properties: Object, required: tuple[str, ...]) -> Object:
    """A JSON request body that takes these properties and no others."""
    schema: Object = {"type": "object", "additionalProperties": False, "properties": properties}
    if required:
        schema["required"] = list(required)
    return {
        "description": description,
        "required": bool(required),
        "content": {"application/json": {"schema": schema}},
    }


def reading(
    operation_id: str,
    *,
    tag: str,
    summary: str,
    description: str,
    answer: Object,
    parameters: tuple[Object, ...] = (),
) -> Object:
    """A GET operation that changes nothing."""
    return {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "parameters": list(parameters),
        "responses": {"200": _success(summary, answer), **_errors("401", "404", "422")},
    }


def writing(
    operation_id: str,
    *,
    tag: str,
    summary: str,
    description: str,
    answer: Object,
    request: Object | None = None,
    status: str = "200",
) -> Object:
    """An operation with an effect. It takes an `Idempotency-Key`."""
    operation: Object = {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "parameters": [ref("IdempotencyKey", "parameters")],
    }
    if request:
        operation["requestBody"] = request
    operation["responses"] = {status: _success(summary, answer), **_errors("400", "401", "404", "409", "422")}
    if status != "200":
        operation["responses"][status]["description"] = "Done; the new object."
    return operation


def _success(summary: str, answer: Object) -> Object:
    return {"description": f"{summary}.", "content": {"application/json": {"schema": answer}}}


def _errors(*statuses: str) -> Object:
    names = {
        "400": "Malformed", "401": "Unauthorized", "404": "NotFound", "409": "Conflict", "422": "Invalid",
    }  # fmt: skip
    return {status: ref(names[status], "responses") for status in statuses}
