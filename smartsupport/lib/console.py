"""What the consoles of every app share. No models."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from smartsupport.lib.ids import parse_uuid

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound="Model")


class HistoryAdmin(ModelAdmin):
    """A page of a row's history that asks who is asking before it says whether there is such a row.

    A list without rows says `none_yet`, and `what_next` there is to do.
    """

    none_yet = ""
    what_next = ""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)


class ReadOnlyAdmin(HistoryAdmin):
    """Rows that people look at and nobody edits."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Leave a dialog for a page. Dialogs are posted by htmx, which follows this header and no redirect."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def identified(rows: "QuerySet[Row]", object_id: object) -> "QuerySet[Row]":
    """The row with this id from a URL; nothing for what is no id."""
    known = parse_uuid(str(object_id))
    return rows.filter(pk=known) if known else rows.none()


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


def ago(at: datetime) -> SafeString:
    """A moment as an element: `4 min ago`, with the exact time on hover. `console.js` keeps it true on an open page."""
    utc = at.astimezone(UTC)
    exact = f"{utc.day} {utc:%b %Y, %H:%M:%S} UTC"
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{} ago</time>', utc.isoformat(), exact, age(at)
    )


def money(micros: int | None) -> str:
    """Micro-dollars in words: `$0.0123` below a dollar, `$12.30` above, a dash where nobody knows."""
    if micros is None:
        return "–"
    sign, amount = ("-" if micros < 0 else ""), abs(micros) / 1_000_000
    if amount == 0:
        return "$0.00"
    if amount < 0.00005:
        return f"{sign}under $0.0001"
    return f"{sign}${amount:,.4f}" if amount < 1 else f"{sign}${amount:,.2f}"
