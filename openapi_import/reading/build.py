"""One operation as a tool, with everything about it that comes from the document."""

from dataclasses import asdict, dataclass, field
from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading import naming
from openapi_import.reading.described import Operation, Parameter
from openapi_import.reading.naming import Names
from openapi_import.reading.recipes import recipe
from openapi_import.reading.responses import response_of
from openapi_import.reading.servers import server_url
from openapi_import.reading.shared import Shared, shared_of

__all__ = ["Built", "Names", "build"]

NO_ADDRESS = "The document does not say where the API is, and the address of the document is not known."
FEW = 3
"""Of so many credentials that may be missing, each can be missing by itself: each doubles the alternatives."""


@dataclass(frozen=True)
class Built:
    """`tool`: {"server_url", "parameters", "request_body", "input_schema", "security", "response"} as in
    `agents.models.Tool`; {} where the operation is unusable, and `unusable` says why. `losses`: sentences, what of
    the document the tool lacks. `left_out`: {parameter: why it is no argument}."""

    operation_id: str
    method: str
    path: str
    pointer: str
    summary: str
    description: str
    tags: list[str]
    deprecated: bool
    name: str
    title: str
    tool_description: str
    tool: dict[str, Any] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    unusable: str = ""

    def as_json(self) -> dict[str, Any]:
        """The fields by name, as JSON values."""
        return asdict(self) if not self.tool else {**self.__dict__}


def build(operation: Operation, names: Names) -> Built:
    """The tool of an operation. Never raises for what a document says: then it is `unusable`."""
    unusable = operation.unusable
    tool: dict[str, Any] = {}
    losses: list[str] = []
    left_out: dict[str, str] = {}
    if not unusable:
        try:
            tool, losses, left_out = _tool(operation)
        except SpecInvalid as error:
            unusable = error.message
    return Built(
        operation_id=operation.operation_id,
        method=operation.method,
        path=operation.path,
        pointer=operation.pointer,
        summary=operation.summary,
        description=operation.description,
        tags=list(operation.tags),
        deprecated=operation.deprecated,
        name=names.name_for(operation),
        title=naming.title(operation),
        tool_description=naming.description(operation),
        tool=tool,
        losses=losses,
        left_out=left_out,
        unusable=unusable,
    )


def _tool(operation: Operation) -> tuple[dict[str, Any], list[str], dict[str, str]]:
    made = recipe(operation)
    shared = shared_of(operation.document, operation.dialect)
    losses = list(made.losses)
    tool = {
        "server_url": _address(operation, losses),
        "parameters": made.parameters,
        "request_body": made.request_body,
        "input_schema": made.input_schema,
        "security": _with_keys(_security(operation, shared, losses), made.keys),
        "response": response_of(operation, shared.schemas, made.parameters, made.input_schema["properties"]),
    }
    return tool, losses, made.left_out


def _address(operation: Operation, losses: list[str]) -> str:
    """Where it is called; "" (and a loss) where that is not known: whoever publishes it has to say it then."""
    try:
        return server_url(operation.servers, operation.base_url)
    except SpecInvalid as error:
        if operation.base_url:
            raise
        losses.append(f"{NO_ADDRESS} {error.message}")
        return ""


def _security(operation: Operation, shared: Shared, losses: list[str]) -> list[dict[str, Any]]:
    """The alternatives of credentials, as in `Tool.security`: only the scopes that this operation asks for."""
    found: list[dict[str, Any]] = []
    unknown: list[str] = []
    for alternative in operation.security or ():
        known = {
            name: _scheme(shared.schemes[name], scopes)
            for name, scopes in alternative.items()
            if name in shared.schemes
        }
        unknown += [name for name in alternative if name not in shared.schemes]
        if known or not alternative:
            found.append(known)
    if unknown:
        named = ", ".join(dict.fromkeys(unknown))
        losses.append(f"It asks for credentials that the document does not declare: {named[:200]}.")
    return found


def _with_keys(alternatives: list[dict[str, Any]], keys: tuple[Parameter, ...]) -> list[dict[str, Any]]:
    """Also what the document takes for a parameter although it proves who calls: staff store it as they store any
    other credential. One that is not required may be missing; of more than FEW such, all are there or none is."""
    signs_in = any(
        scheme["kind"] in ("http", "oauth2", "openIdConnect")
        for alternative in alternatives
        for scheme in alternative.values()
    )
    # With such a scheme, an Authorization header is said twice.
    wanted = [key for key in keys if not (signs_in and key.name.lower() == "authorization")]
    optional = [key for key in wanted if not key.required]
    steps = [[key] for key in wanted if key.required]
    steps += [[key] for key in optional] if len(optional) <= FEW else [optional]
    for step in steps:
        schemes = {
            f"{key.place} {key.name}": {"kind": "apiKey", "in": key.place, "name": key.name, "scopes": []}
            for key in step
        }
        with_it = [{**alternative, **schemes} for alternative in alternatives or [{}]]
        alternatives = with_it if step[0].required else with_it + (alternatives or [{}])
    return alternatives


def _scheme(declared: dict[str, Any], scopes: tuple[str, ...]) -> dict[str, Any]:
    scheme = {key: value for key, value in declared.items() if key != "description"}
    if "flows" in scheme:
        scheme["flows"] = {
            name: {
                **flow,
                "scopes": {scope: text for scope, text in flow.get("scopes", {}).items() if scope in scopes},
            }
            for name, flow in scheme["flows"].items()
        }
    return {**scheme, "scopes": list(scopes)}
