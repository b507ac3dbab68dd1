"""What staff are offered to do with a conversation, as it is now."""

from dataclasses import dataclass

from django.urls import reverse

from chat.models import Conversation, ConversationStatus, TurnStatus

LOOKS = {"take_over": "console-write", "write": "console-write", "resolve": "console-approve"}
WORDS = {
    "take_over": "Take over",
    "write": "Write to the customer",
    "hand_back": "Hand back",
    "retry": "Try again",
    "resolve": "Mark as resolved",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """An action of the console: its name, its button, its dialog."""

    name: str
    text: str
    kind: str
    url: str


def offers(row: Conversation) -> list[Offer]:
    held = row.status == ConversationStatus.HELD
    names = ["hand_back" if held else "take_over", "write"]
    if not held and _has_failed(row):
        names.append("retry")
    if row.status != ConversationStatus.RESOLVED:
        names.append("resolve")
    return [
        Offer(
            name,
            WORDS[name],
            LOOKS.get(name, "console-plain"),
            reverse(f"admin:chat_conversation_{name}", args=[row.pk]),
        )
        for name in names
    ]


def _has_failed(row: Conversation) -> bool:
    newest = row.turns.order_by("-message_seq").values_list("status", flat=True).first()
    return newest == TurnStatus.FAILED
