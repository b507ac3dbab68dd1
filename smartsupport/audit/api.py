"""REST: the audit, for programs that keep it elsewhere."""

from typing import Any, ClassVar

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from smartsupport.audit import exports, listing
from smartsupport.audit.listing import Wanted
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.rest import Need, TextFilter, read_query

EXAMPLE: dict[str, Any] = {
    "entries": [
        {
            "id": 42,
            "at": "2026-11-20T09:30:00.000000Z",
            "actor_kind": "key",
            "actor_id": "0191a3c4-7a52-7c1e-9a55-0d7a6f0c9e11",
            "actor_name": "Back office",
            "verb": "decision",
            "object_type": "api.interrupts",
            "object_id": "0191a3c4-9a52-7c1e-9a55-0d7a6f0c9e11",
            "object_label": "",
            "address": "203.0.113.7",
            "user_agent": "python-httpx/0.28",
            "request_id": "3f6d0a2b-9e10-4c7d-8e11-0191a3c47a52",
            "method": "POST",
            "path": "/api/v1/interrupts/0191a3c4-9a52-7c1e-9a55-0d7a6f0c9e11/decision",
            "outcome": "done",
            "status": 200,
            "begun_id": 41,
            "before": None,
            "after": None,
            "detail": None,
            "previous_hash": "9b74c9897bac770ffc029102a200c5de9b74c9897bac770ffc029102a200c5de",
            "hash": "0f343b0931126a20f133d67c2b018a3b0f343b0931126a20f133d67c2b018a3b",
        }
    ],
    "next_before": 42,
}


class AuditQuery(serializers.Serializer[Any]):
    q = TextFilter(help_text="Words, or how they begin.")
    who = TextFilter(help_text="A user's or a key's name.")
    what = TextFilter(max_length=100, help_text="`login`, `change`, `approve`, ...")
    object = TextFilter(max_length=100, help_text="`agents.tool`, say.")
    object_id = TextFilter()
    outcome = serializers.ChoiceField(required=False, choices=list(listing.OUTCOMES))
    day = serializers.DateField(required=False, help_text="A day in UTC.")
    before = serializers.IntegerField(
        required=False, min_value=1, max_value=2**62, help_text="`next_before`."
    )
    limit = serializers.IntegerField(min_value=1, max_value=500, default=50)


class AuditEntrySerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="Counts from 1 without gaps.")
    at = serializers.DateTimeField()
    actor_kind = serializers.ChoiceField(choices=list(listing.KINDS))
    actor_id = serializers.CharField()
    actor_name = serializers.CharField()
    verb = serializers.CharField()
    object_type = serializers.CharField()
    object_id = serializers.CharField()
    object_label = serializers.CharField()
    address = serializers.CharField()
    user_agent = serializers.CharField()
    request_id = serializers.CharField()
    method = serializers.CharField()
    path = serializers.CharField()
    outcome = serializers.ChoiceField(choices=list(listing.OUTCOMES))
    status = serializers.IntegerField(allow_null=True)
    begun_id = serializers.IntegerField(allow_null=True, help_text="The entry that recorded its beginning.")
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    detail = serializers.DictField(allow_null=True)
    previous_hash = serializers.CharField()
    hash = serializers.CharField()


class AuditPageSerializer(serializers.Serializer[Any]):
    entries = AuditEntrySerializer(many=True)
    next_before = serializers.IntegerField(allow_null=True, help_text="`before` of the next page.")


class AuditView(ApiView):
    needs: ClassVar = {"GET": Need("audit:read", "smartsupport.view_auditentry")}
    answers: ClassVar = {"GET": EXAMPLE}

    @extend_schema(
        operation_id="audit",
        parameters=[AuditQuery],
        responses=AuditPageSerializer,
        summary="Who did what, newest first",
        tags=["Audit"],
    )
    def get(self, request: Request) -> Response:
        asked = read_query(AuditQuery, request)
        entries, older = Wanted.of(asked).page(asked["limit"])
        rows = [exports.fields_of(entry) for entry in entries]
        return Response({"entries": rows, "next_before": int(older) if older else None})


urlpatterns = [path("audit", AuditView.as_view())]
