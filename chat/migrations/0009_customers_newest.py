from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What the console's list of customers is ordered by. Built while others write."""

    atomic = False

    dependencies = [("chat", "0008_feedback")]

    operations = [
        AddIndexConcurrently("customer", models.Index(fields=["-created_at", "-id"], name="customer_newest")),
    ]
