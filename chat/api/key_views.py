"""REST: API keys. Making, replacing and disabling them needs `admin`, and a key gives nobody more than it has."""

from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from chat import api_keys
from chat.key_words import STATES, replacement_of, state_of
from chat.models import ApiKey
from chat.scopes import NAMES, granted
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.documented import page_of
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import (
    CountedSerializer,
    Need,
    PageQuery,
    StrictCharField,
    one_page,
    read_body,
    read_query,
)

KEY = OpenApiParameter("key_id", str, OpenApiParameter.PATH, description="The key's `id`; not its text.")
MOST_OVERLAP_HOURS = int(api_keys.LONGEST_OVERLAP / timedelta(hours=1))
MOST_PER_MINUTE = 1_000_000
KEY_TEXT = "sk_Zk3vQ1p…"
EXAMPLE = {
    "id": "0191a3c4-7a52-7c1e-9a55-0d7a6f0c9e11",
    "name": "Mail gateway",
    "prefix": "sk_Zk3vQ1p",
    "state": "enabled",
    "scopes": ["chat"],
    "grants": ["conversations:read", "conversations:write"],
    "expires_at": "2027-05-20T00:00:00Z",
    "per_minute": 120,
    "replaces": None,
    "replaced_by": None,
    "created_by": "user:1",
    "created_at": "2026-11-20T09:00:00Z",
    "last_used_at": None,
}


class FutureField(serializers.DateTimeField):
    default_error_messages = {"past": "Must be in the future."}

    def to_internal_value(self, value: Any) -> Any:
        moment = super().to_internal_value(value)
        if moment <= timezone.now():
            self.fail("past")
        return moment


class NewKeySerializer(serializers.Serializer[Any]):
    name = StrictCharField(
        max_length=100, help_text="What its program is called: it signs what the key does."
    )
    scopes = serializers.ListField(
        child=serializers.ChoiceField(NAMES),
        min_length=1,
        max_length=len(NAMES),
        help_text="Or names of groups.",
    )
    expires_at = FutureField(default=None, allow_null=True, help_text="Refused from then on. Null: never.")
    per_minute = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        max_value=MOST_PER_MINUTE,
        help_text="Requests a minute. Null: `API_REQUESTS_PER_MINUTE`.",
    )


class RotationSerializer(serializers.Serializer[Any]):
    overlap_hours = serializers.IntegerField(
        default=24,
        min_value=0,
        max_value=MOST_OVERLAP_HOURS,
        help_text="How long the old key is still accepted; 0: it ends now.",
    )
    expires_at = FutureField(
        default=None,
        allow_null=True,
        help_text="When the new key ends. Left out: after as long a life as the old one was meant to have.",
    )


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    state = serializers.SerializerMethodField()
    grants = serializers.SerializerMethodField(help_text="The scopes that `scopes` stand for.")
    replaces = serializers.UUIDField(source="replaces_id", allow_null=True)
    replaced_by = serializers.SerializerMethodField(help_text="The newest key that took its place.")
    created_by = serializers.CharField(help_text="`user:…` or `key:…`; empty for the first key.")

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "prefix",
            "state",
            "scopes",
            "grants",
            "expires_at",
            "per_minute",
            "replaces",
            "replaced_by",
            "created_by",
            "created_at",
            "last_used_at",
        ]

    def get_state(self, key: ApiKey) -> serializers.ChoiceField(STATES):  # type: ignore[valid-type]
        return state_of(key)

    def get_grants(self, key: ApiKey) -> list[str]:
        return sorted(granted(key.scopes))

    def get_replaced_by(self, key: ApiKey) -> serializers.UUIDField(allow_null=True):  # type: ignore[valid-type]
        newest = replacement_of(key)
        return newest.pk if newest else None


class ShownOnceSerializer(KeySerializer):
    key = serializers.CharField(help_text="The key itself. It is not shown again.")

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "key"]


class KeyPageSerializer(CountedSerializer):
    keys = KeySerializer(many=True)


def rows() -> QuerySet[ApiKey]:
    return ApiKey.objects.prefetch_related("replaced_by").order_by("name", "-created_at", "pk")


def key_of(key_id: str) -> ApiKey:
    """Raises KeyNotFound (404)."""
    known = parse_uuid(key_id)
    row = rows().filter(pk=known).first() if known else None
    if row is None:
        raise api_keys.KeyNotFound()
    return row


def shown_once(row: ApiKey, text: str) -> Response:
    answer = {**KeySerializer(key_of(str(row.pk))).data, "key": text}
    return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class KeysView(ApiView):
    needs: ClassVar = {
        "GET": Need("admin", "chat.view_apikey"),
        "POST": Need("admin", "chat.add_apikey"),
    }
    answers: ClassVar = {"GET": page_of("keys", EXAMPLE), "POST": {**EXAMPLE, "key": KEY_TEXT}}
    problems: ClassVar = {"POST": (api_keys.MoreThanOwn,)}

    @extend_schema(
        operation_id="keys_list",
        summary="API keys, by name",
        description="What they are and may do; never their text.",
        tags=["API keys"],
        parameters=[PageQuery],
        responses=KeyPageSerializer,
    )
    def get(self, request: Request) -> Response:
        page, counts = one_page(rows(), read_query(PageQuery, request))
        return Response({"keys": KeySerializer(page, many=True).data, **counts})

    @extend_schema(
        operation_id="keys_create",
        summary="Make an API key",
        description="Its text is in this answer and nowhere else. A key that makes one gives it neither more scopes, "
        "nor a later end, nor a higher limit than its own (403 `more_than_own`).",
        tags=["API keys"],
        request=NewKeySerializer,
        responses={201: ShownOnceSerializer},
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
            )
        ],
    )
    def post(self, request: Request) -> Response:
        body = read_body(NewKeySerializer, request)
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
        responses=KeySerializer,
        examples=[OpenApiExample("A key", value=EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, key_id: str) -> Response:
        return Response(KeySerializer(key_of(key_id)).data)

    @extend_schema(
        operation_id="keys_disable",
        summary="Disable an API key at once, for good",
        description="Answers the key, which is `disabled`; the same where it was before. Its row stays, because "
        "decisions are signed with its name.",
        tags=["API keys"],
        parameters=[KEY],
        responses={200: KeySerializer},
        examples=[
            OpenApiExample("Disabled", value={**EXAMPLE, "state": "disabled"}, response_only=True),
        ],
    )
    def delete(self, request: Request, key_id: str) -> Response:
        row = key_of(key_id)
        api_keys.disable(row)
        return Response(KeySerializer(key_of(key_id)).data)


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
        description="A new key with the same name, scopes and limit, whose text is in this answer and nowhere else. "
        "The old one is accepted for `overlap_hours` more and then ends. 409 `already_replaced` while another key "
        "has taken its place, `key_ended` where it does not work any more.",
        tags=["API keys"],
        parameters=[KEY],
        request=RotationSerializer,
        responses={201: ShownOnceSerializer},
        examples=[
            OpenApiExample("Two days for the change", value={"overlap_hours": 48}, request_only=True),
            OpenApiExample("The old one has leaked", value={"overlap_hours": 0}, request_only=True),
        ],
    )
    def post(self, request: Request, key_id: str) -> Response:
        body = read_body(RotationSerializer, request)
        row, text = api_keys.replace(
            key_of(key_id).pk,
            overlap=timedelta(hours=body["overlap_hours"]),
            expires_at=body["expires_at"],
            by=request.user,
        )
        return shown_once(row, text)
