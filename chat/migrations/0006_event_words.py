from django.db import migrations

from smartsupport.lib import resumable

# What was said, as words of no particular language. `chat.search_words` asks with the same expression.
WORDS = """
CREATE INDEX CONCURRENTLY event_words ON chat_event USING gin (
    to_tsvector('simple', left(coalesce(payload ->> 'content', payload ->> 'message', ''), 20000))
) WHERE kind IN ('message_received', 'replied', 'question_asked', 'staff_wrote', 'note_written')
"""


class Migration(migrations.Migration):
    """Built while others write: the log may be large."""

    atomic = False

    dependencies = [("chat", "0005_console")]

    operations = [
        resumable.BuildIndexConcurrently("event_words", WORDS),
    ]
