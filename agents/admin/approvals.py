"""Approvals: what waits for staff, and all that was decided. Nothing is edited here; it is decided once."""

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from unfold.decorators import action as console_action
from unfold.enums import ActionVariant

from agents import approvals, read_back, repetition, settlement
from agents.admin.approval_page import page_context
from agents.admin.decision_forms import (
    ApproveForm,
    ChangeForm,
    DecisionForm,
    DeclineForm,
    OutcomeForm,
    SettleForm,
)
from agents.admin.decision_words import LOOK_AGAIN, SENT_AGAIN, known_id, outcome_of, page_url, refused
from agents.admin.inbox_answers import from_inbox, stay
from agents.admin.shown import pretty
from agents.links.console import LinkActions, shown_links
from agents.models import Action, ActionStatus
from smartsupport.lib.console import go_to, identified
from smartsupport.lib.errors import ServiceError


@admin.register(Action)
class ActionAdmin(LinkActions):
    actions_detail = (
        "approve",
        "approve_with_changes",
        "decline",
        "make_link",
        "withdraw_links",
        "send_again",
        "it_happened",
        "it_did_not_happen",
    )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        waiting = Action.objects.open_for_staff().filter(expires_at__gt=timezone.now())
        unknown = Action.objects.filter(status=ActionStatus.UNKNOWN).select_related("tool")
        fitting: tuple[str, ...] = ()
        if identified(waiting, object_id).exists():
            fitting = ("approve", "approve_with_changes", "decline", "make_link", "withdraw_links")
        elif row := identified(unknown, object_id).first():
            fitting = ("it_happened", "it_did_not_happen")
            if repetition.is_repeatable(row):
                fitting = ("send_again", *fitting)
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.method.original_function_name in fitting]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.row(request, object_id)
        shown = {**page_context(row, request.user), "links": shown_links(row)} if row else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def get_urls(self) -> list[Any]:
        standing = path(
            "<path:object_id>/standing/",
            self.admin_site.admin_view(self.standing),
            name="agents_action_standing",
        )
        return [standing, *super().get_urls()]

    def standing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """How things stand in the business system, as a piece of the page. It reads there and changes nothing."""
        row = self.row(request, object_id)
        if row is None:
            raise Http404
        shown: dict[str, Any] = {"looked_at": timezone.now()}
        try:
            answer = read_back.read_back(row)
            shown |= {"answer": answer, "result": pretty(answer.result)}
        except ServiceError as refusal:
            shown["refusal"] = refusal.message
        return TemplateResponse(request, "agents/console/standing.html", shown)

    @console_action(
        description="Approve",
        permissions=["decide"],
        icon="check",
        variant=ActionVariant.SUCCESS,
        dialog={
            "title": "Approve this action?",
            "description": "It is carried out in the business system exactly as shown, as soon as nobody else has to "
            "agree.",
            "form_class": ApproveForm,
            "form_submit_text": "Approve",
        },
    )
    def approve(self, request: HttpRequest, form: ApproveForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, form, approved=True)

    @console_action(
        description="Approve with changes",
        url_path="approve-with-changes",
        permissions=["decide"],
        icon="edit",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Approve with other values?",
            "description": "It is carried out with what you write here. The agent and the customer are told what "
            "was changed.",
            "form_class": ChangeForm,
            "form_submit_text": "Approve with these values",
        },
    )
    def approve_with_changes(self, request: HttpRequest, form: ChangeForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, form, approved=True, arguments=form.arguments)

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
        return self._decide(request, object_id, form, approved=False)

    @console_action(
        description="Send again safely",
        url_path="send-again",
        permissions=["decide"],
        icon="replay",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Send it again?",
            "description": "With the same Idempotency-Key: the business system acts once, however often it gets this, "
            "and its answer tells what came of it. This may take a minute.",
            "form_class": OutcomeForm,
            "form_submit_text": "Send again safely",
        },
    )
    def send_again(self, request: HttpRequest, form: OutcomeForm, object_id: str) -> HttpResponse:
        back = go_to(request, page_url(object_id))
        try:
            action = repetition.repeat(action_id=known_id(object_id), by=approvals.Decider.of(request.user))
        except ServiceError as refusal:
            messages.error(request, refusal.message)
            return back
        self.log_change(request, action, "Sent again.")
        told = messages.warning if action.status == ActionStatus.UNKNOWN else messages.success
        told(request, SENT_AGAIN.get(ActionStatus(action.status), "Sent again."))
        return back

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
        back = go_to(request, page_url(object_id))
        by = approvals.Decider.of(request.user)
        try:
            settled = settlement.settle(action_id=known_id(object_id), happened=happened, by=by, note=note)
        except ServiceError as refusal:
            messages.error(request, refusal.message)
            return back
        found = "It happened" if happened else "It did not happen"
        self.log_change(request, settled, f"{found}. {note}")
        messages.success(request, f"Recorded: {found.lower()}. The customer was not told.")
        return back

    def _decide(
        self,
        request: HttpRequest,
        object_id: str,
        form: DecisionForm,
        *,
        approved: bool,
        arguments: dict[str, Any] | None = None,
    ) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        try:
            decided = approvals.decide(
                action_id=known_id(object_id),
                approved=approved,
                by=approvals.Decider.of(request.user),
                reason=reason,
                arguments=arguments,
                seen=form.cleaned_data.get("seen", ""),
            )
        except ServiceError as refusal:
            again = isinstance(refusal, LOOK_AGAIN)
            if from_inbox(request):
                return stay(refused(refusal), ok=False, changed=object_id if again else "")
            messages.error(request, refused(refusal))
            return go_to(request, page_url(object_id) if again else reverse("admin:agents_action_changelist"))
        done = outcome_of(decided, approved=approved)
        self.log_change(request, decided, f"{done}.{f' {reason}' if reason else ''}")
        told = f"{done}: {decided.message}"
        if decided.status == ActionStatus.AWAITING:
            told = f"You agree: {decided.message} A second person has to approve it before anything is sent."
        if from_inbox(request):
            return stay(told, ok=True)
        messages.success(request, told)
        return go_to(request, reverse("admin:agents_action_changelist"))
