"""Asks customers what they thought: when staff mark a conversation as resolved (`chat.staffing`), and here, by Celery
beat, when an agent's whole answer was the last word and its customer has been silent for FEEDBACK_AFTER_MINUTES.

Once per stretch: `Conversation.unasked` becomes false in the statement that writes `feedback_asked`, and true again in
the one that writes the next message.
"""

from datetime import timedelta
from uuid import UUID

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from agents.facts import feedback_asked
from chat import events
from chat.models import Conversation

log = structlog.get_logger(__name__)

BATCH = 100
BATCHES_A_RUN = 20
LATEST = timedelta(hours=1)
"""How long after it was due somebody is still asked. Later they have left; and no sweep looks at older ones again."""
WORDS = ("message_received", "replied", "question_asked", "staff_wrote", "handoff_requested")

# Locked rows are somebody else's: another sweep asks them, or something goes on in them. Whatever is written into a
# conversation moves `last_activity_at`, which is looked at again once the row is locked.
_SILENT = """
SELECT c.id FROM chat_conversation c
CROSS JOIN LATERAL (
    SELECT e.kind, e.turn_id, e.payload FROM chat_event e
    WHERE e.conversation_id = c.id AND e.kind = ANY(%(words)s) ORDER BY e.seq DESC LIMIT 1
) AS word
JOIN chat_turn t ON t.id = word.turn_id
WHERE c.unasked AND c.status = 'open' AND c.waiting_since IS NULL
  AND c.last_activity_at > %(after)s AND c.last_activity_at <= %(until)s
  AND word.kind = 'replied' AND NOT word.payload ? 'cut' AND t.status = 'completed'
  AND NOT EXISTS (SELECT 1 FROM chat_turn o WHERE o.conversation_id = c.id
                  AND o.status IN ('queued', 'running', 'waiting'))
  AND NOT EXISTS (SELECT 1 FROM agents_action a JOIN chat_turn o ON o.id = a.turn_id
                  WHERE o.conversation_id = c.id AND a.status IN ('awaiting', 'dispatching'))
ORDER BY c.last_activity_at LIMIT %(limit)s FOR NO KEY UPDATE OF c SKIP LOCKED
"""


def asks_now(conversation_id: UUID) -> bool:
    """Whether the customer is to be asked now, by whoever is told so: true once for everything that was written."""
    return bool(Conversation.objects.filter(pk=conversation_id, unasked=True).update(unasked=False))


def ask(limit: int = BATCH) -> list[UUID]:
    """Ask up to `limit` customers who have been silent for long enough, in one statement. Their conversations' ids."""
    if not settings.FEEDBACK_AFTER_MINUTES:
        return []
    until = timezone.now() - timedelta(minutes=settings.FEEDBACK_AFTER_MINUTES)
    parameters = {"words": list(WORDS), "until": until, "after": until - LATEST, "limit": limit}
    asked = events.append_each(
        feedback_asked(), chosen=_SILENT, changes="unasked = false", parameters=parameters
    )
    return [batch.conversation_id for batch in asked]


@shared_task(name="chat.ask_for_feedback", ignore_result=True)  # type: ignore[untyped-decorator]
def ask_for_feedback() -> None:
    """Run by beat."""
    asked = 0
    for _ in range(BATCHES_A_RUN):
        found = len(ask())
        asked += found
        if found < BATCH:
            break
    if asked:
        log.info("feedback_asked", count=asked)
