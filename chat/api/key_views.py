"""REST: API keys. Making, replacing and disabling them needs `admin`, and a key gives nobody more than it has."""

from datetime import timedelta
from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from chat import api_keys, customers
from chat.api import key_shapes as shapes
from chat.models import ApiKey
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.documented import page_of
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import (
    Need,
    PageQuery,
    held_to,
    one_page,
    read_body,
    read_query,
)

KEY = OpenApiParameter("key_id", str, OpenApiParameter.PATH, description="The key's `id`; not its text.")
KEY_TEXT = "sk_Zk3vQ1p…"
EXAMPLE = {
    "id": "0191a3c4-7a52-7c1e-9a55-0d7a6f0c9e11",
    "name": "Mail gateway",
    "prefix": "sk_Zk3vQ1p",
    "state": "enabled",
    "scopes": ["chat"],
    "grants": ["conversations:read", "conversations:write"],
    "customer": None,
    "expires_at": "2027-05-20T00:00:00Z",
    "per_minute": 120,
    "replaces": None,
    "replaced_by": None,
    "created_by": "user:1",
    "created_at": "2026-11-20T09:00:00Z",
    "last_used_at": None,
}


def rows() -> QuerySet[ApiKey]:
    found = ApiKey.objects.select_related("customer").prefetch_related("replaced_by")
    return found.order_by("name", "-created_at", "pk")


def key_of(key_id: str) -> ApiKey:
    """Raises KeyNotFound (404)."""
    known = parse_uuid(key_id)
    row = rows().filter(pk=known).first() if known else None
    if row is None:
        raise api_keys.KeyNotFound()
    return row


def shown_once(row: ApiKey, text: str) -> Response:
    answer = {**shapes.KeySerializer(key_of(str(row.pk))).data, "key": text}
    return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class KeysView(ApiView):
    needs: ClassVar = {
        "GET": Need("admin", "chat.view_apikey"),
        "POST": Need("admin", "chat.add_apikey"),
    }
    narrows: ClassVar = frozenset({"GET", "POST"})
    answers: ClassVar = {"GET": page_of("keys", EXAMPLE), "POST": {**EXAMPLE, "key": KEY_TEXT}}
    problems: ClassVar = {"POST": (api_keys.MoreThanOwn, customers.CustomerNotFound)}

    @extend_schema(
        operation_id="keys_list",
        summary="API keys, by name",
        description="What they are and may do; never their text.",
        tags=["API keys"],
        parameters=[PageQuery],
        responses=shapes.KeyPageSerializer,
    )
    def get(self, request: Request) -> Response:
        only = held_to(request.user)
        listed = rows().filter(customer_id=only) if only else rows()
        page, counts = one_page(listed, read_query(PageQuery, request))
        return Response({"keys": shapes.KeySerializer(page, many=True).data, **counts})

    @extend_schema(
        operation_id="keys_create",
        summary="Make an API key",
        description="Its text is in this answer and nowhere else. A key that makes one gives it neither more scopes, "
        "nor a later end, nor a higher limit than its own (403 `more_than_own`); one that is held to a customer makes "
        "only keys that are held to the same (404 `customer_not_found` for any other).",
        tags=["API keys"],
        request=shapes.NewKeySerializer,
        responses={201: shapes.ShownOnceSerializer},
        examples=[
            OpenApiExample(
                "A mail gateway",
                value={
                    "name": "Mail gateway",
                    "scopes": ["chat"],
                    "expires_at": "2099-01-01T00:00:00Z",
                    "per_minute": 120,
                },
                request_only=True,
            ),
            OpenApiExample(
                "An assistant of one customer",
                value={"name": "Assistant of Ada", "scopes": ["tools:call"], "customer": "cus_1001"},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        body = read_body(shapes.NewKeySerializer, request)
        row, text = api_keys.issue(**body, by=request.user)
        return shown_once(row, text)


class KeyView(ApiView):
    needs: ClassVar = {
        "GET": Need("admin", "chat.view_apikey"),
        "DELETE": Need("admin", "chat.change_apikey"),
    }
    problems: ClassVar = {"GET": (api_keys.KeyNotFound,), "DELETE": (api_keys.KeyNotFound,)}

    @extend_schema(
        operation_id="keys_get",
        summary="One API key",
        tags=["API keys"],
        parameters=[KEY],
        responses=shapes.OneKeySerializer,
        examples=[OpenApiExample("A key", value={**EXAMPLE, "made_live": 0}, response_only=True)],
    )
    def get(self, request: Request, key_id: str) -> Response:
        return Response(shapes.OneKeySerializer(key_of(key_id)).data)

    @extend_schema(
        operation_id="keys_disable",
        summary="Disable an API key at once, for good",
        description="Answers the key, which is `disabled`; the same where it was before. The keys that it made go with "
        "it, unless `made` is `false`. Rows stay, because decisions are signed with their names.",
        tags=["API keys"],
        parameters=[KEY, shapes.MadeQuery],
        responses={200: shapes.DisabledKeySerializer},
        examples=[
            OpenApiExample(
                "Disabled, with two that it made",
                value={**EXAMPLE, "state": "disabled", "made_live": 0, "made_disabled": 2},
                response_only=True,
            ),
        ],
    )
    def delete(self, request: Request, key_id: str) -> Response:
        row = key_of(key_id)
        made_too = read_query(shapes.MadeQuery, request)["made"] == "true"
        done = api_keys.disable(row, made_too=made_too)
        answer = {**shapes.OneKeySerializer(key_of(key_id)).data, "made_disabled": len(done.made)}
        return Response(answer)


class RotateView(ApiView):
    needs: ClassVar = {"POST": Need("admin", "chat.change_apikey", also=("chat.add_apikey",))}
    answers: ClassVar = {"POST": {**EXAMPLE, "key": KEY_TEXT, "replaces": EXAMPLE["id"]}}
    problems: ClassVar = {
        "POST": (
            api_keys.KeyNotFound,
            api_keys.KeyEnded,
            api_keys.AlreadyReplaced,
            api_keys.MoreThanOwn,
        )
    }

    @extend_schema(
        operation_id="keys_rotate",
        summary="Replace an API key without a gap",
        description="A new key with the same name, scopes, limit and customer. Its text is in this answer and nowhere "
        "else. The old one is accepted for `overlap_hours` more and then ends. 409 `already_replaced` while another "
        "key has taken its place, `key_ended` where it does not work any more.",
        tags=["API keys"],
        parameters=[KEY],
        request=shapes.RotationSerializer,
        responses={201: shapes.ShownOnceSerializer},
        examples=[
            OpenApiExample("Two days for the change", value={"overlap_hours": 48}, request_only=True),
            OpenApiExample("The old one has leaked", value={"overlap_hours": 0}, request_only=True),
        ],
    )
    def post(self, request: Request, key_id: str) -> Response:
        body = read_body(shapes.RotationSerializer, request)
        row, text = api_keys.replace(
            key_of(key_id).pk,
            overlap=timedelta(hours=body["overlap_hours"]),
            expires_at=body["expires_at"],
            by=request.user,
        )
        return shown_once(row, text)
