"""What the routes of published APIs read and answer."""

from collections import Counter
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from openapi_import.api.job_shapes import JobSerializer, Strict
from openapi_import.models import ImportJob, Publication, SpecSource
from smartsupport.lib.rest import CountedSerializer, StrictCharField


class ChangedToolSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
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


class PublicationPageSerializer(CountedSerializer):
    publications = PublicationSerializer(many=True)


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


class SourcePageSerializer(CountedSerializer):
    sources = SourceSerializer(many=True)


class SomeToolsSerializer(Strict):
    tools = serializers.ListField(
        child=StrictCharField(max_length=64),
        required=False,
        allow_empty=False,
        max_length=20_000,
        help_text="Names of its tools; left out: all of them.",
    )


class ToolPauseSerializer(SomeToolsSerializer):
    reason = StrictCharField(required=False, allow_blank=True, default="", max_length=200)


class DeleteQuery(serializers.Serializer[Any]):
    tool = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        help_text="The name of a tool, as often as needed; left out: all of them, and the credentials.",
    )


class ApprovedSerializer(JobSerializer):
    publication = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "publication"]

    @extend_schema_field(PublicationDetailSerializer)
    def get_publication(self, job: ImportJob) -> Any:
        """What became live with it."""
        return PublicationDetailSerializer(self.context["publication"]).data
