"""REST: a conversation step by step, as staff review it."""

from typing import Any, ClassVar

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chat.models import Conversation, Event
from replay.timeline import STEP_TYPES, step
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.cursors import Pages, Position
from smartsupport.lib.errors import ThreadNotFound
from smartsupport.lib.rest import THREAD_PATTERN, Need, PageQuery, TextFilter, checked_thread_id, read_query

EXAMPLE: dict[str, Any] = {
    "thread_id": "shop-4711",
    "total_steps": 5,
    "page": 1,
    "per_page": 20,
    "next": None,
    "previous": None,
    "steps": [
        {
            "step": 1,
            "type": "user_message",
            "timestamp": "2026-11-20T09:30:00.000000Z",
            "content": "Where is order 1042?",
            "agent": None,
            "tool": None,
            "params": None,
            "result": None,
            "reasoning": None,
            "tokens": None,
            "tokens_cached": None,
            "cost_usd": None,
            "duration_ms": None,
            "title": "The customer wrote",
            "turn_id": "0191a3c4-8e11-7f3a-8c7d-3f6d0a2b9e10",
        }
    ],
}


class ReplayQuery(PageQuery):
    after = serializers.IntegerField(
        min_value=0,
        max_value=2**62,
        required=False,
        help_text="In place of `page`: the steps after this one. To read on, send the last `step` that you have.",
    )
    type = TextFilter(max_length=32, help_text="Only steps of this type.")


class StepSerializer(serializers.Serializer[Any]):
    step = serializers.IntegerField(source="seq", help_text="Counts from 1; the `seq` of its event.")
    type = serializers.CharField(
        help_text="`user_message`, `supervisor_routing`, `model_call`, `tool_call`, `tool_result`, "
        "`agent_response`, `clarification`, `interrupt`, `interrupt_voted`, `interrupt_resolved`, `interrupt_expired`, "
        "`action_settled`, `action_repeated`, `handoff`, `takeover`, `handback`, `staff_message`, "
        "`conversation_resolved`, `turn_completed`, `turn_failed`, `turn_stopped`, `turn_retried`, `summary`, `note`, "
        "`tags`, `feedback_request`, `feedback`. "
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
    total_steps = serializers.IntegerField(help_text="With `type`: of this type.")
    page = serializers.IntegerField(allow_null=True, help_text="Null behind a cursor.")
    per_page = serializers.IntegerField()
    next = serializers.CharField(allow_null=True, help_text="The `cursor` of the next page; null at the end.")
    previous = serializers.CharField(
        allow_null=True, help_text="The `cursor` of the page before; null at the beginning."
    )
    steps = StepSerializer(many=True)


class ReplayView(ApiView):
    needs: ClassVar = {"GET": Need("conversations:read", "chat.view_conversation")}
    answers: ClassVar = {"GET": EXAMPLE}

    @extend_schema(
        operation_id="replay_get",
        summary="A conversation, step by step",
        tags=["Replay"],
        parameters=[
            OpenApiParameter("thread_id", str, OpenApiParameter.PATH, pattern=THREAD_PATTERN),
            ReplayQuery,
        ],
        responses=ReplaySerializer,
    )
    def get(self, request: Request, thread_id: str) -> Response:
        query = read_query(ReplayQuery, request)
        conversation = Conversation.objects.filter(thread_id=checked_thread_id(thread_id)).first()
        if conversation is None:
            raise ThreadNotFound()
        found, counts = _page(conversation, query)
        total = counts.pop("total")
        steps = StepSerializer([step(event) for event in found], many=True).data
        return Response({"thread_id": conversation.thread_id, "total_steps": total, **counts, "steps": steps})


def _page(conversation: Conversation, query: dict[str, Any]) -> tuple[list[Event], dict[str, Any]]:
    """Numbers have no gaps, so a page of all steps is a range of them: the last one costs as little as the first."""
    events = Event.objects.filter(conversation=conversation).order_by("seq")
    total = conversation.last_seq
    if wanted := query.get("type"):
        events = events.filter(kind__in=[kind for kind, of in STEP_TYPES.items() if of == wanted] or [wanted])
        total = events.count()
    after = query.get("after")
    if after is not None:
        events = events.filter(seq__gt=after)

    def behind(at: Position | None, most: int) -> Any:
        if at is None:
            return events[:most]
        if at.backwards:
            return events.filter(seq__lt=at.values[0]).reverse()[:most]
        return events.filter(seq__gt=at.values[0])[:most]

    def numbered(start: int, end: int) -> Any:
        if after is not None:
            return events[: end - start]
        return events[start:end] if wanted else events.filter(seq__gt=start)[: end - start]

    counted = total if after is None else None  # how many there are says nothing of what is behind `after`
    pages = Pages(f"cursor of steps of {conversation.pk}", query)
    found, counts = pages.of(
        numbered=numbered,
        count=lambda: counted,
        behind=behind,
        values=lambda event: [event.seq],
    )
    return found, counts | {"total": total}


urlpatterns = [path("replay/<str:thread_id>", ReplayView.as_view())]
