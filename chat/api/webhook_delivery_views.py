"""REST: what was sent to other systems, and sending it again."""

from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents.approvals import Decider
from chat import webhook_endpoints, webhooks
from chat.api import webhook_shapes as shapes
from chat.models import DELIVERY_WAITS, WebhookAttempt, WebhookDelivery
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.cursors import one_page
from smartsupport.lib.documented import page_of
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import Need, between, read_query

READ_DELIVERIES = Need("webhooks:read", "chat.view_webhookdelivery")
SEND_AGAIN = Need("webhooks:write", "chat.change_webhookdelivery")
DELIVERY = OpenApiParameter("delivery_id", str, OpenApiParameter.PATH, description="The `webhook-id`.")
TAGS = ["Webhooks"]
EXAMPLE: dict[str, Any] = {
    "id": "0f6b3f6e-5c37-4d8c-9a4f-2f9b0a4d7c11",
    "endpoint": "7f2c1a52-3a3c-4c55-9a53-0d9f6f3f1d55",
    "event": "conversation.escalated",
    "thread_id": "shop-4711",
    "state": "delivered",
    "attempts": 1,
    "next_attempt_at": "2026-11-20T09:12:44Z",
    "delivered_at": "2026-11-20T09:12:44Z",
    "created_at": "2026-11-20T09:12:43Z",
}
ONE: dict[str, Any] = {
    **EXAMPLE,
    "body": {"type": "conversation.escalated", "data": {"thread_id": "shop-4711"}},
    "made": [
        {
            "number": 1,
            "at": "2026-11-20T09:12:44Z",
            "status": 204,
            "body_head": "",
            "error": "",
            "duration_ms": 84,
            "by_name": "",
        }
    ],
}


class DeliveriesView(ApiView):
    needs: ClassVar = {"GET": READ_DELIVERIES}
    answers: ClassVar = {"GET": page_of("deliveries", EXAMPLE)}
    problems: ClassVar = {"GET": (webhook_endpoints.EndpointNotFound,)}

    @extend_schema(
        operation_id="webhook_deliveries_list",
        summary="List what was sent to other systems, newest first",
        tags=TAGS,
        parameters=[shapes.DeliveryQuery],
        responses=shapes.WebhookDeliveryPageSerializer,
    )
    def get(self, request: Request) -> Response:
        query = read_query(shapes.DeliveryQuery, request)
        page, counts = one_page(_deliveries(query), query)
        return Response({"deliveries": shapes.WebhookDeliverySerializer(page, many=True).data, **counts})


class DeliveryView(ApiView):
    needs: ClassVar = {"GET": READ_DELIVERIES}
    answers: ClassVar = {"GET": ONE}
    problems: ClassVar = {"GET": (webhooks.DeliveryNotFound,)}

    @extend_schema(
        operation_id="webhook_deliveries_get",
        summary="One delivery, with its body and each attempt",
        tags=TAGS,
        parameters=[DELIVERY],
        responses=shapes.WebhookOneDeliverySerializer,
    )
    def get(self, request: Request, delivery_id: str) -> Response:
        return Response(shapes.WebhookOneDeliverySerializer(_delivery(delivery_id)).data)


class DeliveryAgainView(ApiView):
    needs: ClassVar = {"POST": SEND_AGAIN}
    answers: ClassVar = {"POST": {**EXAMPLE, "state": "waiting", "delivered_at": None}}
    problems: ClassVar = {"POST": (webhooks.DeliveryNotFound, webhooks.StillPending, webhooks.NowhereToSend)}

    @extend_schema(
        operation_id="webhook_deliveries_redeliver",
        summary="Send a delivery again",
        description="With the id that it had. 409 `still_pending` while it is still being sent by itself.",
        tags=TAGS,
        parameters=[DELIVERY],
        request=None,
        responses={202: shapes.WebhookDeliverySerializer},
    )
    def post(self, request: Request, delivery_id: str) -> Response:
        known = _delivery(delivery_id).pk
        webhooks.resend(delivery_id=known, by=Decider.of(request.user))
        return Response(shapes.WebhookDeliverySerializer(_delivery(delivery_id)).data, status=202)


def _deliveries(query: dict[str, Any]) -> QuerySet[WebhookDelivery]:
    rows = WebhookDelivery.objects.select_related("conversation").filter(endpoint__deleted_at=None)
    rows = rows.filter(**between("created_at", query)).order_by("-created_at", "-id")
    wanted = query.get("endpoint")
    if wanted == shapes.ENVIRONMENT:
        rows = rows.filter(endpoint=None)
    elif wanted:
        rows = rows.filter(endpoint=webhook_endpoints.find(parse_uuid(wanted)))
    if event := query.get("event"):
        rows = rows.filter(kind=event)
    state = query.get("state")
    if state:
        rows = rows.filter(status__in=DELIVERY_WAITS if state == "waiting" else [state])
    return rows


def _delivery(delivery_id: str) -> WebhookDelivery:
    """Raises DeliveryNotFound."""
    known = parse_uuid(delivery_id)
    made = Prefetch("attempts", WebhookAttempt.objects.order_by("number"))
    rows = WebhookDelivery.objects.select_related("conversation").prefetch_related(made)
    row = rows.filter(pk=known, endpoint__deleted_at=None).first() if known else None
    if row is None:
        raise webhooks.DeliveryNotFound()
    return row
