"""What the routes of imports read and answer."""

import json
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from openapi_import.models import ImportJob, ImportStatus, SourceKind
from smartsupport.lib.rest import (
    CountedSerializer,
    MomentFilter,
    PageQuery,
    StrictBooleanField,
    StrictCharField,
    TextFilter,
)


class Strict(serializers.Serializer[Any]):
    """Refuses fields that it does not know, also within another one, and names them with whatever else is wrong."""

    refuses_unknown = True

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        faults: Any = {name: ["This field is not known here."] for name in unknown}
        try:
            known = super().to_internal_value(data)
        except serializers.ValidationError as refused:
            others: Any = refused.detail
            raise serializers.ValidationError({**others, **faults}) from refused
        if faults:
            raise serializers.ValidationError(faults)
        return known


class JobQuery(PageQuery):
    status = serializers.ChoiceField(ImportStatus.choices, required=False)
    name = TextFilter(max_length=64, help_text="Imports of this source.")
    q = TextFilter(help_text="Part of the title, the name, the address or the file's name.")
    since = MomentFilter("Begun at or after this moment.")
    until = MomentFilter("Begun before it.")


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
    mcp_url = StrictCharField(
        required=False,
        max_length=2000,
        help_text=(
            "Instead of a document: the address of an MCP server (streamable HTTP), whose tools are read and reviewed "
            "like the operations of a document."
        ),
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
    kind = serializers.ChoiceField(
        SourceKind.choices, help_text="What is imported: a document, or an MCP server."
    )
    name = serializers.CharField(help_text="The source that it becomes; empty until the title is known.")
    error_message = serializers.SerializerMethodField()

    class Meta:
        model = ImportJob
        fields = [
            "job_id",
            "status",
            "name",
            "kind",
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


class JobPageSerializer(CountedSerializer):
    jobs = JobSerializer(many=True)
