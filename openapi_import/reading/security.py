"""How callers of an API prove who they are: the schemes of a document, and which of them an operation asks for."""

from collections.abc import Container
from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.faults import Faults
from openapi_import.reading.references import follow
from openapi_import.reading.text import Document, escaped

KINDS = frozenset({"apiKey", "http", "oauth2", "openIdConnect", "mutualTLS"})
PLACES = ("query", "header", "cookie")
_FLOWS = {
    "implicit": "implicit",
    "password": "password",
    "application": "clientCredentials",
    "accessCode": "authorizationCode",
}
_URLS = ("authorizationUrl", "tokenUrl", "refreshUrl", "deviceAuthorizationUrl")

Requirements = tuple[dict[str, tuple[str, ...]], ...]


def declared_schemes(document: Document, faults: Faults | None = None) -> dict[str, dict[str, Any]]:
    """{name: scheme} in the shape of `Tool.security`: {"kind": "apiKey|http|oauth2|openIdConnect|mutualTLS"} and, where
    they apply, "in" and "name", "scheme" (lower case), "bearer_format", "flows" {flow: {"authorizationUrl", "tokenUrl",
    "refreshUrl", "scopes": {scope: text}}}, "url" (OpenID Connect), "description". Swagger 2.0's become these too.
    What cannot be read is left out, with a fault."""
    faults = faults if faults is not None else Faults()
    found: dict[str, dict[str, Any]] = {}
    if "swagger" in document and "openapi" not in document:
        at, raw = "/securityDefinitions", document.get("securityDefinitions")
    else:
        components = document.get("components")
        at = "/components/securitySchemes"
        raw = components.get("securitySchemes") if isinstance(components, dict) else None
    if raw is not None and not isinstance(raw, dict):
        faults.error(at, "The security schemes are not an object.")
        return found
    for name, scheme in (raw or {}).items():
        pointer = f"{at}/{escaped(name)}"
        if name.startswith("x-") and not (isinstance(scheme, dict) and "type" in scheme):
            continue
        try:
            found[name] = _scheme(follow(document, scheme))
        except SpecInvalid as error:
            faults.error(pointer, error.message)
    return found


def requirements(raw: Any, pointer: str, faults: Faults, known: Container[str]) -> Requirements | None:
    """The alternatives of a `security` list, one of which is enough; in each, every scheme is needed. None where the
    document says nothing (or nothing readable), () where it says that none is needed. `known`: the schemes' names."""
    if raw is None:
        return None
    if not isinstance(raw, list):
        faults.error(pointer, "The security requirements are not a list; they were ignored.")
        return None
    alternatives: list[dict[str, tuple[str, ...]]] = []
    for index, alternative in enumerate(raw):
        if not isinstance(alternative, dict):
            faults.error(f"{pointer}/{index}", "A security requirement is not an object; it was ignored.")
            continue
        needed: dict[str, tuple[str, ...]] = {}
        for name, scopes in alternative.items():
            name = name.removeprefix("#/components/securitySchemes/")
            if name not in known:
                if name.startswith("x-"):
                    continue
                faults.warning(f"{pointer}/{index}", f"There is no security scheme {name[:100]!r}.")
            needed[name] = (
                tuple(scope for scope in scopes if isinstance(scope, str)) if isinstance(scopes, list) else ()
            )
        alternatives.append(needed)
    return tuple(alternatives) if alternatives or not raw else None


def _scheme(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise SpecInvalid("A security scheme is not an object.")
    kind = raw.get("type")
    made: dict[str, Any]
    if kind == "basic":  # Swagger 2.0
        made = {"kind": "http", "scheme": "basic"}
    elif kind == "apiKey":
        if raw.get("in") not in PLACES or not isinstance(raw.get("name"), str) or not raw["name"]:
            raise SpecInvalid("An API key needs a name and a place (query, header or cookie).")
        made = {"kind": kind, "in": raw["in"], "name": raw["name"]}
    elif kind == "http":
        if not isinstance(raw.get("scheme"), str) or not raw["scheme"]:
            raise SpecInvalid("An http security scheme does not say which (basic, bearer ...).")
        made = {"kind": kind, "scheme": raw["scheme"].lower()}
        if isinstance(raw.get("bearerFormat"), str):
            made["bearer_format"] = raw["bearerFormat"]
    elif kind == "oauth2":
        made = {"kind": kind, "flows": _flows(raw)}
    elif kind == "openIdConnect":
        url = raw.get("openIdConnectUrl")
        made = {"kind": kind, "url": url if isinstance(url, str) else ""}
    elif kind == "mutualTLS":
        made = {"kind": kind}
    else:
        raise SpecInvalid(
            f"The type of a security scheme is {str(kind)[:50]!r}, not one of {', '.join(sorted(KINDS))}."
        )
    description = raw.get("description")
    return made | (
        {"description": description[:1000]} if isinstance(description, str) and description else {}
    )


def _flows(raw: dict[str, Any]) -> dict[str, Any]:
    flows = raw.get("flows")
    if "flow" in raw and not isinstance(flows, dict):  # Swagger 2.0 has one, and its fields beside it
        flows = {_FLOWS.get(str(raw["flow"]), str(raw["flow"])): raw}
    made: dict[str, Any] = {}
    for name, flow in flows.items() if isinstance(flows, dict) else ():
        if not isinstance(flow, dict) or name.startswith("x-"):
            continue
        scopes = flow.get("scopes")
        made[name] = {key: flow[key] for key in _URLS if isinstance(flow.get(key), str)} | {
            "scopes": {key: value if isinstance(value, str) else "" for key, value in scopes.items()}
            if isinstance(scopes, dict)
            else {}
        }
    return made
