from django.db import migrations, models
from django.db.models import Q

from smartsupport.lib import resumable


class Migration(migrations.Migration):
    """What retention has not emptied, the oldest first: so that it does not walk over what it has."""

    atomic = False

    dependencies = [("chat", "0014_webhook_queue")]

    operations = [
        resumable.AddIndexConcurrently(
            "conversation",
            models.Index(
                fields=["last_activity_at", "id"],
                name="conversation_to_forget",
                condition=Q(emptied_at__isnull=True),
            ),
        ),
    ]
