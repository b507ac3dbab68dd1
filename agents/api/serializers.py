"""What the interrupt and agent routes read and answer."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.approvals import changes
from agents.models import Access, Action, ActionStatus, Agent, Approver, Risk, Tool
from agents.settlement import NOTE_LIMIT
from smartsupport.lib.rest import (
    CountedSerializer,
    MomentFilter,
    PageQuery,
    StrictBooleanField,
    StrictCharField,
    TextFilter,
)

CARRIED_OUT = {
    ActionStatus.APPROVED: "pending",
    ActionStatus.DISPATCHING: "dispatching",
    ActionStatus.SUCCEEDED: "succeeded",
    ActionStatus.FAILED: "failed",
    ActionStatus.UNKNOWN: "unknown",
}
"""What became of an approved action, by the status of its row."""

STATUSES = ["awaiting", "approved", "rejected", "expired", "cancelled"]


class InterruptQuery(PageQuery):
    status = serializers.ChoiceField(
        STATUSES, required=False, help_text="`approved` covers whatever became of it later: see `outcome`."
    )
    outcome = serializers.ChoiceField(
        list(CARRIED_OUT.values()), required=False, help_text="What became of an approved one."
    )
    approver = serializers.ChoiceField(
        ["customer", "staff"], required=False, help_text="Who has to decide, or had to."
    )
    tool = TextFilter(max_length=64, help_text="The tool's name (`action`).")
    conversation = TextFilter(max_length=128, help_text="Its `thread_id`.")
    customer = TextFilter(
        max_length=255, help_text="A customer's `id` here, or the `subject` your own site gave."
    )
    since = MomentFilter("Opened at or after this moment.")
    until = MomentFilter("Opened before it.")


class VoteSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    at = serializers.DateTimeField()


class DifferenceSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    was = serializers.JSONField(allow_null=True)
    now = serializers.JSONField(allow_null=True)


class SentSerializer(serializers.Serializer[Any]):
    method = serializers.CharField()
    url = serializers.CharField()
    query = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    body = serializers.JSONField(allow_null=True)
    idempotency_key = serializers.CharField()
    at = serializers.DateTimeField(help_text="When it was last sent.")
    attempts = serializers.IntegerField(help_text="How often it was begun.")
    repeats = serializers.IntegerField(help_text="How often of these after its outcome had become unknown.")


class InterruptSerializer(serializers.ModelSerializer[Action]):
    interrupt_id = serializers.UUIDField(source="id")
    thread_id = serializers.CharField(source="turn.conversation.thread_id")
    turn_id = serializers.UUIDField()
    action = serializers.CharField(source="tool_name", help_text="The tool's name.")
    title = serializers.CharField(source="tool.title", help_text="The tool's name for people.")
    params = serializers.DictField(source="args", help_text="Exactly what is sent when it is approved.")
    message = serializers.CharField(help_text="What the approver is asked.")
    proposed_params = serializers.SerializerMethodField()
    changed = serializers.SerializerMethodField()
    arguments_hash = serializers.CharField(
        help_text="Of exactly this call. Send it with your decision, and nothing else can be approved."
    )
    approver = serializers.ChoiceField([("customer", "The customer"), ("staff", "Staff")])
    approvals_needed = serializers.IntegerField(help_text="How many different people have to agree: 1 or 2.")
    votes = serializers.SerializerMethodField()
    difference = serializers.SerializerMethodField()
    sent = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    outcome = serializers.SerializerMethodField()
    result = serializers.JSONField(allow_null=True, help_text="What the business system answered.")
    error = serializers.SerializerMethodField()

    class Meta:
        model = Action
        fields = [
            "interrupt_id",
            "thread_id",
            "turn_id",
            "action",
            "title",
            "agent",
            "params",
            "proposed_params",
            "changed",
            "arguments_hash",
            "message",
            "approver",
            "approvals_needed",
            "votes",
            "difference",
            "reopened",
            "status",
            "outcome",
            "expires_at",
            "decided_by",
            "decided_by_name",
            "decided_at",
            "reason",
            "sent",
            "result",
            "error",
            "created_at",
        ]
        extra_kwargs = {
            "agent": {"help_text": "Who wants to do it."},
            "reopened": {"help_text": "How often it came back to be decided again, as its tool had changed."},
            "expires_at": {"help_text": "Not decided by then, it is not carried out."},
            "decided_by": {"help_text": "`customer` or `staff`; empty while nobody has."},
            "decided_by_name": {"help_text": "Their name, or `API key <name>`."},
            "reason": {"help_text": "What the decider said; the agent explains it to the customer."},
        }

    def get_status(self, action: Action) -> str:
        """`awaiting`, `approved`, `rejected`, `expired` or `cancelled`."""
        return "approved" if action.status in CARRIED_OUT else action.status

    def get_outcome(self, action: Action) -> str | None:
        """Of an approved one: `pending`, `dispatching`, `succeeded`, `failed`, `unknown`. Otherwise null."""
        return CARRIED_OUT.get(ActionStatus(action.status))

    def get_proposed_params(self, action: Action) -> dict[str, Any] | None:
        """What the agent had asked for, where staff put other arguments in its place; otherwise null."""
        proposed: dict[str, Any] | None = (
            json.loads(action.proposed_arguments) if action.proposed_arguments else None
        )
        return proposed

    def get_changed(self, action: Action) -> dict[str, list[Any]]:
        """`{argument: [as proposed, as it is now]}` of what staff changed."""
        return changes(action)

    @extend_schema_field(VoteSerializer(many=True))
    def get_votes(self, action: Action) -> list[dict[str, str]]:
        """Who has agreed so far, where two people have to."""
        return [{"name": vote["name"], "at": vote["at"]} for vote in action.votes]

    @extend_schema_field(DifferenceSerializer(many=True))
    def get_difference(self, action: Action) -> list[dict[str, Any]]:
        """What about the tool had changed when an approved action came back to be decided again."""
        return list(action.difference)

    @extend_schema_field(SentSerializer(allow_null=True))
    def get_sent(self, action: Action) -> dict[str, Any] | None:
        """The request as it left, credentials aside; null as long as nothing was sent."""
        if action.dispatched_at is None:
            return None
        request = action.sent or {}
        return {
            "method": request.get("method", ""),
            "url": request.get("url", ""),
            "query": request.get("query", []),
            "body": request.get("body"),
            "idempotency_key": str(action.pk),
            "at": action.dispatched_at,
            "attempts": action.attempts,
            "repeats": action.repeats,
        }

    def get_error(self, action: Action) -> dict[str, Any] | None:
        """`{kind, message, http_status}` when carrying it out did not work, otherwise null."""
        if not action.error_kind:
            return None
        return {
            "kind": action.error_kind,
            "message": action.error_message,
            "http_status": action.http_status,
        }


class InterruptPageSerializer(CountedSerializer):
    interrupts = InterruptSerializer(many=True)


@extend_schema_field({"type": "object", "additionalProperties": True})
class ArgumentsField(serializers.Field[Any, Any, Any, Any]):
    """A JSON object, taken as it is: the tool's own schema is checked by agents.approvals."""

    default_error_messages = {"invalid": "Must be a JSON object."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class DecisionSerializer(serializers.Serializer[Any]):
    approved = StrictBooleanField(help_text="JSON `true` or `false`, nothing else.")
    reason = StrictCharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=500,
        help_text="The agent explains it to the customer when you decline.",
    )
    args = ArgumentsField(
        required=False,
        help_text="Approve with these arguments instead, whole and typed as the tool's schema wants them.",
    )
    arguments_hash = StrictCharField(
        required=False,
        max_length=64,
        help_text="Of the call that you looked at; 409 `arguments_changed` when it is another one by now.",
    )


class SettlementSerializer(serializers.Serializer[Any]):
    happened = StrictBooleanField(help_text="JSON `true` or `false`, nothing else.")
    note = StrictCharField(max_length=NOTE_LIMIT, help_text="How you know. For staff alone.")


class AgentToolSerializer(serializers.ModelSerializer[Tool]):
    access = serializers.ChoiceField(Access.choices)
    approval = serializers.ChoiceField(Approver.choices)
    risk = serializers.ChoiceField(Risk.choices)

    class Meta:
        model = Tool
        fields = ["name", "title", "description", "access", "approval", "risk", "enabled"]


class PersonalitySerializer(serializers.Serializer[Any]):
    tone = serializers.CharField(allow_blank=True)
    greeting = serializers.CharField(allow_blank=True)
    escalation_message = serializers.CharField(allow_blank=True)


class AgentSerializer(serializers.ModelSerializer[Agent]):
    permission = serializers.ChoiceField(Access.choices)
    personality = PersonalitySerializer(source="*")
    keywords = serializers.ListField(child=serializers.CharField())
    model = serializers.CharField(help_text="Empty: the deployment's model.")
    tools = serializers.SerializerMethodField()

    class Meta:
        model = Agent
        fields = ["name", "description", "permission", "personality", "keywords", "model", "enabled", "tools"]

    def get_tools(self, agent: Agent) -> AgentToolSerializer(many=True):  # type: ignore[valid-type]
        """In the order that staff gave them. Reads the links that the view has fetched."""
        return AgentToolSerializer([link.tool for link in agent.tool_links.all()], many=True).data


class AgentQuery(serializers.Serializer[Any]):
    permission = serializers.ChoiceField(Access.choices, required=False)
    enabled = serializers.ChoiceField(["true", "false"], required=False)
    tool = TextFilter(max_length=64, help_text="Those that have this tool.")
    q = TextFilter(help_text="Part of the name or of the description.")


class AgentListSerializer(serializers.Serializer[Any]):
    agents = AgentSerializer(many=True)


class ImportSerializer(serializers.Serializer[Any]):
    yaml = StrictCharField(trim_whitespace=False, max_length=1_000_000, help_text="The agents YAML.")
