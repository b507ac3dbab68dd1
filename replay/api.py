"""REST: a conversation step by step, as staff review it."""

from typing import Any, ClassVar

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chat.models import Conversation, Event
from replay.timeline import step
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.errors import ThreadNotFound
from smartsupport.lib.rest import Need, PageQuery, checked_thread_id, read_query


class ReplayQuery(PageQuery):
    after = serializers.IntegerField(
        min_value=0,
        max_value=2**62,
        required=False,
        help_text="In place of `page`: the steps after this one. To read on, send the last `step` that you have.",
    )


class StepSerializer(serializers.Serializer[Any]):
    step = serializers.IntegerField(source="seq", help_text="Counts from 1; the `seq` of its event.")
    type = serializers.CharField(
        help_text="`user_message`, `supervisor_routing`, `model_call`, `tool_call`, `tool_result`, "
        "`agent_response`, `clarification`, `interrupt`, `interrupt_voted`, `interrupt_resolved`, `interrupt_expired`, "
        "`action_settled`, `action_repeated`, `handoff`, `takeover`, `handback`, `staff_message`, "
        "`conversation_resolved`, `turn_completed`, `turn_failed`, `turn_stopped`, `turn_retried`, `summary`, `note`, "
        "`feedback_request`, `feedback`. "
        "More may follow."
    )
    timestamp = serializers.DateTimeField(source="at")
    content = serializers.SerializerMethodField()
    agent = serializers.SerializerMethodField()
    tool = serializers.CharField(allow_null=True)
    params = serializers.DictField(allow_null=True)
    result = serializers.JSONField(allow_null=True)
    reasoning = serializers.CharField(allow_null=True)
    tokens = serializers.IntegerField(allow_null=True, help_text="In and out together.")
    tokens_cached = serializers.IntegerField(
        allow_null=True, help_text="Those of the tokens in that the provider had in its cache."
    )
    cost_usd = serializers.FloatField(allow_null=True, help_text="Null where it is not known.")
    duration_ms = serializers.IntegerField(allow_null=True)
    title = serializers.CharField(help_text="The step as a sentence.")
    turn_id = serializers.UUIDField(allow_null=True)

    def get_content(self, row: Any) -> str | None:
        return row.text or None

    def get_agent(self, row: Any) -> str | None:
        return row.agent or None


class ReplaySerializer(serializers.Serializer[Any]):
    thread_id = serializers.CharField()
    total_steps = serializers.IntegerField()
    page = serializers.IntegerField()
    per_page = serializers.IntegerField()
    steps = StepSerializer(many=True)


class ReplayView(ApiView):
    needs: ClassVar = {"GET": Need("conversations:read", "chat.view_conversation")}

    @extend_schema(
        operation_id="replay_get",
        summary="A conversation, step by step",
        tags=["Replay"],
        parameters=[OpenApiParameter("thread_id", str, OpenApiParameter.PATH), ReplayQuery],
        responses=ReplaySerializer,
    )
    def get(self, request: Request, thread_id: str) -> Response:
        query = read_query(ReplayQuery, request)
        conversation = Conversation.objects.filter(thread_id=checked_thread_id(thread_id)).first()
        if conversation is None:
            raise ThreadNotFound()
        # Numbers have no gaps, so a page is a range of them: the last one costs as little as the first.
        after = query.get("after", (query["page"] - 1) * query["per_page"])
        events = Event.objects.filter(conversation=conversation, seq__gt=after).order_by("seq")
        body = {
            "thread_id": conversation.thread_id,
            "total_steps": conversation.last_seq,
            "page": query["page"],
            "per_page": query["per_page"],
            "steps": StepSerializer([step(event) for event in events[: query["per_page"]]], many=True).data,
        }
        return Response(body)


urlpatterns = [path("replay/<str:thread_id>", ReplayView.as_view())]
