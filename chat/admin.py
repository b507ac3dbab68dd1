"""Customers and API keys in the console. Conversations are in replay.admin: their timeline is replay's."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from chat import api_keys, canned_admin, webhook_admin  # noqa: F401 - their pages register themselves
from chat.models import ApiKey, Conversation, Customer
from smartsupport.lib.console import HistoryAdmin, ReadOnlyAdmin, ago, go_to, identified


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = ("who", "email", "known_as", "conversation_count", "last_seen")
    search_fields = ("name", "email", "subject", "business_id")
    search_help_text = "Name, email, or the company's own customer id"
    fields = (
        "name",
        "email",
        "known_as",
        "bound_to",
        "attributes",
        "first_seen",
        "limits",
        "conversation_list",
    )
    readonly_fields = ("known_as", "bound_to", "first_seen", "limits", "conversation_list")

    def get_fields(self, request: HttpRequest, obj: Customer | None = None) -> list[str]:
        sees_costs = request.user.has_perm("agents.view_modelcall")
        return [name for name in self.fields if name != "limits" or sees_costs]

    paginator = InfinitePaginator  # a million customers are not counted to show the newest
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        """Each with how many conversations it has and when the last was: looked up for the rows of a page only."""
        own = Conversation.objects.filter(customer=OuterRef("pk")).order_by().values("customer")
        return (
            super()
            .get_queryset(request)
            .annotate(
                total=Subquery(own.annotate(n=Count("pk")).values("n")),
                seen=Subquery(own.annotate(at=Max("last_activity_at")).values("at")),
            )
        )

    @display(description="Customer", ordering="name")
    def who(self, customer: Customer) -> str:
        return str(customer)

    @display(description="Known as", ordering="subject")
    def known_as(self, customer: Customer) -> str:
        return customer.subject or "Anonymous visitor"

    @display(description="Customer id in the business system", empty_value="None: tools cannot act for them")
    def bound_to(self, customer: Customer) -> str | None:
        return customer.business_id or None

    @display(description="Costs")
    def limits(self, customer: Customer) -> str:
        url = reverse("admin:agents_budget_customer", args=[customer.pk])
        return format_html('<a class="console-link" href="{}">What they cost, and their limits</a>', url)

    @display(description="First seen")
    def first_seen(self, customer: Customer) -> Any:
        return ago(customer.created_at)

    @display(description="Conversations")
    def conversation_count(self, customer: Customer) -> int:
        return customer.total or 0  # type: ignore[attr-defined]

    @display(description="Last seen")
    def last_seen(self, customer: Customer) -> Any:
        return ago(customer.seen) if customer.seen else "Never"  # type: ignore[attr-defined]

    @display(description="Newest conversations")
    def conversation_list(self, customer: Customer) -> str:
        rows = customer.conversations.order_by("-last_activity_at")[:50]
        links = format_html_join("", '<li><a href="{}">{}</a> {}</li>', (_linked(row) for row in rows))
        return format_html('<ul class="console-list">{}</ul>', links) if links else "None yet"


def _linked(row: Conversation) -> tuple[str, str, str]:
    url = reverse("admin:chat_conversation_change", args=[row.pk])
    return url, row.last_line or row.thread_id, f"{row.last_activity_at:%d %b %Y, %H:%M} UTC"


class NewKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {what}") for scope, what in api_keys.SCOPES.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Give a key only what its program needs.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes")


@admin.register(ApiKey)
class ApiKeyAdmin(HistoryAdmin):
    """Keys are made and switched off; nothing about one is edited, and its text is shown once."""

    list_display = ("name", "starts_with", "scope_list", "state", "used", "made")
    search_fields = ("name", "prefix")
    readonly_fields = ("name", "starts_with", "scope_list", "state", "used", "made")
    actions_detail = ("disable",)

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
        return ("name", "scopes") if obj is None else self.readonly_fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return () if obj is None else self.readonly_fields

    def get_form(
        self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = NewKeyForm
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            return
        made, text = api_keys.issue(name=form.cleaned_data["name"], scopes=form.cleaned_data["scopes"])
        obj.pk, obj.prefix, obj.key_hash = made.pk, made.prefix, made.key_hash
        obj.scopes, obj.created_at = made.scopes, made.created_at
        obj._state.adding = False
        kept = format_html("The key is <code>{}</code>. Copy it now: it is not shown again.", text)
        messages.warning(request, kept)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a disabled key stays, because decisions are signed with its name

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        usable = identified(ApiKey.objects.filter(enabled=True), object_id).exists()
        return super().get_actions_detail(request, object_id) if usable else []

    @display(description="Starts with")
    def starts_with(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description="Scopes")
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="Last used", ordering="last_used_at")
    def used(self, key: ApiKey) -> str:
        return ago(key.last_used_at) if key.last_used_at else "Never"

    @display(description="Made", ordering="created_at")
    def made(self, key: ApiKey) -> str:
        return ago(key.created_at)

    @display(description="State", label={"Enabled": "success", "Disabled": "danger"}, ordering="enabled")
    def state(self, key: ApiKey) -> str:
        return "Enabled" if key.enabled else "Disabled"

    @action(
        description="Disable",
        permissions=["change"],
        icon="block",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Disable this key?",
            "description": "Whatever uses it is refused from now on. A disabled key cannot be enabled again.",
            "form_class": None,
            "form_submit_text": "Disable the key",
        },
    )
    def disable(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        key = self.get_object(request, object_id)
        if key is not None and api_keys.disable(key):
            self.log_change(request, key, "Disabled.")
            messages.success(request, f"The key {key.name} is disabled.")
        else:
            messages.warning(request, "This key was disabled before.")
        return go_to(request, reverse("admin:chat_apikey_changelist"))
