"""REST: what was judged of an import's operations, reviewed, published and taken away."""

from collections.abc import Callable
from typing import ClassVar

from django.db import transaction
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents.api.yaml_body import YAML_FILE, JsonWhateverAsked
from agents.approvals import Decider
from openapi_import import difference, exports, jobs, publish, review
from openapi_import.api import examples
from openapi_import.api import review_shapes as shapes
from openapi_import.api.job_shapes import JobSerializer
from openapi_import.api.job_views import JOB, READ
from openapi_import.api.looking_up import checked_body, classification_of, found, job_of
from openapi_import.api.source_shapes import ApprovedSerializer
from openapi_import.errors import JobNotFound, WrongStage
from openapi_import.exports.python_module import NoModule
from openapi_import.models import ImportJob, ImportStatus
from openapi_import.planning import NewerPublished
from smartsupport.lib.api_view import ApiView, require_match
from smartsupport.lib.documented import INVALID_DOCUMENT
from smartsupport.lib.envelope import BoundedJSONParser
from smartsupport.lib.etags import HEADER as IF_MATCH
from smartsupport.lib.rest import Need, one_page, read_query

INDEX = OpenApiParameter("index", int, OpenApiParameter.PATH, description="Counts from 0.")
REVIEW = Need("imports:write", "openapi_import.change_importjob")
PUBLISH = Need("imports:publish", "openapi_import.publish_importjob")
DOWNLOADS: dict[str, tuple[Callable[[ImportJob], str], str, str]] = {
    "python": (exports.python, "text/x-python", "py"),
    "yaml": (exports.agents_yaml, "application/yaml", "yaml"),
    "mcp": (exports.mcp, "application/json", "json"),
}
"""By format: what writes it, its media type, and how its file ends."""
MCP_FILE = {"type": "object", "additionalProperties": True, "description": "`format=mcp`"}


class ClassificationsView(ApiView):
    needs: ClassVar = {"GET": READ, "PATCH": REVIEW}
    answers: ClassVar = {"GET": examples.CLASSIFICATIONS, "PATCH": examples.EDITED_MANY}
    problems: ClassVar = {"GET": (JobNotFound,), "PATCH": (JobNotFound, WrongStage, INVALID_DOCUMENT)}
    parser_classes = [BoundedJSONParser]

    @extend_schema(
        operation_id="openapi_classifications_list",
        summary="The operations of an import, and what was judged of each",
        tags=["Imports"],
        parameters=[JOB, shapes.ClassificationQuery],
        responses={200: shapes.ClassificationPageSerializer},
    )
    def get(self, request: Request, job_id: str) -> Response:
        job = job_of(job_id)
        query = read_query(shapes.ClassificationQuery, request)
        page, counts = one_page(found(job, query).defer("tool"), query)
        return Response({"classifications": shapes.ClassificationSerializer(page, many=True).data, **counts})

    @extend_schema(
        operation_id="openapi_classifications_edit_many",
        summary="Change many operations in the same way",
        description=(
            "All of them or none: where one of them cannot be changed so, nothing is. Give `indexes`, or `all` for "
            "what the filter in the address finds. `looked` instead of `changes` notes that somebody has looked."
        ),
        tags=["Imports"],
        parameters=[JOB, shapes.ClassificationFilter],
        request=shapes.BulkEditSerializer,
        responses={200: shapes.BulkEditedSerializer},
        examples=[
            OpenApiExample(
                "To one agent",
                value={"indexes": [0, 3, 4], "changes": {"agent_group": "billing"}},
                request_only=True,
            ),
            OpenApiExample(
                "Leave out what the filter finds",
                value={"all": True, "changes": {"selected": False}},
                request_only=True,
            ),
        ],
    )
    def patch(self, request: Request, job_id: str) -> Response:
        job = job_of(job_id)
        body = checked_body(shapes.BulkEditSerializer, request)
        indexes = body.get("indexes")
        if body["all"]:
            query = read_query(shapes.ClassificationFilter, request)
            indexes = list(found(job, query).values_list("index", flat=True))
        by = Decider.of(request.user)
        if body["looked"]:
            return Response({"changed": review.look(job.pk, indexes, by)})
        return Response({"changed": review.edit_many(job.pk, indexes, body["changes"], by)})


class ClassificationView(ApiView):
    needs: ClassVar = {"GET": READ, "PUT": REVIEW}
    answers: ClassVar = {"GET": examples.OPERATION, "PUT": examples.EDITED}
    problems: ClassVar = {
        "GET": (JobNotFound,),
        "PUT": (JobNotFound, WrongStage, INVALID_DOCUMENT, review.ChangedMeanwhile),
    }
    matched: ClassVar = frozenset({"PUT"})
    parser_classes = [BoundedJSONParser]

    @extend_schema(
        operation_id="openapi_classifications_get",
        summary="One operation, with the tool that it would be",
        tags=["Imports"],
        parameters=[JOB, INDEX],
        responses={200: shapes.ClassificationDetailSerializer},
    )
    def get(self, request: Request, job_id: str, index: str) -> Response:
        row = classification_of(job_of(job_id), index)
        return Response(shapes.ClassificationDetailSerializer(row).data)

    @extend_schema(
        operation_id="openapi_classifications_edit",
        summary="Change one operation",
        description=(
            "What is left out stays. Whoever changes more than `selected` has looked at the operation. "
            "409 `changed_meanwhile` where it is not the `revision` that you looked at any more."
        ),
        tags=["Imports"],
        parameters=[JOB, INDEX],
        request=shapes.EditSerializer,
        responses={200: shapes.ClassificationDetailSerializer},
        examples=[
            OpenApiExample(
                "A write that the customer agrees to",
                value={"access_type": "write", "approval": "customer", "agent_group": "order_actions"},
                request_only=True,
            )
        ],
    )
    def put(self, request: Request, job_id: str, index: str) -> Response:
        row = classification_of(job_of(job_id), index)
        changes = checked_body(shapes.EditSerializer, request)
        seen = changes.pop("revision", None)
        with transaction.atomic():
            if IF_MATCH in request.headers:
                ImportJob.objects.select_for_update(no_key=True).only("pk").get(pk=row.job_id)
                row = classification_of(job_of(job_id), index)
                require_match(request, shapes.ClassificationDetailSerializer(row).data)
            edited = review.edit(row.job_id, row.index, changes, by=Decider.of(request.user), seen=seen)
        return Response(shapes.ClassificationDetailSerializer(edited).data)


class ApproveView(ApiView):
    needs: ClassVar = {"POST": PUBLISH}
    answers: ClassVar = {"POST": examples.APPROVED}
    problems: ClassVar = {
        "POST": (
            JobNotFound,
            publish.NothingToPublish,
            publish.AlreadyPublished,
            NewerPublished,
            WrongStage,
            INVALID_DOCUMENT,
        )
    }

    @extend_schema(
        operation_id="openapi_jobs_approve",
        summary="Publish what is selected as live tools",
        description=(
            "All of it or nothing, live at the next message. New tools go to the agents of their groups; a tool whose "
            "operation is gone or left out is switched off. 409 `newer_published` where the live tools are not the "
            "ones any more that this import was compared with: compare again, look, and approve then."
        ),
        tags=["Imports"],
        parameters=[JOB],
        request=None,
        responses=ApprovedSerializer,
    )
    def post(self, request: Request, job_id: str) -> Response:
        job = job_of(job_id)
        publication = publish.publish(job.pk, Decider.of(request.user))
        context = {"publication": publication}
        return Response(ApprovedSerializer(jobs.find(job.pk), context=context).data)


class CompareView(ApiView):
    needs: ClassVar = {"POST": REVIEW}
    answers: ClassVar = {"POST": examples.DONE}
    problems: ClassVar = {"POST": (JobNotFound, WrongStage)}

    @extend_schema(
        operation_id="openapi_jobs_compare",
        summary="Compare it once more with what is published",
        description="What reviewers decided in this import stays.",
        tags=["Imports"],
        parameters=[JOB],
        request=None,
        responses={200: JobSerializer},
    )
    def post(self, request: Request, job_id: str) -> Response:
        job = job_of(job_id)
        difference.compare_again(job.pk)
        return Response(JobSerializer(jobs.find(job.pk)).data)


class ExportView(ApiView):
    needs: ClassVar = {"GET": READ}
    problems: ClassVar = {"GET": (JobNotFound, WrongStage, NoModule)}
    content_negotiation_class = JsonWhateverAsked

    @extend_schema(
        operation_id="openapi_jobs_export",
        summary="What is selected, to read and take away",
        description=(
            "A Python module with a function for each operation, the agents as YAML, or the configuration of an MCP "
            "server. None of it is ever run here. The answer is the file itself, without an envelope."
        ),
        tags=["Imports"],
        parameters=[JOB, shapes.ExportQuery],
        examples=[
            OpenApiExample(
                "For an MCP client",
                value={
                    "mcpServers": {"shop": {"command": "uv", "args": ["run", "shop_tools.py"]}},
                    "tools": [],
                },
                response_only=True,
            )
        ],
        responses={
            (200, "text/x-python"): OpenApiResponse(OpenApiTypes.STR, description="`format=python`"),
            (200, "application/yaml"): OpenApiResponse(YAML_FILE, description="`format=yaml`"),
            (200, "application/json"): OpenApiResponse(MCP_FILE, description="The file."),
        },
    )
    def get(self, request: Request, job_id: str) -> HttpResponse:
        job = job_of(job_id)
        write, media_type, ending = DOWNLOADS[read_query(shapes.ExportQuery, request)["format"]]
        if job.status not in (ImportStatus.DONE, ImportStatus.APPROVED):
            raise WrongStage(
                f"Only an import that was read to the end can be exported; this one is {job.status}."
            )
        saved_as = exports.module_file(job) if ending == "py" else f"{job.name or 'api'}.{ending}"
        headers = {"Content-Disposition": f'attachment; filename="{saved_as}"'}
        return HttpResponse(write(job), content_type=f"{media_type}; charset=utf-8", headers=headers)
