"""What staff are offered to do with a conversation, as it is now."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from chat.models import Conversation, ConversationStatus, TurnStatus
from replay.pages import UNFINISHED

LOOKS = {"take_over": "console-write", "write": "console-write", "resolve": "console-approve"}
WORDS = {
    "take_over": "Take over",
    "write": "Write to the customer",
    "hand_back": "Hand back",
    "retry": "Try again",
    "stop": "Stop the agents",
    "escalate": "Ask for a person",
    "resolve": "Mark as resolved",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """An action of the console: its name, its button, its dialog."""

    name: str
    text: str
    kind: str
    url: str


def offers(row: Conversation, statuses: Sequence[str]) -> list[Offer]:
    """`statuses`: of its turns, in order."""
    held = row.status == ConversationStatus.HELD
    names = ["hand_back" if held else "take_over", "write"]
    if not held and statuses and statuses[-1] == TurnStatus.FAILED:
        names.append("retry")
    if not held and any(status in UNFINISHED for status in statuses):
        names.append("stop")
    if row.status not in (ConversationStatus.HELD, ConversationStatus.WAITING):
        names.append("escalate")
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
