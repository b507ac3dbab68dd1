"""Who tries: nobody, another customer, keys without the scope, staff without the permission."""

from collections.abc import Iterator
from uuid import uuid4

from django.contrib.auth.models import Permission

from tests import rows
from tests.isolation import public
from tests.isolation.crowd import FORBIDDEN, Caller, Crowd, the_customer
from tests.isolation.needs import Alternatives, answers, asked
from tests.isolation.routes import Route
from tests.isolation.world import World


def staff_without(missing: Alternatives) -> Caller:
    """A member of staff with every permission but these. Where nobody may, even a superuser may not."""
    user = rows.staff(f"staff-{uuid4().hex[:8]}", superuser=not missing)
    names = [name.split(".") for name in missing]
    held = Permission.objects.all()
    for app, codename in names:
        held = held.exclude(content_type__app_label=app, codename=codename)
    if missing:
        user.user_permissions.set(held)
    lacking = " or ".join(sorted(missing)) or "nothing"
    return Caller(f"staff who lack {lacking}", FORBIDDEN, user=user, is_staff=True)


def everybody_refused(
    world: World, route: Route, methods: tuple[str, ...]
) -> Iterator[tuple[Caller, list[str]]]:
    """Every caller whom the route has to refuse, with the methods by which.

    A view of the API has a method for each verb. A page of the console knows GET and POST. The other verbs, which
    nothing of ours answers, are tried by nobody, and in the console by staff without the permission. OPTIONS of the API
    describes a view to whoever may call anything at all.
    """
    known = [method for method in methods if answers(route, method)]
    needed = {method: asked(route, method) for method in known}
    served = [method for method in known if not (route.is_api and method == "OPTIONS")]
    usual = [method for method in served if not route.is_console or method in ("GET", "POST")]
    crowd = world.crowd
    assert crowd is not None
    for place, stranger in enumerate(_strangers(crowd, route)):
        yield stranger, usual if place else list(methods)
    for scope in sorted({needed[method].scope for method in usual}):
        of_scope = [method for method in usual if needed[method].scope == scope]
        for key in crowd.keys_without(scope):
            yield key, of_scope
    for missing in {one for method in served for one in needed[method].permissions}:
        yield staff_without(missing), [m for m in served if missing in needed[m].permissions]
    for member, held in crowd.members:
        closed = [method for method in usual if not (held and needed[method].met_by(held))]
        if closed:
            yield member, closed


def _strangers(crowd: Crowd, route: Route) -> list[Caller]:
    """Nobody is the first of them."""
    if route.pattern in public.TO_THE_CUSTOMER:
        return crowd.to_the_customer
    return crowd.at_the_console if route.is_console else crowd.nobodies


def superuser() -> Caller:
    return Caller(
        "a superuser", (), user=rows.staff(f"root-{uuid4().hex[:6]}", superuser=True), is_staff=True
    )


def admin_key() -> Caller:
    return Caller("a key for everything", (), headers={"X-API-Key": rows.key("admin", name="everything")})


STAFFS = "api/v1/keys/<str:key_id>/rotate"
"""A key replaces none that is not its own."""


def right_caller(route: Route, world: World) -> Caller:
    if getattr(getattr(route.view, "cls", None), "own", ()):  # the customer's alone
        return the_customer(world.owner)
    return admin_key() if route.is_api and route.pattern != STAFFS else superuser()
