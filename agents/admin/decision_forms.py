"""The dialogs in which staff approve, decline or settle: they show the exact call once more, and what they decide on is
what they showed."""

import re
from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from agents import approvals, policy
from agents.admin.argument_slots import REQUIRED, Slot, slots_for
from agents.admin.shown import argument_rows, bound_rows, difference_rows
from agents.models import Action, ActionStatus
from agents.registry import tool_spec
from agents.settlement import NOTE_LIMIT
from smartsupport.lib.console import identified

OF_ARGUMENT = re.compile(r"Invalid argument ([^.:]+)[.:]")


class DecisionForm(BaseDialogForm):
    form_before_template = "agents/console/exact_call.html"

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        rows = Action.objects.select_related("tool", "customer")
        self.action: Action | None = identified(rows, object_id).first()

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        action = self.action
        if action is None:
            return {"action": None}
        return {
            "action": action,
            "tool_title": action.tool.title,
            "arguments": argument_rows(action),
            "faults": self.non_field_errors(),
        }


class SeenForm(DecisionForm):
    """Nobody approves what they did not see: the dialog names the call that it showed. When that is another one by now,
    it shows the new one and asks again."""

    data: Any
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        if self.action is not None:
            self.fields["seen"].initial = self.action.arguments_hash

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        action = self.action
        waits = action is not None and action.status == ActionStatus.AWAITING
        if action is not None and waits and values.get("seen") != action.arguments_hash:
            self.data = self.data.copy()
            self.data["seen"] = action.arguments_hash
            self.add_error(None, approvals.ArgumentsChanged.message)
        return values

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        shown = super().get_before_template_context(request, object_id)
        action = self.action
        if action is None:
            return shown
        fresh = approvals.drift(action) if action.status == ActionStatus.AWAITING else []
        return {
            **shown,
            "bound": bound_rows(action),
            "difference": difference_rows(fresh or action.difference),
            "fresh_difference": bool(fresh),
            "agreed": [vote["name"] for vote in action.votes],
        }


class ApproveForm(SeenForm):
    reason = forms.CharField(
        required=False,
        max_length=500,
        label="Note (optional)",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Kept with the decision.",
    )


class ChangeForm(ApproveForm):
    """Approve with other arguments: a field for each, typed by the tool's schema. `arguments` has them when it is
    valid, whole. What the server fills in has no field."""

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        self.arguments: dict[str, Any] = {}
        action = self.action
        self.slots: list[Slot] = slots_for(action.tool.input_schema, action.args) if action else []
        for slot in self.slots:
            self.fields[slot.key] = slot.field()
        self.order_fields(["seen", *(slot.key for slot in self.slots), "reason"])

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        action = self.action
        if action is None or self.errors:
            return values
        for slot in self.slots:
            self._read(slot, values.get(slot.key, ""), action.args)
        if not self.errors:
            bound = [name for name, _ in bound_rows(action)]
            fault, _ = policy.check(tool_spec(action.tool), self.arguments, bound)
            if fault:
                self._blame(fault)
        return values

    def _read(self, slot: Slot, text: str, current: dict[str, Any]) -> None:
        if slot.untouched(text):
            if slot.name in current:
                self.arguments[slot.name] = current[slot.name]
            elif slot.required:
                self.add_error(slot.key, REQUIRED)
        elif not text.strip():
            if slot.required:
                self.add_error(slot.key, REQUIRED)
        else:
            try:
                self.arguments[slot.name] = slot.value(text)
            except forms.ValidationError as fault:
                self.add_error(slot.key, fault)

    def _blame(self, fault: str) -> None:
        """Show the fault at the argument that it names."""
        named = OF_ARGUMENT.match(fault)
        key = next((slot.key for slot in self.slots if named and slot.name == named[1]), None)
        self.add_error(key, fault)


class DeclineForm(DecisionForm):
    reason = forms.CharField(
        max_length=500,
        label="Reason",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="The agent reads it and explains it to the customer.",
        error_messages={"required": "Say why, so that the agent can explain it to the customer."},
    )


class OutcomeForm(DecisionForm):
    """About something that was sent: shows how and when."""

    form_before_template = "agents/console/sent_call.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        shown = super().get_before_template_context(request, object_id)
        return {**shown, "bound": bound_rows(shown["action"])} if shown["action"] else shown


class SettleForm(OutcomeForm):
    note = forms.CharField(
        max_length=NOTE_LIMIT,
        label="How do you know?",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="For other members of staff. The customer is not told: write to them in the conversation.",
        error_messages={"required": "Say how you found out, so that others can rely on it."},
    )
