"""What goes out and what comes back: a request made ready for the wire, and a response read to its end."""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from .body import ACCEPT_ENCODING
from .errors import InvalidRequest
from .urls import Target

Headers = Mapping[str, str]

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METHOD = re.compile(r"[A-Z]{1,20}")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
# The connection is ours: who sets these decides where a message ends, where it goes, or what it is taken for.
_RESERVED = {
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
# All that a server we were redirected to gets to see. Anything else may be a credential or a customer's.
_ACROSS_ORIGINS = {"accept", "accept-language", "user-agent"}


@dataclass(frozen=True)
class OutgoingRequest:
    """A checked request. `headers` has the caller's and our own, without Host; names keep their case."""

    method: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    content: bytes = field(repr=False)

    def wire_headers(self, target: Target) -> list[tuple[bytes, bytes]]:
        """The header lines for one hop."""
        pairs = [("Host", target.authority), *self.headers, ("Accept-Encoding", ACCEPT_ENCODING)]
        if self.content or self.method in ("POST", "PUT", "PATCH"):
            pairs.append(("Content-Length", str(len(self.content))))
        return [(name.encode("ascii"), value.encode("utf-8")) for name, value in pairs]

    def for_other_origin(self) -> OutgoingRequest:
        """What a server of another origin may see: no credentials, no headers of the caller's, no body."""
        kept = tuple(pair for pair in self.headers if pair[0].lower() in _ACROSS_ORIGINS)
        return OutgoingRequest(self.method, kept, b"")


@dataclass(frozen=True)
class Preview:
    """A request as it would go onto the wire: the whole URL, every header line, the body."""

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Response:
    """A response whose body has been read.

    content: decoded bytes. url: the URL that answered, after redirects, without a fragment. elapsed_ms: the
    whole exchange with redirects. truncated: the body was cut at `max_bytes`, which only `truncate=True`
    allows.
    """

    status: int
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)
    url: str
    elapsed_ms: int
    truncated: bool = False

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def media_type(self) -> str:
        """The lower-case Content-Type without parameters, or an empty string."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text in the charset it names, UTF-8 otherwise; undecodable bytes become U+FFFD."""
        named = re.search(r"charset=[\"']?([\w.:-]+)", self.headers.get("content-type", ""), re.IGNORECASE)
        try:
            return self.content.decode(named[1] if named else "utf-8-sig", errors="replace")
        except LookupError:  # not a charset, or a Python codec that makes no text
            return self.content.decode("utf-8-sig", errors="replace")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError (RecursionError for absurd nesting)."""
        return jsonlib.loads(self.content)


def prepare(
    method: str,
    *,
    user_agent: str,
    headers: Headers | None,
    secret_headers: Headers | None,
    json: Any,
    content: bytes | None,
    form: Mapping[str, Any] | None,
    files: Any,
) -> OutgoingRequest:
    """Check and encode a request. Raises InvalidRequest."""
    method = method.upper()
    if not _METHOD.fullmatch(method) or method in ("CONNECT", "TRACE"):
        raise InvalidRequest("This request method is not allowed.", detail=f"method={method[:40]!r}")
    merged = _merge(headers or {}, secret_headers or {})
    media_type, body = _encode(json=json, content=content, form=form, files=files)
    merged.setdefault("user-agent", ("User-Agent", user_agent))
    merged.setdefault("accept", ("Accept", "*/*"))
    if media_type:
        merged.setdefault("content-type", ("Content-Type", media_type))
    return OutgoingRequest(method, tuple(merged.values()), body)


def _merge(headers: Headers, secret_headers: Headers) -> dict[str, tuple[str, str]]:
    """Headers by lower-case name. A credential cannot be replaced by an ordinary header of its name."""
    merged: dict[str, tuple[str, str]] = {}
    for name, value in (*headers.items(), *secret_headers.items()):
        lower = name.lower()
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value) or value != value.strip():
            raise InvalidRequest("A request header is not valid.", detail=f"header={name[:80]!r}")
        if lower in _RESERVED:
            raise InvalidRequest("A request header is not allowed here.", detail=f"header={name!r}")
        if lower in merged:
            raise InvalidRequest("A request header is given twice.", detail=f"header={name!r}")
        merged[lower] = (name, value)
    return merged


def _encode(
    *, json: Any, content: bytes | None, form: Mapping[str, Any] | None, files: Any
) -> tuple[str, bytes]:
    """(content type, body). At most one of json, content and form/files."""
    if sum((json is not None, content is not None, form is not None or files is not None)) > 1:
        raise InvalidRequest("A request has one body only.")
    if content is not None:
        return "", content
    if json is None and form is None and files is None:
        return "", b""
    try:
        # The address is never used: httpx encodes the body, we decide where it goes.
        encoded = httpx.Request("POST", "http://body.invalid/", json=json, data=form, files=files)
        return encoded.headers.get("content-type", ""), encoded.read()
    except (TypeError, ValueError) as error:
        raise InvalidRequest("The request body cannot be encoded.", detail=str(error)[:500]) from error
