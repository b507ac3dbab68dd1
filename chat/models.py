"""Customers and what was said. See docs/architecture.md, "The data that matters"."""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Customer(models.Model):
    """Somebody who chats: verified by the company's own token (`subject` = its `sub`), or an anonymous visitor.

    `business_id` is what tools are bound to: the company's id of this customer; empty for a visitor whom nobody knows.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subject = models.CharField(max_length=255, null=True, blank=True, unique=True)
    business_id = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=200, blank=True)
    email = models.CharField(max_length=254, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    accepted_at = ArrayField(
        models.DateTimeField(),
        default=list,
        blank=True,
        editable=False,
        help_text="When the newest messages were accepted: the rate limit, exact across processes.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return self.name or self.subject or f"Visitor {str(self.pk)[:8]}"


class ApiKey(models.Model):
    """An integrator's key. Only its SHA-256 is stored; `prefix` is what people recognise it by."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    key_hash = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=32), default=list)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class ConversationStatus(models.TextChoices):
    OPEN = "open", "Open"
    WAITING = "waiting", "Waiting for a person"
    RESOLVED = "resolved", "Resolved"


class Conversation(models.Model):
    """One thread of one customer. `last_seq` numbers its events, without gaps."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    thread_id = models.CharField(max_length=128, unique=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="conversations")
    status = models.CharField(max_length=10, choices=ConversationStatus, default=ConversationStatus.OPEN)
    live_agent = models.CharField(max_length=64, blank=True, help_text="The one agent that answered last.")
    handoff_reason = models.CharField(max_length=500, blank=True)
    handoff_at = models.DateTimeField(null=True, blank=True)
    last_seq = models.BigIntegerField(default=0)
    last_line = models.CharField(max_length=200, blank=True)
    last_activity_at = models.DateTimeField(auto_now_add=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-last_activity_at"]
        indexes: ClassVar = [models.Index(fields=["-last_activity_at"], name="conversation_newest")]

    def __str__(self) -> str:
        return self.thread_id


class TurnStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting for a decision"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


class Turn(models.Model):
    """One customer message being worked on. `fence` grows with every claim: a worker that lost its lease holds an old
    one and cannot write."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns")
    status = models.CharField(max_length=10, choices=TurnStatus, default=TurnStatus.QUEUED)
    client_message_id = models.CharField(max_length=200, null=True, blank=True)
    content = models.TextField()
    message_seq = models.BigIntegerField(help_text="The seq of the customer's message.")
    fence = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    stop_requested = models.BooleanField(default=False)
    lapses = models.PositiveSmallIntegerField(
        default=0, help_text="Workers that lost it: died or were held up."
    )
    error = models.TextField(blank=True)
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    sealed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["conversation", "message_seq"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["conversation", "client_message_id"], name="turn_once_per_client_message"
            ),
            models.UniqueConstraint(
                fields=["conversation"], condition=models.Q(status="running"), name="turn_one_running"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["queued_at"],
                name="turn_claimable",
                condition=models.Q(status__in=["queued", "running"]),
            ),
            models.Index(fields=["conversation", "message_seq"], name="turn_in_order"),
            models.Index(
                fields=["conversation"],
                name="turn_unfinished",
                condition=models.Q(status__in=["queued", "running", "waiting"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} turn {self.pk}"


class Event(models.Model):
    """One fact of a conversation. Append-only: rows are inserted by `chat.events` and never changed.

    `key` names what happened once in its turn ("route", "model:2", "tool:call_1"): a turn that is run again finds it.
    """

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="events")
    seq = models.BigIntegerField()
    turn = models.ForeignKey(Turn, on_delete=models.CASCADE, null=True, related_name="events")
    kind = models.CharField(max_length=32)
    version = models.PositiveSmallIntegerField(default=1)
    key = models.CharField(max_length=220, blank=True)
    agent = models.CharField(max_length=64, blank=True)
    payload = models.JSONField(default=dict)
    tokens_in = models.PositiveIntegerField(null=True)
    tokens_out = models.PositiveIntegerField(null=True)
    cost_micros = models.BigIntegerField(null=True, help_text="Micro-dollars")
    duration_ms = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["conversation", "seq"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="event_seq_once"),
            models.UniqueConstraint(
                fields=["turn", "key"], condition=~models.Q(key=""), name="event_key_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"
