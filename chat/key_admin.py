"""API keys in the console: made, replaced, switched off. Nothing about one is edited, and its text is shown once."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from chat import api_keys, key_limits, scopes
from chat.key_forms import DisableForm, NewKeyForm, ReplaceForm
from chat.key_words import STATES, maker_of, replacement_of, state_of
from chat.models import ApiKey
from smartsupport.lib.console import HistoryAdmin, ago, go_to, identified
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import parse_uuid

COLOURS = {
    "enabled": "success",
    "ends_soon": "warning",
    "replaced": "info",
    "expired": "danger",
    "disabled": "danger",
}
NEW_FIELDS = (*NewKeyForm.Meta.fields, "held_to")
SHOWN_ONCE = "The key is <code>{}</code>. Copy it now: it is not shown again."


@admin.register(ApiKey)
class ApiKeyAdmin(HistoryAdmin):
    list_display = ("name", "starts_with", "scope_list", "held_to", "state", "ends", "used", "made")
    list_before_template = "chat/keys_note.html"
    search_fields = ("name", "prefix")
    search_help_text = "Name, or what the key starts with"
    readonly_fields = (
        "name",
        "starts_with",
        "state",
        "scope_list",
        "allowed",
        "held_to",
        "limit",
        "ends",
        "used",
        "replaces_what",
        "replaced_by_what",
        "made",
        "made_by",
    )
    actions_detail = ("replace", "disable")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return (
            super()
            .get_queryset(request)
            .select_related("replaces", "customer")
            .prefetch_related("replaced_by")
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        ending = ApiKey.objects.filter(
            api_keys.usable(), expires_at__lte=timezone.now() + api_keys.ENDS_SOON
        ).prefetch_related("replaced_by")
        rows = [key for key in ending.order_by("expires_at")[:50] if state_of(key) == "ends_soon"]
        return super().changelist_view(request, {**(extra_context or {}), "ending": rows})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        buttons = dict.fromkeys(("show_save", "show_save_and_continue", "show_save_and_add_another"), False)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **buttons})

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return NEW_FIELDS if obj is None else self.readonly_fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return () if obj is None else self.readonly_fields

    def get_form(
        self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = type("FormOfOne", (NewKeyForm,), {"user": request.user})
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            return
        wanted = {name: form.cleaned_data[name] for name in NewKeyForm.Meta.fields}
        made, text = api_keys.issue(**wanted, customer=form.cleaned_data["held_to"], by=request.user)
        obj.pk, obj.prefix, obj.key_hash = made.pk, made.prefix, made.key_hash
        obj.scopes, obj.created_at, obj.created_by = made.scopes, made.created_at, made.created_by
        obj.customer_id = made.customer_id
        obj._state.adding = False
        messages.warning(request, format_html(SHOWN_ONCE, text))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a disabled key stays, because decisions are signed with its name

    def has_replace_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_add_permission(request)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        key = identified(ApiKey.objects.all(), object_id).first()
        if key is None or not (key.enabled or api_keys.live_made(key)):
            return []
        usable = ApiKey.objects.filter(api_keys.usable())
        can_be_replaced = usable.filter(pk=key.pk).exists() and not usable.filter(replaces=key).exists()
        offered = super().get_actions_detail(request, object_id)
        left_out = () if can_be_replaced else ("replace",)
        return [one for one in offered if one.method.original_function_name not in left_out]

    @display(description="Starts with")
    def starts_with(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description="Scopes")
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="May")
    def allowed(self, key: ApiKey) -> str:
        return ", ".join(sorted(scopes.granted(key.scopes)))

    @display(description="Only for the customer")
    def held_to(self, key: ApiKey) -> str:
        if key.customer is None:
            return "Any customer"
        url = reverse("admin:chat_customer_change", args=[key.customer.pk])
        return format_html('<a class="console-link" href="{}">{}</a>', url, key.customer)

    @display(description="Requests a minute")
    def limit(self, key: ApiKey) -> str:
        most = f"{key_limits.most(key):,}"
        return most if key.per_minute is not None else f"{most}, the deployment's limit"

    @display(description="Ends", ordering="expires_at")
    def ends(self, key: ApiKey) -> str:
        return f"{key.expires_at:%d %b %Y, %H:%M} UTC" if key.expires_at else "Never"

    @display(description="Last used", ordering="last_used_at")
    def used(self, key: ApiKey) -> str:
        return ago(key.last_used_at) if key.last_used_at else "Never"

    @display(description="Took the place of")
    def replaces_what(self, key: ApiKey) -> str:
        return _linked(key.replaces) or "Nothing: it is the first of its line"

    @display(description="Replaced by")
    def replaced_by_what(self, key: ApiKey) -> str:
        return _linked(replacement_of(key)) or "Nothing"

    @display(description="Made", ordering="created_at")
    def made(self, key: ApiKey) -> str:
        return ago(key.created_at)

    @display(description="Made by")
    def made_by(self, key: ApiKey) -> str:
        return maker_of(key)

    @display(
        description="State",
        label={STATES[state]: colour for state, colour in COLOURS.items()},
        ordering="enabled",
    )
    def state(self, key: ApiKey) -> str:
        return STATES[state_of(key)]

    @action(
        description="Replace",
        permissions=["change", "replace"],
        icon="autorenew",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Replace this key?",
            "description": "A new key with the same name, scopes, limit and customer is made and shown once. The old "
            "one goes on working beside it for as long as you say, and then ends.",
            "form_class": ReplaceForm,
            "form_submit_text": "Make the new key",
        },
    )
    def replace(self, request: HttpRequest, form: ReplaceForm, object_id: str) -> HttpResponse:
        overlap = timedelta(hours=int(form.cleaned_data["overlap_hours"]))
        try:
            key_id = parse_uuid(object_id)
            if key_id is None:
                raise api_keys.KeyNotFound()
            made, text = api_keys.replace(key_id, overlap=overlap, by=request.user)
        except ServiceError as refusal:
            messages.error(request, refusal.message)
            return go_to(request, reverse("admin:chat_apikey_changelist"))
        self.log_change(request, made, "Made to replace an older one.")
        messages.warning(request, format_html(SHOWN_ONCE, text))
        assert made.replaces is not None
        assert made.replaces.expires_at is not None
        if overlap:
            messages.info(request, f"The old key works until {made.replaces.expires_at:%d %b %Y, %H:%M} UTC.")
        else:
            messages.info(request, "The old key does not work any more.")
        return go_to(request, reverse("admin:chat_apikey_change", args=[made.pk]))

    @action(
        description="Disable",
        permissions=["change"],
        icon="block",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Disable this key?",
            "description": "Whatever uses it is refused from now on. A disabled key cannot be enabled again.",
            "form_class": DisableForm,
            "form_submit_text": "Disable the key",
        },
    )
    def disable(self, request: HttpRequest, form: DisableForm, object_id: str) -> HttpResponse:
        key = self.get_object(request, object_id)
        made_too = bool(form.cleaned_data.get("made_too"))
        done = api_keys.disable(key, made_too=made_too) if key is not None else api_keys.Disabled(False, [])
        for one in [*([key] if key is not None and done.was_on else []), *done.made]:
            self.log_change(request, one, "Disabled.")
        if done.was_on:
            messages.success(request, f"The key {key} is disabled.")
        else:
            messages.warning(request, "This key was disabled before.")
        if done.made:
            count = "1 key" if len(done.made) == 1 else f"{len(done.made):,} keys"
            messages.success(request, f"{count} that it made: disabled with it.")
        return go_to(request, reverse("admin:chat_apikey_changelist"))


def _linked(key: ApiKey | None) -> str | None:
    if key is None:
        return None
    url = reverse("admin:chat_apikey_change", args=[key.pk])
    return format_html(
        '<a class="console-link" href="{}">{} ({}…)</a>, {}', url, key.name, key.prefix, STATES[state_of(key)]
    )
