"""REST: what a customer thought, told by your own page or by a survey of yours."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from chat import feedback
from chat.api import examples, reads
from chat.api.views import THREAD, WRITE
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.rest import checked_thread_id, unknown_fields


@extend_schema_field({"type": "boolean"})
class SolvedField(serializers.Field[Any, Any, Any, Any]):
    """Like the next two only described here: `chat.feedback` checks, for the socket as well."""


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": 5})
class ScoreField(serializers.Field[Any, Any, Any, Any]):
    pass


@extend_schema_field({"type": "string", "maxLength": feedback.COMMENT_LIMIT})
class CommentField(serializers.Field[Any, Any, Any, Any]):
    pass


class FeedbackSerializer(serializers.Serializer[Any]):
    """At least one of them. What is left out stays as the customer said it before."""

    solved = SolvedField(required=False, help_text="Whether the customer's question was solved.")
    score = ScoreField(required=False, help_text="1 (awful) to 5 (great).")
    comment = CommentField(required=False, help_text='In the customer\'s own words; `""` takes it back.')


class GivenSerializer(serializers.Serializer[Any]):
    thread_id = serializers.CharField()
    seq = serializers.IntegerField(help_text="The `seq` of its event, `feedback_given`.")
    solved = serializers.BooleanField(allow_null=True)
    score = serializers.IntegerField(allow_null=True)
    comment = serializers.CharField(allow_blank=True)


class FeedbackView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    answers: ClassVar = {"POST": examples.FEEDBACK}
    problems: ClassVar = {"POST": (feedback.InvalidFeedback,)}

    @extend_schema(
        operation_id="conversations_give_feedback",
        summary="Record what the customer thought",
        description=(
            "Whether the question was solved, a score, a comment: at least one. The same again writes nothing (200 "
            "instead of 201); something else is a new event, and the last one counts. It opens nothing again and "
            "starts no turn. 400 `invalid_feedback`; 429 `rate_limited` beyond `FEEDBACK_PER_MINUTE`."
        ),
        tags=["Conversations"],
        parameters=[THREAD],
        request=FeedbackSerializer,
        responses={200: GivenSerializer, 201: GivenSerializer},
        examples=[
            OpenApiExample(
                "Solved, with a score",
                value={"solved": True, "score": 5, "comment": "That was quick."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, thread_id: str) -> Response:
        thread_id = checked_thread_id(thread_id)
        owner = reads.conversation(thread_id).customer_id
        body = request.data if isinstance(request.data, dict) else {}
        if unknown := unknown_fields(FeedbackSerializer, body):
            raise ValidationError(unknown)
        said = feedback.checked(body)
        feedback.allow_now(owner)
        given = feedback.give(thread_id=thread_id, said=said)
        told = {
            "thread_id": thread_id,
            "seq": given.seq,
            "solved": given.answer.solved,
            "score": given.answer.score,
            "comment": given.answer.comment,
        }
        return Response(GivenSerializer(told).data, status=200 if given.repeated else 201)
