"""Where tools come from: documents, the jobs that read them, what was judged of each operation, and what was published.
See docs/openapi-import.md."""

import uuid
from typing import ClassVar

from django.db import models

from agents.models import Access, Approver, Risk


class SourceKind(models.TextChoices):
    OPENAPI = "openapi", "OpenAPI document"
    MCP = "mcp", "MCP server"


class SpecSource(models.Model):
    """One OpenAPI document, as it was last published. Its operations become Tool rows. Of an MCP server it is the
    document that was made of its list of tools, and `url` is the server's address."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=64, unique=True)
    url = models.CharField(
        max_length=2000, blank=True, help_text="Where it was fetched; empty for an upload."
    )
    kind = models.CharField(
        max_length=8, choices=SourceKind, default=SourceKind.OPENAPI, db_default=SourceKind.OPENAPI
    )
    title = models.CharField(max_length=200, blank=True)
    version = models.CharField(max_length=100, blank=True)
    document_hash = models.CharField(max_length=64)
    fetched_at = models.DateTimeField()
    calls_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="How many calls its tools may make together. Empty: no limit of ours.",
    )

    class Meta:
        verbose_name = "API document"

    def __str__(self) -> str:
        return self.title or self.name


class ImportStatus(models.TextChoices):
    PENDING = "pending", "Waiting to begin"
    FETCHING = "fetching", "Fetching"
    VALIDATING = "validating", "Checking"
    PARSING = "parsing", "Reading"
    CLASSIFYING = "classifying", "Judging"
    DONE = "done", "Ready to review"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    APPROVED = "approved", "Published"


RUNNING = (
    ImportStatus.FETCHING,
    ImportStatus.VALIDATING,
    ImportStatus.PARSING,
    ImportStatus.CLASSIFYING,
)


class ImportJob(models.Model):
    """One reading of a document. `openapi_import.jobs` alone changes its status, by compare-and-set on `status` and
    `lease`, so that a worker that lost its lease writes nothing.

    `content` is what was uploaded, pasted or fetched: a retry after the fetch needs no second one. `fetch_secret` is
    sealed and emptied when the job ends. `faults`: [{"pointer", "message", "severity": "error|warning", "document"?}],
    at most 1,000; `faults_total` counts all. `listed`: webhooks and callbacks, which are not called:
    [{"kind": "webhook|callback", "name", "method", "summary", "pointer"}]. `documents`: [{"url", "bytes"}] that were
    followed from it. `stage_done` of `stage_total` (0: not known yet) is how far the present stage is. `name` is empty
    until the title is known where nobody gave one. `submission`: a hash of who started it and their Idempotency-Key.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=64, blank=True, help_text="The source that this becomes.")
    source = models.ForeignKey(
        SpecSource, on_delete=models.SET_NULL, null=True, blank=True, related_name="jobs"
    )
    kind = models.CharField(
        max_length=8, choices=SourceKind, default=SourceKind.OPENAPI, db_default=SourceKind.OPENAPI
    )
    spec_url = models.CharField(max_length=2000, blank=True)
    filename = models.CharField(max_length=200, blank=True)
    base_url = models.CharField(
        max_length=2000, blank=True, help_text="What relative servers and references are relative to."
    )
    content = models.BinaryField(null=True, blank=True)
    content_type = models.CharField(max_length=200, blank=True)
    etag = models.CharField(max_length=200, blank=True, help_text="The server's own mark of this version.")
    unchanged = models.BooleanField(default=False, help_text="It is the document that is published already.")
    fetch_secret = models.TextField(blank=True, editable=False)
    strict = models.BooleanField(default=False, help_text="Fail where the document has a fault.")
    ask_model = models.BooleanField(default=False, help_text="Let the configured model judge, too.")

    status = models.CharField(max_length=12, choices=ImportStatus, default=ImportStatus.PENDING)
    stage_done = models.PositiveIntegerField(default=0)
    stage_total = models.PositiveIntegerField(default=0)
    lease = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)

    title = models.CharField(max_length=200, blank=True)
    version = models.CharField(max_length=100, blank=True)
    dialect = models.CharField(max_length=20, blank=True, help_text="OpenAPI 3.1, Swagger 2.0 ...")
    document_hash = models.CharField(max_length=64, blank=True)
    total_endpoints = models.PositiveIntegerField(default=0)
    classified_count = models.PositiveIntegerField(default=0)
    usable_count = models.PositiveIntegerField(default=0)
    faults = models.JSONField(default=list, blank=True)
    faults_total = models.PositiveIntegerField(default=0)
    listed = models.JSONField(default=list, blank=True)
    documents = models.JSONField(default=list, blank=True)
    security_schemes = models.JSONField(default=dict, blank=True)
    model_note = models.CharField(
        max_length=300, blank=True, help_text="Why the model's judgement is missing."
    )

    error_stage = models.CharField(max_length=12, blank=True)
    error_message = models.CharField(max_length=1000, blank=True)
    error_pointer = models.CharField(max_length=1000, blank=True)

    created_by = models.CharField(max_length=150, blank=True)
    submission = models.CharField(max_length=64, unique=True, null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name = "import"
        indexes: ClassVar = [
            models.Index(
                fields=["leased_until"],
                name="import_unfinished",
                condition=models.Q(
                    status__in=["pending", "fetching", "validating", "parsing", "classifying"]
                ),
            ),
            models.Index(fields=["-created_at"], name="import_newest"),
        ]
        permissions: ClassVar = [("publish_importjob", "Can publish, pause and roll back imports")]

    def __str__(self) -> str:
        return self.title or self.name or self.spec_url or self.filename or "Pasted text"

    @property
    def running(self) -> bool:
        return self.status in RUNNING

    @property
    def unfinished(self) -> bool:
        return self.running or self.status == ImportStatus.PENDING


class Change(models.TextChoices):
    """Against what is published of the same source."""

    ADDED = "added", "New"
    CHANGED = "changed", "Changed"
    SAME = "same", "As it was"
    REMOVED = "removed", "Gone"


class Classification(models.Model):
    """One operation of a document: what tool it would be, what was judged of it, and what a reviewer made of that.

    `tool`: the fields of agents.Tool that come from the document: {"server_url", "parameters", "request_body",
    "input_schema" (with the arguments that are bound), "security", "response"}. It may be large; nothing changes it.
    `decided`: {field: value} that a reviewer set in this job. `kept`: whether the published tool's decisions stand;
    `kept_group`: its agent.
    `losses`: sentences, what of the document the tool lacks. `unusable`: why it can be no tool; "" where it can.
    `customer_params`: {argument: binding}. `uncertain`: nobody has looked, and the rules are not sure (a write until
    somebody does) or what it does has changed. `judged`: what was said before a reviewer changed it or an earlier
    decision was kept, {"access_type", "risk", "approval", "agent_group", "customer_params", "confidence", "reason",
    "name"?, "title"?, "tool_description"?, ..}. `difference` [{"field", "was", "now", "meaning": bool}] against the
    published tool.
    `revision` counts edits, for compare-and-set.
    """

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="classifications")
    index = models.PositiveIntegerField()
    operation_id = models.CharField(max_length=500)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=2000)
    pointer = models.CharField(max_length=2200, blank=True)
    summary = models.CharField(max_length=500, blank=True)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list, blank=True)
    deprecated = models.BooleanField(default=False)
    tool = models.JSONField(default=dict, blank=True)
    losses = models.JSONField(default=list, blank=True)
    unusable = models.CharField(max_length=500, blank=True)

    name = models.CharField(max_length=64, help_text="The name of its tool.")
    title = models.CharField(max_length=120)
    tool_description = models.TextField(help_text="What the model reads to choose it.")
    access_type = models.CharField(max_length=8, choices=Access)
    risk = models.CharField(max_length=16, choices=Risk)
    approval = models.CharField(max_length=8, choices=Approver)
    agent_group = models.CharField(max_length=64, blank=True)
    customer_params = models.JSONField(default=dict, blank=True)
    confidence = models.FloatField(default=0.0)
    uncertain = models.BooleanField(default=False)
    reason = models.CharField(max_length=1000, blank=True)
    judged = models.JSONField(default=dict, blank=True)
    judged_by = models.CharField(max_length=8, default="rules", help_text="rules, model, staff or kept")
    decided = models.JSONField(default=dict, blank=True)
    kept = models.BooleanField(default=False)
    kept_group = models.CharField(max_length=64, blank=True)
    selected = models.BooleanField(default=True)
    change = models.CharField(max_length=8, choices=Change, default=Change.ADDED)
    difference = models.JSONField(default=list, blank=True)
    revision = models.PositiveIntegerField(default=0)
    reviewed_by = models.CharField(max_length=150, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["index"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "index"], name="classification_once_per_index"),
            models.CheckConstraint(
                condition=models.Q(access_type="read", approval="none")
                | models.Q(access_type="write", approval__in=["customer", "staff"]),
                name="classified_writes_need_an_approver",
                violation_error_message="What writes needs an approver; what reads needs none.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def needs_interrupt(self) -> bool:
        return self.approval != Approver.NONE


class Publication(models.Model):
    """One change of the live tools of a source, and who made it. Never edited.

    `changes`: [{"tool": name, "operation_id", "change": "added|changed|removed|paused|resumed|deleted", "before": {..}|
    null, "after": {..}|null}], before and after as the stored fields of the tool; what a roll-back restores.
    `agents`: [{"agent", "tool", "change": "created|linked|unlinked"}].
    """

    class Kind(models.TextChoices):
        PUBLISH = "publish", "Published"
        ROLL_BACK = "roll_back", "Rolled back"
        PAUSE = "pause", "Paused"
        RESUME = "resume", "Resumed"
        DELETE = "delete", "Deleted"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.ForeignKey(SpecSource, on_delete=models.CASCADE, related_name="publications")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    job = models.ForeignKey(
        ImportJob, on_delete=models.SET_NULL, null=True, blank=True, related_name="publications"
    )
    undoes = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    document_hash = models.CharField(max_length=64, blank=True)
    changes = models.JSONField(default=list)
    agents = models.JSONField(default=list)
    note = models.CharField(max_length=300, blank=True)
    by_id = models.CharField(max_length=100, blank=True)
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "number"], name="publication_numbered")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.source_id} {self.number}"
