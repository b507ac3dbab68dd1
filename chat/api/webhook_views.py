"""REST: webhook endpoints, and what was sent to them."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents.approvals import Decider
from chat import webhook_endpoints, webhook_trials
from chat.api import webhook_shapes as shapes
from chat.authentication import Integrator
from chat.models import WebhookEndpoint
from chat.webhook_addresses import InvalidUrl
from chat.webhook_endpoints import (
    AlreadyPaused,
    EndpointNotFound,
    InvalidEvents,
    InvalidOverlap,
    NotPaused,
    TooManyEndpoints,
)
from chat.webhook_events import EVENTS, OF_WEBHOOK_URL
from smartsupport.lib.api_view import ApiView, require_match
from smartsupport.lib.etags import HEADER as IF_MATCH
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import Need, read_body

READ = Need("webhooks:read", "chat.view_webhookendpoint")
ADD = Need("webhooks:write", "chat.add_webhookendpoint")
CHANGE = Need("webhooks:write", "chat.change_webhookendpoint")
DELETE = Need("webhooks:write", "chat.delete_webhookendpoint")
ENDPOINT = OpenApiParameter("webhook_id", str, OpenApiParameter.PATH, description="The endpoint's `id`.")
TAGS = ["Webhooks"]
EXAMPLE = {
    "id": "7f2c1a52-3a3c-4c55-9a53-0d9f6f3f1d55",
    "description": "Ticket system",
    "host": "tickets.example.com",
    "url": "https://tickets.example.com/hooks/smart-support",
    "events": ["conversation.escalated", "action.unknown"],
    "state": "live",
    "paused_at": None,
    "paused_by": "",
    "pause_reason": "",
    "failing_since": None,
    "failures": 0,
    "last_delivered_at": "2026-11-20T09:12:44Z",
    "old_secret_until": None,
    "created_by": "nina",
    "created_at": "2026-11-20T09:00:00Z",
}
PAUSED = {
    **EXAMPLE,
    "state": "paused",
    "paused_at": "2026-11-20T10:00:00Z",
    "paused_by": "API key Ticket system",
    "pause_reason": "We move house.",
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the published example


def shown(request: Request, row: WebhookEndpoint, **more: Any) -> dict[str, Any]:
    """The endpoint as this caller may see it."""
    caller: Any = request.user
    may_change = (
        caller.has_scope(CHANGE.scope)
        if isinstance(caller, Integrator)
        else caller.has_perm(CHANGE.permission)
    )
    return {**shapes.WebhookEndpointSerializer(row, context={"may_change": may_change}).data, **more}


class WebhooksView(ApiView):
    needs: ClassVar = {"GET": READ, "POST": ADD}
    problems: ClassVar = {"POST": (InvalidUrl, InvalidEvents, TooManyEndpoints)}

    @extend_schema(
        operation_id="webhooks_list",
        summary="List webhook endpoints",
        description="All of them, at most 20, and what WEBHOOK_URL of the environment is told. No secrets.",
        tags=TAGS,
        responses=shapes.WebhookEndpointListSerializer,
        examples=[
            OpenApiExample(
                "One endpoint", value={"webhooks": [EXAMPLE], "environment": None}, response_only=True
            )
        ],
    )
    def get(self, request: Request) -> Response:
        rows = WebhookEndpoint.objects.filter(deleted_at=None)
        host = urlsplit(settings.WEBHOOK_URL).hostname or ""
        environment = {"host": host, "events": list(OF_WEBHOOK_URL)} if settings.WEBHOOK_URL else None
        return Response({"webhooks": [shown(request, row) for row in rows], "environment": environment})

    @extend_schema(
        operation_id="webhooks_create",
        summary="Add a webhook endpoint",
        description="Its secret is in this answer and nowhere else. 400 `invalid_url` where nothing would be sent to "
        "the address, 409 `too_many_endpoints` beyond 20.",
        tags=TAGS,
        request=shapes.WebhookNewEndpointSerializer,
        responses={201: shapes.WebhookNewSecretEndpointSerializer},
        examples=[
            OpenApiExample(
                "A ticket system",
                value={
                    "url": "https://tickets.example.com/hooks/smart-support",
                    "events": ["conversation.escalated", "action.unknown"],
                    "description": "Ticket system",
                },
                request_only=True,
            ),
            OpenApiExample("With its secret", value={**EXAMPLE, "secret": SECRET}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        body = read_body(shapes.WebhookNewEndpointSerializer, request)
        row, secret = webhook_endpoints.add(**body, by=Decider.of(request.user))
        answer = shown(request, row, secret=secret)
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})


class WebhookView(ApiView):
    needs: ClassVar = {"GET": READ, "PATCH": CHANGE, "DELETE": DELETE}
    answers: ClassVar = {"PATCH": EXAMPLE}
    problems: ClassVar = {
        "GET": (EndpointNotFound,),
        "PATCH": (EndpointNotFound, InvalidUrl, InvalidEvents),
        "DELETE": (EndpointNotFound,),
    }
    matched: ClassVar = frozenset({"PATCH"})

    @extend_schema(
        operation_id="webhooks_get",
        summary="One webhook endpoint",
        tags=TAGS,
        parameters=[ENDPOINT],
        responses=shapes.WebhookEndpointSerializer,
        examples=[OpenApiExample("An endpoint", value=EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, webhook_id: str) -> Response:
        return Response(shown(request, webhook_endpoints.find(parse_uuid(webhook_id))))

    @extend_schema(
        operation_id="webhooks_change",
        summary="Change a webhook endpoint",
        description="What is left out stays. What waits already goes to the new address. With `If-Match` only where it "
        "is as you read it (412 otherwise).",
        tags=TAGS,
        parameters=[ENDPOINT],
        request=shapes.WebhookEndpointChangesSerializer,
        responses=shapes.WebhookEndpointSerializer,
        examples=[OpenApiExample("Other events", value={"events": list(EVENTS)[:2]}, request_only=True)],
    )
    def patch(self, request: Request, webhook_id: str) -> Response:
        endpoint_id = parse_uuid(webhook_id)
        body = read_body(shapes.WebhookEndpointChangesSerializer, request)
        with transaction.atomic():
            row = webhook_endpoints.find(endpoint_id)
            if IF_MATCH in request.headers:
                row = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=row.pk)
                require_match(request, shown(request, row))
            changed = webhook_endpoints.change(endpoint_id, by=Decider.of(request.user), **body)
        return Response(shown(request, changed))

    @extend_schema(
        operation_id="webhooks_delete",
        summary="Delete a webhook endpoint",
        description="It is told of nothing more. What waits is not sent, and what was sent is forgotten.",
        tags=TAGS,
        parameters=[ENDPOINT],
        request=None,
        responses={200: shapes.WebhookEndpointSerializer},
        examples=[OpenApiExample("The endpoint as it was", value=EXAMPLE, response_only=True)],
    )
    def delete(self, request: Request, webhook_id: str) -> Response:
        row = webhook_endpoints.find(parse_uuid(webhook_id))
        webhook_endpoints.delete(row.pk, by=Decider.of(request.user))
        return Response(shown(request, row))


class TestView(ApiView):
    needs: ClassVar = {"POST": CHANGE}
    problems: ClassVar = {"POST": (EndpointNotFound, webhook_trials.TooManyTests)}
    outside: ClassVar = frozenset({"POST"})

    @extend_schema(
        operation_id="webhooks_test",
        summary="Send a test to a webhook endpoint",
        description="A `test.ping` is posted at once, also where the endpoint is paused, and this answers what came "
        "back: 200 whatever that was. It takes up to WEBHOOK_TIMEOUT_SECONDS.",
        tags=TAGS,
        parameters=[ENDPOINT],
        request=None,
        responses=shapes.WebhookTrialSerializer,
        examples=[
            OpenApiExample(
                "It arrived",
                value={
                    "delivery_id": "0f6b3f6e-5c37-4d8c-9a4f-2f9b0a4d7c11",
                    "delivered": True,
                    "status": 204,
                    "body_head": "",
                    "error": "",
                    "duration_ms": 84,
                },
                response_only=True,
            )
        ],
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        trial = webhook_trials.test(parse_uuid(webhook_id), by=Decider.of(request.user))
        return Response(shapes.WebhookTrialSerializer(trial).data)


class RotateView(ApiView):
    needs: ClassVar = {"POST": CHANGE}
    problems: ClassVar = {"POST": (EndpointNotFound, InvalidOverlap)}

    @extend_schema(
        operation_id="webhooks_rotate",
        summary="Give a webhook endpoint a new secret",
        description="It is in this answer and nowhere else. The old one signs beside it for `overlap_hours`.",
        tags=TAGS,
        parameters=[ENDPOINT],
        request=shapes.WebhookSecretRotationSerializer,
        responses=shapes.WebhookSecretSerializer,
        examples=[
            OpenApiExample("Two days for the change", value={"overlap_hours": 48}, request_only=True),
            OpenApiExample("The new one", value={"secret": SECRET}, response_only=True),
        ],
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        body = read_body(shapes.WebhookSecretRotationSerializer, request)
        secret = webhook_endpoints.rotate(parse_uuid(webhook_id), by=Decider.of(request.user), **body)
        return Response({"secret": secret}, headers={"Cache-Control": "no-store"})


class PauseView(ApiView):
    needs: ClassVar = {"POST": CHANGE}
    answers: ClassVar = {"POST": PAUSED}
    problems: ClassVar = {"POST": (EndpointNotFound, AlreadyPaused)}

    @extend_schema(
        operation_id="webhooks_pause",
        summary="Pause a webhook endpoint",
        description="Nothing more is sent; what happens meanwhile waits. 409 `already_paused`.",
        tags=TAGS,
        parameters=[ENDPOINT],
        request=shapes.WebhookPauseSerializer,
        responses=shapes.WebhookEndpointSerializer,
        examples=[OpenApiExample("Why", value={"reason": "We move house."}, request_only=True)],
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        body = read_body(shapes.WebhookPauseSerializer, request)
        row = webhook_endpoints.pause(parse_uuid(webhook_id), by=Decider.of(request.user), **body)
        return Response(shown(request, row))


class ResumeView(ApiView):
    needs: ClassVar = {"POST": CHANGE}
    answers: ClassVar = {"POST": {"waited": 3}}
    problems: ClassVar = {"POST": (EndpointNotFound, NotPaused)}

    @extend_schema(
        operation_id="webhooks_resume",
        summary="Resume a webhook endpoint",
        description="What waited is sent first, or skipped. 409 `not_paused`.",
        tags=TAGS,
        parameters=[ENDPOINT],
        request=shapes.WebhookResumeSerializer,
        responses=shapes.WebhookResumedSerializer,
        examples=[OpenApiExample("Skip what waited", value={"skip": True}, request_only=True)],
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        body = read_body(shapes.WebhookResumeSerializer, request)
        waited = webhook_endpoints.resume(parse_uuid(webhook_id), by=Decider.of(request.user), **body)
        return Response({"waited": waited})


class RedeliverView(ApiView):
    needs: ClassVar = {"POST": Need(CHANGE.scope, CHANGE.permission, also=("chat.change_webhookdelivery",))}
    answers: ClassVar = {"POST": {"count": 12, "more": False}}
    problems: ClassVar = {"POST": (EndpointNotFound,)}

    @extend_schema(
        operation_id="webhooks_redeliver",
        summary="Send again what an endpoint missed",
        description=f"All that was given up and written between the two moments, with the ids that it had; the oldest "
        f"first, at most {webhook_endpoints.MOST_AGAIN:,}.",
        tags=TAGS,
        parameters=[ENDPOINT],
        request=shapes.WebhookSendAgainSerializer,
        responses={202: shapes.WebhookSentAgainSerializer},
        examples=[OpenApiExample("Since noon", value={"since": "2026-11-20T12:00:00Z"}, request_only=True)],
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        body = read_body(shapes.WebhookSendAgainSerializer, request)
        by = Decider.of(request.user)
        count, more = webhook_endpoints.send_failed_again(parse_uuid(webhook_id), by=by, **body)
        return Response({"count": count, "more": more}, status=202)
