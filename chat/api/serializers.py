"""What the conversation routes read and answer."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from agents.models import Action
from chat.models import Conversation, ConversationStatus, Customer, Event, Turn, TurnStatus
from chat.submission import STRATEGIES
from chat.transcript import LIMIT, MOST
from smartsupport.lib.idempotency import HEADER
from smartsupport.lib.rest import CountedSerializer, MomentFilter, PageQuery, StrictCharField, TextFilter

MAX_WAIT_SECONDS = 60
MAX_CLIENT_ID = 200


class ConversationQuery(PageQuery):
    status = serializers.ChoiceField(ConversationStatus.choices, required=False)
    customer = TextFilter(
        max_length=255, help_text="A customer's `id` here, or the `subject` your own site gave."
    )
    q = TextFilter(
        help_text="Words that were said, or of the customer's name, email or subject; the beginning of a thread id; or "
        "a reference (`T-…`). The last word may be unfinished."
    )
    tag = TextFilter(max_length=40, help_text="One of its tags.")
    agent = TextFilter(max_length=64, help_text="The one agent that answered last (`live_agent`).")
    since = MomentFilter("Whose last activity is at or after this moment.")
    until = MomentFilter("Whose last activity is before it.")
    created_since = MomentFilter("Begun at or after this moment.")
    created_until = MomentFilter("Begun before it.")


class EventQuery(serializers.Serializer[Any]):
    after = serializers.IntegerField(
        min_value=0, max_value=2**62, default=0, help_text="The last `seq` that you have."
    )
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100, help_text="Events of a page.")


class WaitQuery(serializers.Serializer[Any]):
    wait = serializers.IntegerField(
        min_value=0,
        max_value=MAX_WAIT_SECONDS,
        default=0,
        help_text="Seconds to wait for the turn to finish before answering.",
    )


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    class Meta:
        model = Customer
        fields = ["id", "subject", "business_id", "name", "email"]
        extra_kwargs = {
            "subject": {
                "help_text": "Your own id of this customer, or a made-up one of an anonymous visitor."
            },
            "business_id": {"help_text": "What tools are bound to: the only one whose data they can touch."},
        }


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    customer = CustomerSerializer()
    live_agent = serializers.CharField(
        help_text="The one agent that answered last; empty when none or several did."
    )
    tags = serializers.SerializerMethodField(
        help_text="In small letters, in order. Customers never see them."
    )

    class Meta:
        model = Conversation
        fields = [
            "thread_id",
            "status",
            "customer",
            "tags",
            "live_agent",
            "handoff_reason",
            "handoff_at",
            "held_by",
            "held_at",
            "last_seq",
            "last_line",
            "last_activity_at",
            "created_at",
        ]
        extra_kwargs = {
            "handoff_reason": {"help_text": "Why a person was asked to take over; not for the customer."},
            "handoff_at": {"help_text": "Since when it waits for a person."},
            "held_by": {"help_text": "Who has taken it over: no agent answers meanwhile."},
            "last_seq": {"help_text": "The newest event's `seq`."},
            "last_line": {"help_text": "The beginning of what was said last."},
        }

    def get_tags(self, row: Conversation) -> list[str]:
        return sorted(tag.name for tag in row.tags.all())


class ConversationPageSerializer(CountedSerializer):
    conversations = ConversationSerializer(many=True)


class EventSerializer(serializers.ModelSerializer[Event]):
    turn_id = serializers.UUIDField(allow_null=True)
    payload = serializers.DictField(help_text="What happened; its fields depend on `kind`.")
    at = serializers.DateTimeField(source="created_at", help_text="When it happened.")
    tokens_in = serializers.IntegerField(allow_null=True)
    tokens_out = serializers.IntegerField(allow_null=True)
    tokens_cached = serializers.IntegerField(
        allow_null=True, help_text="Those of `tokens_in` that the provider had in its cache."
    )
    duration_ms = serializers.IntegerField(allow_null=True)
    cost_micros = serializers.IntegerField(allow_null=True, help_text="Micro-dollars.")

    class Meta:
        model = Event
        fields = [
            "seq",
            "kind",
            "version",
            "turn_id",
            "agent",
            "payload",
            "tokens_in",
            "tokens_out",
            "tokens_cached",
            "cost_micros",
            "duration_ms",
            "at",
        ]
        extra_kwargs = {
            "seq": {"help_text": "Its place in the conversation: 1, 2, 3, without gaps."},
            "kind": {"help_text": "In the past tense, such as `message_received`. More may follow."},
            "version": {
                "help_text": "Of the payload's form: a field that changes its meaning gets a new one."
            },
            "agent": {"help_text": "Who did it; empty where it was no agent."},
        }


class EventPageSerializer(serializers.Serializer[Any]):
    thread_id = serializers.CharField()
    events = EventSerializer(many=True)
    next = serializers.IntegerField(
        allow_null=True, help_text="Ask again with this as `after`; null: there are no more."
    )
    last_seq = serializers.IntegerField(help_text="The newest event's `seq` at this moment.")


class HistoryQuery(serializers.Serializer[Any]):
    before = serializers.IntegerField(
        min_value=1,
        max_value=2**62,
        required=False,
        help_text="The `next` of the page before; left out: the newest.",
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=MOST, default=LIMIT, help_text="Messages that a page shows at most."
    )


class HistoryPageSerializer(serializers.Serializer[Any]):
    thread_id = serializers.CharField()
    frames = serializers.ListField(
        child=serializers.DictField(), help_text="What happened, in order, as frames of the chat socket."
    )
    pending = serializers.ListField(
        child=serializers.DictField(),
        help_text="With the newest page: approvals that wait for a decision and are on an earlier page.",
    )
    next = serializers.IntegerField(
        allow_null=True, help_text="Ask again with this as `before`; null: this is the beginning."
    )
    seq = serializers.IntegerField(
        allow_null=True, help_text="With the newest page: the newest event's `seq` at this moment."
    )


class NewCustomerSerializer(serializers.Serializer[Any]):
    """The customer of a thread that does not exist yet."""

    default_error_messages = {"invalid": "Must be a JSON object."}

    subject = StrictCharField(
        max_length=255, help_text="Your own id of this customer: the `sub` of the chat's token."
    )
    name = StrictCharField(max_length=200, required=False, allow_blank=True, default="")
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": 10_000})
class ContentField(serializers.Field[Any, Any, Any, Any]):
    """Taken as it is: chat.submission checks it, so that the API and the socket refuse with the same sentences."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class MessageSerializer(serializers.Serializer[Any]):
    content = ContentField(default=None, allow_null=True)
    client_message_id = StrictCharField(
        required=False,
        allow_null=True,
        max_length=MAX_CLIENT_ID,
        help_text="Your own id of this message. Sent again, it is answered again and runs once.",
    )
    multitask_strategy = serializers.ChoiceField(
        STRATEGIES,
        required=False,
        help_text="What to do while an earlier message is worked on: `enqueue` (queued messages become one next "
        "turn), `reject` (409 `busy`) or `interrupt` (stops the running turn). The deployment's when left out.",
    )
    customer = NewCustomerSerializer(required=False, help_text="Only to open a new thread.")


class StaffMessageSerializer(serializers.Serializer[Any]):
    content = ContentField(default=None, allow_null=True, help_text="Markdown, as the customer will see it.")


class WrittenSerializer(serializers.Serializer[Any]):
    thread_id = serializers.CharField()
    seq = serializers.IntegerField(help_text="The `seq` of its event.")
    content = serializers.CharField()


def idempotency_key(request: Request) -> str | None:
    """The header `Idempotency-Key`, None where there is none. `ApiView` has checked it."""
    key: str | None = request.headers.get(HEADER)
    return key


class ReplySerializer(serializers.Serializer[Any]):
    seq = serializers.IntegerField(help_text="The `seq` of its event.")
    agent = serializers.CharField()
    kind = serializers.ChoiceField(["agent_response", "clarification"])
    content = serializers.CharField(help_text="Markdown, as the agent wrote it.")


class TurnToolSerializer(serializers.Serializer[Any]):
    seq = serializers.IntegerField(help_text="The `seq` of its event: there are its arguments.")
    agent = serializers.CharField()
    tool = serializers.CharField()
    title = serializers.CharField(help_text="Its name for people.")
    ok = serializers.BooleanField(allow_null=True, help_text="Null: nothing has come back yet.")


class PendingSerializer(serializers.ModelSerializer[Action]):
    interrupt_id = serializers.UUIDField(source="id")
    action = serializers.CharField(source="tool_name", help_text="The tool's name.")
    params = serializers.DictField(source="args", help_text="Exactly what is sent when it is approved.")

    class Meta:
        model = Action
        fields = ["interrupt_id", "action", "params", "message", "approver", "expires_at"]


class TurnMessageSerializer(serializers.Serializer[Any]):
    seq = serializers.IntegerField(help_text="The `seq` of its event.")
    client_message_id = serializers.CharField(allow_null=True)


@extend_schema_field({"type": "null"})
class NoTurnField(serializers.Field[Any, Any, Any, Any]):
    """Null, so that whoever reads the answer can tell it from a turn."""


class HeldMessageSerializer(serializers.Serializer[Any]):
    """A message that no agent answers: a member of staff has the conversation."""

    turn_id = NoTurnField()
    thread_id = serializers.CharField()
    seq = serializers.IntegerField(help_text="The `seq` of the customer's message.")
    held_by = serializers.CharField(help_text="Who has taken over.")


class RetriedSerializer(serializers.Serializer[Any]):
    turn_id = serializers.UUIDField()
    thread_id = serializers.CharField()


class TurnErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class TurnSerializer(serializers.ModelSerializer[Any]):
    turn_id = serializers.UUIDField(source="id")
    thread_id = serializers.CharField(source="conversation.thread_id")
    status = serializers.ChoiceField(TurnStatus.choices)
    seq = serializers.IntegerField(source="message_seq", help_text="The `seq` of its first message.")
    messages = TurnMessageSerializer(
        many=True,
        source="asked",
        help_text="The messages that this turn answers: several where they came while an earlier one was answered.",
    )
    position = serializers.IntegerField(
        help_text="Unfinished turns of this thread that come first; 0 is running, waiting, or next."
    )
    replies = ReplySerializer(many=True)
    tools = TurnToolSerializer(
        many=True, help_text="The calls that were made to the business system, in order."
    )
    pending = PendingSerializer(many=True, help_text="Approvals that this turn waits for.")
    error = TurnErrorSerializer(allow_null=True, source="failure", help_text="Why it failed.")

    class Meta:
        model = Turn
        fields = [
            "turn_id",
            "thread_id",
            "status",
            "seq",
            "position",
            "messages",
            "replies",
            "tools",
            "pending",
            "error",
            "queued_at",
            "started_at",
            "sealed_at",
        ]
        extra_kwargs = {"sealed_at": {"help_text": "When it ended; null while it has not."}}


class StoppedSerializer(serializers.Serializer[Any]):
    thread_id = serializers.CharField()
    stopping = serializers.BooleanField(help_text="False: nothing was being worked on.")
