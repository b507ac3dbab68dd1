"""Rows of the ledger and its rules. Money is integer micro-dollars; prices are micro-dollars for a million tokens."""

import uuid
from typing import ClassVar

from django.db import models


class ModelPrice(models.Model):
    """What a provider asks for a model from a moment on. A new price is a new row: the past keeps its own.

    A kind of token without a price of its own (null) costs what its parent does: cached input and cache writes cost
    `input_micros`, reasoning costs `output_micros`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.CharField(max_length=32)
    model = models.CharField(max_length=120)
    effective_from = models.DateTimeField()
    input_micros = models.PositiveBigIntegerField(help_text="Micro-dollars for a million input tokens.")
    cached_input_micros = models.PositiveBigIntegerField(null=True, blank=True)
    cache_write_micros = models.PositiveBigIntegerField(null=True, blank=True)
    output_micros = models.PositiveBigIntegerField(help_text="Micro-dollars for a million output tokens.")
    reasoning_micros = models.PositiveBigIntegerField(null=True, blank=True)
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["provider", "model", "-effective_from"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "model", "effective_from"], name="price_once")
        ]

    def __str__(self) -> str:
        return f"{self.model} ({self.provider}) from {self.effective_from:%Y-%m-%d}"


class ModelCall(models.Model):
    """One call of a model: a row of the ledger, written once, in the statement that records what came of the call.

    `tokens_cached` and `tokens_cache_write` are part of `tokens_in`, `tokens_reasoning` of `tokens_out`; null where the
    provider did not say. `cost_micros` is null where nobody knows it: neither a reported cost nor tokens and a price.
    """

    class Purpose(models.TextChoices):
        ROUTE = "route", "Choosing an agent"
        ANSWER = "answer", "Answering"
        SUMMARY = "summary", "Summarising"
        JUDGE = "judge", "Judging an API"
        PLAYGROUND = "playground", "Trying out"

    class Source(models.TextChoices):
        PROVIDER = "provider", "Reported by the provider"
        PRICE = "price", "From the price list"
        FREE = "free", "Costs nothing"
        UNKNOWN = "unknown", "Not known"

    at = models.DateTimeField()
    conversation = models.ForeignKey(
        "chat.Conversation", on_delete=models.SET_NULL, null=True, blank=True, related_name="model_calls"
    )
    customer = models.ForeignKey(
        "chat.Customer", on_delete=models.SET_NULL, null=True, blank=True, related_name="model_calls"
    )
    turn = models.ForeignKey(
        "chat.Turn", on_delete=models.SET_NULL, null=True, blank=True, related_name="model_calls"
    )
    event_seq = models.BigIntegerField(null=True, blank=True, help_text="The event that the call led to.")
    agent = models.CharField(max_length=64, blank=True)
    purpose = models.CharField(max_length=12, choices=Purpose)
    provider = models.CharField(max_length=32)
    model = models.CharField(max_length=120)
    tokens_in = models.PositiveIntegerField(null=True, blank=True)
    tokens_cached = models.PositiveIntegerField(null=True, blank=True)
    tokens_cache_write = models.PositiveIntegerField(null=True, blank=True)
    tokens_out = models.PositiveIntegerField(null=True, blank=True)
    tokens_reasoning = models.PositiveIntegerField(null=True, blank=True)
    cost_micros = models.BigIntegerField(null=True, blank=True)
    cost_source = models.CharField(max_length=8, choices=Source)
    price = models.ForeignKey(
        ModelPrice, on_delete=models.PROTECT, null=True, blank=True, related_name="calls"
    )
    duration_ms = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["-at", "-id"], name="call_newest"),
            models.Index(fields=["customer", "at"], include=["cost_micros"], name="call_of_customer"),
            models.Index(
                fields=["-at", "-id"], name="call_unknown", condition=models.Q(cost_source="unknown")
            ),
            models.Index(fields=["model", "-at", "-id"], name="call_of_model"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(cost_micros__isnull=True) | models.Q(cost_micros__gte=0),
                name="call_cost_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(cost_micros__isnull=True, cost_source="unknown")
                | (models.Q(cost_micros__isnull=False) & ~models.Q(cost_source="unknown")),
                name="call_cost_has_source",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.model} {self.at:%Y-%m-%d %H:%M}"


class SpendTotal(models.Model):
    """What all calls of a UTC day have cost, kept with the ledger in one statement. A day's total is the sum of its
    rows: many turns write at once, and each takes one of several rows, so they do not wait for each other."""

    SHARDS = 16

    day = models.DateField()
    shard = models.PositiveSmallIntegerField()
    micros = models.BigIntegerField(default=0)
    calls = models.BigIntegerField(default=0)
    unknown = models.BigIntegerField(default=0, help_text="Calls whose cost nobody knows.")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["day", "shard"], name="spend_total_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.shard}"


class SpendSlice(models.Model):
    """What the calls of a finished UTC day have cost, by what they were: summed up once from the ledger, which does not
    change any more. The day that is not over yet is read from the ledger itself."""

    day = models.DateField()
    provider = models.CharField(max_length=32)
    model = models.CharField(max_length=120)
    agent = models.CharField(max_length=64, blank=True)
    purpose = models.CharField(max_length=12, choices=ModelCall.Purpose)
    calls = models.BigIntegerField()
    unknown = models.BigIntegerField()
    micros = models.BigIntegerField()
    tokens_in = models.BigIntegerField()
    tokens_out = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["day", "provider", "model", "agent", "purpose"], name="spend_slice_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.purpose} {self.model}"


class Period(models.TextChoices):
    """Days begin at midnight UTC, weeks on Monday."""

    DAY = "day", "a day"
    WEEK = "week", "a week"


class Budget(models.Model):
    """A ceiling for what calls may cost in a period: of the deployment, of each customer, or of one customer (which
    precedes that of each)."""

    class Scope(models.TextChoices):
        DEPLOYMENT = "deployment", "The whole deployment"
        EACH_CUSTOMER = "each_customer", "Each customer"
        CUSTOMER = "customer", "One customer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scope = models.CharField(max_length=16, choices=Scope)
    customer = models.ForeignKey(
        "chat.Customer", on_delete=models.CASCADE, null=True, blank=True, related_name="budgets"
    )
    period = models.CharField(max_length=4, choices=Period)
    limit_micros = models.PositiveBigIntegerField()
    enabled = models.BooleanField(default=True)
    updated_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["scope", "period"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["scope", "customer", "period"], name="budget_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=models.Q(scope="customer", customer__isnull=False)
                | (~models.Q(scope="customer") & models.Q(customer__isnull=True)),
                name="budget_names_its_customer",
                violation_error_message="Name a customer for a budget of one customer, and for no other.",
            ),
            models.CheckConstraint(
                condition=models.Q(limit_micros__gt=0),
                name="budget_above_nothing",
                violation_error_message="A budget is more than nothing. To stop answering, switch agents off.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()}, {self.get_period_display()}"


class BudgetChange(models.Model):
    """What staff did to somebody's budget; append-only. `customer` null: the deployment's.

    grant: `micros` more in the period that begins on `period_start`. reset: what was spent up to then (`micros`) does
    not count in that period. exempt: no limit until `until` (null: for good). end_exempt: limits count again.
    """

    class Kind(models.TextChoices):
        GRANT = "grant", "Granted more"
        RESET = "reset", "Reset"
        EXEMPT = "exempt", "Exempted"
        END_EXEMPT = "end_exempt", "Exemption ended"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=Kind)
    customer = models.ForeignKey(
        "chat.Customer", on_delete=models.CASCADE, null=True, blank=True, related_name="budget_changes"
    )
    period = models.CharField(max_length=4, choices=Period, blank=True)
    period_start = models.DateField(null=True, blank=True)
    micros = models.BigIntegerField(default=0)
    until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300)
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-at"]
        indexes: ClassVar = [models.Index(fields=["customer", "-at"], name="budget_change_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d}"


class BudgetAlert(models.Model):
    """A budget reached 80 or 100 percent: once in each period."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="alerts")
    customer = models.ForeignKey(
        "chat.Customer", on_delete=models.CASCADE, null=True, blank=True, related_name="budget_alerts"
    )
    period_start = models.DateField()
    percent = models.PositiveSmallIntegerField()
    spent_micros = models.BigIntegerField()
    limit_micros = models.BigIntegerField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["budget", "customer", "period_start", "percent"],
                name="budget_alert_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.percent} % of {self.budget_id}"
