"""Webhook endpoints in the console: which there are and how they do; added, tried out, paused, caught up with."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.decorators import display

from agents.approvals import Decider
from chat import webhook_endpoints, webhook_forms
from chat.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from chat.webhook_addresses import host_of
from chat.webhook_endpoint_deeds import SHOWN_ONCE, EndpointDeeds
from chat.webhook_events import OF_WEBHOOK_URL
from smartsupport.lib.console import ago, go_to, identified

PAUSED, PAUSED_BY_ITSELF, FAILING, LIVE = "Paused", "Paused by itself", "Failing", "Live"
COLOURS = {PAUSED: "warning", PAUSED_BY_ITSELF: "danger", FAILING: "danger", LIVE: "success"}
NEWEST, NAMED = 10, 2
RESULTS = (
    "state_in_words",
    "secret_state",
    "last_delivery",
    "newest_deliveries",
    "made",
)


def _counted(status: str) -> Any:
    mine = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), status=status).order_by()
    return Coalesce(Subquery(mine.values("endpoint").annotate(n=Count("pk")).values("n")), 0)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(EndpointDeeds):
    form = webhook_forms.EndpointForm
    list_display = ("name", "where", "state", "last_delivery", "waiting", "given_up", "told_of_some")
    list_before_template = "chat/webhook_endpoints_note.html"
    search_fields = ("description",)
    readonly_fields = (*RESULTS, "where", "told_of")
    none_yet = "No endpoints have been added yet"
    what_next = "Add one for each system that is to be told of what happens here."

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        rows: QuerySet[WebhookEndpoint] = super().get_queryset(request).filter(deleted_at=None)
        return rows.annotate(
            waiting_count=_counted(DeliveryStatus.QUEUED), failed_count=_counted(DeliveryStatus.FAILED)
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        told = {
            "webhook_host": urlsplit(settings.WEBHOOK_URL).hostname or "",  # the rest may be a secret
            "webhook_events": OF_WEBHOOK_URL,
            "sees_deliveries": request.user.has_perm("chat.view_webhookdelivery"),
        }
        return super().changelist_view(request, {**(extra_context or {}), **told})

    def get_fieldsets(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("description", "url", "events")}),)
        edited = ("description", "url", "events")
        shown = ("description", "where", "told_of")
        asked = edited if self.has_change_permission(request, obj) else shown
        return ((None, {"fields": asked}), ("How it does", {"fields": RESULTS}))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the page would list everything that was sent; `remove` asks instead

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        row = identified(self.get_queryset(request), object_id).first()
        if row is None:
            return []
        left_out = {"pause" if row.paused_at else "resume"}
        if not row.failed_count:  # type: ignore[attr-defined]
            left_out.add("send_failed_again")
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.method.original_function_name not in left_out]

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        by = Decider.of(request.user)
        if change:
            webhook_endpoints.change(form.before, form.checked, by=by)
            return
        try:
            made, secret = webhook_endpoints.add(form.checked, by=by)
        except webhook_endpoints.TooManyEndpoints as refusal:
            messages.error(request, refusal.message)
            return
        obj.pk, obj.created_at = made.pk, made.created_at
        obj._state.adding = False
        messages.warning(request, format_html(SHOWN_ONCE, secret))

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None if obj._state.adding else super().log_addition(request, obj, message)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        if obj._state.adding:  # it was refused
            return go_to(request, reverse("admin:chat_webhookendpoint_changelist"))
        return go_to(request, reverse("admin:chat_webhookendpoint_change", args=[obj.pk]))

    @display(description="Endpoint", ordering="description")
    def name(self, row: WebhookEndpoint) -> str:
        return str(row)

    @display(description="Where")
    def where(self, row: WebhookEndpoint) -> str:
        return host_of(row.url)

    @display(description="Told of")
    def told_of(self, row: WebhookEndpoint) -> str:
        return format_html_join("", "{}<br>", ((name,) for name in row.events))

    @display(description="Told of")
    def told_of_some(self, row: WebhookEndpoint) -> str:
        first, more = row.events[:NAMED], len(row.events) - NAMED
        lines = [*first, f"and {more} more"] if more > 0 else first
        return format_html_join("", "{}<br>", ((line,) for line in lines))

    @display(description="State", label=COLOURS)
    def state(self, row: WebhookEndpoint) -> str:
        if row.paused_at:
            return PAUSED if row.paused_by else PAUSED_BY_ITSELF
        return FAILING if row.failing_since else LIVE

    @display(description="State")
    def state_in_words(self, row: WebhookEndpoint) -> str:
        if row.paused_at:
            by = row.paused_by or "the jobs"
            why = f": {row.pause_reason}" if row.pause_reason else "."
            return format_html(
                "Paused {} by {}{} What happens meanwhile waits.", ago(row.paused_at), by, f"{why} "
            )
        if row.failing_since:
            return format_html(
                "Failing: {} attempts in a row, the first {}.", row.failures, ago(row.failing_since)
            )
        return "Live"

    @display(description="Secret")
    def secret_state(self, row: WebhookEndpoint) -> str:
        if row.old_secret_until and row.old_secret:
            return f"Two sign until {row.old_secret_until:%d %b %Y, %H:%M} UTC, then the new one alone."
        return "One signs. It is kept sealed and cannot be shown; rotate it to get a new one."

    @display(description="Last delivery", ordering="last_delivered_at")
    def last_delivery(self, row: WebhookEndpoint) -> str:
        return ago(row.last_delivered_at) if row.last_delivered_at else "None yet"

    @display(description="Waiting")
    def waiting(self, row: WebhookEndpoint) -> int:
        return row.waiting_count  # type: ignore[attr-defined]

    @display(description="Given up")
    def given_up(self, row: WebhookEndpoint) -> str:
        if not row.failed_count:  # type: ignore[attr-defined]
            return "0"
        url = _deliveries(row, state="failed")
        return format_html('<a class="console-link" href="{}">{}</a>', url, row.failed_count)  # type: ignore[attr-defined]

    @display(description="Added")
    def made(self, row: WebhookEndpoint) -> str:
        return format_html("{} by {}", ago(row.created_at), row.created_by or "somebody")

    @display(description="Newest deliveries")
    def newest_deliveries(self, row: WebhookEndpoint) -> str:
        newest = row.deliveries.order_by("-created_at")[:NEWEST]
        lines = format_html_join("", '<li><a href="{}">{}</a>: {}, {}</li>', (_line(one) for one in newest))
        if not lines:
            return "Nothing has happened that it is told of. Send a test to try it out."
        every = format_html('<a class="console-link" href="{}">All deliveries</a>', _deliveries(row))
        return format_html('<ul class="console-list">{}</ul>{}', lines, every)


def _deliveries(row: WebhookEndpoint, **more: str) -> str:
    return reverse("admin:chat_webhookdelivery_changelist", query={"to": str(row.pk), **more})


def _line(delivery: WebhookDelivery) -> tuple[str, str, str, str]:
    url = reverse("admin:chat_webhookdelivery_change", args=[delivery.pk])
    return url, delivery.kind, delivery.get_status_display().lower(), ago(delivery.created_at)
