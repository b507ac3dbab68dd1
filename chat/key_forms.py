"""The forms of API keys in the console."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from chat import api_keys, customers, scopes
from chat.identity import SUBJECT_LIMIT
from chat.models import ApiKey
from smartsupport.lib.console import identified

OVERLAPS = {
    "0": "It ends now",
    "1": "1 hour",
    "24": "24 hours",
    "168": "7 days",
    "720": "30 days",
}
MOST_NAMED = 5


class NewKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=[(name, f"{name}: {what}") for name, what in (scopes.GROUP_WORDS | api_keys.SCOPES).items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Give a key only what its program needs. The first four stand for several of the others.",
    )

    held_to = forms.CharField(
        label="Only for the customer",
        required=False,
        max_length=SUBJECT_LIMIT,
        widget=UnfoldAdminTextInputWidget,
        help_text="Your company's id of one customer, or the id here. To the key nobody else exists. Empty: any.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at", "per_minute")
        labels = {"expires_at": "Ends", "per_minute": "Requests a minute"}
        help_texts = {
            "expires_at": "In UTC. Empty: it never ends by itself.",
            "per_minute": "Empty: as many as the deployment allows.",
        }

    user: Any = None
    """Who makes the key."""

    def clean_scopes(self) -> Any:
        try:
            api_keys.check_may_give(self.user, self.cleaned_data["scopes"])
        except api_keys.MoreThanOwn as refusal:
            raise forms.ValidationError(refusal.message) from None
        return self.cleaned_data["scopes"]

    def clean_held_to(self) -> str:
        name: str = self.cleaned_data["held_to"]
        if name and not customers.is_subject(name):
            raise forms.ValidationError("This has characters that nobody sees. Write the id anew.")
        return name

    def clean_expires_at(self) -> Any:
        ends = self.cleaned_data["expires_at"]
        if ends is not None and ends <= timezone.now():
            raise forms.ValidationError("This is over already. Choose a later day, or leave it empty.")
        return ends

    def clean_per_minute(self) -> Any:
        most = self.cleaned_data["per_minute"]
        if most == 0:
            raise forms.ValidationError("Write 1 or more, or leave it empty.")
        return most


class ReplaceForm(BaseDialogForm):
    overlap_hours = forms.ChoiceField(
        label="The old key works for another",
        choices=list(OVERLAPS.items()),
        initial="24",
        widget=UnfoldAdminSelectWidget,
        help_text="Long enough to give the new key to every program that uses the old one.",
    )


class DisableForm(BaseDialogForm):
    made_too = forms.BooleanField(required=False, initial=True, widget=UnfoldBooleanWidget)

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        key = identified(ApiKey.objects.all(), object_id).first()
        made = api_keys.live_made(key) if key else []
        if not made:
            del self.fields["made_too"]
            return
        names = ", ".join(one.name for one in made[:MOST_NAMED])
        more = f" and {len(made) - MOST_NAMED:,} more" if len(made) > MOST_NAMED else ""
        field = self.fields["made_too"]
        field.label = (
            "Disable the key that it made, too"
            if len(made) == 1
            else f"Disable the {len(made):,} keys that it made, too"
        )
        field.help_text = f"They still work: {names}{more}."
