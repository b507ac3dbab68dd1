"""What members of staff do in a conversation: write to its customer, and mark it as resolved.

Both work while an agent is at work: what staff write is an event of its own, outside of any turn, and the agents read
it as a colleague's words.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction

from agents.facts import Fact
from chat import events
from chat.models import Conversation, Event
from chat.turns import CONTENT_LIMIT, ContentTooLong, MissingContent
from smartsupport.lib.errors import ThreadNotFound
from smartsupport.lib.ids import digest
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """A message of staff in the conversation's log. `repeated`: it was there already, under the same key."""

    conversation_id: UUID
    thread_id: str
    seq: int
    content: str
    repeated: bool


@transaction.atomic
def write(*, thread_id: str, text: object, by_name: str, once: str = "") -> Written:
    """Write `text` (1 to 10,000 characters, Markdown) to the customer. The conversation's status stays as it is.

    `once` is the writer's own key of this message: what is sent again under it is not written again.
    Raises ThreadNotFound, MissingContent, ContentTooLong.
    """
    conversation = _locked(thread_id)
    content = _checked(text)
    key = f"staff:{digest([by_name, storable(once)])}" if once else ""
    if key and (known := _written_before(conversation, key)):
        return Written(conversation.pk, thread_id, known.seq, known.payload["content"], repeated=True)
    fact = Fact("staff_wrote", {"content": content, "by_name": by_name}, key=key)
    batch = events.append(conversation.pk, [fact])
    log.info("staff_wrote", conversation_id=str(conversation.pk), by_name=by_name)
    return Written(conversation.pk, thread_id, batch.first, content, repeated=False)


def _locked(thread_id: str) -> Conversation:
    conversation = Conversation.objects.select_for_update(no_key=True).filter(thread_id=thread_id).first()
    if conversation is None:
        raise ThreadNotFound()
    return conversation


def _checked(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise MissingContent()
    if len(text) > CONTENT_LIMIT:
        raise ContentTooLong()
    content: str = storable(text)
    return content


def _written_before(conversation: Conversation, key: str) -> Event | None:
    """The lock of the conversation makes look and write one step: without a turn, no constraint compares keys."""
    return Event.objects.filter(conversation=conversation, turn=None, key=key).first()
