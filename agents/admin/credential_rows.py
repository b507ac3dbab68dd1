"""Credentials in words and tables: what tools need, what is stored, and what the business made of it."""

from dataclasses import dataclass
from typing import Any

from agents import credentials
from agents.models import Credential, Tool
from smartsupport.lib.sealing import CannotUnseal, unseal

REFUSED, MISSING, STORED, UNREADABLE, NONE = "Refused", "Missing", "Stored", "Unreadable", "None needed"
STANDING_COLOURS = {REFUSED: "danger", MISSING: "danger", UNREADABLE: "danger", STORED: "success", NONE: ""}
KINDS = {
    "apiKey": "API key",
    "http": "HTTP sign-in",
    "oauth2": "OAuth 2",
    "openIdConnect": "OpenID Connect",
    "mutualTLS": "a client certificate, which Smart Support cannot present",
}


def state_of(row: Credential) -> str:
    try:
        unseal(row.secret)
    except CannotUnseal:
        return UNREADABLE
    return REFUSED if credentials.is_refused(row) else STORED


def standing_of(tool: Tool) -> str:
    """How a tool stands with its credentials, in a word. No query where `source__credentials` is prefetched."""
    if not tool.security:
        return NONE
    held, missing = credentials.chosen(tool.security, _stored(tool))
    if missing:
        return MISSING
    states = {state_of(one.credential) for one in held}
    return next((state for state in (UNREADABLE, REFUSED, STORED) if state in states), NONE)


def scheme_rows(tool: Tool) -> list[dict[str, Any]]:
    """{"name", "what", "state", "alternative"} of each security scheme that the tool's document names for it."""
    stored = _stored(tool)
    rows = []
    for number, alternative in enumerate(tool.security, start=1):
        for name, scheme in alternative.items():
            row = stored.get(name)
            fitting = row if row and credentials.fits(row.kind, scheme) else None
            state = state_of(fitting) if fitting else MISSING
            rows.append(
                {"name": name, "what": in_words(scheme), "state": state, "row": row, "alternative": number}
            )
    return rows


def _stored(tool: Tool) -> dict[str, Credential]:
    return {row.scheme: row for row in tool.source.credentials.all()}


def in_words(scheme: dict[str, Any]) -> str:
    """`API key, in the header X-Key`"""
    kind = KINDS.get(str(scheme.get("kind")), str(scheme.get("kind")))
    if scheme.get("kind") == "mutualTLS":
        return kind
    if scheme.get("kind") == "http":
        kind = f"{kind} ({scheme.get('scheme')})"
    return f"{kind}, in the {credentials.place_of(scheme)}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What tools that are switched on cannot be called without."""

    source_id: Any
    source: str
    scheme: str
    what: str


def wanted_rows(source_id: Any = None) -> list[Wanted]:
    """What is missing for tools that are switched on, each scheme of a source once; of one source, or (None) of all.
    Two queries."""
    of_it = {"source_id": source_id} if source_id else {}
    stored: dict[Any, dict[str, Credential]] = {}
    for row in Credential.objects.filter(**of_it):
        stored.setdefault(row.source_id, {})[row.scheme] = row
    tools = Tool.objects.filter(enabled=True, **of_it).exclude(security=[]).order_by("source__name")
    found: dict[tuple[Any, str], Wanted] = {}
    for owner_id, title, name, security in tools.values_list(
        "source_id", "source__title", "source__name", "security"
    ).distinct():
        _, missing = credentials.chosen(security, stored.get(owner_id, {}))
        for scheme in missing:
            declared = next(one[scheme] for one in security if scheme in one)
            found.setdefault((owner_id, scheme), Wanted(owner_id, title or name, scheme, in_words(declared)))
    return list(found.values())


def schemes_of(source_id: Any) -> dict[str, dict[str, Any]]:
    """{name: scheme} of everything that the tools of a source name."""
    listed = Tool.objects.filter(source_id=source_id).exclude(security=[]).order_by()
    found: dict[str, dict[str, Any]] = {}
    for (security,) in listed.values_list("security").distinct():
        for alternative in security:
            found |= {name: scheme for name, scheme in alternative.items() if name not in found}
    return found
