"""What the lists of approvals and of tools show."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from agents.models import Action, ActionStatus, Approver, Tool
from agents.retired import NOT_RETIRED, RETIRED


class WhichFilter(admin.SimpleListFilter):
    """What is listed; nothing chosen means: what waits for staff."""

    title = "state"
    parameter_name = "which"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("customer", "Waits for the customer"),
            ("unknown", "Outcome unknown"),
            ("failed", "Failed"),
            ("decided", "Decided"),
            ("expired", "Expired"),
            ("all", "All"),
        ]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        default = {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "Waits for staff",
        }
        yield default
        yield from list(super().choices(changelist))[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Action]) -> QuerySet[Action]:
        match self.value():
            case None:
                return queryset.filter(status=ActionStatus.AWAITING, approver=Approver.STAFF)
            case "customer":
                return queryset.filter(status=ActionStatus.AWAITING, approver=Approver.CUSTOMER)
            case "unknown" | "failed" | "expired" as status:
                return queryset.filter(status=status)
            case "decided":
                return queryset.exclude(status__in=[ActionStatus.AWAITING, ActionStatus.EXPIRED])
        return queryset


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
