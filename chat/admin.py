"""Customers in the console. Conversations are in replay.admin: their timeline is replay's."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from chat import canned_admin, key_admin, webhook_admin  # noqa: F401 - their pages register themselves
from chat.models import Conversation, Customer
from smartsupport.lib.console import ReadOnlyAdmin, ago


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


def _linked(row: Conversation) -> tuple[str, str, SafeString]:
    url = reverse("admin:chat_conversation_change", args=[row.pk])
    return url, row.last_line or row.thread_id, ago(row.last_activity_at)
