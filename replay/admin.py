"""Conversations in the console: the list, and each one's timeline. Never edited: staff write into them."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import action as console_action
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from agents.approvals import Decider
from chat import handoff, staffing, takeover, turns
from chat.models import Conversation, ConversationStatus, TurnStatus
from replay.listed import BADGES, HappenedFilter, state_of
from replay.offers import offers
from replay.pages import live_state, page_of
from replay.staff_forms import TakeOverForm, WriteForm
from smartsupport.lib.console import ReadOnlyAdmin, age, go_to, identified
from smartsupport.lib.errors import ServiceError

TURN_BADGES = {
    TurnStatus.QUEUED: "",
    TurnStatus.RUNNING: "info",
    TurnStatus.WAITING: "warning",
    TurnStatus.COMPLETED: "success",
    TurnStatus.FAILED: "danger",
    TurnStatus.STOPPED: "",
}


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ("line", "state", "who", "agent", "active")
    list_filter = ("status", HappenedFilter, "live_agent")
    search_fields = ("thread_id", "customer__name", "customer__email", "customer__subject", "last_line")
    search_help_text = (
        "Customer, thread id, the last line, or the reference that the customer was given (T-...)"
    )
    list_select_related = ("customer",)
    list_per_page = 50
    ordering = ("-last_activity_at",)
    change_form_template = "replay/conversation.html"
    actions_detail = ("take_over", "write", "hand_back", "retry", "resolve")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Conversation], search_term: str
    ) -> tuple[QuerySet[Conversation], bool]:
        if (named := handoff.with_ticket(search_term)) is not None:
            return queryset.filter(named), False
        return super().get_search_results(request, queryset, search_term)

    def has_answer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        # By a method: the theme looks a permission's name up in the database, before there are any tables.
        return request.user.has_perm("chat.change_conversation")

    @display(description="Last line", ordering="last_line")
    def line(self, row: Conversation) -> str:
        return row.last_line or row.thread_id

    @display(description="Status", ordering="status", label={str(s): colour for s, colour in BADGES.items()})
    def state(self, row: Conversation) -> tuple[str, str]:
        return state_of(row)

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
        row = identified(Conversation.objects.all(), object_id).first()
        fitting = [offer.name for offer in offers(row)] if row else []
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.method.original_function_name in fitting]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self._row(request, object_id)
        shown = self._timeline(request, row) if row else {}
        if row and shown["may_answer"] and shown["held_by_you"]:
            shown |= {
                "composer": WriteForm(request, object_id),
                "write_url": reverse("admin:chat_conversation_write", args=[row.pk]),
            }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def live(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The timeline, for an open page that asks every few seconds; 204 when it has not changed."""
        row = self._row(request, object_id)
        if row is None:
            raise Http404
        shown = self._timeline(request, row)
        if request.GET.get("state") == shown["state"]:
            return HttpResponse(status=204)
        return TemplateResponse(request, "replay/live.html", shown)

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
            "state_text": state_of(row)[1],
            "held_by_you": row.status == ConversationStatus.HELD
            and row.held_by == request.user.get_username(),
            "held_for": age(row.held_at) if row.held_at else "",
            "offers": offers(row),
            "turn_badges": TURN_BADGES,
            "page": page,
            "state": live_state(row, page),
            "live_url": reverse("admin:chat_conversation_live", args=[row.pk]),
            "may_answer": self.has_answer_permission(request),
            "sees_approvals": request.user.has_perm("agents.view_action"),
            "sees_customers": request.user.has_perm("chat.view_customer"),
        }

    @console_action(
        description="Take over",
        url_path="take-over",
        permissions=["answer"],
        icon="front_hand",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Take this conversation over?",
            "description": "The customer is told that a colleague answers now.",
            "form_class": TakeOverForm,
            "form_submit_text": "Take over",
        },
    )
    def take_over(self, request: HttpRequest, form: TakeOverForm, object_id: str) -> HttpResponse:
        by = Decider.of(request.user)
        return self._do(
            request,
            object_id,
            lambda thread_id: takeover.take_over(thread_id=thread_id, by=by),
            logged="Took over.",
            told="You have this conversation now. The agents say nothing until you give it back.",
        )

    @console_action(
        description="Hand back",
        url_path="hand-back",
        permissions=["answer"],
        icon="smart_toy",
        variant=ActionVariant.DEFAULT,
        dialog={
            "title": "Give this conversation back to the agents?",
            "description": "They answer what the customer writes next, and know what was said. What the customer has "
            "written up to now is not answered by them.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Hand back",
        },
    )
    def hand_back(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        by = Decider.of(request.user)
        return self._do(
            request,
            object_id,
            lambda thread_id: takeover.hand_back(thread_id=thread_id, by=by),
            logged="Handed back.",
            told="Given back. The agents answer the customer's next message.",
        )

    @console_action(
        description="Try again",
        permissions=["answer"],
        icon="replay",
        variant=ActionVariant.DEFAULT,
        dialog={
            "title": "Try the last message again?",
            "description": "The agents go on where it broke. What was done already is not done again.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Try again",
        },
    )
    def retry(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(
            request,
            object_id,
            lambda thread_id: turns.retry(customer_id=None, thread_id=thread_id),
            logged="Had it tried again.",
            told="The agents try again.",
        )

    @console_action(
        description="Write to the customer",
        permissions=["answer"],
        icon="edit",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Write to the customer?",
            "description": "The customer sees it at once, from “Our team” and without your name.",
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
            "description": "It no longer waits for a person, and nobody has it. The customer is not told; when they "
            "write again, it is open again, and the agents answer.",
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
