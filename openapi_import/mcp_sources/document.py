"""A server's tools as a document in OpenAPI's form: one operation each, of the method MCP, at the tool's name.

Each tool's schema becomes a component of its own, with its references turned to where it stands now. Nothing outside of
the list is ever fetched because a tool's schema refers to it. Annotations are the server's claims about itself: kept
beside the document, they can make a judgement stricter and nothing else. Where they are missing the protocol says what
they would be.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from mcp_types import Tool as ListedTool
from mcp_types import ToolAnnotations

from agents.mcp_tools import METHOD, path_of
from openapi_import.errors import SpecInvalid
from openapi_import.judging.endpoint import Risk
from openapi_import.judging.raising import Opinion
from openapi_import.mcp_sources.listing import Listing

CLAIMS = "x-mcp-claims"
FAULTS = "x-mcp-faults"
DIALECT = "MCP"
MOST_NAME = 300
BEARER = {"type": "http", "scheme": "bearer"}
NO_ARGUMENTS = frozenset(
    {"type", "properties", "required", "additionalProperties", "title", "description", "$schema"}
)
OWN_KEYWORDS = frozenset({"$schema", "$id", "$anchor", "$dynamicAnchor", "$vocabulary", "$comment"})


def document(listing: Listing, url: str, headers: Mapping[str, str]) -> bytes:
    """The document, JSON, the same for the same tools whatever their order. `headers`: those that were needed to read
    the list; what they prove has to be stored to call the tools, too. Raises SpecInvalid."""
    title = listing.title or urlsplit(url).hostname or "MCP server"
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    claims: dict[str, Any] = {}
    faults: list[dict[str, str]] = []
    for tool in sorted(listing.tools, key=lambda tool: tool.name):
        pointer = f"/tools/{tool.name[:100]}"
        if not tool.name.strip() or len(tool.name) > MOST_NAME:
            faults.append(_fault(pointer, "This tool has no name that can be used, so it was left out."))
            continue
        path = path_of(tool.name)
        if path in paths:
            faults.append(
                _fault(pointer, "The server lists two tools of this name. The second one was left out.")
            )
            continue
        operation = _operation(tool, title)
        if not _takes_nothing(tool.input_schema):
            name = f"t{len(paths)}"
            schemas[name] = _turned(tool.input_schema, f"#/components/schemas/{name}", faults, pointer)
            body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
            operation["requestBody"] = {"required": True, "content": body}
        paths[path] = {"additionalOperations": {METHOD: operation}}
        if claimed := _claimed(tool):
            claims[tool.name] = claimed
    if not paths:
        raise SpecInvalid("The server lists no tools, so there is nothing to make tools of.")
    schemes, security = _security(headers)
    whole = {
        "openapi": "3.2.0",
        "info": {"title": title, "version": listing.version or "0"},
        "servers": [{"url": url}],
        "security": security,
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": schemes},
        CLAIMS: claims,
        FAULTS: faults,
    }
    try:
        return json.dumps(whole, ensure_ascii=True, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise SpecInvalid(
            "A tool's schema is nested too deeply, or has numbers that JSON does not have."
        ) from None


def _takes_nothing(schema: Mapping[str, Any]) -> bool:
    """Whether the tool takes no arguments: none is named, and nothing says that others would be taken."""
    return (
        not schema.get("properties")
        and schema.keys() <= NO_ARGUMENTS
        and not schema.get("additionalProperties")
    )


def _operation(tool: ListedTool, group: str) -> dict[str, Any]:
    title = tool.title or (tool.annotations.title if tool.annotations else None) or ""
    return {
        "operationId": tool.name,
        "tags": [group],
        "summary": title,
        "description": tool.description or "",
        "responses": {"200": {"description": "What the tool answers."}},
    }


def _claimed(tool: ListedTool) -> dict[str, bool]:
    """What of the annotations can only make it stricter, as the protocol has it: a tool changes something unless it
    says that it only reads, and destroys something unless it says that it does not. {"writes" or "destroys": whether
    its server says so itself}."""
    hints = tool.annotations or ToolAnnotations()
    if hints.read_only_hint is True:
        return {}
    claims = {"writes": hints.read_only_hint is False}
    if hints.destructive_hint is not False:
        claims["destroys"] = hints.destructive_hint is True
    return claims


def opinions(content: bytes) -> dict[str, Opinion]:
    """{tool: what its server's annotations, or that they are missing, say against it}, of a document of ours."""
    claimed = json.loads(content).get(CLAIMS, {})
    return {name: _opinion(claims) for name, claims in claimed.items() if claims}


def _opinion(claims: Mapping[str, bool]) -> Opinion:
    if claims.get("destroys"):
        reason = "its server says that it destroys something."
    elif claims.get("writes"):
        reason = "its server says that it changes something"
        reason += ", and not that it destroys nothing." if "destroys" in claims else "."
    else:
        reason = "its server does not say that it only reads."
    risk: Risk = "destructive" if "destroys" in claims else "reversible"
    return Opinion(access="write", risk=risk, approval="customer", reason=reason)


def faults(content: bytes) -> list[dict[str, str]]:
    """What of the list could not be used."""
    return list(json.loads(content).get(FAULTS, []))


def _fault(pointer: str, message: str) -> dict[str, str]:
    return {"pointer": pointer, "message": message, "severity": "warning"}


def _turned(
    schema: Any, root: str, faults: list[dict[str, str]], pointer: str, *, names: bool = False
) -> Any:
    """The schema with references into itself turned to `root`, and without those that lead out of it. `names`: the keys
    are names of properties, not keywords."""
    if isinstance(schema, list):
        return [_turned(item, root, faults, pointer) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if not names and key in OWN_KEYWORDS:
            continue
        if not names and key in ("$ref", "$dynamicRef") and isinstance(value, str):
            if value != "#" and not value.startswith("#/"):
                outside = _fault(pointer, "Its schema refers to something outside of it, which is left open.")
                # Once for each tool: a list has room for hundreds of thousands.
                faults.extend([outside] if outside not in faults[-1:] else [])
                return {}
            found["$ref"] = root + value[1:]
            continue
        inner = not names and key in (
            "properties",
            "$defs",
            "definitions",
            "patternProperties",
            "dependentSchemas",
        )
        found[key] = _turned(value, root, faults, pointer, names=inner)
    return found


def _security(headers: Mapping[str, str]) -> tuple[dict[str, Any], list[dict[str, list[str]]]]:
    """The ways to prove who we are: the ones that the list was read with, else a bearer token, if one is stored."""
    if not headers:
        return {"bearer": BEARER}, [{"bearer": []}, {}]
    schemes: dict[str, Any] = {}
    for name, value in headers.items():
        kind = value.partition(" ")[0].lower()
        if name.lower() == "authorization" and kind in ("bearer", "basic"):
            schemes[kind] = {"type": "http", "scheme": kind}
        else:
            schemes[name] = {"type": "apiKey", "in": "header", "name": name}
    return schemes, [{name: [] for name in schemes}]
