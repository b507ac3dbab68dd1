"""REST: webhook endpoints, and what was sent to them."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from agents.approvals import Decider
from chat import webhook_deeds, webhook_endpoints
from chat.api import webhook_shapes as shapes
from chat.authentication import Integrator
from chat.models import WebhookEndpoint
from chat.webhook_addresses import InvalidUrl
from chat.webhook_deeds import Deed
from chat.webhook_endpoints import EndpointNotFound, InvalidEvents, TooManyEndpoints
from chat.webhook_events import EVENTS, OF_WEBHOOK_URL
from smartsupport.lib.api_view import ApiView, require_match
from smartsupport.lib.etags import HEADER as IF_MATCH
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import Need, read_body

SCOPE = "webhooks:write"
READ = Need("webhooks:read", "chat.view_webhookendpoint")
ADD = Need(SCOPE, "chat.add_webhookendpoint")
CHANGE = Need(SCOPE, "chat.change_webhookendpoint")
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
TRIAL = {
    "delivery_id": "0f6b3f6e-5c37-4d8c-9a4f-2f9b0a4d7c11",
    "delivered": True,
    "status": 204,
    "body_head": "",
    "error": "",
    "duration_ms": 84,
}
NOT_STORED = {"Cache-Control": "no-store"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the published example


def asked(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def need_of(deed: Deed) -> Need:
    permission, *also = deed.permissions
    return Need(SCOPE, permission, tuple(also))


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
    answers: ClassVar = {
        "GET": {"webhooks": [EXAMPLE], "environment": None},
        "POST": {**EXAMPLE, "secret": SECRET},
    }
    problems: ClassVar = {"POST": (InvalidUrl, InvalidEvents, TooManyEndpoints)}

    @extend_schema(
        operation_id="webhooks_list",
        summary="List webhook endpoints",
        description="All of them, at most 20, and what WEBHOOK_URL of the environment is told. No secrets.",
        tags=TAGS,
        responses=shapes.WebhookEndpointListSerializer,
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
            asked("A ticket system", {name: EXAMPLE[name] for name in ("url", "events", "description")})
        ],
    )
    def post(self, request: Request) -> Response:
        body = read_body(shapes.WebhookNewEndpointSerializer, request)
        wanted = webhook_endpoints.checked(**body)
        row, secret = webhook_endpoints.add(wanted, by=Decider.of(request.user))
        return Response(shown(request, row, secret=secret), status=201, headers=NOT_STORED)


class WebhookView(ApiView):
    needs: ClassVar = {"GET": READ, "PATCH": CHANGE, "DELETE": need_of(webhook_deeds.DELETE)}
    answers: ClassVar = {"GET": EXAMPLE, "PATCH": EXAMPLE, "DELETE": EXAMPLE}
    problems: ClassVar = {
        "GET": (EndpointNotFound,),
        "PATCH": (EndpointNotFound, InvalidUrl, InvalidEvents),
        "DELETE": webhook_deeds.DELETE.refusals,
    }
    matched: ClassVar = frozenset({"PATCH"})

    @extend_schema(
        operation_id="webhooks_get",
        summary="One webhook endpoint",
        tags=TAGS,
        parameters=[ENDPOINT],
        responses=shapes.WebhookEndpointSerializer,
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
        examples=[asked("Other events", {"events": list(EVENTS)[:2]})],
    )
    def patch(self, request: Request, webhook_id: str) -> Response:
        row = webhook_endpoints.find(parse_uuid(webhook_id))
        wanted = webhook_endpoints.checked(row, **read_body(shapes.WebhookEndpointChangesSerializer, request))
        with transaction.atomic():
            if IF_MATCH in request.headers:
                row = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=row.pk)
                require_match(request, shown(request, row))
            changed = webhook_endpoints.change(row, wanted, by=Decider.of(request.user))
        return Response(shown(request, changed))

    @extend_schema(
        operation_id="webhooks_delete",
        summary="Delete a webhook endpoint",
        description=webhook_deeds.DELETE.does,
        tags=TAGS,
        parameters=[ENDPOINT],
        request=None,
        responses={200: shapes.WebhookEndpointSerializer},
    )
    def delete(self, request: Request, webhook_id: str) -> Response:
        row = webhook_endpoints.find(parse_uuid(webhook_id))
        webhook_endpoints.delete(row.pk, by=Decider.of(request.user))
        return Response(shown(request, row))


def view_of(
    deed: Deed,
    summary: str,
    shape: type[Serializer[Any]],
    example: Any,
    told: Callable[[Request, Any], Any],
    *,
    asks: type[Serializer[Any]] | None = None,
    examples: Sequence[OpenApiExample] = (),
    status: int = 200,
    waits: bool = False,
) -> type[ApiView]:
    """The route of a deed, POST `webhooks/{id}/{its name}`. `told` makes an answer of what its service returned.
    `waits`: for another system."""
    answered = {"POST": example}

    class DeedView(ApiView):
        needs: ClassVar = {"POST": need_of(deed)}
        problems: ClassVar = {"POST": deed.refusals}
        answers: ClassVar = answered
        outside: ClassVar = frozenset({"POST"} if waits else ())

        @extend_schema(
            operation_id=f"webhooks_{deed.name}",
            summary=summary,
            description=deed.does,
            tags=TAGS,
            parameters=[ENDPOINT],
            request=asks,
            responses={status: shape},
            examples=list(examples),
        )
        def post(self, request: Request, webhook_id: str) -> Response:
            body = read_body(asks, request) if asks else {}
            done = deed.carry_out(parse_uuid(webhook_id), by=Decider.of(request.user), **body)
            return Response(told(request, done), status=status, headers=NOT_STORED)

    return DeedView


TestView = view_of(
    webhook_deeds.TEST,
    "Send a test to a webhook endpoint: 200 whatever came back",
    shapes.WebhookTrialSerializer,
    TRIAL,
    lambda request, trial: shapes.WebhookTrialSerializer(trial).data,
    waits=True,
)
RotateView = view_of(
    webhook_deeds.ROTATE,
    "Give a webhook endpoint a new secret",
    shapes.WebhookSecretSerializer,
    {"secret": SECRET},
    lambda request, secret: {"secret": secret},
    asks=shapes.WebhookSecretRotationSerializer,
    examples=[asked("Two days for the change", {"overlap_hours": 48})],
)
PauseView = view_of(
    webhook_deeds.PAUSE,
    "Pause a webhook endpoint",
    shapes.WebhookEndpointSerializer,
    PAUSED,
    shown,
    asks=shapes.WebhookPauseSerializer,
    examples=[asked("Why", {"reason": "We move house."})],
)
ResumeView = view_of(
    webhook_deeds.RESUME,
    "Resume a webhook endpoint",
    shapes.WebhookResumedSerializer,
    {"waited": 3},
    lambda request, done: {"waited": done.waited},
    asks=shapes.WebhookResumeSerializer,
    examples=[asked("Skip what waited", {"skip": True})],
)
RedeliverView = view_of(
    webhook_deeds.REDELIVER,
    "Send again what an endpoint missed: all that was given up and written between the two moments",
    shapes.WebhookSentAgainSerializer,
    {"count": 12, "more": False},
    lambda request, done: {"count": done[0], "more": done[1]},
    asks=shapes.WebhookSendAgainSerializer,
    examples=[asked("Since noon", {"since": "2026-11-20T12:00:00Z"})],
    status=202,
)
