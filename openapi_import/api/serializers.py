"""What the import routes read and answer."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import Access, Approver, Risk
from openapi_import.models import Change, Classification, ImportJob, ImportStatus, Publication, SpecSource
from smartsupport.lib.rest import PageQuery, StrictBooleanField, StrictCharField

GROUP = r"\A[A-Za-z0-9_-]+\Z"
YES_NO = ["true", "false"]


class Strict(serializers.Serializer[Any]):
    """Refuses fields that it does not know, also within another one."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        if unknown:
            raise serializers.ValidationError({name: ["This field is not known here."] for name in unknown})
        return super().to_internal_value(data)


class JobQuery(PageQuery):
    status = serializers.ChoiceField(ImportStatus.choices, required=False)
    name = serializers.CharField(required=False, max_length=64, help_text="Imports of this source.")


class HeadersField(serializers.DictField):
    """{header: value}; as JSON text in a form."""

    default_error_messages = {"not_json": "Must be a JSON object of header names and values."}

    def get_value(self, dictionary: Any) -> Any:
        return dictionary.get(self.field_name, serializers.empty)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            try:
                data = json.loads(data)
            except ValueError:
                self.fail("not_json")
        return super().to_internal_value(data)


class SubmissionSerializer(Strict):
    url = StrictCharField(
        required=False,
        max_length=2000,
        help_text="Where the document is: http or https. Or send `text`, or a `file`.",
    )
    text = StrictCharField(
        required=False, trim_whitespace=False, help_text="The document itself, JSON or YAML."
    )
    base_url = StrictCharField(
        required=False,
        max_length=2000,
        help_text="With `text` or `file`: the address that relative servers and references are relative to.",
    )
    name = StrictCharField(
        required=False,
        max_length=64,
        help_text=(
            "The source that it becomes, or the source that is imported again. Left out: the source that was read from "
            "this `url` before, else a name made of the document's title."
        ),
    )
    headers = HeadersField(
        child=StrictCharField(trim_whitespace=False),
        required=False,
        help_text=(
            "Headers that prove who you are to the server of the document, such as `Authorization`. They are kept "
            "sealed, sent to no other server, and deleted when the import ends."
        ),
    )
    username = StrictCharField(required=False, max_length=200, help_text="With `password`: HTTP Basic.")
    password = StrictCharField(
        required=False, max_length=1000, trim_whitespace=False, allow_blank=True, write_only=True
    )
    strict = serializers.BooleanField(required=False, default=False, help_text="Fail where it has a fault.")
    ask_model = serializers.BooleanField(
        required=False, default=False, help_text="Let the configured model judge after the rules."
    )


class RetrySerializer(Strict):
    headers = HeadersField(
        child=StrictCharField(trim_whitespace=False),
        required=False,
        help_text="The credentials once more: they are not kept.",
    )
    fetch_again = StrictBooleanField(
        required=False, default=False, help_text="Begin with fetching, instead of what was fetched then."
    )


class FaultSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="Where, as a JSON pointer.")
    message = serializers.CharField()
    severity = serializers.ChoiceField([("error", "Error"), ("warning", "Warning")])


class ListedSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="`webhook` or `callback`.")
    name = serializers.CharField()
    method = serializers.CharField()
    summary = serializers.CharField()
    pointer = serializers.CharField()


class DocumentSerializer(serializers.Serializer[Any]):
    url = serializers.CharField()
    bytes = serializers.IntegerField()


class JobSerializer(serializers.ModelSerializer[ImportJob]):
    job_id = serializers.UUIDField(source="id")
    status = serializers.ChoiceField(ImportStatus.choices)
    name = serializers.CharField(help_text="The source that it becomes; empty until the title is known.")
    error_message = serializers.SerializerMethodField()

    class Meta:
        model = ImportJob
        fields = [
            "job_id",
            "status",
            "name",
            "spec_url",
            "filename",
            "title",
            "version",
            "dialect",
            "stage_done",
            "stage_total",
            "total_endpoints",
            "classified_count",
            "usable_count",
            "faults_total",
            "unchanged",
            "strict",
            "ask_model",
            "model_note",
            "error_stage",
            "error_message",
            "error_pointer",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
            "published_by",
            "published_at",
        ]

    def get_error_message(self, job: ImportJob) -> str | None:
        """Why it failed, in a sentence; null where it did not."""
        return job.error_message or None


class JobDetailSerializer(JobSerializer):
    faults = serializers.SerializerMethodField()
    listed = serializers.SerializerMethodField()
    documents = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "faults", "listed", "documents"]

    @extend_schema_field(FaultSerializer(many=True))
    def get_faults(self, job: ImportJob) -> list[dict[str, Any]]:
        """What is wrong with the document, at most 1,000 of `faults_total`."""
        return list(job.faults)

    @extend_schema_field(ListedSerializer(many=True))
    def get_listed(self, job: ImportJob) -> list[dict[str, Any]]:
        """Webhooks and callbacks, which are not called."""
        return list(job.listed)

    @extend_schema_field(DocumentSerializer(many=True))
    def get_documents(self, job: ImportJob) -> list[dict[str, Any]]:
        """The documents that it refers to and that were fetched with it."""
        return list(job.documents)


class JobPageSerializer(serializers.Serializer[Any]):
    jobs = JobSerializer(many=True)
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    per_page = serializers.IntegerField()


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


class EndpointSerializer(serializers.ModelSerializer[Classification]):
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
    endpoint = EndpointSerializer(source="*")

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


class ClassificationPageSerializer(serializers.Serializer[Any]):
    classifications = ClassificationSerializer(many=True)
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    per_page = serializers.IntegerField()


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
        max_length=64,
        trim_whitespace=False,
        validators=[RegexValidator(GROUP, "Use letters, digits, _ or -, and nothing else.")],
        help_text="The agent that gets the tool: `[A-Za-z0-9_-]+`.",
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


class EditSerializer(ChangesSerializer):
    name = StrictCharField(required=False, max_length=64)
    title = StrictCharField(required=False, max_length=120)
    tool_description = StrictCharField(required=False, max_length=4000)
    confirmation = StrictCharField(
        required=False, allow_blank=True, max_length=300, help_text="The question: `Cancel order {order_id}`."
    )
    staff_above_argument = StrictCharField(required=False, allow_blank=True, max_length=64)
    staff_above_amount = serializers.DecimalField(
        max_digits=14, decimal_places=2, required=False, allow_null=True
    )
    projection = serializers.ListField(child=StrictCharField(max_length=200), required=False)
    requires = serializers.ListField(child=StrictCharField(max_length=64), required=False)
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


class ChangedToolSerializer(serializers.Serializer[Any]):
    tool = serializers.CharField()
    operation_id = serializers.CharField()
    change = serializers.CharField(help_text="`added`, `changed`, `removed`, `paused`, `resumed`, `deleted`.")
    before = serializers.DictField(allow_null=True, help_text="The fields that differ, as they were.")
    after = serializers.DictField(allow_null=True)


class ChangedAgentSerializer(serializers.Serializer[Any]):
    agent = serializers.CharField()
    tool = serializers.CharField()
    change = serializers.CharField(help_text="`created`, `linked`, `unlinked`.")


class PublicationSerializer(serializers.ModelSerializer[Publication]):
    publication_id = serializers.UUIDField(source="id")
    source_name = serializers.CharField(source="source.name")
    kind = serializers.ChoiceField(Publication.Kind.choices)
    job_id = serializers.UUIDField(allow_null=True)
    undoes = serializers.UUIDField(source="undoes_id", allow_null=True)
    counts = serializers.SerializerMethodField()
    by = serializers.CharField(source="by_name")

    class Meta:
        model = Publication
        fields = [
            "publication_id",
            "source_name",
            "number",
            "kind",
            "job_id",
            "undoes",
            "counts",
            "note",
            "by",
            "at",
        ]

    def get_counts(self, row: Publication) -> dict[str, int]:
        """How many tools of each change: `{"added": 3}`."""
        return dict(Counter(entry["change"] for entry in row.changes))


class PublicationDetailSerializer(PublicationSerializer):
    changes = serializers.SerializerMethodField()
    agents = serializers.SerializerMethodField()

    class Meta(PublicationSerializer.Meta):
        fields = [*PublicationSerializer.Meta.fields, "changes", "agents"]

    @extend_schema_field(ChangedToolSerializer(many=True))
    def get_changes(self, row: Publication) -> list[dict[str, Any]]:
        """What became of each tool that is another one now."""
        return list(row.changes)

    @extend_schema_field(ChangedAgentSerializer(many=True))
    def get_agents(self, row: Publication) -> list[dict[str, Any]]:
        """Who got a tool, or lost it."""
        return list(row.agents)


class PublicationPageSerializer(serializers.Serializer[Any]):
    publications = PublicationSerializer(many=True)
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    per_page = serializers.IntegerField()


class ApprovedSerializer(JobSerializer):
    publication = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "publication"]

    @extend_schema_field(PublicationDetailSerializer)
    def get_publication(self, job: ImportJob) -> Any:
        """What became live with it."""
        return PublicationDetailSerializer(self.context["publication"]).data


class SourceSerializer(serializers.ModelSerializer[SpecSource]):
    tools = serializers.IntegerField(source="tools_total", help_text="How many tools came from it.")
    tools_on = serializers.IntegerField(help_text="How many of them can be called now.")

    class Meta:
        model = SpecSource
        fields = [
            "name",
            "title",
            "version",
            "url",
            "document_hash",
            "fetched_at",
            "calls_per_minute",
            "tools",
            "tools_on",
        ]


class SourcePageSerializer(serializers.Serializer[Any]):
    sources = SourceSerializer(many=True)
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    per_page = serializers.IntegerField()


class SomeToolsSerializer(Strict):
    tools = serializers.ListField(
        child=StrictCharField(max_length=64),
        required=False,
        allow_empty=False,
        max_length=20_000,
        help_text="Names of its tools; left out: all of them.",
    )


class PauseSerializer(SomeToolsSerializer):
    reason = StrictCharField(required=False, allow_blank=True, default="", max_length=200)


class DeleteQuery(serializers.Serializer[Any]):
    tool = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        help_text="The name of a tool, as often as needed; left out: all of them, and the credentials.",
    )


class ExportQuery(serializers.Serializer[Any]):
    format = serializers.ChoiceField(["python", "yaml", "mcp"], default="python")
