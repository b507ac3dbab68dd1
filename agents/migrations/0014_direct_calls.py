"""Calls of tools that another system asks for by name."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0013_approval_links"),
        ("chat", "0010_keys_expire"),
    ]

    operations = [
        migrations.CreateModel(
            name="DirectCall",
            fields=[
                (
                    "turn",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="direct_call",
                        serialize=False,
                        to="chat.turn",
                    ),
                ),
                ("tool_name", models.CharField(max_length=64)),
                ("arguments", models.TextField()),
                ("asked_by", models.CharField(max_length=100)),
                ("asked_by_name", models.CharField(max_length=150)),
                (
                    "submission",
                    models.CharField(blank=True, editable=False, max_length=64, null=True, unique=True),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["-created_at"],
                "default_permissions": (),
            },
        ),
    ]
