"""The console's pages of analytics: what came of the conversations of a period, and the conversations behind each
number."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from analytics import counted_list, definitions, drawing, ranges, summary
from analytics.api.views import DEFAULT
from analytics.definitions import Totals
from analytics.ranges import InvalidRange, Period

VIEW, SEE_CONVERSATIONS = "analytics.view_analytics", "chat.view_conversation"
CHOICES = {1: "Today", 7: "7 days", 30: "30 days", 90: "90 days", 365: "365 days"}
View = Callable[[HttpRequest], HttpResponse]


def console_page(*permissions: str) -> Callable[[View], View]:
    """A page of the console that belongs to no model: for members of staff who have all these permissions."""

    def of(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest) -> HttpResponse:
            if not request.user.has_perms(permissions):
                raise PermissionDenied
            return view(request)

        wrapped: Any = admin.site.admin_view(checked)
        wrapped.permissions = permissions
        return wrapped

    return of


@console_page(VIEW)
def page(request: HttpRequest) -> HttpResponse:
    """What came of the conversations of a range of days, compared with as many days before."""
    days, fault = _range(request)
    report, before = _compared(summary.period_of(days))
    links = request.user.has_perm(SEE_CONVERSATIONS)
    context = {
        **admin.site.each_context(request),
        **_frame("Analytics", days, fault),
        "report": report,
        "before": report.period.before(),
        "groups": drawing.groups(report, before, links=links),
        "slices": drawing.slices(report, links=links),
        "rates_chart": drawing.rates_chart(report),
        "conversations_chart": drawing.conversations_chart(report),
        "day_rows": drawing.day_rows(report),
        "agent_rows": drawing.agent_rows(report, links=links),
        "tool_rows": drawing.tool_rows(report, links=links),
        "about_agents": _text(definitions.agent_share),
        "about_tools": _text(definitions.tool_failure_rate),
        "about_tool_times": _text(definitions.tool_p95),
        "csv_url": reverse("analytics-export"),
        "now": timezone.now(),
    }
    return TemplateResponse(request, "analytics/page.html", context, status=400 if fault else 200)


@console_page(VIEW, SEE_CONVERSATIONS)
def conversations(request: HttpRequest) -> HttpResponse:
    """The conversations that a number of the page counts, newest first."""
    days, fault = _range(request)
    narrowed = counted_list.Narrowed.of(request.GET)
    found = counted_list.page(summary.period_of(days), narrowed, request.GET.get("before", ""))
    older = drawing.list_link(days, **_query(narrowed), before=found.older) if found.older else ""
    context = {
        **admin.site.each_context(request),
        **_frame("Conversations counted", days, fault),
        "narrowed": narrowed,
        "found": found,
        "older": older,
        "newest": drawing.list_link(days, **_query(narrowed)) if request.GET.get("before") else "",
        "back": f"{reverse('analytics')}?range={days}d",
    }
    return TemplateResponse(request, "analytics/conversations.html", context, status=400 if fault else 200)


def _query(narrowed: counted_list.Narrowed) -> dict[str, str]:
    return {narrowed.by: narrowed.value} if narrowed.by else {}


def _frame(title: str, days: int, fault: str) -> dict[str, Any]:
    period = summary.period_of(days)
    return {
        "title": title,
        "days": days,
        "period": period,
        "choices": [(f"{number}d", label, number == days) for number, label in CHOICES.items()],
        "fault": fault,
    }


def _range(request: HttpRequest) -> tuple[int, str]:
    """The days of `?range=`, and what is wrong with it: then it is the week."""
    try:
        return ranges.parse(request.GET.get("range", DEFAULT)), ""
    except InvalidRange as refusal:
        return ranges.parse(DEFAULT), refusal.message


def _compared(period: Period) -> tuple[summary.Report, Totals]:
    """The report, and the totals of the period before: the numbers of both periods' days in one query."""
    before = period.before()
    both = summary.totals_by_day(Period(before.first, period.last))
    earlier = summary.totals_of(before, both[: period.days])
    return summary.report(period, by_day=both[period.days :]), earlier


def _text(documented: Any) -> str:
    return " ".join((documented.__doc__ or "").split())
