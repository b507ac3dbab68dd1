"""The price list in the console. Prices are added and, until they count, withdrawn; none is edited."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from agents.admin.spending_forms import PriceForm
from agents.admin.spending_words import dollars_of, may_change, moment_of, tabs
from agents.approvals import Decider
from agents.spending import prices
from agents.spending.models import ModelPrice
from smartsupport.lib.console import ReadOnlyAdmin
from smartsupport.lib.errors import ServiceError

LIST = "admin:agents_modelprice_changelist"


@admin.register(ModelPrice)
class ModelPriceAdmin(ReadOnlyAdmin):
    fields = (
        "provider",
        "model",
        "counts_from",
        "input_price",
        "cached_input_price",
        "cache_write_price",
        "output_price",
        "reasoning_price",
        "created_by",
        "added",
    )
    readonly_fields = fields
    counts_from = moment_of("effective_from", "Counts from")
    input_price = dollars_of("input_micros", "A million input tokens")
    cached_input_price = dollars_of("cached_input_micros", "A million cached input tokens", "As input")
    cache_write_price = dollars_of("cache_write_micros", "A million tokens written to the cache", "As input")
    output_price = dollars_of("output_micros", "A million output tokens")
    reasoning_price = dollars_of("reasoning_micros", "A million reasoning tokens", "As output")
    added = moment_of("created_at", "Added")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("agents.view_modelcall")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_change(request)

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("list-prices/", wrap(self.add_list), name="agents_modelprice_add_list"),
            path("<uuid:object_id>/withdraw/", wrap(self.withdraw), name="agents_modelprice_withdraw"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        listed = prices.public_list()
        rows = list(ModelPrice.objects.order_by("provider", "model", "-effective_from"))
        known = {(row.provider, row.model) for row in rows}
        shown = {
            **self._page(request, "Prices of models"),
            "prices": _standing(rows),
            "may_change": self.has_add_permission(request),
            "listed_on": listed["checked"],
            "listed_missing": [
                one for one in listed["prices"] if (one["provider"], one["model"]) not in known
            ],
        }
        return TemplateResponse(request, "agents/spending/prices.html", shown)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        first = {name: request.GET[name] for name in ("provider", "model") if name in request.GET}
        form = PriceForm(request.POST or None, initial=first)
        if request.method == "POST" and form.is_valid():
            try:
                row = prices.add(form.price, by_name=Decider.of(request.user).name)
            except ServiceError as refusal:
                _tell(form, refusal)
            else:
                self.log_addition(request, row, "Added.")
                messages.success(request, f"{row.model} has this price from now on.")
                return HttpResponseRedirect(reverse(LIST))
        shown = {**self._page(request, "Add a price"), "form": form}
        return TemplateResponse(request, "agents/spending/price_form.html", shown)

    def add_list(self, request: HttpRequest) -> HttpResponse:
        """Add the public list's prices of models that have none."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(reverse(LIST))
        count = prices.add_public_list()
        messages.success(
            request, f"{count} prices were added." if count else "All of them were there already."
        )
        return HttpResponseRedirect(reverse(LIST))

    def withdraw(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Delete a price that does not count yet."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(reverse(LIST))
        row = ModelPrice.objects.filter(pk=object_id).first()
        if row is not None and prices.withdraw(object_id):
            self.log_deletions(request, [row])
            messages.success(request, f"The price of {row.model} was withdrawn. It had not begun to count.")
        else:
            messages.error(request, "A price that has begun to count stays. Add a new one instead.")
        return HttpResponseRedirect(reverse(LIST))

    def _page(self, request: HttpRequest, title: str) -> dict[str, Any]:
        site = self.admin_site.each_context(request)
        return {**site, "opts": self.opts, "title": title, "tabs": tabs(request, "prices")}


def _standing(rows: list[ModelPrice]) -> list[dict[str, Any]]:
    """Each price with whether it counts: "now", "later" or "before"; `rows` are newest first within a model."""
    now, seen, told = timezone.now(), set(), []
    for row in rows:
        name = (row.provider, row.model)
        if row.effective_from > now:
            when = "later"
        else:
            when = "before" if name in seen else "now"
            seen.add(name)
        told.append({"row": row, "when": when})
    return told


def _tell(form: PriceForm, refusal: ServiceError) -> None:
    faults = refusal.extra.get("fields")
    for name, fault in faults.items() if isinstance(faults, dict) else ():
        form.add_error(name, fault)
    if not faults:
        form.add_error(None, refusal.message)
