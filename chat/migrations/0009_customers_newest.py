from django.db import migrations, models

from smartsupport.lib import resumable


class Migration(migrations.Migration):
    """What the console's list of customers is ordered by. Built while others write."""

    atomic = False

    dependencies = [("chat", "0008_feedback")]

    operations = [
        resumable.AddIndexConcurrently("customer", models.Index(fields=["-created_at", "-id"], name="customer_newest")),
    ]
