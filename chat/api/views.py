"""REST: conversations, their events, messages for customers and of staff, stopping, resolving."""

from typing import Any, ClassVar

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework.request import Request
from rest_framework.response import Response

from agents.approvals import Decider
from agents.spending.limits import UsageLimitReached
from chat import customers, staffing, submission, takeover, transcript, turns
from chat.api import examples, reads, writes
from chat.api import serializers as shapes
from chat.authentication import Integrator
from chat.search_words import OnlyLeftOut
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import (
    THREAD_PATTERN,
    Need,
    checked_thread_id,
    decider_id,
    held_to,
    read_body,
    read_query,
)

READ = Need("conversations:read", "chat.view_conversation")
WRITE = Need("conversations:write", "chat.change_conversation")
THREAD = OpenApiParameter(
    "thread_id",
    str,
    OpenApiParameter.PATH,
    pattern=THREAD_PATTERN,
    description="1 to 128 letters, digits, `_` or `-`.",
)
TEXT_PROBLEMS = (submission.MissingContent, submission.ContentTooLong)
MESSAGE_PROBLEMS = (
    *TEXT_PROBLEMS,
    submission.RateLimited,
    submission.QueueFull,
    submission.SessionExpired,
    submission.Busy,
    UsageLimitReached,
)
TURN = OpenApiParameter("turn_id", str, OpenApiParameter.PATH, description="From the answer to a message.")


class ConversationsView(ApiView):
    needs: ClassVar = {"GET": READ}
    narrows: ClassVar = frozenset({"GET"})
    answers: ClassVar = {"GET": examples.CONVERSATIONS}
    problems: ClassVar = {"GET": (reads.SearchTooBroad, OnlyLeftOut)}

    @extend_schema(
        operation_id="conversations_list",
        summary="List conversations, newest activity first",
        tags=["Conversations"],
        parameters=[shapes.ConversationQuery],
        responses=shapes.ConversationPageSerializer,
    )
    def get(self, request: Request) -> Response:
        query = read_query(shapes.ConversationQuery, request)
        rows, counts = reads.page_of_conversations(query, of=held_to(request.user))
        return Response({"conversations": shapes.ConversationSerializer(rows, many=True).data, **counts})


class ConversationView(ApiView):
    needs: ClassVar = {"GET": READ}
    answers: ClassVar = {"GET": examples.CONVERSATION}

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


class EventsView(ApiView):
    needs: ClassVar = {"GET": READ}
    answers: ClassVar = {"GET": examples.EVENTS}

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


class HistoryView(ApiView):
    needs: ClassVar = {"GET": READ}
    answers: ClassVar = {"GET": examples.HISTORY}

    @extend_schema(
        operation_id="conversations_history",
        summary="What the customer saw, in pages, newest first",
        description=(
            "The frames of the chat socket. Every page shows a message; a tool's result is on the page of its call, "
            "and what became of an approval on the approval's."
        ),
        tags=["Conversations"],
        parameters=[THREAD, shapes.HistoryQuery],
        responses=shapes.HistoryPageSerializer,
    )
    def get(self, request: Request, thread_id: str) -> Response:
        row = reads.conversation(checked_thread_id(thread_id))
        query = read_query(shapes.HistoryQuery, request)
        page = transcript.page(row, before=query.get("before"), limit=query["limit"])
        return Response({"thread_id": row.thread_id, **page.answer()})


class MessagesView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    narrows: ClassVar = frozenset({"POST"})
    answers: ClassVar = {"POST 200": examples.TURN, "POST 202": examples.WAITING_TURN}
    problems: ClassVar = {"POST": (*MESSAGE_PROBLEMS, customers.CustomerNotFound)}
    outside: ClassVar = frozenset({"POST"})  # it waits for the turn, which a worker runs

    @extend_schema(
        operation_id="conversations_send_message",
        summary="Send a message for the thread's customer",
        description=(
            "The message is the customer's: it is queued behind what they wrote before. With `customer`, a "
            "thread that does not exist is opened for them. With `?wait=`, the answer comes when the turn is "
            "finished (200); when the time is up first, or a person has to decide on it, it comes with "
            "the turn as it is (202). While a member of staff has the conversation, `turn_id` is null: they answer."
        ),
        tags=["Conversations"],
        parameters=[THREAD, shapes.WaitQuery],
        request=shapes.MessageSerializer,
        responses={
            200: shapes.TurnSerializer,
            202: PolymorphicProxySerializer(
                component_name="QueuedMessage",
                serializers=[shapes.TurnSerializer, shapes.HeldMessageSerializer],
                resource_type_field_name=None,
            ),
        },
        examples=[
            OpenApiExample(
                "A first message",
                value={
                    "content": "What is the status of order 1042?",
                    "client_message_id": "msg-1",
                    "customer": {"subject": "cus_1001", "name": "Ada Stone", "email": "ada@example.com"},
                },
                request_only=True,
            ),
            OpenApiExample(
                "While a member of staff has the conversation",
                value=examples.HELD_MESSAGE,
                response_only=True,
                status_codes=["202"],
            ),
        ],
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        wait = read_query(shapes.WaitQuery, request)["wait"]
        body = read_body(shapes.MessageSerializer, request)
        caller: Any = request.user
        sent = writes.send_message(
            thread_id=thread_id,
            asked_by=decider_id(caller),
            held=held_to(caller),
            once=shapes.idempotency_key(request),
            **body,
        )
        if sent.turn_id is None:
            held_by = reads.conversation(thread_id).held_by
            told = {"turn_id": None, "thread_id": thread_id, "seq": sent.seq, "held_by": held_by}
            return Response(shapes.HeldMessageSerializer(told).data, status=202)
        reads.wait_for_turn(sent.turn_id, seconds=wait)
        report = reads.turn_report(thread_id=thread_id, turn_id=sent.turn_id)
        return Response(shapes.TurnSerializer(report).data, status=200 if wait and report.finished else 202)


class TurnView(ApiView):
    needs: ClassVar = {"GET": READ}
    answers: ClassVar = {"GET": examples.TURN}
    problems: ClassVar = {"GET": (reads.TurnNotFound,)}

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


class StopView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    answers: ClassVar = {"POST": examples.STOPPED}

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


class RetryView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    answers: ClassVar = {"POST": examples.RETRIED}
    problems: ClassVar = {"POST": (turns.NotRetriable, UsageLimitReached)}

    @extend_schema(
        operation_id="conversations_retry",
        summary="Try the newest message again after it failed",
        description=(
            "The turn goes on where it broke: what was done is not done again. 409 `not_retriable` unless the "
            "conversation's newest turn has failed. With a key, budgets count as for a message; staff go beyond them."
        ),
        tags=["Conversations"],
        parameters=[THREAD],
        request=None,
        responses={202: shapes.RetriedSerializer},
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        by_program = isinstance(request.user, Integrator)
        turn_id = turns.retry(customer_id=None, thread_id=thread_id, by_program=by_program)
        return Response({"turn_id": turn_id, "thread_id": thread_id}, status=202)


class TakeOverView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    answers: ClassVar = {"POST": examples.HELD}
    problems: ClassVar = {"POST": (takeover.AlreadyHeld,)}

    @extend_schema(
        operation_id="conversations_take_over",
        summary="Take a conversation over from the agents",
        description=(
            "From then on no agent writes or does anything in it, whatever they were at: turns are stopped, open "
            "approvals cancelled. 409 `already_held` names who was first."
        ),
        tags=["Conversations"],
        parameters=[THREAD],
        request=None,
        responses=shapes.ConversationSerializer,
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        takeover.take_over(thread_id=thread_id, by=Decider.of(request.user))
        return Response(shapes.ConversationSerializer(reads.conversation(thread_id)).data)


class HandBackView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    answers: ClassVar = {"POST": examples.CONVERSATION}
    problems: ClassVar = {"POST": (takeover.NotHeld,)}

    @extend_schema(
        operation_id="conversations_hand_back",
        summary="Give a conversation back to the agents",
        description="They answer the customer's next message, and know what was said. 409 `not_held` otherwise.",
        tags=["Conversations"],
        parameters=[THREAD],
        request=None,
        responses=shapes.ConversationSerializer,
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        takeover.hand_back(thread_id=thread_id, by=Decider.of(request.user))
        return Response(shapes.ConversationSerializer(reads.conversation(thread_id)).data)


class StaffMessagesView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    answers: ClassVar = {"POST": examples.WRITTEN}
    problems: ClassVar = {"POST": (*TEXT_PROBLEMS, takeover.AlreadyHeld, staffing.NoLongerHeld)}

    @extend_schema(
        operation_id="conversations_write_as_staff",
        summary="Write to the customer as a member of staff",
        description=(
            "The customer sees it at once, without the writer's name. Whoever writes into a conversation that "
            "nobody has taken over takes it over: no agent talks in between."
        ),
        tags=["Conversations"],
        parameters=[THREAD],
        request=shapes.StaffMessageSerializer,
        responses={201: shapes.WrittenSerializer},
        examples=[
            OpenApiExample("An answer", value={"content": "I have asked the carrier."}, request_only=True)
        ],
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        text = read_body(shapes.StaffMessageSerializer, request)["content"]
        once = shapes.idempotency_key(request) or ""
        written = staffing.write(thread_id=thread_id, text=text, by=Decider.of(request.user), once=once)
        return Response(shapes.WrittenSerializer(written).data, status=201)


class ResolveView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    answers: ClassVar = {"POST": examples.RESOLVED}
    problems: ClassVar = {"POST": (staffing.AlreadyResolved, staffing.NotFinished)}

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
        staffing.resolve(thread_id=thread_id, by=Decider.of(request.user))
        return Response(shapes.ConversationSerializer(reads.conversation(thread_id)).data)
