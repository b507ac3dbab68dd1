"""What the console asks about webhook endpoints. The fields of a dialog are what the service of its deed takes."""

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

from chat import webhook_endpoints
from chat.models import WebhookEndpoint
from chat.webhook_addresses import LONGEST_URL, InvalidUrl
from chat.webhook_events import EVENTS
from smartsupport.lib.errors import ServiceError

OVERLAPS = {"0": "It ends now", "1": "1 hour", "24": "24 hours", "168": "7 days"}
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

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        given = {name: said[name] for name in self.changed_data if name in said}
        try:
            self.before = None if self.instance._state.adding else webhook_endpoints.find(self.instance.pk)
            self.checked = webhook_endpoints.checked(self.before, **given)
        except InvalidUrl as refusal:
            self.add_error("url", refusal.message)
        except ServiceError as refusal:
            self.add_error(None, refusal.message)
        return said


class PauseForm(BaseDialogForm):
    reason = forms.CharField(
        label="Why, for your colleagues", max_length=300, required=False, widget=UnfoldAdminTextInputWidget
    )


class ResumeForm(BaseDialogForm):
    skip = forms.TypedChoiceField(
        label="What happened meanwhile",
        choices=[("", "Send it now"), ("skip", "Skip it")],
        coerce=bool,
        empty_value=False,  # type: ignore[arg-type]
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="What is skipped can still be sent one by one, from the list of deliveries.",
    )


class RotateForm(BaseDialogForm):
    overlap_hours = forms.TypedChoiceField(
        label="The old secret signs beside the new one for",
        choices=list(OVERLAPS.items()),
        coerce=int,
        initial="24",
        widget=UnfoldAdminSelectWidget,
        help_text="Long enough to give the new one to the other system. End the old one now if somebody else knows it.",
    )


class AgainForm(BaseDialogForm):
    since = forms.TypedChoiceField(
        label="What was written in",
        choices=list(SINCE.items()),
        coerce=lambda hours: timezone.now() - timedelta(hours=int(hours)),
        empty_value=None,
        initial="24",
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
