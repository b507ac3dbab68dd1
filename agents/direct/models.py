"""Calls of tools that somebody outside asks for by name."""

from typing import ClassVar

from django.db import models


class DirectCall(models.Model):
    """The one call that a turn is for. Written with the turn, and never changed.

    `arguments` is canonical JSON text, as the caller gave them. `asked_by` is the caller's decider id: who asks does
    not approve. `submission`: a hash of who asks, for which customer, and their idempotency key; null without a key.
    """

    turn = models.OneToOneField(
        "chat.Turn", on_delete=models.CASCADE, primary_key=True, related_name="direct_call"
    )
    tool_name = models.CharField(max_length=64)
    arguments = models.TextField()
    asked_by = models.CharField(max_length=100)
    asked_by_name = models.CharField(max_length=150)
    submission = models.CharField(max_length=64, unique=True, null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.tool_name} for {self.asked_by_name}"
