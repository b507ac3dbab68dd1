"""What the routes of an import's operations read and answer."""

from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import Access, Approver, Risk
from openapi_import.api.job_shapes import Strict
from openapi_import.models import Change, Classification
from smartsupport.lib.rest import CountedSerializer, PageQuery, StrictBooleanField, StrictCharField

GROUP = r"\A[A-Za-z0-9_-]+\Z"
YES_NO = ["true", "false"]


class ClassificationFilter(serializers.Serializer[Any]):
    q = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Words that all have to be in its path, method, id, summary, name, title or group.",
    )
    access_type = serializers.ChoiceField(Access.choices, required=False)
    risk = serializers.ChoiceField(Risk.choices, required=False)
    approval = serializers.ChoiceField(Approver.choices, required=False)
    change = serializers.ChoiceField(Change.choices, required=False)
    agent_group = serializers.CharField(required=False, max_length=64)
    uncertain = serializers.ChoiceField(YES_NO, required=False)
    selected = serializers.ChoiceField(YES_NO, required=False)
    usable = serializers.ChoiceField(YES_NO, required=False)
    reviewed = serializers.ChoiceField(YES_NO, required=False)


class ClassificationQuery(ClassificationFilter, PageQuery):
    pass


class ApiOperationSerializer(serializers.ModelSerializer[Classification]):
    class Meta:
        model = Classification
        fields = ["path", "method", "operation_id", "summary", "description", "tags", "deprecated", "pointer"]

    tags = serializers.ListField(child=serializers.CharField())


class ChangedFieldSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    was = serializers.JSONField(allow_null=True)
    now = serializers.JSONField(allow_null=True)
    meaning = serializers.BooleanField(help_text="Whether a call means something else now.")


class ClassificationSerializer(serializers.ModelSerializer[Classification]):
    access_type = serializers.ChoiceField(Access.choices)
    risk = serializers.ChoiceField(Risk.choices)
    approval = serializers.ChoiceField(Approver.choices, help_text="Who has to agree to each call.")
    needs_interrupt = serializers.BooleanField(help_text="Whether anybody has to agree to each call.")
    customer_params = serializers.DictField(
        child=serializers.CharField(),
        help_text="`{argument: what the server puts there}`, and no model: `customer.id`.",
    )
    judged = serializers.DictField(help_text="What was judged before a reviewer changed it.")
    losses = serializers.ListField(
        child=serializers.CharField(), help_text="What of the document the tool lacks."
    )
    change = serializers.ChoiceField(Change.choices, help_text="Against what is published.")
    difference = serializers.SerializerMethodField()
    endpoint = ApiOperationSerializer(source="*")

    class Meta:
        model = Classification
        fields = [
            "index",
            "access_type",
            "needs_interrupt",
            "approval",
            "risk",
            "agent_group",
            "customer_params",
            "confidence",
            "uncertain",
            "reason",
            "judged",
            "judged_by",
            "selected",
            "unusable",
            "losses",
            "name",
            "title",
            "tool_description",
            "change",
            "difference",
            "revision",
            "reviewed_by",
            "reviewed_at",
            "endpoint",
        ]

    @extend_schema_field(ChangedFieldSerializer(many=True))
    def get_difference(self, row: Classification) -> list[dict[str, Any]]:
        """What is another than in the published tool."""
        return list(row.difference)


class ClassificationDetailSerializer(ClassificationSerializer):
    tool = serializers.DictField(help_text="How a call of it is made: address, arguments, body, schema.")

    class Meta(ClassificationSerializer.Meta):
        fields = [*ClassificationSerializer.Meta.fields, "tool"]


class ClassificationPageSerializer(CountedSerializer):
    classifications = ClassificationSerializer(many=True)


class ChangesSerializer(Strict):
    """What a reviewer may change. Everything is optional; what is left out stays. Whether a value fits the operation is
    for openapi_import.review to say."""

    access_type = serializers.ChoiceField(Access.choices, required=False)
    confirm_read = StrictBooleanField(
        required=False, help_text="Needed to call a PUT, PATCH or DELETE a read: yes, this one only reads."
    )
    needs_interrupt = StrictBooleanField(
        required=False, help_text="The short form of `approval`: whether anybody has to agree to each call."
    )
    approval = serializers.ChoiceField(Approver.choices, required=False)
    risk = serializers.ChoiceField(Risk.choices, required=False)
    agent_group = StrictCharField(
        required=False,
        allow_null=True,
        max_length=64,
        trim_whitespace=False,
        validators=[RegexValidator(GROUP, "Use letters, digits, _ or -, and nothing else.")],
        help_text="The agent that gets the tool: `[A-Za-z0-9_-]+`; null: none.",
    )
    customer_params = serializers.DictField(
        child=StrictCharField(max_length=64),
        required=False,
        help_text='`{argument: "customer.id"}`: filled in from the verified identity, and unknown to the model.',
    )
    selected = StrictBooleanField(required=False, help_text="Whether it is published.")
    repeat_safe = StrictBooleanField(
        required=False, help_text="The API honours `Idempotency-Key` here: sending it twice has one effect."
    )
    approvals_needed = serializers.ChoiceField(
        [(1, "One person"), (2, "Two people")], required=False, help_text="Of staff, where staff decide."
    )
    confirmation = StrictCharField(
        required=False, allow_blank=True, max_length=300, help_text="The question: `Cancel order {order_id}`."
    )
    staff_above_argument = StrictCharField(required=False, allow_blank=True, max_length=64)
    staff_above_amount = serializers.DecimalField(
        max_digits=14, decimal_places=2, required=False, allow_null=True
    )
    projection = serializers.ListField(child=StrictCharField(max_length=200), required=False)
    requires = serializers.ListField(child=StrictCharField(max_length=64), required=False)


class EditSerializer(ChangesSerializer):
    name = StrictCharField(required=False, max_length=64)
    title = StrictCharField(required=False, max_length=120)
    tool_description = StrictCharField(required=False, max_length=4000)
    read_back = StrictCharField(required=False, allow_blank=True, max_length=500)
    revision = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text="The `revision` that you looked at: 409 where somebody has changed it since.",
    )


class BulkEditSerializer(Strict):
    indexes = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=2**31 - 1), required=False, max_length=20_000
    )
    all = StrictBooleanField(
        required=False, default=False, help_text="Instead of `indexes`: all that the address's filter finds."
    )
    changes = ChangesSerializer(required=False)
    looked = StrictBooleanField(
        required=False,
        default=False,
        help_text="Note that you have looked at them and agree. Without `changes`.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if attrs["all"] == ("indexes" in attrs):
            raise serializers.ValidationError({"indexes": ["Give indexes, or all: true."]})
        if attrs["looked"] == bool(attrs.get("changes")):
            raise serializers.ValidationError({"changes": ["Give changes, or looked: true."]})
        return attrs


class BulkEditedSerializer(serializers.Serializer[Any]):
    changed = serializers.IntegerField(help_text="How many classifications.")


class ExportQuery(serializers.Serializer[Any]):
    format = serializers.ChoiceField(["python", "yaml", "mcp"], default="python")
