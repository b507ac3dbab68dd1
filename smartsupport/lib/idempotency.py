"""Writes that are sent again under the same `Idempotency-Key` are carried out once (IETF
draft-ietf-httpapi-idempotency-key-header). No models: the rows are `smartsupport.models.IdempotentRequest`.

One row for each caller and key. It is written before anything is done and says what was asked (a fingerprint) and who
is at it (a token with a lease that is renewed while the request lasts). Then it has the answer, sealed, until a day has
passed: kept in the transaction of what was done, wherever that is in our database alone. A refusal changed nothing, so
its row goes and the next one is a first one. A process that died has done nothing, and leaves a row whose lease ends:
then the same request is carried out. What reaches other systems or waits for them is done before its answer is kept,
and has a name of its own by which it happens once (messages by their id, actions by their key).
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import connection

from smartsupport.lib import leases, sealing
from smartsupport.lib.errors import ServiceError

log = structlog.get_logger(__name__)

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT_HEADERS = ("Content-Type", "Cache-Control", "ETag", "Location")
KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?")
TRIES = 5

_BEGIN = """
INSERT INTO smartsupport_idempotentrequest AS kept
    (caller, key, fingerprint, token, status, answer, begun_at, lease_until, kept_until)
VALUES (%(caller)s, %(key)s, %(fingerprint)s, %(token)s::uuid, NULL, '', clock_timestamp(),
        clock_timestamp() + make_interval(secs => %(lease)s), clock_timestamp() + interval '24 hours')
ON CONFLICT (caller, key) DO UPDATE SET
    fingerprint = EXCLUDED.fingerprint, token = EXCLUDED.token, status = NULL, answer = '',
    begun_at = EXCLUDED.begun_at, lease_until = EXCLUDED.lease_until, kept_until = EXCLUDED.kept_until
WHERE kept.kept_until <= clock_timestamp()
   OR (kept.status IS NULL AND kept.lease_until <= clock_timestamp() AND kept.fingerprint = ANY(%(known)s))
RETURNING token, (xmax <> 0)
"""
_LOOK = """
SELECT fingerprint, status, answer FROM smartsupport_idempotentrequest WHERE caller = %s AND key = %s
"""
_KEEP = "UPDATE smartsupport_idempotentrequest SET status = %s, answer = %s WHERE token = %s"
_FORGET = "DELETE FROM smartsupport_idempotentrequest WHERE token = %s AND status IS NULL"
_PURGE = """
DELETE FROM smartsupport_idempotentrequest WHERE id IN (
    SELECT id FROM smartsupport_idempotentrequest WHERE kept_until <= clock_timestamp() LIMIT %s)
"""


class InvalidKey(ServiceError):
    code, status = "invalid", 400
    message = "Some fields are not valid."


class KeyReused(ServiceError):
    """The key belongs to another request of the same caller."""

    code, status = "idempotency_key_reused", 422
    message = "This Idempotency-Key was used for another request. Nothing was done; send it with a new key."


class RequestInProgress(ServiceError):
    """The same request is being carried out at this moment."""

    code, status, retry_after = "request_in_progress", 409, 1
    message = "The same request is being carried out. Ask again in a moment."


class AnswerUnreadable(ServiceError):
    """It was done; the keys that seal what is stored have changed since."""

    code, status = "answer_unreadable", 409
    message = "This request was carried out before, and its answer cannot be read any more. Look at what it changed."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered: the HTTP status, the body, and those of its headers that are kept."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry a request out. It is given back by `keep` or `forget`."""

    token: UUID


def checked_key(text: str) -> str:
    """1 to 200 printable ASCII characters that neither begin nor end with a space. Raises InvalidKey (400)."""
    if not KEY.fullmatch(text):
        raise InvalidKey(fields={HEADER: ["Must be 1 to 200 printable ASCII characters."]})
    return text


def fingerprints(parts: Iterable[Any]) -> list[str]:
    """64 hex digits of what was asked: equal for equal `parts` (JSON), and of no use to whoever reads the table. The
    first by SECRET_KEY; the others are what it was, or may have been, while an older key was in use."""
    text = json.dumps(list(parts), sort_keys=True, separators=(",", ":")).encode()
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [hmac.new(b"idempotency" + key.encode(), text, hashlib.sha256).hexdigest() for key in keys]


def begin(*, caller: str, key: str, fingerprints: Sequence[str]) -> Claim | Answer:
    """Take this request over, or get what it was answered before. One statement, two for a repeat.

    Raises KeyReused (422), RequestInProgress (409), AnswerUnreadable (409).
    """
    asked: dict[str, Any] = {"caller": caller, "key": key, "fingerprint": fingerprints[0]}
    asked["known"] = list(fingerprints)
    for _ in range(TRIES):
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN, asked | {"token": str(uuid4()), "lease": leases.LEASE_SECONDS})
            if taken := cursor.fetchone():
                token, was_there = taken
                if was_there:
                    log.info("idempotent_request_begun_again", caller=caller)
                leases.hold(token)
                return Claim(token)
            cursor.execute(_LOOK, [caller, key])
            known = cursor.fetchone()
        if known is not None:
            return _known(fingerprints, *known)
    raise RequestInProgress()


def _known(asked: Sequence[str], was: str, status: int | None, answer: str) -> Answer:
    if was not in asked:
        raise KeyReused()
    if status is None:
        raise RequestInProgress()
    try:
        headers, body = sealing.unseal(answer)
    except sealing.CannotUnseal:
        raise AnswerUnreadable() from None
    return Answer(status, headers, body.encode("utf-8", "surrogateescape"))


def keep(claim: Claim, answer: Answer) -> bool:
    """Remember what was answered. Whoever lost the lease meanwhile changes nothing: False."""
    sealed = sealing.seal([answer.headers, answer.body.decode("utf-8", "surrogateescape")])
    try:
        with connection.cursor() as cursor:
            cursor.execute(_KEEP, [answer.status, sealed, claim.token])
            return bool(cursor.rowcount)
    finally:
        leases.let_go(claim.token)


def forget(claim: Claim) -> None:
    """Nothing was done: the next request with this key is a first one."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_FORGET, [claim.token])
    finally:
        leases.let_go(claim.token)


def purge(batch: int = 5_000) -> int:
    """Delete what is older than a day, in batches; how many."""
    gone = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_PURGE, [batch])
            gone += cursor.rowcount
            if cursor.rowcount < batch:
                return gone
