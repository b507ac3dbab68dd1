"""Deliveries in the console: what was told to other systems, each attempt, and sending one again."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from agents.approvals import Decider
from chat import webhook_endpoint_admin, webhooks  # noqa: F401 - its page registers itself
from chat.models import DELIVERY_WAITS, DeliveryStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from smartsupport.lib.console import ReadOnlyAdmin, age, go_to, identified
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid

BADGES = {
    DeliveryStatus.PENDING: "warning",
    DeliveryStatus.QUEUED: "warning",
    DeliveryStatus.DELIVERED: "success",
    DeliveryStatus.FAILED: "danger",
    DeliveryStatus.SKIPPED: "info",
}
STATES = {
    "waiting": ("Waiting to be sent", DELIVERY_WAITS),
    "delivered": ("Delivered", (DeliveryStatus.DELIVERED,)),
    "failed": ("Given up", (DeliveryStatus.FAILED,)),
    "skipped": ("Skipped", (DeliveryStatus.SKIPPED,)),
}
ENVIRONMENT = "environment"


TABLE = """<table class="console-table">
<thead><tr><th>Attempt</th><th>When</th><th>Result</th><th>Answer</th></tr></thead>
<tbody>{}</tbody></table>"""


class StateFilter(admin.SimpleListFilter):
    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, label) for name, (label, _) in STATES.items()]

    def queryset(self, request: HttpRequest, rows: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        chosen = STATES.get(self.value() or "")
        return rows.filter(status__in=chosen[1]) if chosen else rows


class EndpointFilter(admin.SimpleListFilter):
    title, parameter_name = "endpoint", "to"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = WebhookEndpoint.objects.filter(deleted_at=None)
        return [(ENVIRONMENT, "WEBHOOK_URL"), *((str(row.pk), str(row)) for row in rows)]

    def queryset(self, request: HttpRequest, rows: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        if self.value() is None:
            return rows
        if self.value() == ENVIRONMENT:
            return rows.filter(endpoint=None)
        endpoint_id = parse_uuid(self.value() or "")
        return rows.filter(endpoint=endpoint_id) if endpoint_id else rows.none()


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ("what", "to", "state", "thread", "attempts_made", "came_to", "written")
    list_filter = (StateFilter, EndpointFilter, "kind")
    search_fields = ("conversation__thread_id", "id")
    search_help_text = "Thread id, or the webhook-id"
    list_select_related = ("conversation", "endpoint")
    list_per_page = 50
    list_before_template = "chat/webhooks_note.html"
    ordering = ("-created_at",)
    fields = ("what", "webhook_id", "to", "state", "thread", "written", "next_one", "attempt_list", "body")
    readonly_fields = fields
    actions_detail = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).prefetch_related("attempts")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        host = urlsplit(settings.WEBHOOK_URL).hostname or ""  # the rest of the address may be a secret
        return super().changelist_view(request, {**(extra_context or {}), "webhook_host": host})

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        ended = WebhookDelivery.objects.exclude(status__in=DELIVERY_WAITS).filter(endpoint__deleted_at=None)
        offered = identified(ended, object_id).exists()
        return super().get_actions_detail(request, object_id) if offered else []

    def has_resend_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("chat.change_webhookdelivery")

    @display(description="What", ordering="kind")
    def what(self, row: WebhookDelivery) -> str:
        return row.kind

    @display(description="To")
    def to(self, row: WebhookDelivery) -> str:
        if row.endpoint is None:
            return "WEBHOOK_URL"
        if row.endpoint.deleted_at:
            return "A deleted endpoint"
        url = reverse("admin:chat_webhookendpoint_change", args=[row.endpoint.pk])
        return format_html('<a class="console-link" href="{}">{}</a>', url, row.endpoint)

    @display(description="webhook-id")
    def webhook_id(self, row: WebhookDelivery) -> str:
        return str(row.pk)

    @display(
        description="State", ordering="status", label={str(s.label): colour for s, colour in BADGES.items()}
    )
    def state(self, row: WebhookDelivery) -> str:
        return row.get_status_display()

    @display(description="Conversation", empty_value="None")
    def thread(self, row: WebhookDelivery) -> str | None:
        if row.conversation is None:
            return None
        url = reverse("admin:chat_conversation_change", args=[row.conversation.pk])
        return format_html('<a class="console-link" href="{}">{}</a>', url, row.conversation.thread_id)

    @display(description="Last answer", empty_value="Not sent yet")
    def came_to(self, row: WebhookDelivery) -> str | None:
        made = sorted(row.attempts.all(), key=lambda attempt: attempt.number)
        return outcome(made[-1]) if made else None

    @display(description="Written", ordering="created_at")
    def written(self, row: WebhookDelivery) -> str:
        return f"{age(row.created_at)} ago"

    @display(description="Next attempt", empty_value="None")
    def next_one(self, row: WebhookDelivery) -> str | None:
        if row.next_attempt_at is None:
            return None
        return f"{row.next_attempt_at:%d %b %Y, %H:%M:%S} UTC, or when an earlier one of its conversation is done"

    @display(description="Attempts", empty_value="None yet")
    def attempt_list(self, row: WebhookDelivery) -> str | None:
        made = row.attempts.order_by("number")
        lines = format_html_join(
            "", "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>", (_cells(one) for one in made)
        )
        return format_html(TABLE, lines) if lines else None

    @display(description="Body")
    def body(self, row: WebhookDelivery) -> str:
        if not row.payload:
            return "It is made when it is first sent."
        return format_html('<pre class="console-json">{}</pre>', webhooks.pretty(row.payload))

    @action(
        description="Send again",
        permissions=["resend"],
        icon="send",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Send this webhook again?",
            "description": "It is sent with the same webhook-id, so a system that has it already can ignore it. Your "
            "name is kept with the attempt.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Send again",
        },
    )
    def send_again(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        delivery_id = parse_uuid(object_id)
        try:
            if delivery_id is None:
                raise webhooks.DeliveryNotFound()
            row = webhooks.resend(delivery_id=delivery_id, by=Decider.of(request.user))
        except ServiceError as refusal:
            messages.error(request, refusal.message)
        else:
            self.log_change(request, row, "Sent again.")
            messages.success(request, "It is sent again now. Reload this page to see what came of it.")
        if delivery_id is None or not WebhookDelivery.objects.filter(pk=delivery_id).exists():
            return go_to(request, reverse("admin:chat_webhookdelivery_changelist"))
        return go_to(request, reverse("admin:chat_webhookdelivery_change", args=[delivery_id]))


def outcome(attempt: WebhookAttempt) -> str:
    """What came of an attempt, in a few words."""
    if attempt.status is not None:
        return f"HTTP {attempt.status}"
    return attempt.error or "Under way"


def _cells(attempt: WebhookAttempt) -> tuple[str, str, str, str]:
    by = f", sent again by {attempt.by_name}" if attempt.by_name else ""
    came_to = outcome(attempt)
    if attempt.status is not None and attempt.error:
        came_to = f"{came_to}. {attempt.error}"
    if attempt.duration_ms is not None:
        came_to = f"{came_to} ({attempt.duration_ms} ms)"
    return f"{attempt.number}{by}", f"{attempt.at:%d %b %Y, %H:%M:%S} UTC", came_to, attempt.body_head
