from django.db import migrations, models
from django.db.models import Q

from smartsupport.lib import resumable

# Who customers are, as words. `chat.search_words` asks with the same expression.
CUSTOMERS = """
CREATE INDEX CONCURRENTLY customer_words ON chat_customer USING gin (
    to_tsvector('simple', name || ' ' || replace(email, '@', ' ') || ' ' || email || ' ' || coalesce(subject, ''))
)
"""


class Migration(migrations.Migration):
    """What the console's list of conversations is filtered and searched by. Built while others write."""

    atomic = False

    dependencies = [("chat", "0006_event_words")]

    operations = [
        resumable.AddIndexConcurrently(
            "conversation",
            models.Index(fields=["live_agent", "-last_activity_at"], name="conversation_by_agent"),
        ),
        resumable.AddIndexConcurrently(
            "conversation",
            models.Index(
                fields=["waiting_since"],
                name="conversation_unanswered",
                condition=Q(waiting_since__isnull=False),
            ),
        ),
        resumable.AddIndexConcurrently(
            "conversation",
            models.Index(
                fields=["score", "-last_activity_at"],
                name="conversation_by_score",
                condition=Q(score__isnull=False),
            ),
        ),
        resumable.AddIndexConcurrently(
            "conversation",
            models.Index(
                fields=["solved", "-last_activity_at"],
                name="conversation_by_solved",
                condition=Q(solved__isnull=False),
            ),
        ),
        resumable.AddIndexConcurrently(
            "turn",
            models.Index(
                fields=["conversation", "sealed_at"], name="turn_failed", condition=Q(status="failed")
            ),
        ),
        resumable.AddIndexConcurrently(
            "event",
            models.Index(
                fields=["created_at", "conversation"],
                name="event_escalated",
                condition=Q(kind="handoff_requested"),
            ),
        ),
        resumable.BuildIndexConcurrently("customer_words", CUSTOMERS),
    ]
