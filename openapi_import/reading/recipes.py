"""An operation as a tool's recipe: which argument goes where, and what the model may fill in.

The recipe's shapes are those of `agents.models.Tool`. Headers that decide where a request goes, what it is,
or who sends it are never arguments.
"""

import re
from dataclasses import dataclass
from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.operations import Operation, Parameter
from openapi_import.reading.references import follow
from openapi_import.reading.schemas import Definitions
from smartsupport.lib.ids import canonical_json

MAX_SCHEMA_BYTES = 256 * 1024
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
PLACES = ("path", "query", "header")
# Never from a model: connection, framing, identity, routing, and what the executor itself sends.
FORBIDDEN_HEADERS = frozenset(
    """
    accept accept-charset accept-encoding authorization connection content-encoding content-length
    content-type cookie date expect forwarded host idempotency-key keep-alive origin referer
    set-cookie te trailer transfer-encoding upgrade user-agent via x-api-key api-key apikey
    x-auth-token x-access-token x-csrf-token x-http-method x-http-method-override x-method-override
    x-original-url x-rewrite-url x-real-ip
    """.split()
)
FORBIDDEN_PREFIXES = ("proxy-", "sec-", "x-forwarded-", "access-control-")
# A body with other keywords at its top (oneOf, if, minProperties ...) stays whole: they mean the whole.
FLAT_KEYS = frozenset(
    "type properties required title description example examples externalDocs xml additionalProperties "
    "nullable deprecated default $schema $comment".split()
)


@dataclass(frozen=True)
class Recipe:
    """parameters, request_body, input_schema: as in Tool. `left_out`: what is no argument, and why."""

    parameters: list[dict[str, Any]]
    request_body: dict[str, Any] | None
    input_schema: dict[str, Any]
    left_out: dict[str, str]


def recipe(operation: Operation) -> Recipe:
    """The recipe of an operation. Raises SpecInvalid where no request could be made of it."""
    return _Builder(operation).build()


class _Builder:
    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.document = operation.document
        self.definitions = Definitions(self.document)
        self.properties: dict[str, Any] = {}
        self.required: list[str] = []
        self.left_out: dict[str, str] = {}

    def build(self) -> Recipe:
        parameters = [self.parameter(parameter) for parameter in self.wanted_parameters()]
        request_body = self.body()
        schema: dict[str, Any] = {
            "type": "object",
            "properties": self.properties,
            "additionalProperties": False,
        }
        if self.required:
            schema["required"] = self.required
        definitions = self.definitions.finish()
        if definitions:
            schema["$defs"] = definitions
        if len(canonical_json(schema).encode()) > MAX_SCHEMA_BYTES:
            raise SpecInvalid(f"Its arguments need a schema larger than {MAX_SCHEMA_BYTES // 1024} KiB.")
        return Recipe(parameters, request_body, schema, self.left_out)

    def wanted_parameters(self) -> list[Parameter]:
        placeholders = list(dict.fromkeys(PLACEHOLDER.findall(self.operation.path)))
        if "" in placeholders or "{" in PLACEHOLDER.sub("", self.operation.path):
            raise SpecInvalid("Its path has a placeholder without a name.")
        credentials = self.credentials()
        found: list[Parameter] = []
        for parameter in self.operation.parameters:
            reason = self.refusal(parameter, placeholders, credentials)
            if not reason:
                found.append(parameter)
            elif parameter.required and parameter.place == "query" and parameter.content_type:
                raise SpecInvalid(f"Its parameter {parameter.name!r} is required and is {reason}.")
            else:
                self.left_out[parameter.name] = reason
        declared = {parameter.name for parameter in found if parameter.place == "path"}
        found += [
            Parameter(name, "path", True, {"type": "string"}) for name in placeholders if name not in declared
        ]
        return sorted(found, key=lambda parameter: PLACES.index(parameter.place))

    def refusal(
        self, parameter: Parameter, placeholders: list[str], credentials: set[tuple[str, str]]
    ) -> str:
        """Why a parameter is no argument; empty where it is one."""
        name = parameter.name.lower()
        if parameter.place == "path" and parameter.name not in placeholders:
            return "not in the path"
        if parameter.place == "cookie" or (parameter.place, name) in credentials:
            return "a credential"
        if parameter.place == "header" and (name in FORBIDDEN_HEADERS or name.startswith(FORBIDDEN_PREFIXES)):
            return "a header that is not the model's to set"
        return "a serialised document" if parameter.content_type else ""

    def credentials(self) -> set[tuple[str, str]]:
        """(place, lower-case name) of every API key that the document declares."""
        components = self.document.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, dict) else None
        found = set()
        for scheme in schemes.values() if isinstance(schemes, dict) else ():
            scheme = follow(self.document, scheme)
            if isinstance(scheme, dict) and scheme.get("type") == "apiKey":
                found.add((str(scheme.get("in")), str(scheme.get("name")).lower()))
        return found

    def parameter(self, parameter: Parameter) -> dict[str, Any]:
        schema = self.described(self.definitions.convert(parameter.schema), parameter.description)
        argument = self.argument(parameter.name, parameter.place, schema, required=parameter.required)
        style = parameter.style or ("form" if parameter.place == "query" else "simple")
        return {
            "argument": argument,
            "name": parameter.name,
            "in": parameter.place,
            "required": parameter.required,
            "style": style,
            "explode": style == "form" if parameter.explode is None else parameter.explode,
        }

    def body(self) -> dict[str, Any] | None:
        body = self.operation.request_body
        if body is None or not body.content:
            return None
        kinds = [kind for kind in body.content if _is_json(kind)]
        if not kinds:
            if not body.required:
                self.left_out["body"] = "not JSON"
                return None
            raise SpecInvalid(
                f"It takes {', '.join(body.content)[:200]} and no JSON, which is not supported yet."
            )
        kind = next(
            (kind for kind in kinds if kind.partition(";")[0].strip().lower() == "application/json"), kinds[0]
        )
        schema = body.content[kind].schema
        content_type = "application/json" if "*" in kind else kind
        flat = follow(self.document, schema)
        if not _is_flat(flat):
            argument = self.argument(
                "body",
                "body",
                self.described(self.definitions.convert(schema), body.description),
                required=body.required,
            )
            return {"content_type": content_type, "required": body.required, "argument": argument}
        # Real documents forget `required: true` on a body whose fields are required: ask for them.
        converted = self.definitions.convert(flat)
        required = converted.get("required", [])
        fields = {
            self.argument(name, "body", part, required=name in required): name
            for name, part in converted["properties"].items()
        }
        return {"content_type": content_type, "required": body.required or bool(required), "fields": fields}

    def described(self, schema: Any, description: str) -> Any:
        """The schema with the description of its place, where it has none of its own."""
        if not description or not isinstance(schema, dict) or schema.get("description"):
            return schema
        return {**schema, "description": description}

    def argument(self, name: str, place: str, schema: Any, *, required: bool) -> str:
        """Take a name for an argument: legal for every model provider, and not taken by another place."""
        legal = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:55] or place
        argument, number = legal, 1
        if argument in self.properties:
            legal = argument = f"{legal}_{place}"
        while argument in self.properties:
            number += 1
            argument = f"{legal}_{number}"
        self.properties[argument] = schema
        if required:
            self.required.append(argument)
        return argument


def _is_json(kind: str) -> bool:
    media = kind.partition(";")[0].strip().lower()
    return (
        media in ("application/json", "*/*", "application/*")
        or media.endswith("+json")
        or media == "text/json"
    )


def _is_flat(schema: Any) -> bool:
    """Whether the properties of a body can be arguments of their own without losing a rule of it."""
    return (
        isinstance(schema, dict)
        and isinstance(schema.get("properties"), dict)
        and bool(schema["properties"])
        and schema.get("type", "object") in ("object", ["object"])
        and not isinstance(schema.get("additionalProperties"), dict)
        and all(key in FLAT_KEYS or key.startswith("x-") for key in schema)
        and schema.get("nullable") is not True
    )
