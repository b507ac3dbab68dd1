"""One row for each change of an agent or a tool. The database writes them itself (migration 0008), so that nobody who
writes agents or tools can forget to: a form, a publication's COPY, a bulk update, SQL."""

from typing import ClassVar

from django.db import models


class Revision(models.Model):
    """What one change made of one agent or tool. `change` is the same in all rows of one change.

    `fields`: {column: [was, is]} of what differs; of what was deleted, every column. `links`, of an agent: {tool id:
    [was in this place, is in this place]}, null where it did not have the tool. What a row was at any moment follows
    from what it is now and what changed since (`agents.history.versions`), so nothing is stored twice: making 20,000
    tools stores 20,000 short rows.
    """

    class Subject(models.TextChoices):
        AGENT = "agent", "Agent"
        TOOL = "tool", "Tool"

    class Kind(models.TextChoices):
        MADE = "made", "Made"
        CHANGED = "changed", "Changed"
        DELETED = "deleted", "Deleted"

    at = models.DateTimeField()
    change = models.CharField(max_length=64)
    subject = models.CharField(max_length=8, choices=Subject)
    subject_id = models.UUIDField()
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=Kind)
    fields = models.JSONField(default=dict)
    links = models.JSONField(default=dict)
    by_name = models.CharField(max_length=150, blank=True, help_text="Empty: set-up, or a command.")
    why = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["subject", "subject_id", "-id"], name="revision_of_subject"),
            models.Index(fields=["subject", "-id"], name="revision_newest"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["change", "subject", "subject_id"], name="revision_once_a_change")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.kind} {self.at:%Y-%m-%d %H:%M}"
