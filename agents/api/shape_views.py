"""REST: approvals in LangChain's shapes. Routes of their own, so that no body is ever taken for another."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents import approvals, inbox_shapes
from agents.api import serializers as shapes
from agents.api.examples import DECIDED
from agents.api.views import DECIDE, DECISION_PROBLEMS, INTERRUPT, interrupt
from agents.approvals import Decider
from agents.models import Action
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.envelope import BoundedJSONParser
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import Need, StrictCharField, read_body

READ = Need("interrupts:read", "agents.view_action")
HASH = "9b74c9897bac770ffc029102a200c5de9b74c9897bac770ffc029102a200c5de"
DESCRIPTION = (
    "Give a 10% discount on order 1042?\n\nAsked by the agent `discount`. Waits until 2026-11-20 10:00 UTC."
)
HUMAN_INTERRUPT = {
    "action_request": {"action": "apply_discount", "args": {"order_id": "1042", "percent": 10}},
    "config": {"allow_ignore": True, "allow_respond": True, "allow_edit": True, "allow_accept": True},
    "description": DESCRIPTION,
}
HITL_REQUEST = {
    "action_requests": [
        {
            "name": "apply_discount",
            "args": {"order_id": "1042", "percent": 10},
            "description": DESCRIPTION,
        }
    ],
    "review_configs": [
        {
            "action_name": "apply_discount",
            "allowed_decisions": ["approve", "edit", "reject"],
            "args_schema": {"type": "object", "properties": {"percent": {"type": "integer"}}},
        }
    ],
}


class ShapedSerializer(serializers.Serializer[Any]):
    interrupt_id = serializers.UUIDField()
    thread_id = serializers.CharField()
    status = serializers.ChoiceField(shapes.STATUSES)
    arguments_hash = serializers.CharField(help_text="Of exactly this call: send it back with your answer.")


class AgentInboxSerializer(ShapedSerializer):
    interrupts = serializers.ListField(
        child=serializers.DictField(),
        help_text="One `HumanInterrupt`, in a list as a graph interrupts with it.",
    )


class HitlSerializer(ShapedSerializer):
    request = serializers.DictField(help_text="A `HITLRequest` of one action.")


class KnownFieldsSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know, wherever it stands in a body."""

    refuses_unknown = True

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError(
                {str(name): ["This field is not known here."] for name in unknown}
            )
        return super().to_internal_value(data)


class OneAnswerSerializer(KnownFieldsSerializer):
    arguments_hash = StrictCharField(
        default="", allow_blank=True, max_length=64, help_text="Of the call that you looked at."
    )


def _action(named: str) -> dict[str, Any]:
    """The JSON Schema of an action request."""
    return {
        "type": "object",
        "properties": {
            named: {"type": "string"},
            "args": {"type": "object", "additionalProperties": True},
        },
        "required": [named, "args"],
    }


@extend_schema_field({"oneOf": [_action("action"), {"type": "string"}]})
class ResponseArgsField(serializers.JSONField):
    pass


@extend_schema_field(_action("name"))
class EditedActionField(serializers.JSONField):
    pass


class HumanResponseSerializer(KnownFieldsSerializer):
    type = serializers.ChoiceField(["accept", "ignore", "response", "edit"])
    args = ResponseArgsField(allow_null=True, default=None)


class AgentInboxAnswerSerializer(OneAnswerSerializer):
    responses = HumanResponseSerializer(many=True, min_length=1, max_length=1)  # type: ignore[call-arg]


class HitlDecisionSerializer(KnownFieldsSerializer):
    type = serializers.ChoiceField(["approve", "edit", "reject", "respond", "ignore"])
    edited_action = EditedActionField(required=False, help_text="Of `edit`: name and args, whole.")
    message = StrictCharField(
        required=False, allow_blank=True, max_length=500, help_text="Of `reject`: the reason."
    )
    args = ResponseArgsField(
        required=False,
        allow_null=True,
        help_text="In place of both, as Agent Inbox sends it: the `args` of a `HumanResponse`.",
    )


class HitlAnswerSerializer(OneAnswerSerializer):
    decisions = HitlDecisionSerializer(many=True, min_length=1, max_length=1)  # type: ignore[call-arg]


def _about(row: Action) -> dict[str, Any]:
    told = shapes.InterruptSerializer(row).data
    return {name: told[name] for name in ("interrupt_id", "thread_id", "status", "arguments_hash")}


def _decided(request: Request, row: Action, answer: inbox_shapes.Answer, seen: str) -> Response:
    approvals.decide(
        action_id=row.pk,
        approved=answer.approved,
        by=Decider.of(request.user),
        reason=answer.reason,
        arguments=answer.arguments,
        seen=seen,
    )
    return Response(shapes.InterruptSerializer(interrupt(row.pk)).data)


class AgentInboxView(ApiView):
    needs: ClassVar = {"GET": READ, "POST": DECIDE}
    problems: ClassVar = {"GET": (approvals.ActionNotFound,), "POST": DECISION_PROBLEMS}
    parser_classes = [BoundedJSONParser]

    @extend_schema(
        operation_id="interrupts_agent_inbox",
        summary="An approval as LangChain's Agent Inbox reads it",
        description="A `HumanInterrupt`. Its `config` says what you may answer now.",
        tags=["Approvals"],
        parameters=[INTERRUPT],
        responses=AgentInboxSerializer,
        examples=[
            OpenApiExample(
                "A discount",
                value={
                    "interrupt_id": "0191a3c4-9a52-7c1e-9a55-0d7a6f0c9e11",
                    "thread_id": "shop-4711",
                    "status": "awaiting",
                    "arguments_hash": HASH,
                    "interrupts": [HUMAN_INTERRUPT],
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, interrupt_id: str) -> Response:
        row = interrupt(parse_uuid(interrupt_id))
        shaped = inbox_shapes.human_interrupt(row, Decider.of(request.user))
        return Response({**_about(row), "interrupts": [shaped]})

    @extend_schema(
        operation_id="interrupts_answer_agent_inbox",
        summary="Answer an approval as LangChain's Agent Inbox does",
        description=(
            "One `HumanResponse`: `accept` approves, `edit` approves with other values (text is read as the tool's "
            "schema wants it), `response` declines with its text as the reason, `ignore` declines. The rules and "
            "refusals are those of `POST interrupts/{id}/decision`."
        ),
        tags=["Approvals"],
        parameters=[INTERRUPT],
        request=AgentInboxAnswerSerializer,
        responses=shapes.InterruptSerializer,
        examples=[
            OpenApiExample(
                "Accept", value={"responses": [{"type": "accept", "args": None}]}, request_only=True
            ),
            OpenApiExample(
                "Edit",
                value={
                    "responses": [
                        {
                            "type": "edit",
                            "args": {
                                "action": "apply_discount",
                                "args": {"order_id": "1042", "percent": "5"},
                            },
                        }
                    ]
                },
                request_only=True,
            ),
            OpenApiExample("Approved", value=DECIDED, response_only=True),
        ],
    )
    def post(self, request: Request, interrupt_id: str) -> Response:
        row = interrupt(parse_uuid(interrupt_id))
        body = read_body(AgentInboxAnswerSerializer, request)
        answer = inbox_shapes.of_human_response(row, body["responses"][0])
        return _decided(request, row, answer, body["arguments_hash"])


class HitlView(ApiView):
    needs: ClassVar = {"GET": READ, "POST": DECIDE}
    problems: ClassVar = {"GET": (approvals.ActionNotFound,), "POST": DECISION_PROBLEMS}
    parser_classes = [BoundedJSONParser]

    @extend_schema(
        operation_id="interrupts_hitl",
        summary="An approval as LangChain's middleware asks for it",
        description="A `HITLRequest` of one action. `allowed_decisions` says what you may answer now.",
        tags=["Approvals"],
        parameters=[INTERRUPT],
        responses=HitlSerializer,
        examples=[
            OpenApiExample(
                "A discount",
                value={
                    "interrupt_id": "0191a3c4-9a52-7c1e-9a55-0d7a6f0c9e11",
                    "thread_id": "shop-4711",
                    "status": "awaiting",
                    "arguments_hash": HASH,
                    "request": HITL_REQUEST,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, interrupt_id: str) -> Response:
        row = interrupt(parse_uuid(interrupt_id))
        return Response({**_about(row), "request": inbox_shapes.hitl_request(row, Decider.of(request.user))})

    @extend_schema(
        operation_id="interrupts_answer_hitl",
        summary="Answer an approval as LangChain's middleware is answered",
        description=(
            "One decision: `approve`, `edit` with the whole `edited_action`, or `reject` with a `message`; or as Agent "
            "Inbox sends it where it was shown a `HITLRequest`, with `args`. `respond` is refused: nobody answers in "
            "the business system's place. The rules and refusals are those of `POST interrupts/{id}/decision`."
        ),
        tags=["Approvals"],
        parameters=[INTERRUPT],
        request=HitlAnswerSerializer,
        responses=shapes.InterruptSerializer,
        examples=[
            OpenApiExample("Approve", value={"decisions": [{"type": "approve"}]}, request_only=True),
            OpenApiExample(
                "Reject",
                value={"decisions": [{"type": "reject", "message": "Not covered."}]},
                request_only=True,
            ),
            OpenApiExample(
                "Reject, as Agent Inbox sends it",
                value={"decisions": [{"type": "reject", "args": "Not covered."}]},
                request_only=True,
            ),
            OpenApiExample("Approved", value=DECIDED, response_only=True),
        ],
    )
    def post(self, request: Request, interrupt_id: str) -> Response:
        row = interrupt(parse_uuid(interrupt_id))
        body = read_body(HitlAnswerSerializer, request)
        answer = inbox_shapes.of_hitl_decision(row, body["decisions"][0])
        return _decided(request, row, answer, body["arguments_hash"])
