"""A member of each role, signed in, and what asking for a route of the console comes to."""

from django.contrib.auth.models import Group
from django.db import transaction
from django.http.response import HttpResponseBase
from django.test import Client

from smartsupport import staff
from tests import rows
from tests.isolation.check import model_of
from tests.isolation.routes import Route, all_routes
from tests.isolation.world import World

LETTERS = {staff.VIEWER: "V", staff.AGENT: "A", staff.APPROVER: "P", staff.MANAGER: "M", staff.ADMIN: "D"}
BELOW = {
    staff.VIEWER: (),
    staff.AGENT: (staff.VIEWER,),
    staff.APPROVER: (staff.VIEWER,),
    staff.MANAGER: (staff.VIEWER, staff.AGENT, staff.APPROVER),
    staff.ADMIN: (staff.VIEWER, staff.AGENT, staff.APPROVER, staff.MANAGER),
}
"""Which roles are part of which."""
POSTED = "_form_submitted=True&reason=because&note=There&content=Hello&template=ecommerce&name=renamed"


def member(role: str) -> Client:
    user = rows.staff(f"member-of-{role.lower()}")
    user.groups.add(Group.objects.get(name=role))
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def console_routes() -> list[Route]:
    return [route for route in all_routes() if route.is_console]


def name_of(route: Route) -> str:
    """How the table calls it: its name, or for those without one its pattern."""
    return route.name.removeprefix("admin:") or route.pattern


def ask(client: Client, route: Route, method: str, world: World) -> HttpResponseBase:
    """The answer; whatever it changed is taken back."""
    url = route.url(world.for_staff, model=model_of(route))
    with transaction.atomic():
        answer = client.generic(method, url, POSTED, content_type="application/x-www-form-urlencoded")
        transaction.set_rollback(True)
    return answer
