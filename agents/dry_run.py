"""What a call would send, to the last header, without sending it. No secret is opened for it: where one would be, it
says so."""

import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from agents import credentials, tool_request
from agents.credentials import Terms
from agents.models import Credential, Tool
from smartsupport.lib import safe_http

HEX_SHOWN = 64


@dataclass(frozen=True, slots=True)
class DryRun:
    """The exact request with `[hidden]` in the place of secrets. `body` is text, or a line about what is none. `notes`:
    sentences, what else would happen, or why nothing would be sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""
    body_bytes: int = 0
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "url": self.url,
            "headers": [list(pair) for pair in self.headers],
            "body": self.body,
            "body_bytes": self.body_bytes,
            "notes": list(self.notes),
        }


def dry_run(
    tool: Tool, arguments: dict[str, Any], bound: dict[str, Any], *, idempotency_key: str = ""
) -> DryRun:
    """What a call of `tool` with these arguments would send. `bound` is what the server fills in. Synchronous (ORM).
    Raises tool_request.RecipeError where they make no request."""
    request = tool_request.build(tool, arguments, bound, idempotency_key=idempotency_key)
    terms = credentials.terms_of(tool)
    notes = [*_of_credentials(terms), *_of_pace(terms)]
    signed = credentials.redacted(request, terms)
    wanted = signed.request
    body = wanted.body or b""
    client = safe_http.SafeClient(allowed_hosts=tuple(settings.SAFE_HTTP_ALLOWED_HOSTS))
    try:
        seen = client.preview(
            wanted.method,
            wanted.address,
            headers=wanted.headers,
            secret_headers=signed.secret_headers,
            content=body or None,
        )
    except safe_http.OutboundError as refusal:
        headers = (*wanted.headers.items(), *signed.secret_headers.items())
        blocked = f"It would not be sent. {refusal.message}"
        return DryRun(
            wanted.method, _readable(wanted.address), headers, _text(body), len(body), (blocked, *notes)
        )
    return DryRun(seen.method, _readable(seen.url), seen.headers, _text(body), len(body), tuple(notes))


def _readable(url: str) -> str:
    """The mark for a secret as it is written, and nothing else changed."""
    return url.replace("%5Bhidden%5D", credentials.HIDDEN)


def _of_credentials(terms: Terms) -> list[str]:
    if terms.missing:
        named = ", ".join(terms.missing)
        return [f"It would not be sent: no credentials are stored for {named}, and it needs them."]
    notes = []
    for one in terms.held:
        place = credentials.place_of(one.scheme)
        notes.append(
            f"The {one.credential.get_kind_display()} for {one.credential.scheme} goes into the {place}."
        )
        if one.credential.kind in credentials.OAUTH:
            notes.append(f"Its token comes from {one.credential.token_url}.")
        if credentials.is_refused(one.credential):
            notes.append(_refused(one.credential))
    return notes


def _refused(row: Credential) -> str:
    return f"The business refused these credentials on {row.refused_at:%d %b %Y at %H:%M} UTC."


def _of_pace(terms: Terms) -> list[str]:
    if not terms.calls_per_minute:
        return []
    return [f"It counts towards the {terms.calls_per_minute} calls a minute that {terms.source} may get."]


def _text(body: bytes) -> str:
    """JSON indented, other text as it is, and of anything else its beginning in hexadecimal."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"{len(body):,} bytes that are no text, beginning {body[:HEX_SHOWN].hex(' ')}"
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False) if text else ""
    except (ValueError, RecursionError):
        return text
