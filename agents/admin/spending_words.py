"""What the pages of spending have in common: their tabs, bars, charts and names."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from unfold.decorators import display

from agents.spending.limits import Standing
from agents.spending.models import Budget, ModelCall
from agents.spending.reports import Report
from smartsupport.lib.console import ago, money

ALERTS_SHOWN = 8
AXIS = "#808b99"
"""Readable on light and on dark."""
PERIODS = {"day": "today", "week": "this week"}
WHOSE = {
    Budget.Scope.DEPLOYMENT: "The whole deployment",
    Budget.Scope.EACH_CUSTOMER: "As every customer",
    Budget.Scope.CUSTOMER: "This customer's own",
}


def when(at: datetime) -> str:
    """`4 min ago` with the exact moment on hover; of one that is to come, the moment."""
    return ago(at) if at <= timezone.now() else f"{date_format(at, 'j M Y, H:i')} UTC"


def moment_of(name: str, words: str) -> Callable[[Any, Any], str]:
    """A field of the row's page: its moment `name`, told as the lists tell it."""

    @display(description=words)
    def shown(admin: Any, row: Any) -> str:
        return when(getattr(row, name))

    return shown


def dollars_of(name: str, words: str, otherwise: str = "") -> Callable[[Any, Any], str]:
    """A field of the row's page: micro-dollars `name` in dollars, `otherwise` where there are none."""

    @display(description=words)
    def shown(admin: Any, row: Any) -> str:
        micros = getattr(row, name)
        return otherwise if micros is None and otherwise else money(micros)

    return shown


class Tab(NamedTuple):
    name: str
    url: str
    here: bool


def may_change(request: HttpRequest) -> bool:
    """Prices and budgets are changed by who may change them and sees what they cost."""
    return request.user.has_perm("agents.change_budget") and request.user.has_perm("agents.view_modelcall")


def tabs(request: HttpRequest, here: str) -> list[Tab]:
    """The pages about costs."""
    pages = {
        "costs": ("Costs", "admin:agents_modelcall_costs"),
        "ledger": ("Ledger", "admin:agents_modelcall_changelist"),
        "budgets": ("Budgets", "admin:agents_budget_changelist"),
        "prices": ("Prices", "admin:agents_modelprice_changelist"),
    }
    return [Tab(title, reverse(name), key == here) for key, (title, name) in pages.items()]


class Meter(NamedTuple):
    """A budget as a bar. `width` is the bar's percent, at most 100; `tone` is "", "warn" or "bad"."""

    standing: Standing
    whose: str
    period: str
    percent: str
    width: float
    tone: str
    left: int


def meters(found: Sequence[Standing]) -> list[Meter]:
    return [_meter(one) for one in found]


def _meter(one: Standing) -> Meter:
    percent = one.percent
    tone = "" if one.exempt or percent < 80 else "bad" if one.reached else "warn"
    shown = f"{percent:.0f}" if percent == int(percent) else f"{percent:.1f}"
    whose = WHOSE[Budget.Scope(one.scope)]
    left = max(0, one.limit - one.spent)
    return Meter(one, whose, PERIODS[one.period], shown, min(percent, 100.0), tone, left)


def charted(found: Report) -> dict[str, str]:
    """What the theme's bar chart takes: dollars by day."""
    values = [round(part.micros / 1_000_000, 4) for part in found.by_day]
    data = {
        "labels": [part.name for part in found.by_day],
        "datasets": [{"label": "Dollars", "data": values, "backgroundColor": "var(--color-primary-600)"}],
    }
    options: dict[str, Any] = {
        "animation": False,
        "maintainAspectRatio": False,
        "plugins": {"legend": {"display": False}},
        "scales": {
            "x": {"grid": {"display": False}, "ticks": {"color": AXIS, "maxRotation": 0, "autoSkip": True}},
            "y": {"beginAtZero": True, "grid": {}, "ticks": {"color": AXIS}},
        },
    }
    return {"data": json.dumps(data), "options": json.dumps(options)}


def customers_by_id(found: Sequence[tuple[UUID, int, int]]) -> list[tuple[Any, int, int]]:
    """The same, with the customers' rows. One statement."""
    customers = ModelCall._meta.get_field("customer").related_model  # of an app that this one does not know
    rows = customers._default_manager.in_bulk([customer for customer, _, _ in found])
    return [(rows[customer], micros, calls) for customer, micros, calls in found if customer in rows]
