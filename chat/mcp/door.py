"""Who was turned away at the door of `/mcp`, in the audit, as refusals of the REST API are: of a key that is known, one
a minute of each kind; of keys that nobody has, so many a minute from one address as are looked up at all."""

import structlog
from django.core.handlers.asgi import ASGIRequest
from django.db import Error as DatabaseFault

from chat.authentication import HEADER
from chat.mcp.refusals import Refused
from chat.models import ApiKey
from smartsupport.lib import audit, audit_repeats
from smartsupport.lib.addresses import exact

log = structlog.get_logger(__name__)

TOLD = frozenset({403, 404, 429})
"""Statuses of somebody who asked for what is not theirs, or for too much; not of requests that are out of order."""


def place_of(request: ASGIRequest) -> audit.Place:
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    return audit.Place(
        address=exact(peer, forwarded),
        user_agent=request.headers.get("User-Agent", "")[:200],
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", ""))[:100],
        method=request.method or "",
        path=request.path,
    )


def record(request: ASGIRequest, refused: Refused) -> None:
    """Write the refusal down, unless it is of no interest or was told a moment ago. A broken audit hides no refusal."""
    actor = _actor(request)
    if actor is None or refused.status not in TOLD:
        return
    of = audit.Recording(actor, place_of(request), "call", "mcp", messages=[refused.message])
    try:
        if audit_repeats.is_news(of, refused.status) if actor.id else refused.status == 403:
            audit.end(of, audit.REFUSED, status=refused.status)
    except DatabaseFault as error:
        log.error("mcp_refusal_not_written", code=refused.code, error=str(error))


def _actor(request: ASGIRequest) -> audit.Actor | None:
    """The key, where it is known; None where none was sent, or nobody looked for it."""
    key: ApiKey | None = getattr(request, "api_key", None)
    if key is not None:
        return audit.Actor("key", str(key.pk), key.name)
    looked_for = getattr(request, "was_authenticated", False) and request.headers.get(HEADER)
    return audit.WRONG_KEY if looked_for else None
