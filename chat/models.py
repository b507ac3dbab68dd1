"""Customers and what was said. See docs/architecture.md, "The data that matters"."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.fields.json import KT
from django.utils import timezone

from chat import key_lines
from chat.scopes import granted


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
        indexes: ClassVar = [models.Index(fields=["-created_at", "-id"], name="customer_newest")]

    def __str__(self) -> str:
        return self.name or self.subject or f"Visitor {str(self.pk)[:8]}"


def usable_keys(now: datetime | None = None) -> models.Q:
    """API keys that are accepted: enabled, and not at their end."""
    ends = models.Q(expires_at=None) | models.Q(expires_at__gt=now or timezone.now())
    return models.Q(enabled=True) & ends


class ApiKeyManager(models.Manager["ApiKey"]):
    def may(self, decider: str, scope: str) -> bool:
        """Whether a key of this integrator (its decider's id, `key:<id>`) is accepted and has the scope. One
        statement."""
        own = self.filter(usable_keys()).annotate(line=key_lines.line()).filter(line__0=decider)
        return any(scope in granted(scopes) for scopes in own.values_list("scopes", flat=True))

    def asked_under(self, people: Collection[str]) -> set[str]:
        """The deciders' ids under which is asked what keys ask for that one of these people (`user:<id>`) made."""
        return key_lines.beginnings(people)


class ApiKey(models.Model):
    """An integrator's key. Only a SHA-256 of it is stored; `prefix` is what people recognise it by.

    The hash of a key that is held to a customer is another one than that of the same text without a customer
    (`chat.api_keys.hash_of`): neither a process that does not know `customer` yet nor a row that loses it opens more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    key_hash = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=32), default=list)
    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="api_keys",
        help_text="The one customer whom it is held to. Null: any.",
    )
    enabled = models.BooleanField(default=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Refused from then on. Null: never.")
    per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Requests a minute. Null: as many as API_REQUESTS_PER_MINUTE says."
    )
    replaces = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="replaced_by"
    )
    created_by = models.CharField(max_length=150, blank=True, db_default="")
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyManager()

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class ConversationStatus(models.TextChoices):
    OPEN = "open", "Open"
    WAITING = "waiting", "Waiting for a person"
    HELD = "held", "With a colleague"
    RESOLVED = "resolved", "Resolved"


class Tag(models.Model):
    """A word that staff sort conversations by."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=40, unique=True)
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Conversation(models.Model):
    """One thread of one customer. `last_seq` numbers its events, without gaps.

    `epoch` grows whenever a person takes over: turns of an older epoch can write nothing and send nothing any more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    thread_id = models.CharField(max_length=128, unique=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="conversations")
    status = models.CharField(max_length=10, choices=ConversationStatus, default=ConversationStatus.OPEN)
    live_agent = models.CharField(max_length=64, blank=True, help_text="The one agent that answered last.")
    handoff_reason = models.CharField(max_length=500, blank=True)
    handoff_at = models.DateTimeField(null=True, blank=True)
    epoch = models.PositiveIntegerField(default=0, editable=False)
    held_by = models.CharField(
        max_length=150,
        blank=True,
        help_text="The member of staff who has taken over; empty: the agents answer.",
    )
    held_at = models.DateTimeField(null=True, blank=True)
    last_seq = models.BigIntegerField(default=0)
    last_line = models.CharField(max_length=200, blank=True)
    waiting_since = models.DateTimeField(
        null=True, blank=True, help_text="The first message of the customer that nobody has answered yet."
    )
    cost_micros = models.BigIntegerField(db_default=0, help_text="Micro-dollars: all its rows of the ledger.")
    solved = models.BooleanField(null=True, blank=True, help_text="What the customer said when asked.")
    score = models.PositiveSmallIntegerField(null=True, blank=True, help_text="1 to 5, from the customer.")
    unasked = models.BooleanField(
        db_default=False,
        editable=False,
        help_text="Somebody wrote since the customer was asked what they thought, or said so.",
    )
    emptied_at = models.DateTimeField(
        null=True, editable=False, help_text="When retention took its words and its customer out of it."
    )
    tags = models.ManyToManyField(Tag, related_name="conversations", blank=True)
    last_activity_at = models.DateTimeField(auto_now_add=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-last_activity_at"]
        indexes: ClassVar = [
            models.Index(fields=["-last_activity_at"], name="conversation_newest"),
            models.Index(fields=["status", "-last_activity_at"], name="conversation_by_status"),
            models.Index(fields=["created_at"], name="conversation_begun"),
            models.Index(fields=["live_agent", "-last_activity_at"], name="conversation_by_agent"),
            models.Index(
                fields=["waiting_since"],
                name="conversation_unanswered",
                condition=models.Q(waiting_since__isnull=False),
            ),
            models.Index(
                fields=["score", "-last_activity_at"],
                name="conversation_by_score",
                condition=models.Q(score__isnull=False),
            ),
            models.Index(
                fields=["solved", "-last_activity_at"],
                name="conversation_by_solved",
                condition=models.Q(solved__isnull=False),
            ),
            models.Index(
                fields=["last_activity_at"],
                name="conversation_to_ask",
                condition=models.Q(unasked=True, status="open"),
            ),
            models.Index(
                fields=["last_activity_at", "id"],
                name="conversation_to_forget",
                condition=models.Q(emptied_at__isnull=True),
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(score__isnull=True) | models.Q(score__range=(1, 5)),
                name="conversation_score_in_range",
            )
        ]

    def __str__(self) -> str:
        return self.thread_id


class CannedReply(models.Model):
    """A text that staff send often. `{customer}` in it becomes the customer's name."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    shortcut = models.SlugField(
        max_length=40, unique=True, help_text="What is typed after / to find it: refund-time."
    )
    title = models.CharField(max_length=80)
    body = models.TextField(max_length=10_000)
    enabled = models.BooleanField(default=True)
    updated_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["shortcut"]
        verbose_name_plural = "canned replies"

    def __str__(self) -> str:
        return self.title


class PromptPart(models.Model):
    """A piece of a prompt as it was sent: the system prompt, the tool list, one message, or a list of further pieces
    (`agents.prompt_parts`). Pieces come again from call to call, so each is kept once and a `model_called` event names
    its own by digest, in order.

    `conversation` null: the same for everybody (a system prompt, a tool list).
    """

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, null=True, related_name="prompt_parts"
    )
    digest = models.CharField(max_length=22, help_text="128 bits of its SHA-256, URL-safe base64.")
    content = models.JSONField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["conversation", "digest"], name="prompt_part_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.digest


class TurnStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting for a decision"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


class Turn(models.Model):
    """What is being worked on: one message of the customer, or several that came while an earlier turn ran. `fence`
    grows with every claim: a worker that lost its lease holds an old one and cannot write."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns")
    status = models.CharField(max_length=10, choices=TurnStatus, default=TurnStatus.QUEUED)
    content = models.TextField(help_text="The messages, in order, with an empty line between them.")
    messages = models.PositiveSmallIntegerField(default=1, help_text="How many messages it answers.")
    message_seq = models.BigIntegerField(help_text="The seq of the customer's (first) message.")
    epoch = models.PositiveIntegerField(default=0, editable=False)
    asked_by = models.CharField(
        max_length=100,
        blank=True,
        help_text="Who sent it for the customer (a decider's id); empty: the customer.",
    )
    fence = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    stop_requested = models.BooleanField(default=False)
    lapses = models.PositiveSmallIntegerField(
        default=0, help_text="Workers that lost it: died or were held up."
    )
    retries = models.PositiveSmallIntegerField(
        default=0, help_text="How often it was tried again after it failed."
    )
    error = models.TextField(blank=True)
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    sealed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["conversation", "message_seq"]
        constraints: ClassVar = [
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
            models.Index(
                fields=["conversation", "sealed_at"],
                name="turn_failed",
                condition=models.Q(status="failed"),
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
    tokens_cached = models.PositiveIntegerField(
        null=True, help_text="Those of `tokens_in` that the provider had in its cache."
    )
    cost_micros = models.BigIntegerField(null=True, help_text="Micro-dollars")
    duration_ms = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["conversation", "seq"]
        indexes: ClassVar = [
            models.Index(
                fields=["created_at", "conversation"],
                name="event_escalated",
                condition=models.Q(kind="handoff_requested"),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="event_seq_once"),
            models.UniqueConstraint(
                fields=["turn", "key"], condition=~models.Q(key=""), name="event_key_once"
            ),
            # A message without an id of the client's own has NULL here, and NULLs differ from each other.
            models.UniqueConstraint(
                "conversation",
                KT("payload__client_message_id"),
                condition=models.Q(kind="message_received"),
                name="message_once_per_client_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class WebhookEndpoint(models.Model):
    """Another system that is told of what happens: where, of what, and how it is signed. `chat.webhook_endpoints`
    changes it; WEBHOOK_URL of the environment is told beside these and has no row.

    `secret` and `old_secret` are sealed; while `old_secret_until` lies ahead, both sign. `failing_since` is the first
    failure after the last success, `failures` counts them, and nothing is sent before `held_until`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    events = ArrayField(models.CharField(max_length=40))
    secret = models.TextField(editable=False)
    old_secret = models.TextField(blank=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=150, blank=True, help_text="Empty: it was paused by itself.")
    pause_reason = models.CharField(max_length=300, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    held_until = models.DateTimeField(null=True, blank=True, editable=False)
    last_delivered_at = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The jobs remove the row and what was sent to it."
    )

    class Meta:
        ordering: ClassVar = ["created_at", "id"]

    def __str__(self) -> str:
        return self.description or (urlsplit(self.url).hostname or "webhook endpoint")


class DeliveryStatus(models.TextChoices):
    """`pending` is for WEBHOOK_URL alone: whoever sends what is pending sends it there."""

    PENDING = "pending", "Waiting to be sent"
    QUEUED = "queued", "Waiting to be sent"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Given up"
    SKIPPED = "skipped", "Skipped"


DELIVERY_WAITS = (DeliveryStatus.PENDING, DeliveryStatus.QUEUED)


class WebhookDelivery(models.Model):
    """One message for another system: written in the transaction of what it reports, sent by the jobs until it arrives
    or is given up. Its id is the `webhook-id`, the same at every attempt.

    `endpoint` null: it goes to WEBHOOK_URL. `place` orders those of an endpoint. Rows of endpoints are written by
    triggers with a `note` of what to tell; `payload` is made of it before the first attempt and stays the same.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, null=True, related_name="deliveries", db_index=False
    )
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, null=True, related_name="webhooks"
    )
    kind = models.CharField(max_length=64)
    payload = models.JSONField()
    note = models.JSONField(null=True, editable=False)
    place = models.BigIntegerField(null=True, editable=False)
    status = models.CharField(max_length=10, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    attempts_made = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(
        default=0, help_text="Attempts that failed since it was written, or sent again by hand."
    )
    resent_by = models.CharField(max_length=150, blank=True, help_text="Who wants it sent again.")
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name_plural = "webhook deliveries"
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at"], name="webhook_due", condition=models.Q(status="pending")
            ),
            models.Index(fields=["-created_at"], name="webhook_newest"),
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                name="webhook_queue",
                condition=models.Q(status="queued"),
            ),
            models.Index(
                fields=["endpoint", "conversation", "place"],
                name="webhook_in_order",
                condition=models.Q(status="queued"),
            ),
            models.Index(
                fields=["endpoint", "next_attempt_at", "place"],
                name="webhook_next",
                condition=models.Q(status="queued"),
            ),
            models.Index(
                fields=["endpoint"],
                name="webhook_under_way",
                condition=models.Q(leased_until__isnull=False),
            ),
            models.Index(
                fields=["endpoint", "-created_at"],
                name="webhook_of_endpoint",
                condition=models.Q(endpoint__isnull=False),
            ),
            models.Index(
                fields=["endpoint", "-created_at"],
                name="webhook_given_up",
                condition=models.Q(status="failed"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class WebhookAttempt(models.Model):
    """One attempt to deliver: what the other side answered, or why nothing came back."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    status = models.PositiveIntegerField(null=True, blank=True, help_text="HTTP status of the answer.")
    body_head = models.TextField(blank=True, help_text="The first 2,000 characters of the answer.")
    error = models.CharField(max_length=300, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    by_name = models.CharField(max_length=150, blank=True, help_text="Who sent it again by hand.")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["delivery", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["delivery", "number"], name="webhook_attempt_once")
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number} of {self.delivery_id}"
