"""The form in which a document is handed in: by its address, as a file, or as text."""

import re
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.text import slugify
from unfold.widgets import (
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanWidget,
)

from openapi_import.admin.sign_in import SignInFields
from openapi_import.models import SourceKind
from smartsupport.lib.errors import ServiceError

WAYS = ("url", "file", "text", "mcp_url")


class ImportForm(SignInFields):
    """When it is valid, `submission` is what `openapi_import.jobs.submit` takes."""

    url = forms.CharField(
        required=False,
        max_length=2000,
        label="Address",
        widget=UnfoldAdminURLInputWidget(
            attrs={"placeholder": "https://api.example.com/openapi.json", "autocomplete": "off"}
        ),
    )
    file = forms.FileField(
        required=False,
        label="File",
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".json,.yaml,.yml,.txt", "class": "imports-file"}),
    )
    text = forms.CharField(
        required=False,
        strip=False,
        label="Text",
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 7, "spellcheck": "false", "placeholder": "openapi: 3.1.0 …"}
        ),
    )
    mcp_url = forms.CharField(
        required=False,
        max_length=2000,
        label="Address of an MCP server",
        widget=UnfoldAdminURLInputWidget(
            attrs={"placeholder": "https://tools.example.com/mcp", "autocomplete": "off"}
        ),
        help_text="A server of the Model Context Protocol (streamable HTTP): its tools are read and reviewed like a "
        "document's operations.",
    )
    name = forms.CharField(
        required=False,
        max_length=64,
        label="Name",
        widget=UnfoldAdminTextInputWidget(attrs={"list": "import-names", "autocomplete": "off"}),
        help_text="What this API is called here: small letters, digits, - and _. Empty: made from its title. "
        "The name of a document that you have makes this its next version.",
    )
    base_url = forms.CharField(
        required=False,
        max_length=2000,
        label="Where it belongs",
        widget=UnfoldAdminURLInputWidget(
            attrs={"placeholder": "https://api.example.com/", "autocomplete": "off"}
        ),
        help_text="For a file or text: the address that its relative servers and references are relative to.",
    )
    once = forms.CharField(
        initial=lambda: str(uuid4()), max_length=64, required=False, widget=forms.HiddenInput
    )
    """A new one for each form: a second click starts no second import."""
    strict = forms.BooleanField(
        required=False,
        label="Refuse a document with faults",
        widget=UnfoldBooleanWidget,
        help_text="Otherwise what can be read is read, and every fault is listed.",
    )
    ask_model = forms.BooleanField(
        required=False,
        label="Let the model judge, too",
        widget=UnfoldBooleanWidget,
        help_text="The configured model looks at each operation after the rules. It can only find more risk, not less.",
    )

    def clean_url(self) -> str:
        return _address(self.cleaned_data["url"])

    def clean_mcp_url(self) -> str:
        return _address(self.cleaned_data["mcp_url"])

    def clean_base_url(self) -> str:
        return _address(self.cleaned_data["base_url"])

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file is None:
            return None
        if file.size > settings.IMPORT_MAX_BYTES:
            raise forms.ValidationError(_too_large(file.size))
        if not file.size:
            raise forms.ValidationError("This file is empty.")
        return file

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if (size := len(text.encode())) > settings.IMPORT_MAX_BYTES:
            raise forms.ValidationError(_too_large(size))
        return text if text.strip() else ""

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name:
            if slugify(name) != name:
                raise forms.ValidationError("Use small letters, digits, - and _, such as billing-api.")
        return name

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        given = [way for way in WAYS if values.get(way)]
        if not given and not any(way in self.errors for way in WAYS):
            self.add_error(
                "url", "Give an address, choose a file, paste the document's text, or name an MCP server."
            )
        elif len(given) > 1:
            labels = {"url": "an address", "file": "a file", "text": "text", "mcp_url": "an MCP server"}
            both = " and ".join(labels[way] for way in given)
            self.add_error(given[-1], f"You gave {both}. Keep one, and empty the other.")
        has_address = not {"url", "mcp_url"}.isdisjoint(given) or values.get("base_url")
        if values.get("sign_in") and given and not has_address:
            self.add_error("sign_in", "Credentials need an address: say where the document belongs.")
        return values

    @property
    def submission(self) -> dict[str, Any]:
        """Keyword arguments of `jobs.submit`, all but who hands it in."""
        values = self.cleaned_data
        file = values["file"]
        content = file.read() if file else values["text"].encode() if values["text"] else None
        return {
            "kind": SourceKind.MCP if values["mcp_url"] else SourceKind.OPENAPI,
            "url": values["mcp_url"] or values["url"],
            "content": content,
            "filename": file.name[-200:] if file else "",
            "content_type": (file.content_type or "")[:200] if file else "",
            "base_url": values["base_url"] if content is not None else "",
            "name": values["name"],
            "idempotency_key": values["once"],
            "headers": self.headers,
            "strict": values["strict"],
            "ask_model": values["ask_model"],
        }

    def refuse(self, refusal: ServiceError) -> None:
        """Show what the service refused, at the field that it is about."""
        named: dict[str, list[str]] = refusal.extra.get("fields") or {}
        secret = {"bearer": "token", "header": "key", "basic": "password"}
        own = {"headers": secret.get(self.cleaned_data.get("sign_in", ""), "sign_in"), "file": self._way()}
        shown = False
        for name, faults in named.items():
            field = own.get(name, name)
            for fault in faults:
                self.add_error(field if field in self.fields else None, fault)
                shown = True
        if not shown:
            self.add_error(None, refusal.message)

    def _way(self) -> str:
        return next((way for way in WAYS if self.cleaned_data.get(way)), "url")


def _address(text: str) -> str:
    url = text.strip()
    if url and not re.match(r"https?://[^\s/]", url, re.IGNORECASE):
        raise forms.ValidationError("Write a whole address that begins with https:// or http://.")
    return url


def _too_large(size: int) -> str:
    limit = filesizeformat(settings.IMPORT_MAX_BYTES)
    return f"This is {filesizeformat(size)}. A document may have {limit}; the setting IMPORT_MAX_BYTES changes it."
