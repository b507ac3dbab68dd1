"""REST: what is live of each API, and how it came to be: publications, pausing, rolling back, deleting."""

from typing import ClassVar
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents.approvals import Decider
from agents.models import Tool
from openapi_import import publications, roll_back, tool_state
from openapi_import.api import examples
from openapi_import.api import source_shapes as shapes
from openapi_import.api.looking_up import NotFound, checked_body, publication_of, source_of
from openapi_import.errors import ImportRefused
from openapi_import.models import Publication, SpecSource
from openapi_import.publications import NothingToDo
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.documented import INVALID_DOCUMENT
from smartsupport.lib.envelope import BoundedJSONParser
from smartsupport.lib.rest import Need, PageQuery, one_page, read_query

SOURCE = OpenApiParameter("source_name", str, OpenApiParameter.PATH)
PUBLICATION = OpenApiParameter("publication_id", str, OpenApiParameter.PATH)
SEE = Need("imports:read", "openapi_import.view_specsource")
CHANGE = Need("imports:publish", "openapi_import.publish_importjob")
CHANGE_PROBLEMS = (NotFound, NothingToDo, INVALID_DOCUMENT)


def sources() -> "QuerySet[SpecSource]":
    kept = ~Q(tools__paused_because__in=tool_state.RETIRED)
    return SpecSource.objects.annotate(
        tools_total=Count("tools", filter=kept), tools_on=Count("tools", filter=Q(tools__enabled=True))
    ).order_by("name")


def ids_of(source: SpecSource, names: list[str] | None) -> list[UUID] | None:
    """Raises ImportRefused (422) for a name that no tool of the source has."""
    if names is None:
        return None
    found = dict(Tool.objects.filter(source=source, name__in=names).values_list("name", "pk"))
    unknown = [name for name in names if name not in found]
    if unknown:
        message = f"{source.name} has no tool {unknown[0]!r}."
        raise ImportRefused(message, fields={"tools": [message]})
    return list(found.values())


def published(row: Publication) -> Response:
    return Response(shapes.PublicationDetailSerializer(row).data)


class SourcesView(ApiView):
    needs: ClassVar = {"GET": SEE}
    answers: ClassVar = {"GET": examples.SOURCES}

    @extend_schema(
        operation_id="openapi_sources_list",
        summary="The APIs that tools come from",
        tags=["Imports"],
        parameters=[PageQuery],
        responses=shapes.SourcePageSerializer,
    )
    def get(self, request: Request) -> Response:
        page, counts = one_page(sources(), read_query(PageQuery, request))
        return Response({"sources": shapes.SourceSerializer(page, many=True).data, **counts})


class SourceView(ApiView):
    needs: ClassVar = {"GET": SEE, "DELETE": CHANGE}
    answers: ClassVar = {"GET": examples.SOURCE, "DELETE": examples.DELETED}
    problems: ClassVar = {"GET": (NotFound,), "DELETE": CHANGE_PROBLEMS}

    @extend_schema(
        operation_id="openapi_sources_get",
        summary="One API, and how many of its tools are on",
        tags=["Imports"],
        parameters=[SOURCE],
        responses={200: shapes.SourceSerializer},
    )
    def get(self, request: Request, source_name: str) -> Response:
        return Response(shapes.SourceSerializer(sources().get(pk=source_of(source_name).pk)).data)

    @extend_schema(
        operation_id="openapi_sources_delete",
        summary="Delete its tools",
        description=(
            "They are taken from all agents and are never called again; what they once did stays on record. What waits "
            "for a decision on one of them is declined. Publishing its document again makes them anew."
        ),
        tags=["Imports"],
        parameters=[SOURCE, shapes.DeleteQuery],
        request=None,
        responses={200: shapes.PublicationDetailSerializer},
    )
    def delete(self, request: Request, source_name: str) -> Response:
        source = source_of(source_name)
        names = request.query_params.getlist("tool") or None
        tools = ids_of(source, names)
        return published(publications.delete(source.pk, Decider.of(request.user), tools=tools))


class PauseView(ApiView):
    needs: ClassVar = {"POST": CHANGE}
    answers: ClassVar = {"POST": examples.PAUSED}
    problems: ClassVar = {"POST": CHANGE_PROBLEMS}
    parser_classes = [BoundedJSONParser]

    @extend_schema(
        operation_id="openapi_sources_pause",
        summary="Switch its tools off for a while",
        description="What waits for a decision on one of them cannot be approved meanwhile.",
        tags=["Imports"],
        parameters=[SOURCE],
        request=shapes.ToolPauseSerializer,
        responses=shapes.PublicationDetailSerializer,
        examples=[
            OpenApiExample("All", value={"reason": "The shop is down."}, request_only=True),
            OpenApiExample("One tool", value={"tools": ["cancel_order"]}, request_only=True),
        ],
    )
    def post(self, request: Request, source_name: str) -> Response:
        source = source_of(source_name)
        body = checked_body(shapes.ToolPauseSerializer, request)
        tools = ids_of(source, body.get("tools"))
        by = Decider.of(request.user)
        return published(publications.pause(source.pk, by, tools=tools, reason=body["reason"]))


class ResumeView(ApiView):
    needs: ClassVar = {"POST": CHANGE}
    answers: ClassVar = {"POST": examples.RESUMED}
    problems: ClassVar = {"POST": CHANGE_PROBLEMS}
    parser_classes = [BoundedJSONParser]

    @extend_schema(
        operation_id="openapi_sources_resume",
        summary="Switch its tools on again",
        description="Without names: what was paused. Named ones: whatever they were switched off for.",
        tags=["Imports"],
        parameters=[SOURCE],
        request=shapes.SomeToolsSerializer,
        responses=shapes.PublicationDetailSerializer,
        examples=[OpenApiExample("One tool", value={"tools": ["cancel_order"]}, request_only=True)],
    )
    def post(self, request: Request, source_name: str) -> Response:
        source = source_of(source_name)
        body = checked_body(shapes.SomeToolsSerializer, request)
        tools = ids_of(source, body.get("tools"))
        return published(publications.resume(source.pk, Decider.of(request.user), tools=tools))


class PublicationsView(ApiView):
    needs: ClassVar = {"GET": SEE}
    answers: ClassVar = {"GET": examples.PUBLICATIONS}
    problems: ClassVar = {"GET": (NotFound,)}

    @extend_schema(
        operation_id="openapi_publications_list",
        summary="Every change of its live tools, newest first",
        tags=["Imports"],
        parameters=[SOURCE, PageQuery],
        responses={200: shapes.PublicationPageSerializer},
    )
    def get(self, request: Request, source_name: str) -> Response:
        source = source_of(source_name)
        rows = source.publications.select_related("source").order_by("-number")
        page, counts = one_page(rows, read_query(PageQuery, request))
        return Response({"publications": shapes.PublicationSerializer(page, many=True).data, **counts})


class PublicationView(ApiView):
    needs: ClassVar = {"GET": SEE}
    answers: ClassVar = {"GET": examples.PUBLISHED}
    problems: ClassVar = {"GET": (NotFound,)}

    @extend_schema(
        operation_id="openapi_publications_get",
        summary="One publication: what became of each tool, and who did it",
        tags=["Imports"],
        parameters=[PUBLICATION],
        responses={200: shapes.PublicationDetailSerializer},
    )
    def get(self, request: Request, publication_id: str) -> Response:
        return published(publication_of(publication_id))


class RollBackView(ApiView):
    needs: ClassVar = {"POST": CHANGE}
    answers: ClassVar = {"POST": examples.ROLLED_BACK}
    problems: ClassVar = {"POST": (NotFound, NothingToDo, roll_back.NotTheNewest)}

    @extend_schema(
        operation_id="openapi_publications_roll_back",
        summary="Take the newest publication back",
        description=(
            "Its tools become what they were before it. 409 `not_the_newest` where something newer stands on it: "
            "`newest` is what has to be rolled back first."
        ),
        tags=["Imports"],
        parameters=[PUBLICATION],
        request=None,
        responses=shapes.PublicationDetailSerializer,
    )
    def post(self, request: Request, publication_id: str) -> Response:
        row = publication_of(publication_id)
        return published(roll_back.roll_back(row.pk, Decider.of(request.user)))
