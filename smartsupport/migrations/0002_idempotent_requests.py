"""What was answered to writes that came under an `Idempotency-Key`, for a day."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("smartsupport", "0001_audit_and_roles")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="IdempotentRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("caller", models.TextField()),
                ("key", models.TextField()),
                ("fingerprint", models.CharField(max_length=64)),
                ("token", models.UUIDField(unique=True)),
                ("status", models.PositiveSmallIntegerField(null=True)),
                ("answer", models.TextField()),
                ("begun_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField()),
                ("kept_until", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=["caller", "key"], name="idempotent_request_once")
                ],
                "indexes": [models.Index(fields=["kept_until"], name="idempotent_request_old")],
            },
        )
    ]
