"""What the usage and budget routes read and answer. Amounts are dollars."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.spending import prices
from agents.spending.changes import REASON_LIMIT
from agents.spending.limits import Standing
from agents.spending.models import Budget, BudgetChange, Period
from smartsupport.lib.rest import CountedSerializer, PageQuery, StrictBooleanField, StrictCharField


def dollars(micros: int) -> float:
    return micros / 1_000_000


@extend_schema_field({"type": "number", "minimum": 0.000001, "maximum": 999_999.999999})
class DollarsField(serializers.Field[int, Any, float, Any]):
    """Micro-dollars, written as a number of dollars (or a string of plain digits) with at most six decimals."""

    default_error_messages = {
        "invalid": "Must be dollars above 0 and below 1,000,000, with at most six decimals."
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, int | float) and not isinstance(data, bool) and 0 < data < 1_000_000:
            data = f"{Decimal(repr(data)).normalize():f}"
        try:
            micros = prices.micros_of(data) if isinstance(data, str) else 0
        except ValueError:
            micros = 0
        if micros <= 0:
            self.fail("invalid")
        return micros

    def to_representation(self, value: int) -> float:
        return dollars(value)


class UsageQuery(PageQuery):
    pass


class LimitSerializer(serializers.Serializer[Any]):
    scope = serializers.ChoiceField(
        Budget.Scope.choices,
        help_text="Whose it is: `each_customer` counts for everybody who has none of their own.",
    )
    period = serializers.ChoiceField(Period.choices)
    period_start = serializers.DateField()
    resets_at = serializers.DateTimeField()
    limit_usd = serializers.FloatField(help_text="With what was granted.")
    granted_usd = serializers.FloatField()
    spent_usd = serializers.FloatField(help_text="Since the last reset, if there was one.")
    percent = serializers.FloatField(help_text="One decimal, rounded down: 100 only where nothing is left.")
    reached = serializers.BooleanField(help_text="New messages are refused.")
    exempt = serializers.BooleanField()
    exempt_until = serializers.DateTimeField(allow_null=True, help_text="null: for good, or not exempt.")


def limit(standing: Standing) -> dict[str, Any]:
    """One limit as staff see it, for LimitSerializer."""
    return {
        "scope": standing.scope,
        "period": standing.period,
        "period_start": standing.period_start,
        "resets_at": standing.resets_at,
        "limit_usd": dollars(standing.limit),
        "granted_usd": dollars(standing.granted),
        "spent_usd": dollars(standing.spent),
        "percent": standing.percent,
        "reached": standing.reached,
        "exempt": standing.exempt,
        "exempt_until": standing.exempt_until,
    }


class SpendSerializer(serializers.Serializer[Any]):
    spent_today_usd = serializers.FloatField(help_text="Since midnight UTC.")
    spent_week_usd = serializers.FloatField(help_text="Since Monday.")
    limits = LimitSerializer(many=True)


class DeploymentUsageSerializer(SpendSerializer):
    unknown_calls_week = serializers.IntegerField(
        help_text="Calls whose cost nobody knows: they are in no sum. Enter the model's price in the console."
    )


class CustomerUsageSerializer(SpendSerializer):
    id = serializers.UUIDField()
    customer = serializers.CharField(allow_null=True, help_text="Your own id of the customer (`sub`).")
    name = serializers.CharField()


class UsagePageSerializer(CountedSerializer):
    deployment = DeploymentUsageSerializer()
    customers = CustomerUsageSerializer(many=True)


class OwnLimitSerializer(serializers.Serializer[Any]):
    period = serializers.ChoiceField(Period.choices)
    percent = serializers.FloatField(help_text="0 to 100, rounded down: 100 only where nothing is left.")
    resets_at = serializers.DateTimeField()


class OwnUsageSerializer(serializers.Serializer[Any]):
    limits = OwnLimitSerializer(many=True)


def own_limit(standing: Standing) -> dict[str, Any]:
    """One limit as the customer sees it: no amounts."""
    percent = min(standing.percent, 100.0)
    return {"period": standing.period, "percent": percent, "resets_at": standing.resets_at}


class ChangeSerializer(serializers.Serializer[Any]):
    """Whose budget, and why."""

    customer = StrictCharField(
        required=False, max_length=255, help_text="A customer's `id` here, or your own (`sub`)."
    )
    deployment = StrictBooleanField(
        required=False, default=False, help_text="`true` instead of a customer: the whole deployment's."
    )
    reason = StrictCharField(max_length=REASON_LIMIT, help_text="Kept with the change. For staff alone.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("customer" in attrs) == attrs["deployment"]:
            raise serializers.ValidationError({"customer": ["Name a customer, or say `deployment: true`."]})
        return attrs


class GrantSerializer(ChangeSerializer):
    period = serializers.ChoiceField(Period.choices, help_text="The period that is now.")
    amount_usd = DollarsField()


class ResetSerializer(ChangeSerializer):
    period = serializers.ChoiceField(Period.choices, help_text="The period that is now.")


class ExemptionSerializer(ChangeSerializer):
    exempt = StrictBooleanField(default=True, help_text="`false` ends an exemption.")
    until = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="null: for good. With a time zone."
    )


class ChangedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(BudgetChange.Kind.choices)
    period = serializers.ChoiceField(Period.choices, allow_null=True)
    period_start = serializers.DateField(allow_null=True)
    amount_usd = serializers.FloatField(help_text="What was granted, or what a reset no longer counts.")
    until = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    by_name = serializers.CharField()
    at = serializers.DateTimeField()
    limits = LimitSerializer(many=True, help_text="How it stands now.")


def changed(row: BudgetChange, found: list[Standing]) -> dict[str, Any]:
    return {
        "id": row.pk,
        "kind": row.kind,
        "period": row.period or None,
        "period_start": row.period_start,
        "amount_usd": dollars(row.micros),
        "until": row.until,
        "reason": row.reason,
        "by_name": row.by_name,
        "at": row.at,
        "limits": [limit(standing) for standing in found],
    }
