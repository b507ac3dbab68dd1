"""The dialogs in which staff approve, decline or settle: they show the exact call once more."""

from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from agents.admin.shown import argument_rows, bound_rows
from agents.models import Action
from agents.settlement import NOTE_LIMIT
from smartsupport.lib.console import identified


class DecisionForm(BaseDialogForm):
    form_before_template = "agents/console/exact_call.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        action = identified(Action.objects.select_related("tool", "customer"), object_id).first()
        if action is None:
            return {"action": None}
        return {"action": action, "tool_title": action.tool.title, "arguments": argument_rows(action)}


class ApproveForm(DecisionForm):
    reason = forms.CharField(
        required=False,
        max_length=500,
        label="Note (optional)",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Kept with the decision.",
    )


class DeclineForm(DecisionForm):
    reason = forms.CharField(
        max_length=500,
        label="Reason",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="The agent reads it and explains it to the customer.",
        error_messages={"required": "Say why, so that the agent can explain it to the customer."},
    )


class SettleForm(DecisionForm):
    form_before_template = "agents/console/sent_call.html"

    note = forms.CharField(
        max_length=NOTE_LIMIT,
        label="How do you know?",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="For other members of staff. The customer is not told: write to them in the conversation.",
        error_messages={"required": "Say how you found out, so that others can rely on it."},
    )

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        shown = super().get_before_template_context(request, object_id)
        return {**shown, "bound": bound_rows(shown["action"])} if shown["action"] else shown
