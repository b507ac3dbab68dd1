"""The published OpenAPI document: what the views say (`smartsupport.api_schema`), put into the envelope that callers
see, and the one route that no REST view answers."""

from typing import Any

from smartsupport.api_links import add_links
from smartsupport.api_schema import enveloped

ERROR = {
    "type": "object",
    "description": "Why it was refused. A refusal may say more than these fields: what you need to go on.",
    "required": ["code", "message"],
    "properties": {
        "code": {
            "type": "string",
            "description": "Stable, for programs. `x-problem-codes` of an operation lists those that it may answer.",
        },
        "message": {"type": "string", "description": "A sentence, for people."},
        "fields": {
            "type": "object",
            "description": "The faults of each field, where fields were at fault.",
            "additionalProperties": True,
        },
    },
    "additionalProperties": True,
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
HEALTH = {
    "operationId": "health_get",
    "summary": "Whether this process answers, and its version",
    "description": "Public. What it says stands beside the envelope as well as in it.",
    "tags": ["Health"],
    "security": [{}],
    "responses": {
        "200": {
            "description": "It answers.",
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Health"},
                    "examples": {
                        "Answer": {
                            "value": {
                                "success": True,
                                "data": {"status": "ok", "version": "1.0.0"},
                                "error": None,
                                "status": "ok",
                                "version": "1.0.0",
                            }
                        }
                    },
                }
            },
        }
    },
}
FACTS = {
    "type": "object",
    "required": ["status", "version"],
    "properties": {"status": {"type": "string", "const": "ok"}, "version": {"type": "string"}},
}
HEALTH_ENVELOPE = {
    "type": "object",
    "required": ["success", "data", "error", "status", "version"],
    "properties": {
        "success": {"type": "boolean", "const": True},
        "data": {"$ref": "#/components/schemas/HealthFacts"},
        "error": {"type": "null"},
        **FACTS["properties"],  # type: ignore[dict-item]
    },
}


ABOUT = """\
Everything that the console does with conversations, approvals, agents, imports and webhooks, for programs.

- **Who may call.** An API key in the header `X-API-Key`; each operation names the scope that it needs. Keys are made in
  the console, or with `POST keys`.
- **Answers** are an envelope: `success`, `data`, `error`. `error.code` is stable; `x-problem-codes` of an operation
  lists those that it may answer.
- **Writes** take an `Idempotency-Key`: sent again under it within a day, a request is answered as before and not
  carried out again.
- **Reads** have an `ETag`; send it back as `If-None-Match`, or as `If-Match` with a change where the operation takes
  it.
- **Lists** have pages by number (`page`), or go on behind a `cursor`, which costs the same however far in.
- **What happens** is told by webhooks, or by `GET conversations/{thread_id}/stream` as server-sent events.
"""
TAGS = {
    "Conversations": "What customers and agents say; writing for a customer, or as staff.",
    "Approvals": "Actions that wait for consent (interrupts): deciding, links, outcomes that nobody knows.",
    "Agents": "Who answers, with which tools; as YAML, in and out.",
    "Imports": "From an OpenAPI document, or an MCP server, to tools of the agents.",
    "Webhooks": "Endpoints that are told what happens, and what became of each delivery.",
    "Replay": "A conversation step by step.",
    "Analytics": "What came of the conversations, and what it cost.",
    "Usage": "What models have cost, limits, and changes to them.",
    "API keys": "The keys of this API.",
    "Audit": "Who changed what, when and from where.",
    "Health": "Whether it answers.",
}


def wrap_in_envelope(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A drf-spectacular postprocessing hook."""
    for operations in result.get("paths", {}).values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                _wrap_responses(operation["responses"])
    result["info"]["description"] = ABOUT
    result["tags"] = [{"name": name, "description": words} for name, words in TAGS.items()]
    result.setdefault("paths", {})["/api/v1/health"] = {"get": HEALTH}
    add_links(result["paths"])
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    for schema in schemas.values():
        _drop_empty_defaults(schema)
        _let_anything_be_null(schema)
    _let_the_smaller_fit(schemas)
    for name in ("MessageRequest", "StaffMessageRequest"):
        _ask_for_content(schemas[name])
    for operations in result["paths"].values():
        for operation in operations.values():
            _ask_for_a_body(operation, schemas)
    schemas |= {
        "Error": ERROR,
        "ErrorEnvelope": ERROR_ENVELOPE,
        "Health": HEALTH_ENVELOPE,
        "HealthFacts": FACTS,
    }
    return result


def _wrap_responses(responses: dict[str, Any]) -> None:
    for code, response in responses.items():
        content = enveloped(str(code), response)
        if content is None:
            continue
        content["schema"] = {
            "type": "object",
            "required": ["success", "data", "error"],
            "properties": {
                "success": {"type": "boolean", "const": True},
                "data": content.get("schema", {}),
                "error": {"type": "null"},
            },
        }


def _drop_empty_defaults(schema: dict[str, Any]) -> None:
    """An optional field is empty by default where a text that is given must not be: validators refuse that."""
    for field in schema.get("properties", {}).values():
        if (
            isinstance(field, dict)
            and field.get("default") == ""
            and ("format" in field or "minLength" in field)
        ):
            del field["default"]


def _let_anything_be_null(schema: dict[str, Any]) -> None:
    """Whatever JSON is, null is too: said twice, it would be wrong."""
    for name, field in schema.get("properties", {}).items():
        if isinstance(field, dict) and field.get("oneOf") == [{}, {"type": "null"}]:
            schema["properties"][name] = {other: value for other, value in field.items() if other != "oneOf"}


def _let_the_smaller_fit(schemas: dict[str, Any]) -> None:
    """Of two shapes that a route answers one may be the other with more in it."""
    for schema in schemas.values():
        if "oneOf" in schema and all("$ref" in one for one in schema["oneOf"]):
            schema["anyOf"] = schema.pop("oneOf")


def _ask_for_a_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A body with a field that has to be there has to be there."""
    body = operation.get("requestBody", {})
    for content in body.get("content", {}).values():
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if schemas.get(name, {}).get("required"):
            body["required"] = True


def _ask_for_content(schema: dict[str, Any]) -> None:
    """A text that is missing is refused in the words of the chat socket, which the serializer leaves to the service."""
    known = schema["properties"]["content"]
    text = {"type": "string", "minLength": 1, "maxLength": 10_000, "pattern": r"\S"}
    schema["properties"]["content"] = text | {key: known[key] for key in ("description",) if key in known}
    schema["required"] = ["content", *schema.get("required", [])]
