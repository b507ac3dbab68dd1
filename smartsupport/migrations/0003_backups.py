"""Which backups were made, each said inside itself; a new table, which older processes do not know and do not need."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("smartsupport", "0002_idempotent_requests")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Backup",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("version", models.CharField(max_length=50)),
                ("sealed", models.TextField()),
                ("signed", models.TextField()),
                ("audit_count", models.BigIntegerField()),
                ("audit_hash", models.CharField(max_length=64)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={"default_permissions": ()},
        ),
    ]
