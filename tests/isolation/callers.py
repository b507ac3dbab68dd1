"""Who tries: nobody, another customer, keys without the scope, staff without the permission."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import jwt
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from chat import api_keys, identity
from chat.models import Customer
from tests import rows
from tests.isolation import public
from tests.isolation.needs import Alternatives, answers, asked
from tests.isolation.routes import Route
from tests.isolation.world import World

STRANGERS = (401, "sign-in")
"""How somebody is refused who is nobody here: 401 by the API, a way to the sign-in page by the console."""
FORBIDDEN = (403,)
NOT_THERE = (404,)


@dataclass(frozen=True)
class Caller:
    who: str
    refused_by: tuple[int | str, ...]
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    query: str = ""
    user: User | None = None
    is_staff: bool = False

    def client(self) -> Client:
        client = Client(headers=self.headers, raise_request_exception=False)
        if self.user is not None:
            client.force_login(self.user)
        for name, value in self.cookies.items():
            client.cookies[name] = value
        return client


def customers_token(customer: Customer) -> str:
    claims = {"sub": customer.subject, "exp": int(time.time()) + 600}
    return jwt.encode(claims, settings.CUSTOMER_JWT_SECRET, algorithm="HS256")


def customers_cookie(customer: Customer) -> dict[str, str]:
    return {identity.COOKIE: identity.sign_cookie(customer.pk)}


def strangers(world: World, *, own_answer: bool = False) -> Iterator[Caller]:
    """Nobody, and customers: the other one and, because a customer is nobody here, the owner too. `own_answer`: the
    route answers a customer's token, about that customer."""
    yield Caller("nobody", STRANGERS)
    for who, customer in (("another customer", world.stranger), ("the customer", world.owner)):
        token = customers_token(customer)
        yield Caller(f"{who}'s cookie", STRANGERS, cookies=customers_cookie(customer))
        if not own_answer:
            yield Caller(f"{who}'s token", STRANGERS, headers={"Authorization": f"Bearer {token}"})
        elif customer == world.stranger:
            yield Caller(f"{who}'s token", NOT_THERE, headers={"Authorization": f"Bearer {token}"})
        yield Caller(f"{who}'s token in the address", STRANGERS, query=f"token={token}")
        yield Caller(f"{who}'s token as a key", (*FORBIDDEN, "sign-in"), headers={"X-API-Key": token})
    unemployed = User.objects.create_user(f"former-{uuid4().hex[:6]}", is_superuser=True)
    yield Caller("a superuser who is not staff", STRANGERS, user=unemployed)


def keys_without(scope: str) -> Iterator[Caller]:
    """A key for each other scope, one with all others together, and a disabled one. The scope `admin` stands for all:
    a key that has it is refused only where no scope will do (`scope` is empty)."""
    refusal = (*FORBIDDEN, "sign-in")
    others = [one for one in api_keys.SCOPES if one not in (scope, "admin")]
    for scopes in [[one] for one in others] + [others] if scope else [list(api_keys.SCOPES)]:
        yield Caller(f"a key for {', '.join(scopes)}", refusal, headers={"X-API-Key": rows.key(*scopes)})
    row, text = api_keys.issue(name="disabled", scopes=["admin"])
    api_keys.disable(row)
    yield Caller("a disabled key", refusal, headers={"X-API-Key": text})


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


def groups() -> Iterator[tuple[Caller, set[str]]]:
    """A member of each group that an installation begins with, and one of none, with what each may do."""
    for group in [None, *Group.objects.order_by("name")]:
        user = rows.staff(f"member-{uuid4().hex[:8]}")
        if group:
            user.groups.add(group)
        who = f"a member of {group.name}" if group else "staff in no group"
        yield Caller(who, FORBIDDEN, user=user, is_staff=True), user.get_all_permissions()


def everybody_refused(
    world: World, route: Route, methods: tuple[str, ...]
) -> Iterator[tuple[Caller, list[str]]]:
    """Every caller whom the route has to refuse, with the methods by which.

    A view of the API has a method for each verb. A page of the console knows GET and POST: the other verbs are tried by
    nobody and by staff without the permission. OPTIONS of the API describes a view to whoever may call anything at all.
    """
    known = [method for method in methods if answers(route, method)]
    needed = {method: asked(route, method) for method in known}
    served = [method for method in known if not (route.is_api and method == "OPTIONS")]
    own_answer = route.pattern in public.TO_THE_CUSTOMER
    usual = [method for method in served if route.is_api or method in ("GET", "POST")]
    for place, stranger in enumerate(strangers(world, own_answer=own_answer)):
        yield stranger, usual if place and route.is_console else list(methods)
    for scope in sorted({needed[method].scope for method in usual}):
        of_scope = [method for method in usual if needed[method].scope == scope]
        for key in keys_without(scope):
            yield key, of_scope
    for missing in {one for method in served for one in needed[method].permissions}:
        yield staff_without(missing), [m for m in served if missing in needed[m].permissions]
    for member, held in groups():
        closed = [method for method in usual if not (held and needed[method].met_by(held))]
        if closed:
            yield member, closed


def superuser() -> Caller:
    return Caller(
        "a superuser", (), user=rows.staff(f"root-{uuid4().hex[:6]}", superuser=True), is_staff=True
    )


def admin_key() -> Caller:
    return Caller("a key for everything", (), headers={"X-API-Key": rows.key("admin", name="everything")})


def right_caller(route: Route) -> Caller:
    return admin_key() if route.is_api else superuser()
