"""Budgets in the console: how they stand, their limits, and what staff grant, reset and exempt."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from agents.admin.spending_forms import BudgetForm, ExemptForm, GrantForm, PeriodForm, ReasonForm
from agents.admin.spending_words import ALERTS_SHOWN, may_change, meters, tabs
from agents.approvals import Decider
from agents.spending import changes, limits
from agents.spending.models import Budget, BudgetAlert, BudgetChange
from smartsupport.lib.console import HistoryAdmin
from smartsupport.lib.errors import ServiceError

OWN_SHOWN = 200
ORDER = Case(When(scope="deployment", then=0), When(scope="each_customer", then=1), default=2)
CHANGES_SHOWN = 20
FORMS: dict[str, tuple[Any, Any, str]] = {
    "grant": (GrantForm, changes.grant, "Granted."),
    "reset": (PeriodForm, changes.reset, "What was spent until now does not count any more."),
    "exempt": (ExemptForm, changes.exempt, "No limit counts now."),
    "end_exempt": (ReasonForm, changes.end_exemption, "Limits count again."),
}


@admin.register(Budget)
class BudgetAdmin(HistoryAdmin):
    form = BudgetForm
    fields = ("scope", "customer", "period", "limit_micros", "enabled")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("agents.view_modelcall")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_change(request)

    has_add_permission = has_delete_permission = has_change_permission

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("deployment/", wrap(self.limits_of), name="agents_budget_deployment"),
            path("customer/<uuid:customer_id>/", wrap(self.limits_of), name="agents_budget_customer"),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:
        obj.updated_by = Decider.of(request.user).name[:150]
        super().save_model(request, obj, form, change)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        budgets = list(
            Budget.objects.select_related("customer").order_by(ORDER, "period", "-created_at")[:OWN_SHOWN]
        )
        shown = {
            **self._page(request, "Budgets"),
            "meters": meters(limits.standings()),
            "limits": budgets,
            "switched_off": [
                one for one in budgets if one.scope == Budget.Scope.DEPLOYMENT and not one.enabled
            ],
            "changes": BudgetChange.objects.select_related("customer")[:CHANGES_SHOWN],
            "alerts": BudgetAlert.objects.select_related("budget", "customer")[:ALERTS_SHOWN],
        }
        return TemplateResponse(request, "agents/spending/budgets.html", shown)

    def limits_of(self, request: HttpRequest, customer_id: UUID | None = None) -> HttpResponse:
        """The limits of one customer, or of the deployment, and the forms that change how they stand."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        customer = self._customer(customer_id)
        forms = {name: form(prefix=name) for name, (form, _, _) in FORMS.items()}
        if request.method == "POST":
            if not self.has_change_permission(request):
                raise PermissionDenied
            if done := self._changed(request, customer_id, forms):
                return done
        found = limits.standings([customer_id] if customer_id else [], deployment=customer_id is None)
        shown = {
            **self._page(request, f"Limits of {customer}" if customer else "Limits of the whole deployment"),
            "customer": customer,
            "meters": meters(found),
            "exempt": next((one for one in found if one.exempt), None),
            "forms": forms,
            "changes": BudgetChange.objects.filter(customer=customer)[:CHANGES_SHOWN],
            "own": Budget.objects.filter(customer=customer, scope=Budget.Scope.CUSTOMER) if customer else (),
        }
        return TemplateResponse(request, "agents/spending/limits.html", shown)

    def _changed(
        self, request: HttpRequest, customer_id: UUID | None, forms: dict[str, Any]
    ) -> HttpResponse | None:
        """Carry out what was posted; None where its form has a fault, which it then shows."""
        name = request.POST.get("change", "")
        if name not in FORMS:
            raise Http404
        kind, change, said = FORMS[name]
        form = forms[name] = kind(request.POST, prefix=name)
        if not form.is_valid():
            return None
        try:
            change(customer_id=customer_id, by_name=Decider.of(request.user).name, **form.cleaned_data)
        except ServiceError as refusal:
            form.add_error(None, refusal.message)
            return None
        messages.success(request, said)
        return HttpResponseRedirect(request.path)

    def _customer(self, customer_id: UUID | None) -> Any:
        if customer_id is None:
            return None
        known: Any = Budget._meta.get_field("customer").related_model  # of an app that this one does not know
        row = known._default_manager.filter(pk=customer_id).first()
        if row is None:
            raise Http404
        return row

    def _page(self, request: HttpRequest, title: str) -> dict[str, Any]:
        site = self.admin_site.each_context(request)
        may = {"may_change": self.has_change_permission(request)}
        more = {"sees_customers": request.user.has_perm("chat.view_customer")}
        add = {"add_url": reverse("admin:agents_budget_add")}
        return {
            **site,
            **may,
            **more,
            **add,
            "opts": self.opts,
            "title": title,
            "tabs": tabs(request, "budgets"),
        }
