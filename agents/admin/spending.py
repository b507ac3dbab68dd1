"""What models cost: the page that tells it, and the ledger behind it. Nothing here is edited."""

from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import path, reverse

from agents.admin.spending_words import (
    ALERTS_SHOWN,
    charted,
    customers_by_id,
    dollars_of,
    may_change,
    meters,
    moment_of,
    tabs,
)
from agents.spending import entries, limits, periods, reports
from agents.spending.models import BudgetAlert, ModelCall, Period
from smartsupport.lib.console import ReadOnlyAdmin
from smartsupport.lib.ids import parse_uuid

RANGES = ((1, "Today"), (7, "7 days"), (30, "30 days"), (90, "90 days"))
EXACT = ("purpose", "cost_source", "provider", "model", "agent")


@admin.register(ModelCall)
class ModelCallAdmin(ReadOnlyAdmin):
    """The list is a page of its own: a ledger is paged by keyset and never counted."""

    fields: ClassVar = (
        "asked",
        "purpose",
        "agent",
        "provider",
        "model",
        "tokens_in",
        "tokens_out",
        "cost",
        "cost_source",
    )
    asked = moment_of("at", "When")
    cost = dollars_of("cost_micros", "Cost", "Not known")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("agents.view_modelcall")

    def get_urls(self) -> list[Any]:
        costs = path("costs/", self.admin_site.admin_view(self.costs), name="agents_modelcall_costs")
        return [costs, *super().get_urls()]

    def costs(self, request: HttpRequest) -> HttpResponse:
        """Today against budget; by day, model, agent and purpose; what is not known, and how to mend it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        days = _days(request.GET.get("days"))
        found = reports.report(days)
        dearest = reports.dearest_customers_today()
        shown = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Costs and budgets",
            "tabs": tabs(request, "costs"),
            "ranges": [(number, words, number == days) for number, words in RANGES],
            "report": found,
            "chart": charted(found),
            "days_newest_first": [part for part in reversed(found.by_day) if part.calls],
            "unpriced": reports.unpriced(found),
            "meters": meters(limits.standings()),
            "dearest": customers_by_id(dearest),
            "alerts": BudgetAlert.objects.select_related("budget", "customer")[:ALERTS_SHOWN],
            "may_change": may_change(request),
            "sees_customers": request.user.has_perm("chat.view_customer"),
        }
        return TemplateResponse(request, "agents/spending/costs.html", shown)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        wanted = _wanted(request.GET)
        page = entries.page(wanted)
        shown = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Ledger of model calls",
            "tabs": tabs(request, "ledger"),
            "page": page,
            "wanted": wanted,
            "purposes": ModelCall.Purpose.choices,
            "sources": ModelCall.Source.choices,
            "next": _next(request.GET, page) if page.before else "",
            "newest": _without_place(request.GET) if wanted.before else "",
            "filtered": bool(request.GET.keys() - {"before"}),
            "sees_conversations": request.user.has_perm("chat.view_conversation"),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "agents/spending/ledger.html", shown)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return super().change_view(request, object_id, *args, **kwargs)


def _days(text: str | None) -> int:
    known = {str(number): number for number, _ in RANGES}
    return known.get(text or "", 7)


def _wanted(query: QueryDict) -> entries.Wanted:
    """The filter that an address has. What cannot be read counts as not there."""
    today = periods.begins(Period.DAY)
    last = _day(query.get("to")) or today
    first = _day(query.get("from")) or min(last, today) - timedelta(days=6)
    first = max(min(first, last), last - timedelta(days=entries.MOST_DAYS - 1))
    return entries.Wanted(
        first=first,
        last=last,
        exact={name: query.get(name, "").replace("\0", "") for name in EXACT},
        conversation_id=parse_uuid(query.get("conversation", "")),
        customer_id=parse_uuid(query.get("customer", "")),
        before=_place(query.get("before", "")),
    )


def _day(text: str | None) -> date | None:
    try:
        found = date.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found and 2000 <= found.year <= 9000 else None


def _place(text: str) -> tuple[datetime, int] | None:
    at, _, number = text.partition("|")
    try:
        moment = datetime.fromisoformat(at)
        row = int(number)
    except ValueError:
        return None
    return (moment, row) if moment.tzinfo and 0 < row < 2**63 else None


def _next(query: QueryDict, page: entries.Page) -> str:
    assert page.before is not None
    at, number = page.before
    following = query.copy()
    following["before"] = f"{at.isoformat()}|{number}"
    return "?" + following.urlencode()


def _without_place(query: QueryDict) -> str:
    first = query.copy()
    first.pop("before", None)
    return f"{reverse('admin:agents_modelcall_changelist')}?{first.urlencode()}"
