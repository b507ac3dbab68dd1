"""OAuth 2 access tokens (RFC 6749, sections 4.4 and 6): kept sealed in the credential's row for as long as they are
good, and renewed by one caller at a time, whatever process it runs in. The others wait and use the new one."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents.models import Credential
from smartsupport.lib import safe_http
from smartsupport.lib.locks import one_at_a_time
from smartsupport.lib.sealing import seal, unseal
from smartsupport.lib.text import shorten
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

REQUEST_SECONDS = 10.0
EARLY_SECONDS = 30
"""How long before its end a token counts as expired: a call takes time, and clocks differ."""
UNTOLD = 300
LONGEST = 86_400
"""Seconds that a token is kept where its server does not say, and at most."""
MAX_BYTES = 256 * 1024


class TokenRefused(Exception):
    """The sign-in server does not accept our credentials. The message may be shown to staff and models."""


class TokenUnavailable(Exception):
    """The sign-in server does not answer. The message may be shown to staff and models."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    expires_at: datetime
    refresh_token: str


_locks: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[UUID, asyncio.Lock]]" = WeakKeyDictionary()


async def access_token(credential: Credential, *, refused: str = "", seconds: float) -> str:
    """A token that is good now, and is not the `refused` one. Raises TokenRefused, TokenUnavailable (also where it took
    longer than `seconds`) and CannotUnseal."""
    if token := _good(credential, refused):
        return token
    lock = _locks.setdefault(asyncio.get_running_loop(), {}).setdefault(credential.pk, asyncio.Lock())
    try:
        async with asyncio.timeout(seconds), lock:
            return await in_thread(lambda: _renewed(credential.pk, refused))
    except TimeoutError:
        raise TokenUnavailable("The business's sign-in server did not answer in time.") from None


def _good(credential: Credential, refused: str) -> str:
    """The stored token where it can still be used."""
    until = credential.token_expires_at
    if not credential.token or until is None or until <= timezone.now():
        return ""
    token: str = unseal(credential.token)
    return token if token != refused else ""


@transaction.atomic
def _renewed(credential_id: UUID, refused: str) -> str:
    """A new token, or the one that somebody else has got meanwhile. What staff enter while it is asked for stays."""
    one_at_a_time(f"oauth token of {credential_id}")
    row = Credential.objects.filter(pk=credential_id).first()
    if row is None:
        raise TokenRefused("The credentials for this system were deleted just now.")
    if token := _good(row, refused):
        return token
    secret: dict[str, str] = unseal(row.secret)
    # On the event loop of the caller: its client, its connections.
    got: _Token = async_to_sync(_asked)(row, secret)
    kept: dict[str, Any] = {"token": seal(got.text), "token_expires_at": got.expires_at}
    if got.refresh_token and got.refresh_token != secret.get("refresh_token"):
        kept["secret"] = seal({**secret, "refresh_token": got.refresh_token})
    Credential.objects.filter(pk=row.pk, secret=row.secret).update(**kept)
    log.info("oauth_token_renewed", credential_id=str(row.pk))
    return got.text


async def _asked(row: Credential, secret: Mapping[str, str]) -> _Token:
    form: dict[str, str] = {"grant_type": "client_credentials"}
    if row.kind == Credential.Kind.OAUTH_REFRESH:
        form = {"grant_type": "refresh_token", "refresh_token": secret.get("refresh_token", "")}
    if row.scopes:
        form["scope"] = " ".join(row.scopes)
    client_id, client_secret = secret.get("client_id", ""), secret.get("client_secret", "")
    if not client_secret:
        return _read(row, await _post(row, {**form, "client_id": client_id}, {}))
    pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
    basic = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    answer = await _post(row, form, basic)
    if answer.status == 401 or (answer.status == 400 and _field(answer, "error") in ("invalid_client", "")):
        # Section 2.3.1: servers must know the header, and some know only the body.
        answer = await _post(row, {**form, "client_id": client_id, "client_secret": client_secret}, {})
    return _read(row, answer)


async def _post(row: Credential, form: Mapping[str, str], secret: Mapping[str, str]) -> safe_http.Response:
    client = await safe_http.shared_client(allowed_hosts=tuple(settings.SAFE_HTTP_ALLOWED_HOSTS))
    try:
        return await client.request(
            "POST",
            row.token_url,
            headers={"Accept": "application/json"},
            secret_headers=secret,
            form=form,
            timeout=REQUEST_SECONDS,
            max_bytes=MAX_BYTES,
        )
    except safe_http.OutboundError as error:
        log.warning(
            "oauth_server_unanswered", credential_id=str(row.pk), code=error.code, detail=error.detail
        )
        if isinstance(error, safe_http.RefusedAddress | safe_http.InvalidUrl | safe_http.InvalidRequest):
            raise TokenRefused("The address of the business's sign-in server is not allowed.") from error
        raise TokenUnavailable("The business's sign-in server does not answer.") from error


def _read(row: Credential, answer: safe_http.Response) -> _Token:
    if answer.status in (408, 425, 429) or answer.status >= 500:
        log.warning("oauth_server_unavailable", credential_id=str(row.pk), status=answer.status)
        raise TokenUnavailable("The business's sign-in server cannot give a token now.")
    token = _field(answer, "access_token") if answer.is_success else ""
    usable = token.isascii() and token.isprintable() and " " not in token
    if not token or not usable or (_field(answer, "token_type") or "bearer").lower() != "bearer":
        error = shorten(_field(answer, "error"), 100)
        log.warning("oauth_token_refused", credential_id=str(row.pk), status=answer.status, error=error)
        raise TokenRefused("The business's sign-in server refused our credentials.")
    return _Token(token, timezone.now() + _life(answer), _field(answer, "refresh_token"))


def _life(answer: safe_http.Response) -> timedelta:
    told = _answer(answer).get("expires_in")
    try:
        seconds = int(told) if told is not None else UNTOLD
    except (TypeError, ValueError, OverflowError):
        seconds = UNTOLD
    seconds = min(max(seconds, 0), LONGEST)
    return timedelta(seconds=seconds - min(EARLY_SECONDS, seconds / 2))


def _field(answer: safe_http.Response, name: str) -> str:
    value = _answer(answer).get(name)
    return value if isinstance(value, str) else ""


def _answer(answer: safe_http.Response) -> dict[str, Any]:
    try:
        value = answer.json()
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
