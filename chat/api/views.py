"""REST: conversations, their events, messages for customers and of staff, stopping, resolving."""

from typing import ClassVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat import staffing
from chat.api import reads, writes
from chat.api import serializers as shapes
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import Need, checked_thread_id, one_page, read_body, read_query

READ = Need("conversations:read", "chat.view_conversation")
WRITE = Need("conversations:write", "chat.change_conversation")
THREAD = OpenApiParameter(
    "thread_id", str, OpenApiParameter.PATH, description="1 to 128 letters, digits, `_` or `-`."
)
REPEAT = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Stands for `client_message_id` where the body has none. 1 to 200 characters.",
)
ONCE = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Your own key of this message: sent again under it, it is written once. 1 to 200 characters.",
)
TURN = OpenApiParameter("turn_id", str, OpenApiParameter.PATH, description="From the answer to a message.")


class ConversationsView(APIView):
    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="conversations_list",
        summary="List conversations, newest activity first",
        tags=["Conversations"],
        parameters=[shapes.ConversationQuery],
        responses=shapes.ConversationPageSerializer,
    )
    def get(self, request: Request) -> Response:
        query = read_query(shapes.ConversationQuery, request)
        rows, counts = one_page(reads.conversations(query), query)
        return Response({"conversations": shapes.ConversationSerializer(rows, many=True).data, **counts})


class ConversationView(APIView):
    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="conversations_get",
        summary="One conversation",
        tags=["Conversations"],
        parameters=[THREAD],
        responses=shapes.ConversationSerializer,
    )
    def get(self, request: Request, thread_id: str) -> Response:
        row = reads.conversation(checked_thread_id(thread_id))
        return Response(shapes.ConversationSerializer(row).data)


class EventsView(APIView):
    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="conversations_events",
        summary="What happened, in order",
        description="The events behind `after`, by `seq`, which counts from 1 without gaps.",
        tags=["Conversations"],
        parameters=[THREAD, shapes.EventQuery],
        responses=shapes.EventPageSerializer,
    )
    def get(self, request: Request, thread_id: str) -> Response:
        row = reads.conversation(checked_thread_id(thread_id))
        query = read_query(shapes.EventQuery, request)
        events, following = reads.events_after(row, after=query["after"], limit=query["limit"])
        return Response(
            {
                "thread_id": row.thread_id,
                "events": shapes.EventSerializer(events, many=True).data,
                "next": following,
                "last_seq": row.last_seq,
            }
        )


class MessagesView(APIView):
    needs: ClassVar = {"POST": WRITE}

    @extend_schema(
        operation_id="conversations_send_message",
        summary="Send a message for the thread's customer",
        description=(
            "The message is the customer's: it is queued behind what they wrote before. With `customer`, a "
            "thread that does not exist is opened for them. With `?wait=`, the answer comes when the turn is "
            "finished (200); when the time is up first, or a person has to decide on it, it comes with "
            "the turn as it is (202)."
        ),
        tags=["Conversations"],
        parameters=[THREAD, REPEAT, shapes.WaitQuery],
        request=shapes.MessageSerializer,
        responses={200: shapes.TurnSerializer, 202: shapes.TurnSerializer},
        examples=[
            OpenApiExample(
                "A first message",
                value={
                    "content": "What is the status of order 1042?",
                    "client_message_id": "msg-1",
                    "customer": {"subject": "cus_1001", "name": "Ada Stone", "email": "ada@example.com"},
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        wait = read_query(shapes.WaitQuery, request)["wait"]
        body = read_body(shapes.MessageSerializer, request)
        body["client_message_id"] = body.get("client_message_id") or shapes.idempotency_key(request)
        turn_id = writes.send_message(thread_id=thread_id, **body)
        reads.wait_for_turn(turn_id, seconds=wait)
        report = reads.turn_report(thread_id=thread_id, turn_id=turn_id)
        return Response(shapes.TurnSerializer(report).data, status=200 if wait and report.finished else 202)


class TurnView(APIView):
    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="conversations_turn",
        summary="One turn: its status, the answers so far, and what it waits for",
        tags=["Conversations"],
        parameters=[THREAD, TURN],
        responses=shapes.TurnSerializer,
    )
    def get(self, request: Request, thread_id: str, turn_id: str) -> Response:
        report = reads.turn_report(thread_id=checked_thread_id(thread_id), turn_id=parse_uuid(turn_id))
        return Response(shapes.TurnSerializer(report).data)


class StopView(APIView):
    needs: ClassVar = {"POST": WRITE}

    @extend_schema(
        operation_id="conversations_stop",
        summary="Stop what is being worked on",
        description="An action that was already sent to the business system is finished and recorded.",
        tags=["Conversations"],
        parameters=[THREAD],
        request=None,
        responses={202: shapes.StoppedSerializer},
    )
    def post(self, request: Request, thread_id: str) -> Response:
        stopping = writes.stop(checked_thread_id(thread_id))
        return Response({"thread_id": thread_id, "stopping": stopping}, status=202)


class StaffMessagesView(APIView):
    needs: ClassVar = {"POST": WRITE}

    @extend_schema(
        operation_id="conversations_write_as_staff",
        summary="Write to the customer as a member of staff",
        description=(
            "The customer sees it at once, without the writer's name. No agent answers it, and the conversation's "
            "status stays as it is."
        ),
        tags=["Conversations"],
        parameters=[THREAD, ONCE],
        request=shapes.StaffMessageSerializer,
        responses={201: shapes.WrittenSerializer},
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        text = read_body(shapes.StaffMessageSerializer, request)["content"]
        once = shapes.idempotency_key(request) or ""
        written = staffing.write(
            thread_id=thread_id, text=text, by_name=request.user.get_username(), once=once
        )
        return Response(shapes.WrittenSerializer(written).data, status=201)


class ResolveView(APIView):
    needs: ClassVar = {"POST": WRITE}

    @extend_schema(
        operation_id="conversations_resolve",
        summary="Mark a conversation as resolved",
        description=(
            "Refused (409) when it is resolved already, or while something in it still waits: a message that is "
            "being answered, or an approval. A new message of the customer opens it again."
        ),
        tags=["Conversations"],
        parameters=[THREAD],
        request=None,
        responses=shapes.ConversationSerializer,
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        staffing.resolve(thread_id=thread_id, by_name=request.user.get_username())
        return Response(shapes.ConversationSerializer(reads.conversation(thread_id)).data)
