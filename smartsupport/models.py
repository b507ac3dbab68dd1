"""What belongs to no app of the product: the audit, and what is known of the roles."""

from typing import ClassVar

from django.contrib.auth.models import Group
from django.db import models


class AuditEntry(models.Model):
    """One line of the audit. Written by `smartsupport.lib.audit`, numbered and chained by the database, never changed.

    Not managed: its table, its triggers and its rights are SQL (migration 0001), and no flush of a database empties it.
    """

    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor_kind = models.TextField()
    actor_id = models.TextField()
    actor_name = models.TextField()
    verb = models.TextField()
    object_type = models.TextField()
    object_id = models.TextField()
    object_label = models.TextField()
    address = models.TextField()
    user_agent = models.TextField()
    request_id = models.TextField()
    method = models.TextField()
    path = models.TextField()
    outcome = models.TextField()
    status = models.IntegerField(null=True)
    begun_id = models.BigIntegerField(null=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    detail = models.JSONField(null=True)
    previous_hash = models.TextField()
    hash = models.TextField()

    class Meta:
        managed = False
        db_table = "smartsupport_auditentry"
        default_permissions = ("view",)
        verbose_name = "audit entry"
        verbose_name_plural = "audit"

    def __str__(self) -> str:
        return f"Entry {self.pk}"


class Role(models.Model):
    """What `smartsupport.staff` remembers of a role: its group, and what it was given so far.

    `group` is null where an administrator has deleted it, or where a group of that name was there before: neither is
    touched again.
    """

    name = models.CharField(max_length=150, unique=True)
    group = models.OneToOneField(Group, on_delete=models.SET_NULL, null=True, related_name="+")
    granted = models.JSONField(default=list)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class IdempotentRequest(models.Model):
    """A write that an API's caller sent under an `Idempotency-Key`: `smartsupport.lib.idempotency` reads and writes it.

    `status` null: it is being carried out, by whoever has the token, until `lease_until`. `answer` is sealed.
    """

    caller = models.TextField()
    key = models.TextField()
    fingerprint = models.CharField(max_length=64)
    token = models.UUIDField(unique=True)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField()
    begun_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    kept_until = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["caller", "key"], name="idempotent_request_once")
        ]
        indexes: ClassVar = [models.Index(fields=["kept_until"], name="idempotent_request_old")]

    def __str__(self) -> str:
        return f"Request {self.pk} of {self.caller}"


class Backup(models.Model):
    """One `manage.py backup`, committed before its snapshot is taken, so that the file holds it: `smartsupport.backups`
    makes them. `sealed` and `signed` open with the keys that the backup needs; `audit_*` is the audit's anchor."""

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    version = models.CharField(max_length=50)
    sealed = models.TextField()
    signed = models.TextField()
    audit_count = models.BigIntegerField()
    audit_hash = models.CharField(max_length=64)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"Backup of {self.at:%Y-%m-%d %H:%M}"
