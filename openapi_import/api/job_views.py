"""REST: imports, from submitting a document to publishing what was judged of it."""

from typing import ClassVar

from django.db.models import Q
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from openapi_import import jobs
from openapi_import.api import examples
from openapi_import.api import job_shapes as shapes
from openapi_import.api.looking_up import checked_body, import_limit, job_of, submission
from openapi_import.errors import JobNotFound, SpecInvalid, TooManyImports, WrongStage
from openapi_import.models import ImportJob
from smartsupport.lib import idempotency
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.documented import INVALID_DOCUMENT
from smartsupport.lib.envelope import BoundedJSONParser
from smartsupport.lib.rest import Need, between, decider_id, one_page, read_query

JOB = OpenApiParameter("job_id", str, OpenApiParameter.PATH)
READ = Need("imports:read", "openapi_import.view_importjob")
START = Need("imports:write", "openapi_import.add_importjob")


class ImportView(ApiView):
    needs: ClassVar = {"POST": START}
    answers: ClassVar = {"POST": examples.WAITING}
    problems: ClassVar = {"POST": (INVALID_DOCUMENT, SpecInvalid, TooManyImports)}
    parser_classes = [BoundedJSONParser, MultiPartParser]

    def body_limit(self) -> int:
        return import_limit()

    @extend_schema(
        operation_id="openapi_import",
        summary="Import an OpenAPI document",
        description=(
            "From its address (`url`), as pasted `text`, or as a multipart `file`: OpenAPI 3.0 to 3.2 or Swagger 2.0, "
            "JSON or YAML. Or, with `mcp_url`, the tools of an MCP server. It is read in the background: ask "
            "`GET openapi/jobs/{job_id}`. Nothing is live before it was reviewed and approved. With an "
            "`Idempotency-Key`, a repeat is answered with the first import."
        ),
        tags=["Imports"],
        request={
            "application/json": shapes.SubmissionSerializer,
            "multipart/form-data": {
                "type": "object",
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "name": {"type": "string"},
                    "base_url": {"type": "string"},
                    "headers": {"type": "string", "description": "A JSON object."},
                    "strict": {"type": "boolean"},
                    "ask_model": {"type": "boolean"},
                },
                "required": ["file"],
                "additionalProperties": False,
            },
        },
        responses={202: shapes.JobSerializer},
        examples=[
            OpenApiExample(
                "From its address", value={"url": "https://api.example.com/openapi.json"}, request_only=True
            ),
            OpenApiExample(
                "Behind a key",
                value={"url": "https://api.example.com/openapi.json", "headers": {"X-Shop-Key": "the key"}},
                request_only=True,
            ),
            OpenApiExample(
                "An MCP server", value={"mcp_url": "https://tools.example.com/mcp"}, request_only=True
            ),
            OpenApiExample("Pasted", value={"text": "openapi: 3.1.0\n…", "name": "shop"}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        wanted = submission(request, shapes.SubmissionSerializer)
        text = request.headers.get(idempotency.HEADER)
        key = f"{decider_id(request.user)} {text}" if text else ""  # two API keys may have one name
        job = jobs.submit(by=request.user.get_username(), idempotency_key=key, **wanted)
        return Response(shapes.JobSerializer(job).data, status=202)


class JobsView(ApiView):
    needs: ClassVar = {"GET": READ}
    answers: ClassVar = {"GET": examples.JOBS}

    @extend_schema(
        operation_id="openapi_jobs_list",
        summary="List imports",
        description="Newest first.",
        tags=["Imports"],
        parameters=[shapes.JobQuery],
        responses=shapes.JobPageSerializer,
    )
    def get(self, request: Request) -> Response:
        query = read_query(shapes.JobQuery, request)
        rows = ImportJob.objects.defer("content", "faults", "listed", "documents").order_by(
            "-created_at", "-id"
        )
        rows = rows.filter(**between("created_at", query))
        rows = rows.filter(**{field: query[field] for field in ("status", "name") if query.get(field)})
        if text := query.get("q", "").strip():
            rows = rows.filter(
                Q(title__icontains=text)
                | Q(name__icontains=text)
                | Q(spec_url__icontains=text)
                | Q(filename__icontains=text)
            )
        page, counts = one_page(rows, query)
        return Response({"jobs": shapes.JobSerializer(page, many=True).data, **counts})


class JobView(ApiView):
    needs: ClassVar = {"GET": READ}
    answers: ClassVar = {"GET": examples.JOB}
    problems: ClassVar = {"GET": (JobNotFound,)}

    @extend_schema(
        operation_id="openapi_jobs_get",
        summary="One import: its stage, how far it is, and the document's faults",
        tags=["Imports"],
        parameters=[JOB],
        responses={200: shapes.JobDetailSerializer},
    )
    def get(self, request: Request, job_id: str) -> Response:
        return Response(shapes.JobDetailSerializer(job_of(job_id)).data)


class CancelView(ApiView):
    needs: ClassVar = {"POST": START}
    answers: ClassVar = {"POST": examples.CANCELLED}
    problems: ClassVar = {"POST": (JobNotFound, WrongStage)}

    @extend_schema(
        operation_id="openapi_jobs_cancel",
        summary="Stop an import that is not finished",
        description="It is `cancelled` at once, and nothing more is written or fetched for it after a second.",
        tags=["Imports"],
        parameters=[JOB],
        request=None,
        responses={200: shapes.JobSerializer},
    )
    def post(self, request: Request, job_id: str) -> Response:
        row = jobs.cancel(job_of(job_id).pk, request.user.get_username())
        return Response(shapes.JobSerializer(row).data)


class RetryView(ApiView):
    needs: ClassVar = {"POST": START}
    answers: ClassVar = {"POST": examples.WAITING}
    problems: ClassVar = {"POST": (JobNotFound, WrongStage, INVALID_DOCUMENT, TooManyImports)}
    parser_classes = [BoundedJSONParser]

    @extend_schema(
        operation_id="openapi_jobs_retry",
        summary="Try a failed or cancelled import again",
        description=(
            "From the stage that failed, with what was fetched then; with `fetch_again`, from the beginning."
        ),
        tags=["Imports"],
        parameters=[JOB],
        request=shapes.RetrySerializer,
        responses={202: shapes.JobSerializer},
        examples=[OpenApiExample("Fetch it again", value={"fetch_again": True}, request_only=True)],
    )
    def post(self, request: Request, job_id: str) -> Response:
        job = job_of(job_id)
        body = checked_body(shapes.RetrySerializer, request)
        row = jobs.retry(job.pk, request.user.get_username(), **body)
        return Response(shapes.JobSerializer(row).data, status=202)
