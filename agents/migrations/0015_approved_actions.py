from django.db import migrations, models

from smartsupport.lib import resumable


class Migration(migrations.Migration):
    """What was approved and not sent yet, newest first, which the API lists. Built while others write."""

    atomic = False

    dependencies = [("agents", "0014_direct_calls")]

    operations = [
        resumable.AddIndexConcurrently(
            "action",
            models.Index(
                fields=["-created_at", "-id"],
                name="action_approved",
                condition=models.Q(status="approved"),
            ),
        ),
    ]
