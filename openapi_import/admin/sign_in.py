"""How a document is signed in for: the fields, what is wrong with them, and the headers that come of them."""

import re
from typing import Any

from django import forms
from django.db.models import Q
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from openapi_import.getting import HEADER_NAME, basic
from openapi_import.models import ImportJob, ImportStatus
from smartsupport.lib.console import identified

UNSENDABLE = "This has characters that no header can carry. Copy it once more."
BAD_HEADER = "A header's name has letters, digits and -, such as X-API-Key."
SIGN_INS = [
    ("", "None: anybody may read it"),
    ("bearer", "Bearer token"),
    ("header", "API key in a header"),
    ("basic", "User name and password"),
]
NEEDED = {
    "bearer": {"token": "Give the token."},
    "header": {"header": "Name the header, such as X-API-Key.", "key": "Give the key."},
    "basic": {"user": "Give the user name."},
}


class SignInFields(forms.Form):
    """Credentials for a document. No browser is sent them back: after a mistake they are typed once more."""

    sign_in = forms.ChoiceField(
        required=False, choices=SIGN_INS, label="Sign in with", widget=UnfoldAdminSelectWidget
    )
    token = forms.CharField(
        required=False,
        max_length=8000,
        label="Token",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
    )
    header = forms.CharField(
        required=False,
        max_length=64,
        label="Header",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "X-API-Key", "autocomplete": "off"}),
    )
    key = forms.CharField(
        required=False,
        max_length=8000,
        label="Key",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
    )
    user = forms.CharField(
        required=False,
        max_length=500,
        label="User name",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    password = forms.CharField(
        required=False,
        max_length=2000,
        strip=False,
        label="Password",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        chosen = values.get("sign_in", "")
        for name, words in NEEDED.get(chosen, {}).items():
            if not values.get(name) and name not in self.errors:
                self.add_error(name, words)
        if chosen == "header" and values.get("header") and not HEADER_NAME.fullmatch(values["header"]):
            self.add_error("header", BAD_HEADER)
        for name in ("token", "key"):
            if not _sendable(values.get(name)):
                self.add_error(name, UNSENDABLE)
        return values

    @property
    def headers(self) -> dict[str, str] | None:
        values = self.cleaned_data
        match values["sign_in"]:
            case "bearer":
                return {"Authorization": f"Bearer {values['token']}"}
            case "header":
                return {values["header"]: values["key"]}
            case "basic":
                return basic(values["user"], values["password"])
        return None


class RetryForm(BaseDialogForm):
    """Once more; where the document has an address, also fetching it anew, with the credentials that it needs."""

    form_before_template = "openapi_import/retry_head.html"

    fetch_again = forms.BooleanField(
        required=False,
        label="Fetch the document anew",
        widget=UnfoldBooleanWidget,
        help_text="Otherwise it goes on with what was fetched, where that got so far.",
    )
    header = forms.CharField(
        required=False,
        max_length=64,
        label="Header that signs in (optional)",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Authorization", "autocomplete": "off"}),
        help_text="Credentials are not kept: give them once more where the document needs some.",
    )
    key = forms.CharField(
        required=False,
        max_length=8000,
        label="Its value",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off", "placeholder": "Bearer …"}),
    )

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        known = identified(
            ImportJob.objects.only("spec_url", "status", "error_stage", "error_message"), object_id
        )
        self.job = known.annotate(held=Q(content__isnull=False)).first()
        if self.job is None or not self.job.spec_url:
            for name in ("fetch_again", "header", "key"):
                del self.fields[name]
        elif not self.job.held:
            del self.fields["fetch_again"]  # it is fetched in any case

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {
            "job": self.job,
            "plan": _plan(self.job) if self.job else "",
            "faults": self.non_field_errors(),
        }

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        header, key = values.get("header", ""), values.get("key", "")
        if key and not header and "header" not in self.errors:
            self.add_error("header", "Name the header, such as Authorization.")
        if header and not HEADER_NAME.fullmatch(header):
            self.add_error("header", BAD_HEADER)
        if header and not key and "key" not in self.errors:
            self.add_error("key", "Give its value.")
        if not _sendable(key):
            self.add_error("key", UNSENDABLE)
        return values

    @property
    def headers(self) -> dict[str, str] | None:
        values = self.cleaned_data
        return {values["header"]: values["key"]} if values.get("header") else None


def _plan(job: Any) -> str:
    """What trying again does, for this import. `job` is annotated with `held`."""
    if not job.held:
        if not job.spec_url:
            return "What was handed in is not kept any more. Import it again instead."
        return "The document is fetched from its address and read from the beginning."
    if job.status == ImportStatus.FAILED and job.error_stage == ImportStatus.CLASSIFYING:
        return "What was read is kept: only the judging is done again."
    return f"The document that was {'fetched' if job.spec_url else 'handed in'} is read from the beginning."


def _sendable(value: str | None) -> bool:
    return not re.search(r"[^\x20-\x7e]", value or "")
