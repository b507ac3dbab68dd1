"""What the console asks about webhook endpoints."""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from chat.models import WebhookEndpoint
from chat.webhook_addresses import LONGEST_URL, checked_url
from chat.webhook_events import EVENTS
from smartsupport.lib.errors import ServiceError

OVERLAPS = {"0": "It ends now", "1": "1 hour", "24": "24 hours", "168": "7 days"}
WAITED = {"send": "Send it now", "skip": "Skip it"}
SINCE = {"1": "the last hour", "24": "the last 24 hours", "168": "the last 7 days", "": "all that is kept"}


class EndpointForm(forms.ModelForm):
    url = forms.CharField(
        label="Address",
        max_length=LONGEST_URL,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "url", "autocomplete": "off"}),
        help_text="Where events are posted to. It has to be public, or named in WEBHOOK_ALLOWED_HOSTS.",
    )
    events = forms.MultipleChoiceField(
        choices=[(name, f"{name}: {when}") for name, when in EVENTS.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"required": "Choose at least one event."},
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("description", "url", "events")
        help_texts: ClassVar = {"description": "What it is, for your colleagues: Ticket system."}
        widgets: ClassVar = {"description": UnfoldAdminTextInputWidget}

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if not self.instance._state.adding and url == self.initial.get("url"):
            return url
        try:
            return checked_url(url)
        except ServiceError as refusal:
            raise forms.ValidationError(refusal.message) from refusal


class PauseForm(BaseDialogForm):
    reason = forms.CharField(
        label="Why, for your colleagues", max_length=300, required=False, widget=UnfoldAdminTextInputWidget
    )


class ResumeForm(BaseDialogForm):
    waited = forms.ChoiceField(
        label="What happened meanwhile",
        choices=list(WAITED.items()),
        initial="send",
        widget=UnfoldAdminSelectWidget,
        help_text="What is skipped can still be sent one by one, from the list of deliveries.",
    )


class RotateForm(BaseDialogForm):
    overlap_hours = forms.ChoiceField(
        label="The old secret signs beside the new one for",
        choices=list(OVERLAPS.items()),
        initial="24",
        widget=UnfoldAdminSelectWidget,
        help_text="Long enough to give the new one to the other system. End the old one now if somebody else knows it.",
    )


class AgainForm(BaseDialogForm):
    hours = forms.ChoiceField(
        label="What was written in",
        choices=list(SINCE.items()),
        initial="24",
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    def since(self) -> Any:
        """The moment from which on; None: all."""
        hours = self.cleaned_data["hours"]
        return timezone.now() - timedelta(hours=int(hours)) if hours else None
