"""Calls to business systems that are really made: requests, terms, and stored credentials."""

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from agents.credentials import Held, Terms
from agents.models import Credential
from agents.tool_request import Request
from smartsupport.lib.sealing import seal
from tests.agents.tool_rows import make_source

KEY_IN_HEADER = {"kind": "apiKey", "in": "header", "name": "X-Key"}
KEY_IN_QUERY = {"kind": "apiKey", "in": "query", "name": "api_key"}
KEY_IN_COOKIE = {"kind": "apiKey", "in": "cookie", "name": "session"}
BASIC = {"kind": "http", "scheme": "basic"}
BEARER = {"kind": "http", "scheme": "bearer"}
OAUTH = {"kind": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://sign-in.example/token"}}}
SECRETS: dict[str, dict[str, str]] = {
    "api_key": {"value": "sk_live_1042"},
    "bearer": {"value": "bearer-1042"},
    "basic": {"username": "ada", "password": "s3cret-pass"},
    "oauth2_client": {"client_id": "shop", "client_secret": "client-s3cret"},
    "oauth2_refresh": {"client_id": "shop", "client_secret": "client-s3cret", "refresh_token": "refresh-1"},
}


def request(url: str, method: str = "GET", **more: Any) -> Request:
    return Request(method, url, more.pop("query", ()), more.pop("headers", {}), more.pop("body", None))


def unsaved(kind: str, scheme: str = "main", **fields: Any) -> Credential:
    return Credential(scheme=scheme, kind=kind, secret=seal(SECRETS[kind]), **fields)


def stored(kind: str, scheme: str = "main", source: str = "shop", **fields: Any) -> Credential:
    made = unsaved(kind, scheme, source=make_source(source), **fields)
    made.save()
    return made


def terms(*held: tuple[dict[str, Any], Credential], **more: Any) -> Terms:
    """Terms of a source that nobody else calls."""
    return Terms(uuid4(), "shop", held=tuple(Held(scheme, row) for scheme, row in held), **more)


def port_of(url: str) -> str:
    return urlsplit(url).netloc
