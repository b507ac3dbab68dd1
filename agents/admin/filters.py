"""What the list of approvals shows."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from agents.models import Action, ActionStatus, Approver


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
