from django.db import migrations, models
from django.db.models import Q

from smartsupport.lib import resumable


class Migration(migrations.Migration):
    """The order in which an endpoint's queue is taken, and what of it is under way, by indexes that are built while
    others write. `webhook_queue` stays for processes of the version before."""

    atomic = False

    dependencies = [("chat", "0013_keys_held_to_a_customer")]

    operations = [
        resumable.AddIndexConcurrently(
            "webhookdelivery",
            models.Index(
                fields=["endpoint", "next_attempt_at", "place"],
                name="webhook_next",
                condition=Q(status="queued"),
            ),
        ),
        resumable.AddIndexConcurrently(
            "webhookdelivery",
            models.Index(
                fields=["endpoint"], name="webhook_under_way", condition=Q(leased_until__isnull=False)
            ),
        ),
    ]
