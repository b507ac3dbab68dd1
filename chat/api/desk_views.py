"""REST: what staff do beside answering: internal notes, tags, and asking for a person."""

from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents.approvals import Decider
from chat import notes, staffing, tagging
from chat.api import examples, reads
from chat.api import serializers as shapes
from chat.api.views import READ, TEXT_PROBLEMS, THREAD, WRITE
from smartsupport.lib.api_view import ApiView, require_match
from smartsupport.lib.etags import HEADER as IF_MATCH
from smartsupport.lib.rest import StrictCharField, checked_thread_id, read_body


class NoteSerializer(serializers.Serializer[Any]):
    thread_id = serializers.CharField()
    seq = serializers.IntegerField(help_text="The `seq` of its event, `note_written`.")
    content = serializers.CharField()
    by_name = serializers.CharField()


class TagsSerializer(serializers.Serializer[Any]):
    tags = serializers.ListField(
        child=StrictCharField(max_length=200),
        allow_empty=True,
        max_length=100,
        help_text="All that it is to have: at most 10, each of 1 to 40 characters and no comma.",
    )


class TaggedSerializer(serializers.Serializer[Any]):
    thread_id = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField(), help_text="In small letters, in order.")


class EscalationSerializer(serializers.Serializer[Any]):
    reason = StrictCharField(
        max_length=staffing.REASON_LIMIT,
        help_text="For colleagues and for your webhook; the customer is not told it.",
    )


class NotesView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    answers: ClassVar = {"POST": examples.NOTED}
    problems: ClassVar = {"POST": TEXT_PROBLEMS}

    @extend_schema(
        operation_id="conversations_write_note",
        summary="Write an internal note",
        description=(
            "Only staff read it: it is in the events and in the replay, and in no frame, history, prompt, summary or "
            "webhook."
        ),
        tags=["Conversations"],
        parameters=[THREAD],
        request=shapes.StaffMessageSerializer,
        responses={201: NoteSerializer},
        examples=[
            OpenApiExample(
                "A note", value={"content": "Called the carrier: the parcel is in Leeds."}, request_only=True
            )
        ],
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        text = read_body(shapes.StaffMessageSerializer, request)["content"]
        once = shapes.idempotency_key(request) or ""
        note = notes.write(thread_id=thread_id, text=text, by=Decider.of(request.user), once=once)
        return Response(NoteSerializer(note).data, status=201)


class TagsView(ApiView):
    needs: ClassVar = {"GET": READ, "PUT": WRITE}
    answers: ClassVar = {"GET": examples.TAGS, "PUT": examples.TAGS}
    problems: ClassVar = {"PUT": (tagging.InvalidTag, tagging.TooManyTags)}
    matched: ClassVar = frozenset({"PUT"})

    @extend_schema(
        operation_id="conversations_get_tags",
        summary="A conversation's tags",
        tags=["Conversations"],
        parameters=[THREAD],
        responses=TaggedSerializer,
    )
    def get(self, request: Request, thread_id: str) -> Response:
        return Response(reads.tags(checked_thread_id(thread_id)))

    @extend_schema(
        operation_id="conversations_put_tags",
        summary="Set a conversation's tags",
        description="It has exactly these afterwards. A tag that nobody has used yet is made.",
        tags=["Conversations"],
        parameters=[THREAD],
        request=TagsSerializer,
        responses=TaggedSerializer,
        examples=[OpenApiExample("Two tags", value={"tags": ["refund", "vip"]}, request_only=True)],
    )
    def put(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        names = read_body(TagsSerializer, request)["tags"]
        with transaction.atomic():
            if IF_MATCH in request.headers:
                require_match(request, reads.tags(thread_id, lock=True))
            tags = tagging.put(thread_id=thread_id, names=names, by=Decider.of(request.user))
        return Response({"thread_id": thread_id, "tags": tags})


class EscalateView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    answers: ClassVar = {"POST": examples.ESCALATED}
    problems: ClassVar = {"POST": (staffing.AlreadyWithPeople, staffing.InvalidReason)}

    @extend_schema(
        operation_id="conversations_escalate",
        summary="Ask for a person on the customer's behalf",
        description=(
            "The conversation waits for a person, the customer is told that a colleague was asked to join, and your "
            "webhook is told why. 409 `already_escalated` where it waits for one or has one."
        ),
        tags=["Conversations"],
        parameters=[THREAD],
        request=EscalationSerializer,
        responses=shapes.ConversationSerializer,
        examples=[
            OpenApiExample(
                "A reason",
                value={"reason": "The parcel was lost twice; somebody should call."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        reason = read_body(EscalationSerializer, request)["reason"]
        staffing.escalate(thread_id=thread_id, reason=reason, by=Decider.of(request.user))
        return Response(shapes.ConversationSerializer(reads.conversation(thread_id)).data)
