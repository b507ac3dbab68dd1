"""What the webhook routes read and answer."""

from typing import Any

from rest_framework import serializers

from chat import webhook_endpoints
from chat.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from chat.webhook_addresses import LONGEST_URL, host_of
from chat.webhook_events import EVENTS, PING
from smartsupport.lib.cursors import CountedSerializer, PageQuery
from smartsupport.lib.rest import MomentFilter, StrictBooleanField, StrictCharField

ENVIRONMENT = "environment"
STATES = ["waiting", "delivered", "failed", "skipped"]
ENDPOINT_STATES = ["live", "failing", "paused"]


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(unknown, "This field is not known here."))
        return attrs


def _events(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.ChoiceField(list(EVENTS)),
        min_length=1,
        max_length=len(EVENTS),
        help_text="What it is told of.",
        **options,
    )


class NewEndpointSerializer(StrictSerializer):
    url = StrictCharField(max_length=LONGEST_URL, help_text="http or https; public, or allowed by name.")
    events = _events()
    description = StrictCharField(
        max_length=webhook_endpoints.LONGEST_TEXT, allow_blank=True, default="", help_text="What it is."
    )


class EndpointChangesSerializer(StrictSerializer):
    """What is left out stays."""

    url = StrictCharField(max_length=LONGEST_URL, required=False)
    events = _events(required=False)
    description = StrictCharField(max_length=webhook_endpoints.LONGEST_TEXT, allow_blank=True, required=False)


class PauseSerializer(StrictSerializer):
    reason = StrictCharField(max_length=300, allow_blank=True, default="", help_text="For your colleagues.")


class ResumeSerializer(StrictSerializer):
    skip = StrictBooleanField(default=False, help_text="Whether what waited is skipped and not sent.")


class ResumedSerializer(serializers.Serializer[Any]):
    waited = serializers.IntegerField(help_text="How many deliveries waited.")


class SecretRotationSerializer(StrictSerializer):
    overlap_hours = serializers.IntegerField(
        default=24,
        min_value=0,
        max_value=webhook_endpoints.LONGEST_OVERLAP_HOURS,
        help_text="How long the old secret signs beside the new one; 0: it ends now.",
    )


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="`whsec_…`. It is not shown again.")


class SendAgainSerializer(StrictSerializer):
    since = serializers.DateTimeField(default=None, allow_null=True, help_text="Written at or after it.")
    until = serializers.DateTimeField(default=None, allow_null=True, help_text="Written at or before it.")


class SentAgainSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    more = serializers.BooleanField(help_text="Whether there are more: ask again when these were sent.")


class EndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    host = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()
    events = serializers.ListField(child=serializers.ChoiceField(list(EVENTS)))
    state = serializers.SerializerMethodField()
    paused_by = serializers.CharField(help_text="Empty: it was paused by itself.")
    failures = serializers.IntegerField(help_text="Attempts in a row that have failed.")
    old_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then the secret before signs, too."
    )

    class Meta:
        model = WebhookEndpoint
        fields = [
            "id",
            "description",
            "host",
            "url",
            "events",
            "state",
            "paused_at",
            "paused_by",
            "pause_reason",
            "failing_since",
            "failures",
            "last_delivered_at",
            "old_secret_until",
            "created_by",
            "created_at",
        ]

    def get_host(self, row: WebhookEndpoint) -> str:
        return host_of(row.url)

    def get_url(self, row: WebhookEndpoint) -> str | None:
        """The whole address; null for callers who may not change it, because a part of it may be a secret."""
        return row.url if self.context.get("may_change") else None

    def get_state(self, row: WebhookEndpoint) -> serializers.ChoiceField(ENDPOINT_STATES):  # type: ignore[valid-type]
        return "paused" if row.paused_at else "failing" if row.failing_since else "live"


class NewSecretEndpointSerializer(EndpointSerializer):
    secret = serializers.CharField(help_text="`whsec_…`. It is not shown again.")

    class Meta(EndpointSerializer.Meta):
        fields = [*EndpointSerializer.Meta.fields, "secret"]


class EnvironmentEndpointSerializer(serializers.Serializer[Any]):
    """What WEBHOOK_URL is told. It is changed where the product is deployed."""

    host = serializers.CharField()
    events = serializers.ListField(child=serializers.ChoiceField(list(EVENTS)))


class EndpointListSerializer(serializers.Serializer[Any]):
    webhooks = EndpointSerializer(many=True)
    environment = EnvironmentEndpointSerializer(
        allow_null=True, help_text="Null where WEBHOOK_URL is not set."
    )


class DeliveryQuery(PageQuery):
    endpoint = serializers.CharField(
        required=False, max_length=36, help_text="An endpoint's `id`, or `environment`: those to WEBHOOK_URL."
    )
    state = serializers.ChoiceField(STATES, required=False)
    event = serializers.ChoiceField([*EVENTS, PING], required=False)
    since = MomentFilter("Written at or after this moment.")
    until = MomentFilter("Written before it.")


class AttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    status = serializers.IntegerField(allow_null=True, help_text="HTTP status; null where nothing came back.")
    error = serializers.CharField(help_text="What went wrong, in a sentence.")

    class Meta:
        model = WebhookAttempt
        fields = ["number", "at", "status", "body_head", "error", "duration_ms", "by_name"]


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    id = serializers.UUIDField(help_text="The `webhook-id`.")
    endpoint = serializers.UUIDField(
        source="endpoint_id", allow_null=True, help_text="Null: it goes to WEBHOOK_URL."
    )
    event = serializers.CharField(source="kind")
    thread_id = serializers.CharField(source="conversation.thread_id", default=None, allow_null=True)
    state = serializers.SerializerMethodField()
    attempts = serializers.IntegerField(source="attempts_made")

    class Meta:
        model = WebhookDelivery
        fields = [
            "id",
            "endpoint",
            "event",
            "thread_id",
            "state",
            "attempts",
            "next_attempt_at",
            "delivered_at",
            "created_at",
        ]

    def get_state(self, row: WebhookDelivery) -> serializers.ChoiceField(STATES):  # type: ignore[valid-type]
        return row.status if row.status in STATES else "waiting"


class OneDeliverySerializer(DeliverySerializer):
    body = serializers.DictField(source="payload", help_text="As it is sent; empty until it is first sent.")
    made = AttemptSerializer(source="attempts", many=True, help_text="Each attempt, in order.")

    class Meta(DeliverySerializer.Meta):
        fields = [*DeliverySerializer.Meta.fields, "body", "made"]


class DeliveryPageSerializer(CountedSerializer):
    deliveries = DeliverySerializer(many=True)


class TrialSerializer(serializers.Serializer[Any]):
    delivery_id = serializers.UUIDField(help_text="The `webhook-id`.")
    delivered = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True, help_text="HTTP status; null where nothing came back.")
    body_head = serializers.CharField(help_text="The first 2,000 characters of the answer.")
    error = serializers.CharField(help_text="What went wrong, in a sentence.")
    duration_ms = serializers.IntegerField()
