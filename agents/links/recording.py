"""Decisions by link in the audit: their page is in no part of the site that is recorded by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.http import HttpRequest

from agents.links.deciding import decider
from agents.models import ApprovalLink
from smartsupport.lib import audit
from smartsupport.lib.addresses import exact
from smartsupport.lib.errors import ServiceError

PATH = "/decide/"
"""The rest of the address is the token."""


@contextmanager
def recorded(request: HttpRequest, link: ApprovalLink, *, approved: bool) -> Iterator[None]:
    """Record that this decision was begun, and what came of it."""
    of = audit.Recording(
        actor=_actor(link),
        place=_place(request),
        verb="approve" if approved else "decline",
        object_type="agents.action",
        object_id=str(link.action_id),
        object_label=str(link.action),
    )
    of.messages.append(f"By a link that {link.made_by} made.")
    of.begun_id = audit.begin(of)
    try:
        with audit.recording(of):
            yield
    except ServiceError as refusal:
        of.messages.append(refusal.message)
        audit.end(of, audit.REFUSED, status=refusal.status)
        raise
    except Exception:
        audit.end(of, audit.FAILED, status=500)
        raise
    audit.end(of, audit.DONE, status=200)


def _actor(link: ApprovalLink) -> audit.Actor:
    if link.user is not None:
        return audit.Actor("staff", str(link.user.pk), link.user.get_username())
    return audit.Actor("unknown", str(link.pk), decider(link).name)


def _place(request: HttpRequest) -> audit.Place:
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    return audit.Place(
        address=exact(peer, forwarded),
        user_agent=request.headers.get("User-Agent", "")[:200],
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", ""))[:100],
        method=request.method or "",
        path=PATH,
    )
