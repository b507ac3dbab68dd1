"""How often signing in may fail (django-axes), and the page that says when to try again.

Three counts over the last SIGN_IN_LOCK_MINUTES: of one name from one address, of one address whatever the names, of one
name whatever the addresses. A name that nobody has counts like any other, so a lock tells nothing about who is here.
"""

import math
from datetime import datetime
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.admin import site
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from chat.limits import address as counted_address

PER_ADDRESS = 4
"""So many times the failures of one name may come from one address: a whole office may be behind it."""
PER_NAME = 10
"""And so many times from everywhere: who knows a name must not be able to keep its owner out cheaply."""


def address(request: HttpRequest) -> str | None:
    """AXES_CLIENT_IP_CALLABLE: what failures are counted by, as for customers. An IPv6 network counts as one."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    found = counted_address(request.META.get("REMOTE_ADDR", ""), forwarded).partition("/")[0]
    return None if found == "unknown" else found


class Limits(AxesDatabaseHandler):
    """Axes with a limit of its own for each of the three counts. `get_failures` is 1 where one of them is reached, and
    AXES_FAILURE_LIMIT is 1."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        return int(locked_since(request, credentials) is not None)

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        locked = bool(super().is_locked(request, credentials))
        request.was_locked_out = locked  # type: ignore[attr-defined]  # before this attempt
        return locked


def locked_since(request: HttpRequest, credentials: dict[str, Any] | None) -> datetime | None:
    """When the last failure was that counts, where a limit is reached; None where none is."""
    name = (credentials or {}).get("username")
    peer = address(request)
    most = settings.SIGN_IN_FAILURES
    counts: list[tuple[dict[str, Any], int]] = [({"username": name}, most * PER_NAME)]
    if peer is not None:
        counts += [
            ({"username": name, "ip_address": peer}, most),
            ({"ip_address": peer}, most * PER_ADDRESS),
        ]
    recent = AccessAttempt.objects.filter(attempt_time__gte=get_cool_off_threshold(request))
    last: list[datetime] = []
    for whose, limit in counts:
        found = recent.filter(**whose).aggregate(
            failures=Sum("failures_since_start"), last=Max("attempt_time")
        )
        if (found["failures"] or 0) >= limit:
            last.append(found["last"])
    return max(last, default=None)


def locked_out(
    request: HttpRequest, response: HttpResponseBase | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """AXES_LOCKOUT_CALLABLE: the page instead of the sign-in form, 429 with Retry-After."""
    cool_off = settings.AXES_COOLOFF_TIME
    since = locked_since(request, credentials) or timezone.now()
    until = since + cool_off
    seconds = max(1, math.ceil((until - timezone.now()).total_seconds()))
    minutes = math.ceil(seconds / 60)
    context = {
        **site.each_context(request),
        "until": until,
        "minutes": minutes,
        "title": "Too many failed attempts to sign in",
    }
    page = render(request, "admin/locked_out.html", context, status=429)
    page.headers["Retry-After"] = str(seconds)
    return page
