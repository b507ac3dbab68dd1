"""Agents, their tools, and the actions that they want to take. See docs/architecture.md, "The data that matters"."""

import json
import uuid
from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from smartsupport.lib.ids import digest

name_validator = RegexValidator(r"\A[A-Za-z0-9_-]{1,64}\Z", "Use 1 to 64 letters, digits, _ or -.")


class Access(models.TextChoices):
    READ = "read", "Reads"
    WRITE = "write", "Writes"


class Approver(models.TextChoices):
    NONE = "none", "Nobody"
    CUSTOMER = "customer", "The customer"
    STAFF = "staff", "Staff"


class Risk(models.TextChoices):
    SAFE = "safe", "Safe"
    REVERSIBLE = "reversible", "Reversible"
    DESTRUCTIVE = "destructive", "Destructive"
    MONEY = "money", "Moves money"
    PERSONAL = "personal", "Personal data"


class Tool(models.Model):
    """One operation of a business system, as data. The HTTP executor interprets it; no code is generated from it.

    `parameters`: [{"argument", "name", "in": "path|query|header|cookie", "required", "style", "explode",
    "allow_reserved"?, "content_type"?}]; with a content type the value is serialised as a document of its own.
    `request_body`: null, or {"content_type", "required", "fields": {argument: property}, "encoding"?} for an object
    (JSON, form or multipart) whose properties are arguments, or {"content_type", "required", "argument", "encoding"?}
    where one argument is the whole body. `encoding`: {property: {"content_type"?, "style"?, "explode"?,
    "allow_reserved"?, "binary"?}}, and {argument: {"binary"|"text": true}} for a whole body that is no JSON.
    `input_schema`: JSON Schema (object) of what the model may fill in: without bound arguments.
    `bound`: {argument: binding}, filled in on the server from the verified identity; bindings: "customer.id".
    `security`: alternatives, in the document's order: [{scheme: {"kind": "apiKey|http|oauth2|openIdConnect|mutualTLS",
    "in", "name", "scheme", "flows", "scopes"}}]; [] and an empty alternative need no credential. The secrets are
    Credential rows of the source. `response`: {"content_types": [..], "binary": bool, "paging": {..}|null}.
    `projection`: the parts of an answer that the model is shown ("items[].id"); [] shows all of it.
    The table has one more column, `search`, which Postgres fills itself and only `agents.tool_index` reads.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=64, unique=True, validators=[name_validator])
    title = models.CharField(
        max_length=120, help_text="In plain words, as customers and staff read it: Cancel an order."
    )
    description = models.TextField(help_text="What the model reads to choose this tool.")
    source = models.ForeignKey("openapi_import.SpecSource", on_delete=models.PROTECT, related_name="tools")
    operation_id = models.CharField(max_length=500)

    method = models.CharField(max_length=8)
    server_url = models.CharField(max_length=2000)
    path = models.CharField(max_length=2000)
    parameters = models.JSONField(default=list, blank=True)
    request_body = models.JSONField(null=True, blank=True)
    input_schema = models.JSONField(default=dict)
    bound = models.JSONField(default=dict, blank=True)
    security = models.JSONField(default=list, blank=True)
    response = models.JSONField(default=dict, blank=True)
    projection = models.JSONField(
        default=list,
        blank=True,
        help_text='What the model is shown of an answer: ["items[].id"]. [] shows all.',
    )

    access = models.CharField(max_length=8, choices=Access)
    risk = models.CharField(max_length=16, choices=Risk, default=Risk.SAFE)
    approval = models.CharField(
        max_length=8, choices=Approver, help_text="Who must agree before a write is carried out."
    )
    staff_above_argument = models.CharField(
        max_length=64, blank=True, help_text="An amount in this argument above the limit needs staff instead."
    )
    staff_above_amount = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    confirmation = models.CharField(
        max_length=300,
        blank=True,
        help_text="What the approver is asked, with arguments in braces: Cancel order {order_id}.",
    )
    approvals_needed = models.PositiveSmallIntegerField(
        default=1,
        choices=[(1, "One person"), (2, "Two different people")],
        help_text="How many members of staff must agree, where staff decide.",
    )
    requires = models.JSONField(
        default=list,
        blank=True,
        help_text="Names of tools that must have succeeded earlier in the conversation: verify_identity.",
    )
    read_back = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="A reading tool, asked with the same arguments, that shows staff how things stand.",
    )
    repeat_safe = models.BooleanField(
        default=False,
        help_text="The business system honours Idempotency-Key here: sending it twice has one effect.",
    )
    enabled = models.BooleanField(default=True)
    paused_because = models.CharField(
        max_length=300, blank=True, help_text="Why it is switched off, where that was not staff's own choice."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "operation_id"], name="tool_once_per_operation"),
            models.CheckConstraint(
                condition=models.Q(access="read", approval="none")
                | models.Q(access="write", approval__in=["customer", "staff"]),
                name="tool_writes_need_an_approver",
                violation_error_message="A tool that writes needs an approver; a tool that reads needs none.",
            ),
            models.CheckConstraint(
                condition=models.Q(staff_above_argument="", staff_above_amount=None)
                | (~models.Q(staff_above_argument="") & models.Q(staff_above_amount__isnull=False)),
                name="tool_staff_limit_is_whole",
                violation_error_message="Give both the argument and the amount above which staff decide, or neither.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def snapshot(self) -> dict[str, Any]:
        """Everything that decides what a call of this tool does and who must agree to it, as JSON, by field."""
        above = self.staff_above_amount
        return {
            "method": self.method,
            "server_url": self.server_url,
            "path": self.path,
            "parameters": self.parameters,
            "request_body": self.request_body,
            "input_schema": self.input_schema,
            "bound": self.bound,
            "security": self.security,
            "access": self.access,
            "approval": self.approval,
            "staff_above_argument": self.staff_above_argument,
            "staff_above_amount": f"{Decimal(above):.2f}" if above is not None else None,
            "approvals_needed": self.approvals_needed,
            "requires": self.requires,
        }

    def fingerprint(self) -> str:
        """The tool's version: a hash of its snapshot."""
        return digest([str(self.pk), self.snapshot()])


class Credential(models.Model):
    """How calls to one source prove who we are, for one security scheme of its document. The secret part is sealed
    (`smartsupport.lib.sealing`), never shown again, and in no log. What `secret` holds, by `kind`: {"value"} for an API
    key or bearer token, {"username", "password"}, {"client_id", "client_secret", "refresh_token"?} for OAuth 2.

    `token`: the sealed OAuth access token of the moment, until `token_expires_at`.
    """

    class Kind(models.TextChoices):
        API_KEY = "api_key", "API key"
        BEARER = "bearer", "Bearer token"
        BASIC = "basic", "User name and password"
        OAUTH_CLIENT = "oauth2_client", "OAuth 2 client credentials"
        OAUTH_REFRESH = "oauth2_refresh", "OAuth 2 refresh token"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.ForeignKey(
        "openapi_import.SpecSource", on_delete=models.CASCADE, related_name="credentials"
    )
    scheme = models.CharField(max_length=200, help_text="The name of the security scheme in the document.")
    kind = models.CharField(max_length=16, choices=Kind)
    token_url = models.CharField(max_length=2000, blank=True)
    scopes = models.JSONField(default=list, blank=True)
    secret = models.TextField(editable=False)
    token = models.TextField(blank=True, editable=False)
    token_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.CharField(max_length=150, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    refused_at = models.DateTimeField(
        null=True, blank=True, help_text="When the business last answered 401 or 403."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["source", "scheme"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "scheme"], name="credential_once_per_scheme")
        ]

    def __str__(self) -> str:
        # Also where nobody may ask the database: in a log line, in asynchronous code.
        known = "source" in self._state.fields_cache
        return f"{self.scheme} of {self.source if known else self.source_id}"


class Agent(models.Model):
    """A specialist: what it is for, how it speaks, and the tools it may use."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=64, unique=True, validators=[name_validator])
    description = models.TextField()
    permission = models.CharField(max_length=8, choices=Access)
    tone = models.CharField(max_length=300, blank=True)
    greeting = models.CharField(max_length=500, blank=True)
    escalation_message = models.CharField(max_length=500, blank=True)
    keywords = models.JSONField(default=list, blank=True)
    model = models.CharField(max_length=120, blank=True, help_text="Empty: the deployment's model.")
    tools = models.ManyToManyField(Tool, through="AgentTool", related_name="agents")
    position = models.PositiveIntegerField(default=0)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        ordering: ClassVar = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class AgentTool(models.Model):
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="tool_links")
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="agent_links")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["position", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["agent", "tool"], name="agent_has_tool_once")
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} uses {self.tool_id}"


class ActionStatus(models.TextChoices):
    AWAITING = "awaiting", "Waiting for a decision"
    APPROVED = "approved", "Approved"
    DISPATCHING = "dispatching", "Being carried out"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Outcome unknown"
    REJECTED = "rejected", "Declined"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


class ActionQuerySet(models.QuerySet["Action"]):
    def awaiting(self) -> "ActionQuerySet":
        return self.filter(status=ActionStatus.AWAITING)

    def open_for_staff(self) -> "ActionQuerySet":
        return self.awaiting().filter(approver=Approver.STAFF).order_by("created_at")

    def overdue(self) -> "ActionQuerySet":
        return self.awaiting().filter(expires_at__lte=timezone.now())


class Action(models.Model):
    """One tool call that is to have an effect, and its approval. Only `agents.approvals`, `agents.executor`,
    `agents.settlement` and `agents.restored` change its status, by compare-and-set. Its id is the interrupt id outside
    and the Idempotency-Key on the wire.

    `arguments` and `bound_arguments` are canonical JSON text, frozen when the action is opened; `arguments_hash`
    covers both, the tool's fingerprint, the customer and the approval rule. Staff may put other arguments in their
    place when they approve: then `proposed_arguments` keeps what the model wanted.

    `tool_snapshot` is the tool as the approver saw it; `difference` [{"field", "was", "now"}] says what had changed
    when an approved action came back because the tool is another one now; `reopened` counts that.
    `votes` [{"id", "name", "at"}]: who has agreed so far, where two have to. `sent` {"method", "url", "query", "body"}.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    turn = models.ForeignKey("chat.Turn", on_delete=models.PROTECT, related_name="actions")
    customer = models.ForeignKey("chat.Customer", on_delete=models.PROTECT, related_name="actions")
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="actions")
    tool_name = models.CharField(max_length=64)
    tool_fingerprint = models.CharField(max_length=64)
    tool_snapshot = models.JSONField(default=dict)
    difference = models.JSONField(default=list, blank=True)
    reopened = models.PositiveSmallIntegerField(default=0)
    tool_call_id = models.CharField(max_length=200)
    agent = models.CharField(max_length=64)
    arguments = models.TextField()
    bound_arguments = models.TextField(default="{}")
    proposed_arguments = models.TextField(blank=True)
    edited_by = models.CharField(max_length=150, blank=True)
    edited_by_id = models.CharField(max_length=100, blank=True)
    arguments_hash = models.CharField(max_length=64)
    message = models.CharField(max_length=500, help_text="What the approver is asked.")
    approver = models.CharField(max_length=8, choices=Approver)
    approvals_needed = models.PositiveSmallIntegerField(default=1)
    votes = models.JSONField(default=list, blank=True)
    status = models.CharField(max_length=12, choices=ActionStatus, default=ActionStatus.AWAITING)
    expires_at = models.DateTimeField()
    decided_by = models.CharField(max_length=8, blank=True, help_text="customer or staff")
    decided_by_name = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    sent = models.JSONField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    repeats = models.PositiveSmallIntegerField(
        default=0, help_text="How often it was sent again after its outcome had become unknown."
    )
    result = models.JSONField(null=True, blank=True)
    error_kind = models.CharField(max_length=16, blank=True)
    error_message = models.TextField(blank=True)
    http_status = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ActionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["turn", "tool_call_id"], name="action_once_per_tool_call"),
            models.CheckConstraint(
                condition=models.Q(approver__in=["customer", "staff"]), name="action_has_approver"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["approver", "created_at"],
                name="action_awaiting",
                condition=models.Q(status="awaiting"),
            ),
            models.Index(fields=["expires_at"], name="action_expiry", condition=models.Q(status="awaiting")),
            models.Index(
                fields=["dispatched_at"], name="action_dispatched", condition=models.Q(status="dispatching")
            ),
            models.Index(
                fields=["-created_at", "-id"], name="action_approved", condition=models.Q(status="approved")
            ),
            models.Index(fields=["-created_at"], name="action_newest"),
            models.Index(fields=["-created_at"], name="action_unknown", condition=models.Q(status="unknown")),
            models.Index(
                fields=["-created_at", "-id"], name="action_failed", condition=models.Q(status="failed")
            ),
            models.Index(
                fields=["-created_at", "-id"], name="action_expired", condition=models.Q(status="expired")
            ),
            models.Index(fields=["tool_name", "-created_at", "-id"], name="action_of_tool"),
        ]
        verbose_name = "approval"
        permissions: ClassVar = [("decide_action", "Can approve or decline actions")]

    def __str__(self) -> str:
        return self.message

    @property
    def args(self) -> dict[str, Any]:
        """The arguments as the model gave them: what the approver sees."""
        value: dict[str, Any] = json.loads(self.arguments)
        return value

    def expected_hash(self) -> str:
        return digest(
            [
                self.arguments,
                self.bound_arguments,
                self.tool_fingerprint,
                str(self.customer_id),
                self.approver,
                self.approvals_needed,
            ]
        )


# Rows of direct calls, the history, the links and the ledger live beside what writes them; Django finds models here.
from agents.direct.models import DirectCall  # noqa: E402
from agents.history.models import Revision  # noqa: E402
from agents.links.models import ApprovalLink  # noqa: E402
from agents.spending.models import (  # noqa: E402
    Budget,
    BudgetAlert,
    BudgetChange,
    ModelCall,
    ModelPrice,
    SpendSlice,
    SpendTotal,
)

__all__ = [
    "Access",
    "Action",
    "ActionQuerySet",
    "ActionStatus",
    "Agent",
    "AgentTool",
    "ApprovalLink",
    "Approver",
    "Budget",
    "BudgetAlert",
    "BudgetChange",
    "Credential",
    "DirectCall",
    "ModelCall",
    "ModelPrice",
    "Revision",
    "Risk",
    "SpendSlice",
    "SpendTotal",
    "Tool",
    "name_validator",
]
