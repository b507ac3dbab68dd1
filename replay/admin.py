"""Conversations in the console: the list, and each one's timeline. Never edited: staff write into them."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from unfold.decorators import action as console_action
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from agents.approvals import Decider
from chat import staffing
from chat.models import Conversation, ConversationStatus, TurnStatus
from replay.pages import live_state, page_of
from replay.staff_forms import WriteForm
from smartsupport.lib.console import ReadOnlyAdmin, age, go_to, identified
from smartsupport.lib.errors import ServiceError

BADGES = {
    ConversationStatus.OPEN: "info",
    ConversationStatus.WAITING: "warning",
    ConversationStatus.RESOLVED: "success",
}
TURN_BADGES = {
    TurnStatus.QUEUED: "",
    TurnStatus.RUNNING: "info",
    TurnStatus.WAITING: "warning",
    TurnStatus.COMPLETED: "success",
    TurnStatus.FAILED: "danger",
    TurnStatus.STOPPED: "",
}


class HappenedFilter(admin.SimpleListFilter):
    title = "what happened"
    parameter_name = "happened"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("today", "Active today"),
            ("approval", "Waits for an approval"),
            ("failed_today", "A turn failed today"),
            ("failed", "A turn failed"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> QuerySet[Conversation]:
        today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        match self.value():
            case "today":
                return queryset.filter(last_activity_at__gte=today)
            case "approval":
                return queryset.filter(turns__status=TurnStatus.WAITING).distinct()
            case "failed_today":
                return queryset.filter(
                    turns__status=TurnStatus.FAILED, turns__sealed_at__gte=today
                ).distinct()
            case "failed":
                return queryset.filter(turns__status=TurnStatus.FAILED).distinct()
        return queryset


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ("line", "state", "who", "agent", "active")
    list_filter = ("status", HappenedFilter, "live_agent")
    search_fields = ("thread_id", "customer__name", "customer__email", "customer__subject", "last_line")
    search_help_text = "Customer, thread id, or the last line"
    list_select_related = ("customer",)
    list_per_page = 50
    ordering = ("-last_activity_at",)
    change_form_template = "replay/conversation.html"
    actions_detail = ("write", "resolve")

    def has_answer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        # By a method: the theme looks a permission's name up in the database, before there are any tables.
        return request.user.has_perm("chat.change_conversation")

    @display(description="Last line", ordering="last_line")
    def line(self, row: Conversation) -> str:
        return row.last_line or row.thread_id

    @display(
        description="Status", ordering="status", label={str(s.label): colour for s, colour in BADGES.items()}
    )
    def state(self, row: Conversation) -> str:
        return row.get_status_display()

    @display(description="Customer", ordering="customer__name")
    def who(self, row: Conversation) -> str:
        return str(row.customer)

    @display(description="Live agent", ordering="live_agent", empty_value="None")
    def agent(self, row: Conversation) -> str | None:
        return row.live_agent or None

    @display(description="Last activity", ordering="last_activity_at")
    def active(self, row: Conversation) -> str:
        return f"{age(row.last_activity_at)} ago"

    def get_urls(self) -> list[Any]:
        live = path(
            "<path:object_id>/live/", self.admin_site.admin_view(self.live), name="chat_conversation_live"
        )
        return [live, *super().get_urls()]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        offered = super().get_actions_detail(request, object_id)
        resolved = Conversation.objects.filter(status=ConversationStatus.RESOLVED)
        if identified(resolved, object_id).exists():
            return [one for one in offered if one.method.original_function_name != "resolve"]
        return offered

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self._row(request, object_id)
        shown = self._timeline(request, row) if row else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def live(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The timeline, for an open page that asks every few seconds; 204 when it has not changed."""
        row = self._row(request, object_id)
        if row is None:
            raise Http404
        shown = self._timeline(request, row)
        if request.GET.get("state") == shown["state"]:
            return HttpResponse(status=204)
        return TemplateResponse(request, "replay/timeline.html", shown)

    def _row(self, request: HttpRequest, object_id: str) -> Conversation | None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return identified(Conversation.objects.select_related("customer"), object_id).first()

    def _timeline(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        asked = request.GET.get("page", "")
        page = page_of(row, int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else None)
        return {
            "title": f"Conversation with {row.customer}",
            "conversation": row,
            "badge": BADGES[ConversationStatus(row.status)],
            "turn_badges": TURN_BADGES,
            "page": page,
            "state": live_state(row, page),
            "live_url": reverse("admin:chat_conversation_live", args=[row.pk]),
            "may_answer": self.has_answer_permission(request),
            "sees_approvals": request.user.has_perm("agents.view_action"),
            "sees_customers": request.user.has_perm("chat.view_customer"),
        }

    @console_action(
        description="Write to the customer",
        permissions=["answer"],
        icon="edit",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Write to the customer?",
            "description": "The customer sees it at once, without your name. The agents read it too, and go on "
            "answering what the customer writes: a conversation cannot be taken away from them yet.",
            "form_class": WriteForm,
            "form_submit_text": "Send",
        },
    )
    def write(self, request: HttpRequest, form: WriteForm, object_id: str) -> HttpResponse:
        text, once = form.cleaned_data["content"], form.cleaned_data["once"]
        by = Decider.of(request.user)
        return self._do(
            request,
            object_id,
            lambda thread_id: staffing.write(thread_id=thread_id, text=text, by=by, once=once),
            logged="Wrote to the customer.",
            told="Sent. The customer sees it in the chat.",
        )

    @console_action(
        description="Mark as resolved",
        permissions=["answer"],
        icon="task_alt",
        variant=ActionVariant.SUCCESS,
        dialog={
            "title": "Mark this conversation as resolved?",
            "description": "It no longer waits for a person. The customer is not told; when they write again, it is "
            "open again.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Mark as resolved",
        },
    )
    def resolve(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        by = Decider.of(request.user)
        return self._do(
            request,
            object_id,
            lambda thread_id: staffing.resolve(thread_id=thread_id, by=by),
            logged="Marked as resolved.",
            told="Marked as resolved.",
        )

    def _do(
        self,
        request: HttpRequest,
        object_id: str,
        work: Callable[[str], object],
        *,
        logged: str,
        told: str,
    ) -> HttpResponse:
        """Call a service with the thread's id, tell what came of it, and go back to the conversation."""
        row = identified(Conversation.objects.all(), object_id).first()
        if row is None:
            messages.error(request, "This conversation does not exist.")
            return go_to(request, reverse("admin:chat_conversation_changelist"))
        try:
            work(row.thread_id)
        except ServiceError as refusal:
            messages.error(request, refusal.message)
        else:
            self.log_change(request, row, logged)
            messages.success(request, told)
        return go_to(request, reverse("admin:chat_conversation_change", args=[row.pk]))
