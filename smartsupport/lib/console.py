"""What the consoles of every app share. No models."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.admin import ModelAdmin

from smartsupport.lib.errors import ServiceError


class ReadOnlyAdmin(ModelAdmin):
    """Rows that people look at and nobody edits."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Leave a dialog for a page. The theme posts dialogs by htmx, which follows this header and no redirect."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def told(request: HttpRequest, service: Callable[[], Any]) -> bool:
    """Call a service; a refusal becomes a message to whoever asked. Returns whether it was done."""
    try:
        service()
    except ServiceError as refusal:
        messages.error(request, refusal.message)
        return False
    return True


def age(since: datetime, *, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that says enough: `4 min`, `3 h`, `2 days`."""
    seconds = max(0, int(((now or timezone.now()) - since).total_seconds()))
    if seconds < 60:
        return "under a minute"
    for size, one, many in ((86_400, "day", "days"), (3_600, "h", "h"), (60, "min", "min")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {one if count == 1 else many}"
    raise AssertionError("unreachable")
