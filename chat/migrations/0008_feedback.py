from django.db import migrations, models
from django.db.models import Q

from smartsupport.lib import resumable


class Migration(migrations.Migration):
    """Whom to ask what they thought. Nobody who wrote before this is asked. Built while others write."""

    atomic = False

    dependencies = [("chat", "0007_found_by_staff")]

    operations = [
        resumable.AddField(
            "conversation",
            "unasked",
            models.BooleanField(
                db_default=False,
                editable=False,
                help_text="Somebody wrote since the customer was asked what they thought, or said so.",
            ),
        ),
        resumable.AddIndexConcurrently(
            "conversation",
            models.Index(
                fields=["last_activity_at"],
                name="conversation_to_ask",
                condition=Q(unasked=True, status="open"),
            ),
        ),
    ]
