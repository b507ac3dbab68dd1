"""What is counted, kept ready. Everything here follows from the log and can be made anew: `manage.py
rebuild_analytics`.

`ConversationFact` is one conversation, by the rules of `analytics.definitions`. Day tables are its sums by the UTC
day on which the conversation began. Only `analytics.rollups` writes here.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from analytics.definitions import Outcome


class Counts(models.Model):
    """What one conversation adds to its day.

    `tools` {tool: {"calls", "failures", "durations": histogram}}; `agents` {agent: cost in micro-dollars}.
    """

    day = models.DateField(help_text="The UTC day on which it began.")
    outcome = models.CharField(max_length=10, choices=Outcome)
    with_person = models.BooleanField()
    without_person = models.BooleanField()
    turns = models.PositiveIntegerField()
    cost_micros = models.BigIntegerField()
    unpriced_calls = models.PositiveIntegerField()
    first_answer_ms = models.BigIntegerField(null=True)
    person_answer_ms = models.BigIntegerField(null=True)
    resolution_ms = models.BigIntegerField(null=True)
    approved = models.PositiveIntegerField()
    rejected = models.PositiveIntegerField()
    expired = models.PositiveIntegerField()
    cancelled = models.PositiveIntegerField()
    awaiting = models.PositiveIntegerField()
    approval_waits_ms = ArrayField(models.BigIntegerField())
    asked = models.BooleanField()
    answered = models.BooleanField()
    score = models.PositiveSmallIntegerField(null=True)
    agents = models.JSONField()
    tools = models.JSONField()

    class Meta:
        abstract = True


class ConversationFact(Counts):
    """What one conversation counts as. It is stale when the conversation's `last_seq` or cost is not the one that it
    was made from, when its `rules` are old, or when `settles_at` has come."""

    conversation = models.OneToOneField(
        "chat.Conversation", on_delete=models.CASCADE, primary_key=True, related_name="fact"
    )
    customer = models.ForeignKey("chat.Customer", on_delete=models.CASCADE, related_name="+", db_index=False)
    seq = models.BigIntegerField(help_text="The newest event that was counted.")
    cost_seen = models.BigIntegerField(help_text="What the conversation's own total was then.")
    rules = models.PositiveSmallIntegerField(help_text="The version of the rules that it was made by.")
    started_at = models.DateTimeField()
    watched_until = models.DateTimeField(help_text="Until then the customer's return counts against it.")
    settles_at = models.DateTimeField(null=True, help_text="When time alone may change its outcome.")

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["day", "started_at", "conversation"], name="fact_of_day"),
            models.Index(fields=["customer", "started_at", "conversation"], name="fact_of_customer"),
            models.Index(
                fields=["settles_at"], name="fact_settles", condition=models.Q(settles_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id} {self.outcome}"


class KeptFact(Counts):
    """What a conversation counted as that is deleted: a day and numbers, and nothing that leads to anybody. It is
    written when the conversation goes (`analytics.rollups.keep`) and never changed."""

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["day"], name="kept_fact_of_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.outcome}"


class Day(models.Model):
    """All conversations that began on a UTC day. Its fields are those of `definitions.Totals`."""

    day = models.DateField(primary_key=True)
    total = models.BigIntegerField()
    confirmed = models.BigIntegerField()
    evidence = models.BigIntegerField()
    contained = models.BigIntegerField()
    escalated = models.BigIntegerField()
    unresolved = models.BigIntegerField()
    open = models.BigIntegerField()
    with_person = models.BigIntegerField()
    without_person = models.BigIntegerField()
    turns = models.BigIntegerField()
    cost_micros = models.BigIntegerField()
    unpriced_calls = models.BigIntegerField()
    approved = models.BigIntegerField()
    rejected = models.BigIntegerField()
    expired = models.BigIntegerField()
    cancelled = models.BigIntegerField()
    awaiting = models.BigIntegerField()
    asked = models.BigIntegerField()
    answered = models.BigIntegerField()
    scored = models.BigIntegerField()
    good = models.BigIntegerField()
    scores = models.BigIntegerField()
    first_answers = models.JSONField()
    person_answers = models.JSONField()
    resolutions = models.JSONField()
    approval_waits = models.JSONField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.day)


class DayAgent(models.Model):
    """What one agent did in the conversations that began on a day."""

    day = models.DateField()
    agent = models.CharField(max_length=64)
    conversations = models.BigIntegerField()
    resolved = models.BigIntegerField()
    with_person = models.BigIntegerField()
    cost_micros = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["day", "agent"], name="day_agent_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.agent}"


class DayTool(models.Model):
    """How the calls of one tool went in the conversations that began on a day."""

    day = models.DateField()
    tool = models.CharField(max_length=64)
    calls = models.BigIntegerField()
    failures = models.BigIntegerField()
    durations = models.JSONField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["day", "tool"], name="day_tool_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.tool}"


class Month(models.Model):
    """The histograms of all days of a month (its first day), so that a year need not be put together from 365."""

    month = models.DateField(primary_key=True)
    first_answers = models.JSONField()
    person_answers = models.JSONField()
    resolutions = models.JSONField()
    approval_waits = models.JSONField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class MonthTool(models.Model):
    """The days of one tool in a month, added up."""

    month = models.DateField()
    tool = models.CharField(max_length=64)
    calls = models.BigIntegerField()
    failures = models.BigIntegerField()
    durations = models.JSONField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["month", "tool"], name="month_tool_once")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.tool}"


class Progress(models.Model):
    """How far counting has come: one row. `complete_at`: everything that was in the log then is counted."""

    complete_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        permissions: ClassVar = [("view_analytics", "Can look at analytics")]

    def __str__(self) -> str:
        return f"counted up to {self.complete_at}"
