from django.db import migrations, models

from smartsupport.lib import resumable


class Migration(migrations.Migration):
    """Outcomes that nobody knows, which the console's home page counts. Built while others write."""

    atomic = False

    dependencies = [
        ("agents", "0009_spend_slices"),
        ("chat", "0008_feedback"),
    ]

    operations = [
        resumable.AddIndexConcurrently(
            "action",
            models.Index(fields=["-created_at"], name="action_unknown", condition=models.Q(status="unknown")),
        ),
    ]
