"""What a route asks of its caller, read from the product's own declarations: a view's `needs`, the console's
permissions. A route that declares nothing asks for something that nobody has."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.test import RequestFactory
from rest_framework.views import APIView

from smartsupport.lib.rest import Need
from tests.isolation import public
from tests.isolation.routes import Route

Alternatives = frozenset[str]
"""Permissions any one of which will do; empty: nobody may."""
NOBODY: tuple[Alternatives, ...] = (frozenset(),)
STANDARD = {
    "changelist": "view",
    "add": "add",
    "history": "view",
    "delete": "delete",
    "change": "view",
    "password_change": "change",
}
"""What the console's own pages ask for. Any other page of a model asks at least for `view`."""


@dataclass(frozen=True)
class Asked:
    scope: str
    """Of an API key; empty: no key will do."""
    permissions: tuple[Alternatives, ...]
    """Of a member of staff: one of each."""

    def met_by(self, held: set[str]) -> bool:
        return all(one & held for one in self.permissions)


def asked(route: Route, method: str) -> Asked:
    if route.is_console and public.reason(route.pattern, staff=True):
        return Asked("", ())
    if route.is_console:
        return Asked("", _of_console(route, method))
    view = getattr(route.view, "cls", None)
    need = getattr(view, "needs", {}).get("GET" if method in ("HEAD", "OPTIONS") else method)
    if not isinstance(need, Need):
        return Asked("", NOBODY)
    return Asked(need.scope, tuple(frozenset([one]) for one in (need.permission, *need.also)))


def answers(route: Route, method: str) -> bool:
    """Whether the route knows this method; one that it does not know is refused by 405 at the latest."""
    view = getattr(route.view, "cls", None)
    return not (isinstance(view, type) and issubclass(view, APIView)) or method in view().allowed_methods


def model_admin_of(route: Route) -> Any:
    words = route.pattern.removeprefix("admin/").split("/")
    for model, model_admin in admin.site._registry.items():
        if words[:2] == [model._meta.app_label, model._meta.model_name]:
            return model_admin
    return None


def _of_console(route: Route, method: str) -> tuple[Alternatives, ...]:
    if (declared := getattr(route.view, "permissions", None)) is not None:  # a page that belongs to no model
        return tuple(frozenset([permission]) for permission in declared)
    model_admin = model_admin_of(route)
    if model_admin is None:
        return NOBODY
    meta = model_admin.model._meta
    what = route.name.removeprefix(f"admin:{meta.app_label}_{meta.model_name}_")
    wanted = list(_permissions_of(model_admin, what, method))
    return tuple(_asks_for(model_admin, permission) for permission in wanted)


def _permissions_of(model_admin: Any, what: str, method: str) -> Iterator[str]:
    if what == "change" and method == "POST":
        yield "change"
    elif what in STANDARD:
        yield STANDARD[what]
    else:
        declared = getattr(getattr(model_admin, what, None), "allowed_permissions", None)
        yield from declared or ["view"]


class Nosy:
    """A user who has no permission, and notes which ones were asked for."""

    is_active = is_staff = is_authenticated = True
    is_superuser = is_anonymous = False
    pk = id = None

    def __init__(self) -> None:
        self.noted: set[str] = set()

    def has_perm(self, permission: str, obj: Any = None) -> bool:
        self.noted.add(permission)
        return False

    def has_module_perms(self, app_label: str) -> bool:
        return False


class OpenToAllStaff(Exception):
    """A permission of the console that everybody has."""


def _asks_for(model_admin: Any, permission: str) -> Alternatives:
    if "." in permission:
        return frozenset([permission])
    request, user = RequestFactory().get("/"), Nosy()
    request.user = user  # type: ignore[assignment]
    if getattr(model_admin, f"has_{permission}_permission")(request):
        raise OpenToAllStaff(f"{model_admin} gives {permission!r} to everybody")
    return frozenset(user.noted)
