"""Who we are to a business system: which stored credentials a tool's call needs, and how they go onto its request.

A request is built without them (`agents.tool_request`), shown and recorded without them, and only then signed, right
before it is sent. No secret is part of a row's text, a log line, an event or a dry run.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import structlog
from django.db import DatabaseError
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from agents import oauth
from agents.models import Credential, Tool
from agents.tool_request import Request
from smartsupport.lib.postgres import rows_of
from smartsupport.lib.sealing import seal, unseal
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

Kind = Credential.Kind
HIDDEN = "[hidden]"
NOTED_EVERY = timedelta(minutes=1)
OAUTH = frozenset({Kind.OAUTH_CLIENT, Kind.OAUTH_REFRESH})
CHALLENGED = frozenset({"digest", "negotiate", "ntlm", "hoba", "mutual", "dpop", "vapid", "privatetoken"})
"""HTTP schemes whose proof depends on a challenge or on the request: a stored text does not do."""


@dataclass(frozen=True, slots=True)
class Held:
    """One security scheme of the document, {"kind", "in", "name", "scheme", ...}, and the credential stored for it."""

    scheme: Mapping[str, Any]
    credential: Credential


@dataclass(frozen=True, slots=True)
class Terms:
    """How the tools of a source may be called: how often, and as whom. `missing` names the security schemes that
    nothing is stored for, where that leaves no way to call the tool."""

    source_id: UUID
    source: str = ""
    calls_per_minute: int | None = None
    held: tuple[Held, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def renewable(self) -> bool:
        """Whether a fresh token may help against a 401."""
        return any(one.credential.kind in OAUTH for one in self.held)


@dataclass(frozen=True, slots=True)
class Signed:
    """A request with our credentials on it. Never shown, logged or stored. `token`: the OAuth token that it carries;
    `secrets`: the texts that must not come back in an answer."""

    request: Request = field(repr=False)
    secret_headers: dict[str, str] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


_TO_CALL = """
    SELECT {columns}, {beside}, EXISTS (
        SELECT 1 FROM agents_credential WHERE source_id = agents_tool.source_id) AS source_has_credentials
    FROM agents_tool JOIN openapi_import_specsource ON openapi_import_specsource.id = source_id
    WHERE agents_tool.id = %(tool)s AND agents_tool.enabled
"""


def tool_to_call(tool_id: UUID) -> Tool | None:
    """The tool, if it is on, with what `terms_of` needs to know of its source, whether anything is stored for that
    included: for most there is nothing, and then nobody has to look for it."""
    return next(iter(rows_of(Tool, _TO_CALL, beside="source", tool=tool_id)), None)


def terms_of(tool: Tool) -> Terms:
    """The terms for a call of this tool, with the credentials of its own source and no other. Two queries at most; one
    or none for a `tool_to_call`."""
    source = tool.source
    plain = Terms(source.pk, str(source), source.calls_per_minute)
    if not tool.security:
        return plain
    looks = getattr(tool, "source_has_credentials", True)
    rows = Credential.objects.filter(source_id=source.pk) if looks else ()
    stored = {row.scheme: row for row in rows}
    held, missing = chosen(tool.security, stored)
    return replace(plain, held=held, missing=missing)


def chosen(
    security: Sequence[Mapping[str, Any]], stored: Mapping[str, Credential]
) -> tuple[tuple[Held, ...], tuple[str, ...]]:
    """The first alternative whose schemes all have a fitting credential, in the document's order. Where the document
    also allows calls without any, that is the last choice: who stored a credential wants it used. Nothing held, and the
    names of what the first alternative lacks, where none can be used."""
    wanted = [alternative for alternative in security if alternative]
    for alternative in wanted:
        if all(name in stored and fits(stored[name].kind, scheme) for name, scheme in alternative.items()):
            return tuple(Held(scheme, stored[name]) for name, scheme in alternative.items()), ()
    if not wanted or len(wanted) < len(security):
        return (), ()
    first = wanted[0].items()
    lacking = [name for name, one in first if name not in stored or not fits(stored[name].kind, one)]
    return (), tuple(lacking)


def fits(kind: str, scheme: Mapping[str, Any]) -> bool:
    """Whether a credential of this kind can satisfy a security scheme of the document."""
    return kind in kinds_for(scheme)


def kinds_for(scheme: Mapping[str, Any]) -> tuple[Kind, ...]:
    """The kinds of credential that satisfy a security scheme; none for one that a stored secret cannot satisfy."""
    match scheme.get("kind"):
        case "apiKey":
            return (Kind.API_KEY,)
        case "oauth2" | "openIdConnect":
            return (Kind.OAUTH_CLIENT, Kind.OAUTH_REFRESH, Kind.BEARER)
        case "http":
            name = str(scheme.get("scheme") or "").lower()
            if name == "basic":
                return (Kind.BASIC,)
            if name == "bearer":
                return (Kind.BEARER, Kind.OAUTH_CLIENT, Kind.OAUTH_REFRESH)
            return () if name in CHALLENGED or not name else (Kind.BEARER,)
    return ()


async def sign(request: Request, terms: Terms, *, refused: str = "", seconds: float) -> Signed:
    """The request as it is sent. `refused` is a token that the business has just answered 401 to. Raises CannotUnseal,
    oauth.TokenRefused and oauth.TokenUnavailable; then nothing was sent."""
    proofs: list[tuple[Held, str]] = []
    token, secrets = "", []
    for one in terms.held:
        if one.credential.kind in OAUTH:
            token = text = await oauth.access_token(one.credential, refused=refused, seconds=seconds)
        else:
            secret = unseal(one.credential.secret)
            text = _text(one.credential.kind, secret)
            secrets.append(str(secret.get("password") or ""))
        proofs.append((one, text))
        secrets.append(text)
    return replace(attached(request, proofs), token=token, secrets=tuple(secrets))


def redacted(request: Request, terms: Terms) -> Signed:
    """The request as it would be sent, with a word in the place of each secret."""
    return attached(request, [(one, HIDDEN) for one in terms.held])


def _text(kind: str, secret: Mapping[str, str]) -> str:
    if kind == Kind.BASIC:
        return base64.b64encode(f"{secret['username']}:{secret['password']}".encode()).decode()
    return str(secret["value"])


def attached(request: Request, proofs: Iterable[tuple[Held, str]]) -> Signed:
    """The request with each proof where its scheme wants it. What a tool has under the same name gives way to it."""
    headers, query = dict(request.headers), list(request.query)
    secret: dict[str, str] = {}
    cookies: list[str] = []
    for one, text in proofs:
        place, name, value = _placed(one.scheme, text)
        if place == "query":
            query = [pair for pair in query if pair[0] != name] + [(name, value)]
        elif place == "cookie":
            cookies.append(f"{name}={quote(value, safe=_COOKIE_SAFE)}")
        else:
            headers = _without(headers, name)
            secret = {**_without(secret, name), name: value}
    if cookies:
        names = {cookie.partition("=")[0] for cookie in cookies}
        own = [
            part.strip()
            for name, text in headers.items()
            if name.lower() == "cookie"
            for part in text.split(";")
        ]
        kept = [part for part in own if part.partition("=")[0] not in names]
        headers = _without(headers, "Cookie")
        secret["Cookie"] = "; ".join([*kept, *cookies])
    return Signed(replace(request, headers=headers, query=tuple(query)), secret)


_COOKIE_SAFE = "!#$%&'()*+-./:<=>?@[]^_`{|}~"


def _without(headers: Mapping[str, str], name: str) -> dict[str, str]:
    return {known: value for known, value in headers.items() if known.lower() != name.lower()}


def _placed(scheme: Mapping[str, Any], text: str) -> tuple[str, str, str]:
    """(header | query | cookie, name, value)"""
    if scheme.get("kind") == "apiKey":
        return str(scheme.get("in") or "header"), str(scheme.get("name") or ""), text
    word = str(scheme.get("scheme") or "bearer") if scheme.get("kind") == "http" else "bearer"
    known = {"basic": "Basic", "bearer": "Bearer"}
    return "header", "Authorization", f"{known.get(word.lower(), word)} {text}"


def place_of(scheme: Mapping[str, Any]) -> str:
    """In words, where a scheme's proof goes: `header X-API-Key`."""
    place, name, _ = _placed(scheme, "")
    return f"{'query parameter' if place == 'query' else place} {name}"


async def note_answer(terms: Terms, *, refused: bool) -> None:
    """Remember that the business accepted or refused our credentials, for staff to see. Never fails a call."""
    now = timezone.now()
    if not refused:
        recent = [one.credential.last_used_at for one in terms.held]
        if not terms.held or all(at is not None and now - at < NOTED_EVERY for at in recent):
            return
    try:
        await in_thread(lambda: _note([one.credential.pk for one in terms.held], refused=refused))
    except DatabaseError:
        log.exception("credential_use_not_noted", source=terms.source)


def _note(ids: Sequence[UUID], *, refused: bool) -> None:
    now, rows = timezone.now(), Credential.objects.filter(pk__in=ids)
    if refused:
        rows.update(refused_at=now)
        return
    earlier = (
        Q(last_used_at=None) | Q(last_used_at__lt=now - NOTED_EVERY) | Q(refused_at__gt=F("last_used_at"))
    )
    rows.filter(earlier).update(last_used_at=now)


def with_secret(row: Credential, secret: Mapping[str, str]) -> tuple[str, ...]:
    """Give the row another secret. What was known of the old one is forgotten. Returns the fields to save."""
    row.secret, row.token = seal(dict(secret)), ""
    row.token_expires_at = row.refused_at = row.last_used_at = None
    return ("secret", "token", "token_expires_at", "refused_at", "last_used_at")


def refused_rows() -> QuerySet[Credential]:
    """Those of which the last that we know is that the business refused them."""
    never_good = Q(last_used_at=None) | Q(last_used_at__lte=F("refused_at"))
    return Credential.objects.filter(never_good, refused_at__isnull=False)


def is_refused(row: Credential) -> bool:
    """Whether the last that we know of it is that the business refused it."""
    return row.refused_at is not None and (row.last_used_at is None or row.refused_at >= row.last_used_at)
