"""Approvals: what waits for staff, and all that was decided. Nothing is edited here; it is decided once."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action as console_action
from unfold.decorators import display
from unfold.enums import ActionVariant

from agents import approvals, settlement
from agents.admin.decision_forms import ApproveForm, DeclineForm, SettleForm
from agents.admin.filters import WhichFilter
from agents.admin.shown import BADGES, argument_rows, bound_rows
from agents.models import Action, ActionStatus, Approver
from smartsupport.lib.console import ReadOnlyAdmin, age, go_to, identified
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid

SHOWN_MESSAGES = 6
RESOLVED = {"approved": "approved", "rejected": "declined", "cancelled": "cancelled"}


@admin.register(Action)
class ActionAdmin(ReadOnlyAdmin):
    list_display = ("asked", "state", "who", "agent", "waits_for", "since")
    list_filter = (WhichFilter, "tool_name")
    search_fields = ("message", "customer__name", "customer__email", "customer__subject", "tool_name")
    search_help_text = "What is asked, the tool, or the customer"
    list_select_related = ("customer", "tool")
    list_per_page = 50
    actions_row = ("approve", "decline")
    actions_detail = ("approve", "decline", "it_happened", "it_did_not_happen")

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("agents.decide_action")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("created_at",) if _lists_waiting(request) else ("-created_at",)

    def get_actions_row(self, request: HttpRequest) -> list[Any]:
        return super().get_actions_row(request) if _lists_waiting(request) else []

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        waiting = Action.objects.open_for_staff().filter(expires_at__gt=timezone.now())
        fitting: tuple[str, ...] = ()
        if identified(waiting, object_id).exists():
            fitting = ("approve", "decline")
        elif identified(Action.objects.filter(status=ActionStatus.UNKNOWN), object_id).exists():
            fitting = ("it_happened", "it_did_not_happen")
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.method.original_function_name in fitting]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        shown = {**(extra_context or {}), **self._shown(request, object_id)}
        return super().change_view(request, object_id, form_url, shown)

    def _shown(self, request: HttpRequest, object_id: str) -> dict[str, Any]:
        rows = Action.objects.select_related("tool", "customer", "turn__conversation")
        row = identified(rows, object_id).first()
        if row is None or not self.has_view_permission(request, row):
            return {}
        spoken = row.turn.conversation.events.filter(
            kind__in=["message_received", "replied", "question_asked", "staff_wrote"]
        )
        return {
            "title": "Approval",
            "approval": row,
            "tool_title": row.tool.title,
            "badge": BADGES[ActionStatus(row.status)],
            "arguments": argument_rows(row),
            "bound": bound_rows(row),
            "said": [_line(event) for event in reversed(spoken.order_by("-seq")[:SHOWN_MESSAGES])],
            "waiting": row.status == ActionStatus.AWAITING,
            "unknown": row.status == ActionStatus.UNKNOWN,
            "settlement": row.turn.events.filter(kind="action_settled", key=f"settlement:{row.pk}").first(),
            "overdue": row.status == ActionStatus.AWAITING and row.expires_at <= timezone.now(),
            "for_customer": row.approver == Approver.CUSTOMER,
            "age": age(row.created_at),
            "may_decide": self.has_decide_permission(request),
            "sees_conversations": request.user.has_perm("chat.view_conversation"),
        }

    @display(description="What is asked", ordering="message")
    def asked(self, action: Action) -> str:
        return action.message

    @display(description="State", label={**{str(status.label): colour for status, colour in BADGES.items()}})
    def state(self, action: Action) -> str:
        return action.get_status_display()

    @display(description="Customer", ordering="customer__name")
    def who(self, action: Action) -> str:
        return str(action.customer)

    @display(description="Decided by", ordering="approver")
    def waits_for(self, action: Action) -> str:
        if action.decided_by:
            return action.decided_by_name if action.decided_by == "staff" else "The customer"
        return action.get_approver_display()

    @display(description="Asked", ordering="created_at")
    def since(self, action: Action) -> str:
        return f"{age(action.created_at)} ago"

    @console_action(
        description="Approve",
        permissions=["decide"],
        icon="check",
        variant=ActionVariant.SUCCESS,
        dialog={
            "title": "Approve this action?",
            "description": "It is carried out at once in the business system, exactly as shown.",
            "form_class": ApproveForm,
            "form_submit_text": "Approve",
        },
    )
    def approve(self, request: HttpRequest, form: ApproveForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, approved=True, reason=form.cleaned_data["reason"])

    @console_action(
        description="Decline",
        permissions=["decide"],
        icon="close",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Decline this action?",
            "description": "Nothing is sent to the business system, and the agent tells the customer.",
            "form_class": DeclineForm,
            "form_submit_text": "Decline",
        },
    )
    def decline(self, request: HttpRequest, form: DeclineForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, approved=False, reason=form.cleaned_data["reason"])

    @console_action(
        description="It happened",
        permissions=["decide"],
        icon="task_alt",
        variant=ActionVariant.SUCCESS,
        dialog={
            "title": "Did it happen?",
            "description": "You have looked it up in the business system and found that it took place. Nothing is "
            "sent; it is recorded as done.",
            "form_class": SettleForm,
            "form_submit_text": "It happened",
        },
    )
    def it_happened(self, request: HttpRequest, form: SettleForm, object_id: str) -> HttpResponse:
        return self._settle(request, object_id, happened=True, note=form.cleaned_data["note"])

    @console_action(
        description="It did not happen",
        permissions=["decide"],
        icon="block",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Did it not happen?",
            "description": "You have looked it up in the business system and found that it did not take place. "
            "Nothing is sent, now or later; it is recorded as failed.",
            "form_class": SettleForm,
            "form_submit_text": "It did not happen",
        },
    )
    def it_did_not_happen(self, request: HttpRequest, form: SettleForm, object_id: str) -> HttpResponse:
        return self._settle(request, object_id, happened=False, note=form.cleaned_data["note"])

    def _settle(self, request: HttpRequest, object_id: str, *, happened: bool, note: str) -> HttpResponse:
        back = go_to(request, reverse("admin:agents_action_change", args=[object_id]))
        by = approvals.Decider.of(request.user)
        try:
            action_id = parse_uuid(object_id)
            if action_id is None:
                raise approvals.ActionNotFound()
            settled = settlement.settle(action_id=action_id, happened=happened, by=by, note=note)
        except ServiceError as refusal:
            messages.error(request, refusal.message)
            return back
        found = "It happened" if happened else "It did not happen"
        self.log_change(request, settled, f"{found}. {note}")
        messages.success(request, f"Recorded: {found.lower()}. The customer was not told.")
        return back

    def _decide(self, request: HttpRequest, object_id: str, *, approved: bool, reason: str) -> HttpResponse:
        back = go_to(request, reverse("admin:agents_action_changelist"))
        action_id = parse_uuid(object_id)
        try:
            if action_id is None:
                raise approvals.ActionNotFound()
            by = approvals.Decider.of(request.user)
            decided = approvals.decide(action_id=action_id, approved=approved, by=by, reason=reason)
        except ServiceError as refusal:
            messages.error(request, refused(refusal))
            return back
        done = "Approved" if approved else "Declined"
        self.log_change(request, decided, f"{done}.{f' {reason}' if reason else ''}")
        messages.success(request, f"{done}: {decided.message}")
        return back


def _lists_waiting(request: HttpRequest) -> bool:
    return WhichFilter.parameter_name not in request.GET


def refused(refusal: ServiceError) -> str:
    """A refusal of a decision, for the member of staff who made it."""
    if isinstance(refusal, approvals.AlreadyDecided):
        who = refusal.extra.get("by_name") or (
            "the customer" if refusal.extra.get("by") == "customer" else "somebody"
        )
        what = RESOLVED.get(str(refusal.extra.get("resolution")), "decided")
        if what == "cancelled":
            return "This was cancelled, because its conversation was stopped. Your decision changed nothing."
        return f"This was already {what} by {who}. Your decision changed nothing."
    if isinstance(refusal, approvals.ApprovalExpired):
        return "This approval has expired, and the customer was told. Nothing was carried out."
    if isinstance(refusal, approvals.NotAllowed):
        return "This is the customer's to decide. Nothing was changed."
    return refusal.message


def _line(event: Any) -> dict[str, Any]:
    customer = event.kind == "message_received"
    text = event.payload.get("content") or event.payload.get("message") or ""
    return {
        "customer": customer,
        "who": "Customer" if customer else event.agent or event.payload.get("by_name") or "Agent",
        "text": text,
        "at": event.created_at,
    }
