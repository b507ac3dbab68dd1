"""The published OpenAPI document: what drf-spectacular found in the views, put into the envelope that callers see."""

from typing import Any

ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "description": "Stable, for programs."},
        "message": {"type": "string", "description": "A sentence, for people."},
        "fields": {"type": "object", "description": "The faults of each field, where fields were at fault."},
    },
}
ERROR_ENVELOPE = {
    "type": "object",
    "required": ["success", "data", "error"],
    "properties": {
        "success": {"type": "boolean", "const": False},
        "data": {"type": "null"},
        "error": {"$ref": "#/components/schemas/Error"},
    },
}
ERROR_RESPONSE = {
    "description": "Refused, or failed: `error` says why.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}},
}


def wrap_in_envelope(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A drf-spectacular postprocessing hook."""
    for operations in result.get("paths", {}).values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                _wrap_responses(operation["responses"])
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    for schema in schemas.values():
        _drop_empty_defaults(schema)
    schemas["Error"] = ERROR
    schemas["ErrorEnvelope"] = ERROR_ENVELOPE
    return result


def _wrap_responses(responses: dict[str, Any]) -> None:
    for code, response in responses.items():
        content = response.get("content", {}).get("application/json")
        if content is None:
            continue
        if not str(code).startswith("2"):
            content["schema"] = {"$ref": "#/components/schemas/ErrorEnvelope"}
        else:
            content["schema"] = {
                "type": "object",
                "required": ["success", "data", "error"],
                "properties": {
                    "success": {"type": "boolean", "const": True},
                    "data": content.get("schema", {}),
                    "error": {"type": "null"},
                },
            }
    responses.setdefault("default", ERROR_RESPONSE)


def _drop_empty_defaults(schema: dict[str, Any]) -> None:
    """An optional e-mail field is empty by default, and an empty text is none: validators refuse such a document."""
    for field in schema.get("properties", {}).values():
        if isinstance(field, dict) and "format" in field and field.get("default") == "":
            del field["default"]
