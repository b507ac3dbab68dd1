"""Credentials: how calls prove who we are. A secret is entered and replaced here, and never shown again."""

import re
from typing import Any, ClassVar
from urllib.parse import urljoin

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from agents import credentials
from agents.admin.credential_rows import (
    STANDING_COLOURS,
    in_words,
    schemes_of,
    state_of,
    wanted_rows,
)
from agents.admin.fields import LinesField
from agents.models import Credential, Tool
from agents.retired import NOT_RETIRED
from smartsupport.lib.console import HistoryAdmin, ago
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.safe_http import InvalidUrl
from smartsupport.lib.safe_http.urls import parse_url

Kind = Credential.Kind
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Kind.API_KEY: (("value",), ()),
    Kind.BEARER: (("value",), ()),
    Kind.BASIC: (("username",), ("password",)),
    Kind.OAUTH_CLIENT: (("client_id", "client_secret"), ()),
    Kind.OAUTH_REFRESH: (("refresh_token",), ("client_id", "client_secret")),
}
"""The parts of a secret, by kind: those it needs, and those it may have."""
EVERY_PART = ("value", "username", "password", "client_id", "client_secret", "refresh_token")
ONE_WORD = re.compile(r"[!-~]+")


def _secret(label: str, help_text: str = "") -> forms.CharField:
    """A field that takes a secret and never shows one."""
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=label, required=False, max_length=8_000, widget=widget, help_text=help_text)


class CredentialForm(forms.ModelForm):
    scopes = LinesField(
        required=False,
        label="Scopes",
        help_text="One per line. Empty: what the sign-in server gives by default.",
    )
    value = _secret("Key or token", "As the business gave it to you.")
    username = forms.CharField(
        label="User name", required=False, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    )
    password = _secret("Password", "May be empty, where the business uses the user name alone.")
    client_id = forms.CharField(
        label="Client id", required=False, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    )
    client_secret = _secret("Client secret")
    refresh_token = _secret("Refresh token")

    class Meta:
        model = Credential
        fields = ("source", "scheme", "kind", "token_url", "scopes")
        labels: ClassVar = {"source": "API", "scheme": "Security scheme", "token_url": "Address of the token"}
        help_texts: ClassVar = {
            "token_url": "Where tokens are got; our secret is sent there. Empty: what the API's document says, where "
            "that is on the API's own server.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.secret: dict[str, str] = {}

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        kind = values.get("kind")
        if kind:
            self._clean_scheme(values, kind)
            self._clean_secret(values, kind)
            self._clean_token_url(values, kind)
        return values

    def _clean_scheme(self, values: dict[str, Any], kind: str) -> None:
        source = values.get("source") or getattr(self.instance, "source", None)
        name = values.get("scheme") or self.instance.scheme
        self.schemes = schemes_of(source.pk) if source else {}
        if not self.schemes or not name:
            return  # nothing is published of this API yet
        if name not in self.schemes:
            if "scheme" in self.fields:
                known = ", ".join(self.schemes)
                self.add_error(
                    "scheme", f"The tools of this API name no such security scheme. They name: {known}."
                )
            return
        fitting = credentials.kinds_for(self.schemes[name])
        if kind not in fitting:
            wanted = " or ".join(one.label for one in fitting) or "something that cannot be stored here"
            what = in_words(self.schemes[name])
            self.add_error("kind", f"{name} is {what}. It takes: {wanted}.")

    def _clean_secret(self, values: dict[str, Any], kind: str) -> None:
        needed, optional = PARTS[kind]
        given = {name: values[name] for name in EVERY_PART if values.get(name)}
        kept = not self.instance._state.adding and kind == self.initial.get("kind") and not given
        if kept:
            return
        for name in needed:
            if name not in given and name not in self.errors:
                self.add_error(name, "This is required. Secrets are always entered whole.")
        for name in ("value", "refresh_token"):
            if name in given and not ONE_WORD.fullmatch(given[name]):
                self.add_error(
                    name, "It can only have letters, digits and signs, without spaces between them."
                )
        if ":" in given.get("username", ""):
            self.add_error("username", "A user name cannot have a colon.")
        self.secret = {name: given.get(name, "") for name in (*needed, *optional)}

    def _clean_token_url(self, values: dict[str, Any], kind: str) -> None:
        if kind not in credentials.OAUTH:
            values["token_url"] = ""
            return
        scheme = self.schemes.get(values.get("scheme") or self.instance.scheme, {})
        declared, server = self._declared_url(scheme)
        written = bool(values.get("token_url"))
        url = values["token_url"] if written else declared
        if not url:
            self.add_error("token_url", "The API's document names no address for tokens. Write it here.")
            return
        try:
            values["token_url"] = parse_url(url).url
        except InvalidUrl as fault:
            self.add_error("token_url", fault.message)
            return
        if not written and _host(url) != _host(server):
            self.add_error(
                "token_url", f"The API's document says {url}. If our secret may go there, write it here."
            )
        elif not self.secret and _host(url) != _host(self.instance.token_url):
            # Else whoever may edit this would learn the secret by having it sent to a server of their own.
            self.add_error("token_url", "The secret would go to another server. Enter it again, too.")

    def _declared_url(self, scheme: dict[str, Any]) -> tuple[str, str]:
        """What the document says, and the address of the API's tools; "" where there is none."""
        flows = scheme.get("flows")
        found = [flow.get("tokenUrl") for flow in flows.values()] if isinstance(flows, dict) else []
        url = next((one for one in found if isinstance(one, str) and one), "")
        source = self.cleaned_data.get("source") or getattr(self.instance, "source", None)
        tools = Tool.objects.filter(NOT_RETIRED, source=source).order_by("-enabled", "name")
        server = (tools.values_list("server_url", flat=True).first() if url else "") or ""
        return (urljoin(f"{server}/", url) if server else url), server


def _host(url: str) -> str:
    try:
        return parse_url(url).host
    except InvalidUrl:
        return ""


@admin.register(Credential)
class CredentialAdmin(HistoryAdmin):
    form = CredentialForm
    list_display = ("scheme", "source", "kind", "state", "used", "refused")
    none_yet = "No credentials are stored yet"
    what_next = "Enter those that your systems ask for. They are kept sealed, and no agent sees them."
    list_filter = ("source", "kind")
    list_select_related = ("source",)
    list_before_template = "agents/console/wanted_credentials.html"
    search_fields = ("scheme", "source__name", "source__title")
    readonly_fields = ("state", "used", "refused", "created_by", "entered")
    conditional_fields: ClassVar = {
        "value": "kind == 'api_key' || kind == 'bearer'",
        "username": "kind == 'basic'",
        "password": "kind == 'basic'",
        "client_id": "kind == 'oauth2_client' || kind == 'oauth2_refresh'",
        "client_secret": "kind == 'oauth2_client' || kind == 'oauth2_refresh'",
        "refresh_token": "kind == 'oauth2_refresh'",
        "token_url": "kind == 'oauth2_client' || kind == 'oauth2_refresh'",
        "scopes": "kind == 'oauth2_client' || kind == 'oauth2_refresh'",
    }
    warn_unsaved_form = True

    def get_fieldsets(self, request: HttpRequest, obj: Credential | None = None) -> Any:
        if not self.has_change_permission(request, obj) and obj is not None:
            return (
                (
                    None,
                    {"fields": ("source", "scheme", "kind", "token_url", "scopes", *self.readonly_fields)},
                ),
            )
        told = "They are sealed and never shown again. Leave all of them empty to keep what is stored."
        parts = {
            "fields": EVERY_PART,
            "description": told if obj else "They are sealed, and never shown again.",
        }
        shown = [
            (None, {"fields": ("source", "scheme", "kind", "token_url", "scopes")}),
            ("Secret", parts),
        ]
        return [*shown, ("What became of it", {"fields": self.readonly_fields})] if obj else shown

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What a link says, and the first kind that fits the scheme that it names."""
        said: dict[str, Any] = super().get_changeform_initial_data(request)
        source = parse_uuid(said.get("source", ""))
        scheme = schemes_of(source).get(said.get("scheme", "")) if source else None
        fitting = credentials.kinds_for(scheme) if scheme else ()
        return {"kind": fitting[0].value, **said} if fitting else said

    def get_readonly_fields(self, request: HttpRequest, obj: Credential | None = None) -> tuple[str, ...]:
        return ("source", "scheme", *self.readonly_fields) if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Credential]:
        return super().get_queryset(request).select_related("source")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        wanted = wanted_rows() if self.has_view_permission(request) else []
        shown = {"wanted": wanted, "may_add": self.has_add_permission(request)}
        return super().changelist_view(request, {**(extra_context or {}), **shown})

    def save_model(self, request: HttpRequest, obj: Credential, form: Any, change: bool) -> None:
        secret = credentials.with_secret(obj, form.secret) if form.secret else ()
        if not change:
            obj.created_by = request.user.get_username()
            obj.save()
            return
        # Only what was edited: a token or refresh token that was renewed meanwhile stays.
        edited = {"kind", "token_url", "scopes"} & set(form.changed_data)
        if edited and not secret:
            obj.token, obj.token_expires_at = "", None
            edited |= {"token", "token_expires_at"}
        obj.save(update_fields=["token_url", "updated_at", *sorted(edited - {"token_url"}), *secret])

    @display(description="Last used", ordering="last_used_at", empty_value="Never")
    def used(self, row: Credential) -> str | None:
        return ago(row.last_used_at) if row.last_used_at else None

    @display(description="Refused by the business", ordering="refused_at", empty_value="Never")
    def refused(self, row: Credential) -> str | None:
        return ago(row.refused_at) if row.refused_at else None

    @display(description="Entered", ordering="created_at")
    def entered(self, row: Credential) -> str:
        return ago(row.created_at)

    @display(description="State", label=STANDING_COLOURS)
    def state(self, row: Credential) -> str:
        return state_of(row)
