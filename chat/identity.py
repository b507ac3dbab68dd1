"""Who is chatting: a verified customer (the company's JWT) or an anonymous visitor (a signed cookie; the same as a text
in a frame on another site, where browsers keep no cookie of ours).

Neither credential is ever good for anything but chatting, and neither reaches a log.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import jwt
from django.conf import settings
from django.core import signing
from jwt.utils import base64url_decode, base64url_encode

from chat.models import Customer
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.text import storable

COOKIE = "smartsupport_customer"
COOKIE_MAX_AGE = 60 * 60 * 24 * 365
_SALT = "smartsupport.customer"
_FRAMED_SALT = "smartsupport.framed-visitor"
SUBJECT_LIMIT = 255
ATTRIBUTES_LIMIT = 50


class Unauthorized(ServiceError):
    code, status, message = "unauthorized", 401, "Unauthorized"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is on the other end. An anonymous visitor has no row before the first message; `customer_id` will be its."""

    customer_id: UUID
    verified: bool
    new_cookie: str = ""

    def make_row(self) -> None:
        """Create the row of an anonymous visitor who writes for the first time; once, however often it is called."""
        if not self.verified:
            row = Customer(pk=self.customer_id, business_id=settings.DEMO_CUSTOMER_ID)
            Customer.objects.bulk_create([row], ignore_conflicts=True)


def identify(*, token: str | None, cookie: str | None, framed: str | None = None) -> Visitor:
    """The visitor whom these credentials name. Raises Unauthorized. Synchronous (ORM for tokens).

    A token or a framed visitor's credential that is there must be good: a bad one is never replaced by the cookie or by
    anonymity.
    """
    if token is not None:
        return Visitor(_verified(token).pk, verified=True)
    if not settings.ALLOW_ANONYMOUS_CHAT:
        raise Unauthorized()
    if framed is not None:
        return Visitor(_framed(framed), verified=False)
    known = read_cookie(cookie) if cookie else None
    if known is not None:
        return Visitor(known, verified=False)
    customer_id = uuid4()
    return Visitor(customer_id, verified=False, new_cookie=sign_cookie(customer_id))


def sign_cookie(customer_id: UUID) -> str:
    return signing.dumps(str(customer_id), salt=_SALT)


def read_cookie(value: str) -> UUID | None:
    """The visitor whom a cookie names, or None when we did not sign it or it is too old."""
    try:
        return parse_uuid(signing.loads(value, salt=_SALT, max_age=COOKIE_MAX_AGE))
    except signing.BadSignature:
        return None


def sign_framed(customer_id: UUID) -> str:
    """What a framed chat says instead of the cookie. Neither is good in the other's place."""
    return signing.dumps(str(customer_id), salt=_FRAMED_SALT)


def _framed(value: str) -> UUID:
    """Raises Unauthorized for what we did not sign, or too long ago."""
    try:
        known = parse_uuid(signing.loads(value, salt=_FRAMED_SALT, max_age=COOKIE_MAX_AGE))
    except signing.BadSignature:
        raise Unauthorized() from None
    if known is None:
        raise Unauthorized()
    return known


def _verified(token: str) -> Customer:
    """The customer of a good token, created or brought up to date. Raises Unauthorized."""
    claims = _claims(token)
    if not _spelled_as_signed(token):
        raise Unauthorized()
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject.strip() or len(subject) > SUBJECT_LIMIT:
        raise Unauthorized()
    if storable(subject) != subject:  # would be somebody else's once stored
        raise Unauthorized()
    fields = _profile(claims)
    customer, created = Customer.objects.get_or_create(
        subject=subject, defaults={"business_id": subject, **fields}
    )
    changed = {name: value for name, value in fields.items() if getattr(customer, name) != value}
    if changed and not created:
        Customer.objects.filter(pk=customer.pk).update(**changed)
    return customer


def _claims(token: str) -> dict[str, Any]:
    """What the token says, where the company has signed it: with its secret, or with one that it is replacing. Raises
    Unauthorized."""
    if not settings.CUSTOMER_JWT_SECRET:
        raise Unauthorized()
    for secret in (settings.CUSTOMER_JWT_SECRET, *settings.CUSTOMER_JWT_SECRET_FALLBACKS):
        try:
            found: dict[str, Any] = jwt.decode(
                token, secret, algorithms=["HS256"], options={"require": ["exp", "sub"]}
            )
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            break
        return found
    raise Unauthorized()


def _spelled_as_signed(token: str) -> bool:
    """Whether the signature is written in its one right way. Decoders skip characters that are none and bits that are
    left over, so without this one token would have many spellings, all of them good."""
    signature = token.rpartition(".")[2]
    return base64url_encode(base64url_decode(signature)).decode() == signature


def _profile(claims: dict[str, Any]) -> dict[str, Any]:
    """What the token tells of the customer; anything of the wrong form is left out."""
    fields: dict[str, Any] = {}
    for name, limit in (("name", 200), ("email", 254)):
        if isinstance(claims.get(name), str):
            fields[name] = storable(claims[name])[:limit]
    attributes = claims.get("attributes")
    if isinstance(attributes, dict) and len(attributes) <= ATTRIBUTES_LIMIT:
        fields["attributes"] = storable(attributes)
    return fields
