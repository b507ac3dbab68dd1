"""REST: the numbers of a range of days, and their tables as CSV."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import ranges, rollups, spreadsheets, summary
from analytics.api import shapes
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.rest import Need

READ = Need("analytics:read", "analytics.view_analytics")
DEFAULT = "7d"
EXAMPLE = {
    "range": "7d",
    "first_day": "2026-11-14",
    "last_day": "2026-11-20",
    "total_conversations": 4,
    "resolution_rate": 0.75,
    "escalation_rate": 0.25,
    "containment_rate": 0.75,
    "outcomes": [
        {"outcome": "confirmed", "count": 1, "share": 0.25},
        {"outcome": "evidence", "count": 2, "share": 0.5},
        {"outcome": "contained", "count": 0, "share": 0.0},
        {"outcome": "escalated", "count": 1, "share": 0.25},
        {"outcome": "unresolved", "count": 0, "share": 0.0},
        {"outcome": "open", "count": 0, "share": 0.0},
    ],
    "avg_turns_per_conversation": 1.5,
    "total_cost_usd": 0.0124,
    "avg_cost_per_conversation_usd": 0.0031,
    "avg_cost_per_resolution_usd": 0.004133,
    "calls_without_cost": 0,
    "first_response": {
        "agent": {"count": 4, "median_seconds": 1.862, "p95_seconds": 4.446},
        "person": {"count": 1, "median_seconds": 316.219, "p95_seconds": 316.219},
    },
    "time_to_resolution": {"count": 3, "median_seconds": 9.526, "p95_seconds": 67.001},
    "agent_usage": [
        {
            "agent": "order_actions",
            "count": 3,
            "percentage": 75.0,
            "resolved": 2,
            "with_person": 1,
            "cost_usd": 0.009,
        }
    ],
    "tool_usage": [
        {"tool": "cancel_order", "calls": 2, "failures": 0, "failure_rate": 0.0, "p95_ms": 459},
    ],
    "interrupt_stats": {
        "total": 2,
        "approved": 2,
        "rejected": 0,
        "expired": 0,
        "cancelled": 0,
        "waiting": 0,
        "median_wait_seconds": 31.18,
    },
    "satisfaction": {
        "asked": 4,
        "answered": 1,
        "response_rate": 0.25,
        "scored": 1,
        "good_share": 1.0,
        "average": 5.0,
    },
    "days": [
        {
            "day": "2026-11-20",
            "total_conversations": 4,
            "resolution_rate": 0.75,
            "escalation_rate": 0.25,
            "cost_usd": 0.0124,
        }
    ],
    "as_of": "2026-11-20T09:30:00Z",
    "pending": 0,
}


class AlwaysJson(DefaultContentNegotiation):
    """For a download: `Accept` does not matter, and a refusal is still our JSON."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class AnalyticsView(ApiView):
    needs: ClassVar = {"GET": READ}
    problems: ClassVar = {"GET": (ranges.InvalidRange,)}

    @extend_schema(
        operation_id="analytics_get",
        summary="What came of the conversations of the last days",
        description=(
            "A conversation counts on the UTC day on which it began, with everything that happened in it later. "
            "Every conversation has one outcome, so their shares add up to 1. What each number means is in the "
            "console beside it, and in docs/analytics.md."
        ),
        tags=["Analytics"],
        parameters=[shapes.RangeQuery],
        responses=shapes.AnalyticsSerializer,
        examples=[
            OpenApiExample("A week", value=EXAMPLE, response_only=True, status_codes=["200"]),
        ],
    )
    def get(self, request: Request) -> Response:
        days = ranges.parse(request.query_params.get("range", DEFAULT))
        rollups.catch_up()
        report = summary.report(summary.period_of(days))
        return Response(shapes.AnalyticsSerializer(shapes.answer(f"{days}d", report)).data)


class ExportView(ApiView):
    needs: ClassVar = {"GET": READ}
    problems: ClassVar = {"GET": (ranges.InvalidRange, spreadsheets.UnknownTable)}
    content_negotiation_class = AlwaysJson

    @extend_schema(
        operation_id="analytics_export",
        summary="A table as CSV: by day, by agent, or by tool",
        description="For spreadsheets: a text that one would take for a formula begins with an apostrophe.",
        tags=["Analytics"],
        parameters=[shapes.ExportQuery],
        responses={
            (200, "text/csv"): OpenApiResponse(
                OpenApiTypes.STR, description="A line of headings, then rows."
            ),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        days = ranges.parse(request.query_params.get("range", DEFAULT))
        return csv_download(request.query_params.get("what", "days"), days)


def csv_download(what: str, days: int) -> HttpResponse:
    """Raises UnknownTable."""
    period = summary.period_of(days)
    name = f"analytics-{what}-{period.first}-to-{period.last}.csv"
    text = spreadsheets.table(what, period)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)
