"""Links that ask one person for one decision."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models


class ApprovalLink(models.Model):
    """One person's way to decide on one action, once, until `expires_at`. Only the SHA-256 of its token is stored.

    `user` decides when they are signed in. Without one, nobody needs an account where `may_decide_without_account` (it
    says what the link was made for: a user who is deleted leaves a link that is of no use). `arguments_hash` is the
    call that it was made for. `decision` is `approved` or `rejected` once it was used.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    action = models.ForeignKey("agents.Action", on_delete=models.CASCADE, related_name="links")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decider_name = models.CharField(max_length=120)
    decider_email = models.EmailField(blank=True)
    may_decide_without_account = models.BooleanField(default=False)
    arguments_hash = models.CharField(max_length=64)
    made_by = models.CharField(max_length=150)
    made_by_id = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=8, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(used_at=None, decision="")
                | models.Q(used_at__isnull=False, decision__in=["approved", "rejected"]),
                name="approval_link_used_whole",
            )
        ]

    def __str__(self) -> str:
        return f"Link for {self.decider_name}"
