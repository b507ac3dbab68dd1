"""The dialogs about what is live of an API: each says what it would do."""

from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from agents.models import Action
from openapi_import import admin_words as words
from openapi_import import roll_back
from openapi_import.models import SpecSource
from openapi_import.publications import REASON
from smartsupport.lib.console import identified


class AboutToolsForm(BaseDialogForm):
    """Says what waits for a decision on the tools that it is about."""

    form_before_template = "openapi_import/waiting_head.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        source = identified(SpecSource.objects.all(), object_id).first()
        waiting = Action.objects.awaiting().filter(tool__source=source) if source else Action.objects.none()
        return {"source": source, "waiting": waiting.count(), "faults": self.non_field_errors()}


class PauseForm(AboutToolsForm):
    reason = forms.CharField(
        required=False,
        max_length=REASON,
        label="Why (optional)",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Other members of staff see it beside each tool.",
    )


class DeleteForm(AboutToolsForm):
    deleting = True

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {**super().get_before_template_context(request, object_id), "deleting": True}


class RollBackForm(BaseDialogForm):
    """Undoes the publication that it showed, and no other that was made meanwhile."""

    form_before_template = "openapi_import/roll_back_head.html"
    publication = forms.UUIDField(
        widget=forms.HiddenInput, error_messages={"required": "There is nothing to roll back."}
    )

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        source = identified(SpecSource.objects.all(), object_id).first()
        self.newest = roll_back.newest_to_undo(source) if source else None
        if self.newest is not None:
            self.fields["publication"].initial = str(self.newest.pk)

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        newest = self.newest
        faults = [fault for found in self.errors.values() for fault in found]
        return {
            "newest": newest,
            "did": words.changes_of(newest) if newest else "",
            "faults": faults,
        }


class LimitForm(BaseDialogForm):
    calls_per_minute = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1_000_000,
        label="Calls a minute",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Empty: no limit of ours.",
    )

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        source = identified(SpecSource.objects.all(), object_id).first()
        self.fields["calls_per_minute"].initial = source.calls_per_minute if source else None
