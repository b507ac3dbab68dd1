from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from openapi_import.models import SpecSource
from smartsupport.lib.console import ReadOnlyAdmin


@admin.register(SpecSource)
class SpecSourceAdmin(ReadOnlyAdmin):
    """The documents that tools were built from, as they were last read."""

    list_display = ("called", "url", "tool_count", "fetched_at")
    search_fields = ("name", "title", "url")
    fields = ("name", "title", "version", "url", "fetched_at", "document_hash", "calls_per_minute")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SpecSource]:
        return super().get_queryset(request).annotate(tool_total=Count("tools")).order_by("name")

    @display(description="Document", ordering="name")
    def called(self, source: SpecSource) -> str:
        return source.title or source.name

    @display(description="Tools", ordering="tool_total")
    def tool_count(self, source: SpecSource) -> int:
        return source.tool_total  # type: ignore[attr-defined]
