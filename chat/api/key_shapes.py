"""What the routes of API keys read and answer."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chat import api_keys, customers
from chat.identity import SUBJECT_LIMIT
from chat.key_words import STATES, replacement_of, state_of
from chat.models import ApiKey
from chat.scopes import NAMES, granted
from smartsupport.lib.rest import CountedSerializer, StrictCharField
from smartsupport.lib.text import READABLE_PATTERN

MOST_OVERLAP_HOURS = int(api_keys.LONGEST_OVERLAP / timedelta(hours=1))
MOST_PER_MINUTE = 1_000_000


class FutureField(serializers.DateTimeField):
    default_error_messages = {"past": "Must be in the future."}

    def to_internal_value(self, value: Any) -> Any:
        moment = super().to_internal_value(value)
        if moment <= timezone.now():
            self.fail("past")
        return moment


@extend_schema_field({"type": "string", "maxLength": SUBJECT_LIMIT, "pattern": READABLE_PATTERN})
class SubjectField(StrictCharField):
    """A company's id of a customer."""


class NewKeySerializer(serializers.Serializer[Any]):
    name = StrictCharField(
        max_length=100, help_text="What its program is called: it signs what the key does."
    )
    scopes = serializers.ListField(
        child=serializers.ChoiceField(NAMES),
        min_length=1,
        max_length=len(NAMES),
        help_text="Or names of groups.",
    )
    expires_at = FutureField(default=None, allow_null=True, help_text="Refused from then on. Null: never.")
    per_minute = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        max_value=MOST_PER_MINUTE,
        help_text="Requests a minute. Null: `API_REQUESTS_PER_MINUTE`.",
    )
    customer = SubjectField(
        default="",
        allow_blank=True,
        max_length=SUBJECT_LIMIT,
        help_text="Hold it to one customer: your own id of them (`sub`), or their `id` here. To such a key nobody else "
        "exists. Whom nobody knows here yet is made. Empty: any customer.",
    )

    def validate_customer(self, name: str) -> str:
        if name and not customers.is_subject(name):
            raise serializers.ValidationError("Must be a customer's id, without characters that nobody sees.")
        return name


class MadeQuery(serializers.Serializer[Any]):
    made = serializers.ChoiceField(
        ["true", "false"],
        default="true",
        help_text="`true`: with it all keys that still work and that it made, or that came of those. What took its own "
        "place is not among them.",
    )


class RotationSerializer(serializers.Serializer[Any]):
    overlap_hours = serializers.IntegerField(
        default=24,
        min_value=0,
        max_value=MOST_OVERLAP_HOURS,
        help_text="How long the old key is still accepted; 0: it ends now.",
    )
    expires_at = FutureField(
        default=None,
        allow_null=True,
        help_text="When the new key ends. Left out: after as long a life as the old one was meant to have.",
    )


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    state = serializers.SerializerMethodField()
    grants = serializers.SerializerMethodField(help_text="The scopes that `scopes` stand for.")
    customer = serializers.SerializerMethodField(
        help_text="The one customer whom it is held to: your own id of them, or theirs here. Null: any."
    )
    replaces = serializers.UUIDField(source="replaces_id", allow_null=True)
    replaced_by = serializers.SerializerMethodField(help_text="The newest key that took its place.")
    created_by = serializers.CharField(help_text="`user:…` or `key:…`; empty for the first key.")

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "prefix",
            "state",
            "scopes",
            "grants",
            "customer",
            "expires_at",
            "per_minute",
            "replaces",
            "replaced_by",
            "created_by",
            "created_at",
            "last_used_at",
        ]

    def get_state(self, key: ApiKey) -> serializers.ChoiceField(STATES):  # type: ignore[valid-type]
        return state_of(key)

    def get_grants(self, key: ApiKey) -> list[str]:
        return sorted(granted(key.scopes))

    def get_customer(self, key: ApiKey) -> serializers.CharField(allow_null=True):  # type: ignore[valid-type]
        return (key.customer.subject or str(key.customer.pk)) if key.customer else None

    def get_replaced_by(self, key: ApiKey) -> serializers.UUIDField(allow_null=True):  # type: ignore[valid-type]
        newest = replacement_of(key)
        return newest.pk if newest else None


class ShownOnceSerializer(KeySerializer):
    key = serializers.CharField(help_text="The key itself. It is not shown again.")

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "key"]


class OneKeySerializer(KeySerializer):
    made_live = serializers.SerializerMethodField(
        help_text="How many keys that it made, or that came of those, still work."
    )

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "made_live"]

    def get_made_live(self, key: ApiKey) -> int:
        return len(api_keys.live_made(key))


class DisabledKeySerializer(OneKeySerializer):
    made_disabled = serializers.IntegerField(
        help_text="How many of them this request has switched off with it."
    )

    class Meta(OneKeySerializer.Meta):
        fields = [*OneKeySerializer.Meta.fields, "made_disabled"]


class KeyPageSerializer(CountedSerializer):
    keys = KeySerializer(many=True)
