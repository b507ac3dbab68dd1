"""What the interrupt and agent routes read and answer."""

from typing import Any

from rest_framework import serializers

from agents.models import Access, Action, ActionStatus, Agent, Approver, Risk, Tool
from smartsupport.lib.rest import PageQuery, StrictBooleanField, StrictCharField

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


class InterruptSerializer(serializers.ModelSerializer[Action]):
    interrupt_id = serializers.UUIDField(source="id")
    thread_id = serializers.CharField(source="turn.conversation.thread_id")
    turn_id = serializers.UUIDField()
    action = serializers.CharField(source="tool_name", help_text="The tool's name.")
    title = serializers.CharField(source="tool.title")
    params = serializers.DictField(source="args", help_text="Exactly what is sent when it is approved.")
    message = serializers.CharField(help_text="What the approver is asked.")
    approver = serializers.ChoiceField([("customer", "The customer"), ("staff", "Staff")])
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
            "message",
            "approver",
            "status",
            "outcome",
            "expires_at",
            "decided_by",
            "decided_by_name",
            "decided_at",
            "reason",
            "result",
            "error",
            "created_at",
        ]

    def get_status(self, action: Action) -> str:
        """`awaiting`, `approved`, `rejected`, `expired` or `cancelled`."""
        return "approved" if action.status in CARRIED_OUT else action.status

    def get_outcome(self, action: Action) -> str | None:
        """Of an approved one: `pending`, `dispatching`, `succeeded`, `failed`, `unknown`. Otherwise null."""
        return CARRIED_OUT.get(ActionStatus(action.status))

    def get_error(self, action: Action) -> dict[str, Any] | None:
        """`{kind, message, http_status}` when carrying it out did not work, otherwise null."""
        if not action.error_kind:
            return None
        return {
            "kind": action.error_kind,
            "message": action.error_message,
            "http_status": action.http_status,
        }


class InterruptPageSerializer(serializers.Serializer[Any]):
    interrupts = InterruptSerializer(many=True)
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    per_page = serializers.IntegerField()


class DecisionSerializer(serializers.Serializer[Any]):
    approved = StrictBooleanField(help_text="JSON `true` or `false`, nothing else.")
    reason = StrictCharField(required=False, allow_blank=True, default="", max_length=500)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            # Above all `args`: approving something else than the caller means would be worse than refusing.
            raise serializers.ValidationError({name: "This field is not known here." for name in unknown})
        return attrs


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


class AgentListSerializer(serializers.Serializer[Any]):
    agents = AgentSerializer(many=True)


class ImportSerializer(serializers.Serializer[Any]):
    yaml = StrictCharField(trim_whitespace=False, max_length=1_000_000, help_text="The agents YAML.")
