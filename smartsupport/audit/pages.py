"""The audit in the console: a list with filters, an entry, and files to take away. Nothing of it can be edited."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from smartsupport.audit import exports, listing
from smartsupport.audit.listing import Wanted
from smartsupport.lib.console import ReadOnlyAdmin
from smartsupport.models import AuditEntry

PLACES = (("address", "Address"), ("user_agent", "Program"), ("request_id", "Request"))


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    def get_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view, "smartsupport_auditentry_{}".format
        return [
            path("audit.csv", view(self.csv), name=name("csv")),
            path("audit.jsonl", view(self.jsonl), name=name("jsonl")),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The newest entries that fit the address."""
        wanted = self._wanted(request)
        entries, older = wanted.page()
        shown = {
            **self.admin_site.each_context(request),
            "title": "Audit",
            "opts": self.opts,
            "wanted": wanted,
            "rows": [_row(entry) for entry in entries],
            "older": wanted.query(before=older) if older else "",
            "newest": wanted.query(),
            "choices": {
                column: listing.values_of(column) for column in ("actor_name", "verb", "object_type")
            },
            "outcomes": listing.OUTCOMES,
        }
        return TemplateResponse(request, "audit/list.html", shown)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One entry with all that is known of it; of a request its beginning and its end."""
        self._wanted(request)
        if request.method == "POST":
            raise PermissionDenied
        number = int(object_id) if object_id.isascii() and object_id.isdigit() and len(object_id) < 19 else 0
        entry = AuditEntry.objects.filter(pk=number).first()
        if entry is None:
            raise Http404
        other = AuditEntry.objects.filter(
            **({"pk": entry.begun_id} if entry.begun_id else {"begun_id": entry.pk})
        )
        shown = {
            **self.admin_site.each_context(request),
            "title": f"Entry {entry.pk}",
            "opts": self.opts,
            "original": entry,
            "row": _row(entry),
            "other": other.first(),
            "changes": _changes(entry),
            "messages_then": (entry.detail or {}).get("messages", []),
            "detail": _detail(entry),
            "places": [(words, getattr(entry, name)) for name, words in PLACES if getattr(entry, name)],
        }
        return TemplateResponse(request, "audit/entry.html", shown)

    def csv(self, request: HttpRequest) -> StreamingHttpResponse:
        return exports.download(request, self._wanted(request), "csv")

    def jsonl(self, request: HttpRequest) -> StreamingHttpResponse:
        return exports.download(request, self._wanted(request), "jsonl")

    def _wanted(self, request: HttpRequest) -> Wanted:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return Wanted.of(request.GET.dict())


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "entry": entry,
        "who": entry.actor_name or listing.KINDS.get(entry.actor_kind, ""),
        "kind": listing.KINDS.get(entry.actor_kind, entry.actor_kind),
        "what": entry.verb.replace("_", " ").replace(".", " "),
        "outcome": listing.OUTCOMES.get(entry.outcome, entry.outcome),
        "colour": listing.COLOURS.get(entry.outcome, "info"),
        "object": _object(entry),
        "note": next(iter((entry.detail or {}).get("messages", [])), ""),
    }


def _object(entry: AuditEntry) -> str:
    if entry.object_label:
        return entry.object_label
    return entry.object_id or ("" if entry.object_type else entry.path)


def _changes(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """(field, before, after) of every field that is known to have changed."""
    before, after = entry.before or {}, entry.after or {}
    return [(name, _text(before, name), _text(after, name)) for name in sorted({*before, *after})]


def _text(state: dict[str, Any], name: str) -> str:
    if name not in state or state[name] in (None, ""):
        return ""
    value = state[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _detail(entry: AuditEntry) -> str:
    more = {name: value for name, value in (entry.detail or {}).items() if name != "messages"}
    return json.dumps(more, ensure_ascii=False, indent=2) if more else ""
