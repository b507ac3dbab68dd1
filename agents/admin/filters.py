"""What the list of tools shows."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from agents.models import Tool
from agents.retired import NOT_RETIRED, RETIRED


class ToolStateFilter(admin.SimpleListFilter):
    """Which tools are listed; nothing chosen means: all but those that are there for the past only."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("on", "Enabled"), ("off", "Disabled"), ("deleted", "Deleted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Tool]) -> QuerySet[Tool]:
        match self.value():
            case "on":
                return queryset.filter(enabled=True)
            case "off":
                return queryset.filter(NOT_RETIRED, enabled=False)
            case "deleted":
                return queryset.filter(RETIRED)
        return queryset.filter(NOT_RETIRED)
