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


def _events(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.ChoiceField(list(EVENTS)),
        min_length=1,
        max_length=len(EVENTS),
        help_text="What it is told of.",
        **options,
    )


class WebhookNewEndpointSerializer(serializers.Serializer[Any]):
    url = StrictCharField(max_length=LONGEST_URL, help_text="http or https; public, or allowed by name.")
    events = _events()
    description = StrictCharField(
        max_length=webhook_endpoints.LONGEST_TEXT, allow_blank=True, default="", help_text="What it is."
    )


class WebhookEndpointChangesSerializer(serializers.Serializer[Any]):
    """What is left out stays."""

    url = StrictCharField(max_length=LONGEST_URL, required=False)
    events = _events(required=False)
    description = StrictCharField(max_length=webhook_endpoints.LONGEST_TEXT, allow_blank=True, required=False)


class WebhookPauseSerializer(serializers.Serializer[Any]):
    reason = StrictCharField(max_length=300, allow_blank=True, default="", help_text="For your colleagues.")


class WebhookResumeSerializer(serializers.Serializer[Any]):
    skip = StrictBooleanField(default=False, help_text="Whether what waited is skipped and not sent.")


class WebhookResumedSerializer(serializers.Serializer[Any]):
    waited = serializers.IntegerField(help_text="How many deliveries waited.")


class WebhookSecretRotationSerializer(serializers.Serializer[Any]):
    overlap_hours = serializers.IntegerField(
        default=24,
        min_value=0,
        max_value=webhook_endpoints.LONGEST_OVERLAP_HOURS,
        help_text="How long the old secret signs beside the new one; 0: it ends now.",
    )


class WebhookSecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="`whsec_…`. It is not shown again.")


class WebhookSendAgainSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField(default=None, allow_null=True, help_text="Written at or after it.")
    until = serializers.DateTimeField(default=None, allow_null=True, help_text="Written at or before it.")


class WebhookSentAgainSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    more = serializers.BooleanField(help_text="Whether there are more: ask again when these were sent.")


class WebhookEndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
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


class WebhookNewSecretEndpointSerializer(WebhookEndpointSerializer):
    secret = serializers.CharField(help_text="`whsec_…`. It is not shown again.")

    class Meta(WebhookEndpointSerializer.Meta):
        fields = [*WebhookEndpointSerializer.Meta.fields, "secret"]


class WebhookEnvironmentEndpointSerializer(serializers.Serializer[Any]):
    """What WEBHOOK_URL is told. It is changed where the product is deployed."""

    host = serializers.CharField()
    events = serializers.ListField(child=serializers.ChoiceField(list(EVENTS)))


class WebhookEndpointListSerializer(serializers.Serializer[Any]):
    webhooks = WebhookEndpointSerializer(many=True)
    environment = WebhookEnvironmentEndpointSerializer(
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


class WebhookAttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    status = serializers.IntegerField(allow_null=True, help_text="HTTP status; null where nothing came back.")
    error = serializers.CharField(help_text="What went wrong, in a sentence.")

    class Meta:
        model = WebhookAttempt
        fields = ["number", "at", "status", "body_head", "error", "duration_ms", "by_name"]


class WebhookDeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
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


class WebhookOneDeliverySerializer(WebhookDeliverySerializer):
    body = serializers.DictField(source="payload", help_text="As it is sent; empty until it is first sent.")
    made = WebhookAttemptSerializer(source="attempts", many=True, help_text="Each attempt, in order.")

    class Meta(WebhookDeliverySerializer.Meta):
        fields = [*WebhookDeliverySerializer.Meta.fields, "body", "made"]


class WebhookDeliveryPageSerializer(CountedSerializer):
    deliveries = WebhookDeliverySerializer(many=True)


class WebhookTrialSerializer(serializers.Serializer[Any]):
    delivery_id = serializers.UUIDField(help_text="The `webhook-id`.")
    delivered = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True, help_text="HTTP status; null where nothing came back.")
    body_head = serializers.CharField(help_text="The first 2,000 characters of the answer.")
    error = serializers.CharField(help_text="What went wrong, in a sentence.")
    duration_ms = serializers.IntegerField()
