"""What the routes of analytics read and answer."""

from typing import Any

from rest_framework import serializers

from analytics import definitions, summary
from analytics.definitions import Outcome
from analytics.spreadsheets import TABLES
from analytics.summary import Report

MICROS = 1_000_000


class RangeQuery(serializers.Serializer[Any]):
    range = serializers.RegexField(
        r"^0*([1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-5])d$",
        default="7d",
        help_text="`<N>d`: that many UTC days, today included; N from 1 to 365.",
    )


class ExportQuery(RangeQuery):
    what = serializers.ChoiceField(list(TABLES), default="days")


class AgentUsageSerializer(serializers.Serializer[Any]):
    agent = serializers.CharField()
    count = serializers.IntegerField(help_text="Conversations in which it did something.")
    percentage = serializers.FloatField(
        help_text="Of all conversations, 0 to 100. Several agents may have worked in one."
    )
    resolved = serializers.IntegerField()
    with_person = serializers.IntegerField()
    cost_usd = serializers.FloatField()


class ToolUsageSerializer(serializers.Serializer[Any]):
    tool = serializers.CharField()
    calls = serializers.IntegerField()
    failures = serializers.IntegerField()
    failure_rate = serializers.FloatField(help_text="0 to 1.")
    p95_ms = serializers.IntegerField(allow_null=True)


class InterruptStatsSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    approved = serializers.IntegerField()
    rejected = serializers.IntegerField()
    expired = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    waiting = serializers.IntegerField()
    median_wait_seconds = serializers.FloatField(allow_null=True)


class SliceSerializer(serializers.Serializer[Any]):
    outcome = serializers.ChoiceField(Outcome.choices)
    count = serializers.IntegerField()
    share = serializers.FloatField(help_text="0 to 1; they add up to 1.")


class ResponseSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="Conversations that have one.")
    median_seconds = serializers.FloatField(allow_null=True)
    p95_seconds = serializers.FloatField(allow_null=True)


class FirstResponseSerializer(serializers.Serializer[Any]):
    agent = ResponseSerializer()
    person = ResponseSerializer()


class SatisfactionSerializer(serializers.Serializer[Any]):
    asked = serializers.IntegerField()
    answered = serializers.IntegerField()
    response_rate = serializers.FloatField(allow_null=True)
    scored = serializers.IntegerField()
    good_share = serializers.FloatField(allow_null=True, help_text="Scores of 4 and 5, 0 to 1.")
    average = serializers.FloatField(allow_null=True)


class DaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    total_conversations = serializers.IntegerField()
    resolution_rate = serializers.FloatField()
    escalation_rate = serializers.FloatField()
    cost_usd = serializers.FloatField()


class AnalyticsSerializer(serializers.Serializer[Any]):
    """Rates and shares are 0 to 1. A rate of nothing is 0; what cannot be said is null."""

    range = serializers.CharField()
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    total_conversations = serializers.IntegerField()
    resolution_rate = serializers.FloatField()
    escalation_rate = serializers.FloatField()
    containment_rate = serializers.FloatField()
    outcomes = SliceSerializer(many=True)
    avg_turns_per_conversation = serializers.FloatField()
    total_cost_usd = serializers.FloatField()
    avg_cost_per_conversation_usd = serializers.FloatField()
    avg_cost_per_resolution_usd = serializers.FloatField(allow_null=True)
    calls_without_cost = serializers.IntegerField()
    first_response = FirstResponseSerializer()
    time_to_resolution = ResponseSerializer()
    agent_usage = AgentUsageSerializer(many=True)
    tool_usage = ToolUsageSerializer(many=True)
    interrupt_stats = InterruptStatsSerializer()
    satisfaction = SatisfactionSerializer()
    days = DaySerializer(many=True)
    as_of = serializers.DateTimeField(
        allow_null=True, help_text="Everything that had happened then is counted. Null: still counting."
    )
    pending = serializers.IntegerField(help_text="Conversations that have changed since; 1000: or more.")


def answer(text: str, report: Report) -> dict[str, Any]:
    """The report as AnalyticsSerializer has it."""
    totals = report.totals
    shares = summary.shares(totals)
    return {
        "range": text,
        "first_day": report.period.first,
        "last_day": report.period.last,
        "total_conversations": totals.total,
        "resolution_rate": _rounded(definitions.resolution_rate(totals)),
        "escalation_rate": _rounded(definitions.escalation_rate(totals)),
        "containment_rate": _rounded(definitions.containment_rate(totals)),
        "outcomes": [
            {"outcome": one.value, "count": getattr(totals, one.value), "share": share}
            for one, share in shares.items()
        ],
        "avg_turns_per_conversation": _rounded(definitions.avg_turns(totals)),
        "total_cost_usd": totals.cost_micros / MICROS,
        "avg_cost_per_conversation_usd": _dollars(definitions.cost_per_conversation(totals)),
        "avg_cost_per_resolution_usd": _dollars(definitions.cost_per_resolution(totals)),
        "calls_without_cost": totals.unpriced_calls,
        "first_response": {
            "agent": _spans(report, totals.first_answers, "first_response"),
            "person": _spans(report, totals.person_answers, "person_response"),
        },
        "time_to_resolution": _spans(report, totals.resolutions, "resolution_time"),
        "agent_usage": [
            {
                "agent": one.agent,
                "count": one.conversations,
                "percentage": round(one.share * 100, 2),
                "resolved": one.resolved,
                "with_person": one.with_person,
                "cost_usd": one.cost_micros / MICROS,
            }
            for one in report.agents
        ],
        "tool_usage": [
            {
                "tool": one.tool,
                "calls": one.calls,
                "failures": one.failures,
                "failure_rate": _rounded(one.failure_rate),
                "p95_ms": one.p95_ms,
            }
            for one in report.tools
        ],
        "interrupt_stats": {
            "total": totals.approvals,
            "approved": totals.approved,
            "rejected": totals.rejected,
            "expired": totals.expired,
            "cancelled": totals.cancelled,
            "waiting": totals.awaiting,
            "median_wait_seconds": _seconds(definitions.approval_wait_median(totals)),
        },
        "satisfaction": {
            "asked": totals.asked,
            "answered": totals.answered,
            "response_rate": _rounded(definitions.feedback_response_rate(totals)),
            "scored": totals.scored,
            "good_share": _rounded(definitions.satisfaction(totals)),
            "average": _rounded(definitions.average_score(totals)),
        },
        "days": [
            {
                "day": day,
                "total_conversations": one.total,
                "resolution_rate": _rounded(definitions.resolution_rate(one)),
                "escalation_rate": _rounded(definitions.escalation_rate(one)),
                "cost_usd": one.cost_micros / MICROS,
            }
            for day, one in report.days
        ],
        "as_of": report.as_of,
        "pending": report.pending,
    }


def _spans(report: Report, counted: dict[str, int], metric: str) -> dict[str, Any]:
    return {
        "count": sum(counted.values()),
        "median_seconds": _seconds(report.value(f"{metric}_median")),
        "p95_seconds": _seconds(report.value(f"{metric}_p95")),
    }


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _dollars(micros: float | None) -> float | None:
    return None if micros is None else round(micros / MICROS, 6)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
