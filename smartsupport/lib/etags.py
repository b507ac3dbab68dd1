"""Entity tags (RFC 9110, 8.8.3 and 13.1): a hash of the answer's bytes."""

import hashlib

from django.http import HttpRequest
from django.utils.http import parse_etags, quote_etag
from rest_framework.request import Request

from smartsupport.lib.errors import ServiceError

HEADER = "If-Match"


class PreconditionFailed(ServiceError):
    """`If-Match` names another state than the one that is there; `etag` is of that one."""

    code, status = "precondition_failed", 412
    message = "This has changed since you read it. Nothing was done: read it again, then decide."


def etag_of(content: bytes) -> str:
    """A strong tag, in its quotes."""
    return quote_etag(hashlib.sha256(content).hexdigest()[:32])


def is_conditional(request: HttpRequest | Request) -> bool:
    return HEADER in request.headers


def require_match(request: HttpRequest | Request, *contents: bytes) -> None:
    """Whether `If-Match` names one of these states. Raises PreconditionFailed (412); without the header nothing.

    A proxy that compresses turns our tags into weak ones (`W/"…"`): they are taken for what they were made of.
    """
    if not is_conditional(request):
        return
    named = {tag.removeprefix("W/") for tag in parse_etags(request.headers[HEADER])}
    there = [etag_of(content) for content in contents]
    if "*" not in named and named.isdisjoint(there):
        raise PreconditionFailed(etag=there[0])
