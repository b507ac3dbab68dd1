"""What belongs to no app of the product: the audit, and what is known of the roles."""

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
