"""Internal notes: what members of staff write for each other into a conversation.

A note is an event of its own, `note_written`, outside of any turn. It has no frame, so no socket of a customer ever
carries it, and it is in no list of kinds that a prompt, a summary, a webhook or a customer's history is made of. It is
no activity of the conversation either: nobody has said anything.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction

from agents import facts
from agents.approvals import Decider
from chat import events
from chat.models import Conversation, Event
from chat.staffing import checked_text, written_before
from smartsupport.lib.errors import ThreadNotFound
from smartsupport.lib.ids import digest
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)

KIND = "note_written"


@dataclass(frozen=True, slots=True)
class Note:
    """A note in the conversation's log. `repeated`: it was there already, under the same key."""

    conversation_id: UUID
    thread_id: str
    seq: int
    content: str
    by_name: str
    repeated: bool


@transaction.atomic
def write(*, thread_id: str, text: object, by: Decider, once: str = "") -> Note:
    """Write a note of 1 to 10,000 characters that only staff read, whoever has the conversation.

    `once` is the writer's own key of this note: what is sent again under it is not written again.
    Raises ThreadNotFound, MissingContent, ContentTooLong.
    """
    # The row's lock makes look and write one step, and keeps the time of the last activity from moving meanwhile.
    locked = Conversation.objects.select_for_update(no_key=True)
    conversation = locked.filter(thread_id=thread_id).first()
    if conversation is None:
        raise ThreadNotFound()
    content = checked_text(text)
    key = f"note:{digest([by.id or by.name, storable(once)])}" if once else ""
    if key and (known := written_before(conversation, key)):
        return _of(conversation, known.seq, known, repeated=True)
    batch = events.append(
        conversation.pk, [facts.note_written(content=content, by_name=by.name, once=storable(once), key=key)]
    )
    Conversation.objects.filter(pk=conversation.pk).update(last_activity_at=conversation.last_activity_at)
    log.info("note_written", conversation_id=str(conversation.pk), by_name=by.name)
    return Note(conversation.pk, thread_id, batch.first, content, by.name, repeated=False)


def _of(conversation: Conversation, seq: int, event: Event, *, repeated: bool) -> Note:
    payload = event.payload
    return Note(
        conversation.pk, conversation.thread_id, seq, payload["content"], payload["by_name"], repeated
    )
