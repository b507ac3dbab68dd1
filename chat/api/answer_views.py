"""REST: a customer's own yes or no, for those who cannot hold a socket."""

from typing import Any, ClassVar, cast

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents import approvals
from agents.api.views import INTERRUPT
from chat.api.own import AUTHENTICATION, MayCallOrOwn, TokenHolder
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import StrictBooleanField, read_body

EXAMPLE = {"interrupt_id": "0191a3c4-7f12-7c1e-9a55-0d7a6f0c9e11", "resolution": "approved"}


class AnswerSerializer(serializers.Serializer[Any]):
    approved = StrictBooleanField(help_text="JSON `true` or `false`, nothing else.")


class AnsweredSerializer(serializers.Serializer[Any]):
    interrupt_id = serializers.UUIDField()
    resolution = serializers.CharField(help_text="`approved` or `rejected`.")


class AnswerView(ApiView):
    own = frozenset({"POST"})
    answers: ClassVar = {"POST": EXAMPLE}
    problems: ClassVar = {
        "POST": (
            approvals.ActionNotFound,
            approvals.NotAllowed,
            approvals.AlreadyDecided,
            approvals.ApprovalExpired,
            approvals.ToolChanged,
        )
    }
    authentication_classes = AUTHENTICATION
    permission_classes = [MayCallOrOwn]

    @extend_schema(
        operation_id="interrupts_answer",
        summary="The customer's own yes or no",
        description=(
            "What `interrupt_response` is on the chat socket, with the customer's own token "
            "(`Authorization: Bearer …`): it decides what waits for the customer. The first decision counts; a later "
            "one gets 409 with who was first, one that is too late 410. Another customer's approval does not exist "
            "(404). A key and staff are refused (403): nobody says yes for a customer."
        ),
        tags=["Approvals"],
        parameters=[INTERRUPT],
        request=AnswerSerializer,
        responses=AnsweredSerializer,
        examples=[OpenApiExample("Yes", value={"approved": True}, request_only=True)],
    )
    def post(self, request: Request, interrupt_id: str) -> Response:
        who = cast(TokenHolder, request.user)
        body = read_body(AnswerSerializer, request)
        action_id = parse_uuid(interrupt_id)
        if action_id is None:
            raise approvals.ActionNotFound()
        by = approvals.Decider(kind="customer", name="the customer", customer_id=who.customer_id)
        try:
            decided = approvals.decide(action_id=action_id, approved=body["approved"], by=by)
        except approvals.AlreadyDecided as refusal:
            refusal.extra.pop("by_name", None)  # a customer does not learn which member of staff it was
            raise
        resolution = "approved" if body["approved"] else "rejected"
        return Response({"interrupt_id": decided.pk, "resolution": resolution})
