"""What a turn is told of the conversation before it."""

from uuid import UUID

from django.db.models import Q

from agents.context import Said
from agents.facts import Fact
from chat.models import Event

MESSAGES_LIMIT = 40
CHARACTERS_LIMIT = 6_000
ROLES = {
    "message_received": "customer",
    "replied": "agent",
    "question_asked": "agent",
    "staff_wrote": "staff",
}
TEXT_FIELDS = {"question_asked": "message"}


def before(conversation_id: UUID, seq: int) -> tuple[Said, ...]:
    """The newest things said up to the customer's message `seq`, oldest first: at most 40, and about 6,000 characters,
    so that the prompt stays flat however long the conversation gets. The newest is kept whatever its length, cut.

    The answers to earlier messages belong to it though they may have been given after this message came in; messages
    that are queued behind this one, and their answers, do not."""
    earlier = Q(turn__message_seq__lt=seq) | Q(turn=None)
    rows = (
        Event.objects.filter(earlier, conversation_id=conversation_id, kind__in=ROLES)
        .order_by("-seq")
        .values_list("kind", "payload")[:MESSAGES_LIMIT]
    )
    kept: list[Said] = []
    room = CHARACTERS_LIMIT
    for kind, payload in rows:
        text = payload[TEXT_FIELDS.get(kind, "content")]
        if room <= 0:
            break
        kept.append(Said(ROLES[kind], text[-room:] if len(text) > room else text))
        room -= len(text)
    return tuple(reversed(kept))


def succeeded(conversation_id: UUID, tools: set[str]) -> set[str]:
    """Those of `tools` that have succeeded in the conversation. No query where none is asked about."""
    if not tools:
        return set()
    done = Event.objects.filter(
        conversation_id=conversation_id,
        kind="tool_returned",
        payload__ok=True,
        payload__tool__in=sorted(tools),
    )
    return set(done.values_list("payload__tool", flat=True))


def recorded(turn_id: UUID) -> dict[str, Fact]:
    """What earlier attempts at this turn recorded, by key."""
    rows = Event.objects.filter(turn_id=turn_id).exclude(key="").only("kind", "payload", "key", "agent")
    return {row.key: Fact(row.kind, row.payload, key=row.key, agent=row.agent) for row in rows}
