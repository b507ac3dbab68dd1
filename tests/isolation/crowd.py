"""Those whom most routes refuse, made once: their tokens, keys and sign-ins are the same whichever route they try."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import jwt
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.test.client import ClientHandler

from chat import api_keys, identity
from chat.models import Customer
from tests import rows

HOURS = 24
"""How long a token is good for: longer than a slow machine takes for all routes."""

STRANGERS = (401, "sign-in")
"""How somebody is refused who is nobody here: 401 by the API, a way to the sign-in page by the console."""
FORBIDDEN = (403,)
NOT_THERE = (404,)

_HANDLER = ClientHandler(enforce_csrf_checks=False)
"""One for all: each that is made loads every middleware anew."""


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
        client.handler = _HANDLER
        if self.user is not None:
            client.force_login(self.user)
        for name, value in self.cookies.items():
            client.cookies[name] = value
        return client


@dataclass(frozen=True)
class Crowd:
    nobodies: list[Caller]
    """Nobody, customers, and a superuser who is not staff."""
    to_the_customer: list[Caller]
    """The same, for a route that answers a customer's token, about that customer."""
    at_the_console: list[Caller]
    """The same, each customer with all of their credentials at once: none of them is looked at there."""
    keys: dict[tuple[str, ...], Caller]
    """By their scopes."""
    disabled: Caller
    members: list[tuple[Caller, set[str]]]
    """One of each group that an installation begins with, and one of none, with what each may do."""

    def keys_without(self, scope: str) -> Iterator[Caller]:
        """A key for each other scope, one with all others together, and a disabled one. The scope `admin` stands for
        all: a key that has it is refused only where no scope will do (`scope` is empty)."""
        for scopes in _without(scope):
            yield self.keys[scopes]
        yield self.disabled


def gather(owner: Customer, stranger: Customer) -> Crowd:
    row, text = api_keys.issue(name="disabled", scopes=["admin"])
    api_keys.disable(row)
    refusal = (*FORBIDDEN, "sign-in")
    wanted = {scopes for scope in ("", *api_keys.SCOPES) for scopes in _without(scope)}
    unemployed = User.objects.create_user(f"former-{uuid4().hex[:6]}", is_superuser=True)
    unemployed_caller = Caller("a superuser who is not staff", STRANGERS, cookies=signed_in(unemployed))
    return Crowd(
        nobodies=[*_customers(owner, stranger), unemployed_caller],
        to_the_customer=[*_customers(owner, stranger, own_answer=True), unemployed_caller],
        at_the_console=[*_with_everything(owner, stranger), unemployed_caller],
        keys={
            scopes: Caller(
                f"a key for {', '.join(scopes)}", refusal, headers={"X-API-Key": rows.key(*scopes)}
            )
            for scopes in sorted(wanted)
        },
        disabled=Caller("a disabled key", refusal, headers={"X-API-Key": text}),
        members=list(_members()),
    )


def signed_in(user: User) -> dict[str, str]:
    """The cookie of somebody who has signed in."""
    client = Client()
    client.force_login(user)
    return {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}


def the_customer(who: Customer) -> Caller:
    return Caller("the customer's token", (), headers={"Authorization": f"Bearer {customers_token(who)}"})


def customers_token(customer: Customer) -> str:
    claims = {"sub": customer.subject, "exp": int(time.time()) + HOURS * 3600}
    return jwt.encode(claims, settings.CUSTOMER_JWT_SECRET, algorithm="HS256")


def customers_cookie(customer: Customer) -> dict[str, str]:
    return {identity.COOKIE: identity.sign_cookie(customer.pk)}


def _without(scope: str) -> list[tuple[str, ...]]:
    if not scope:
        return [tuple(api_keys.SCOPES)]
    others = [one for one in api_keys.SCOPES if one not in (scope, "admin")]
    return [*((one,) for one in others), tuple(others)]


def _customers(owner: Customer, stranger: Customer, *, own_answer: bool = False) -> Iterator[Caller]:
    """Nobody, and customers: the other one and, because a customer is nobody here, the owner too."""
    yield Caller("nobody", STRANGERS)
    for who, customer in (("another customer", stranger), ("the customer", owner)):
        token = customers_token(customer)
        yield Caller(f"{who}'s cookie", STRANGERS, cookies=customers_cookie(customer))
        if not own_answer:
            yield Caller(f"{who}'s token", STRANGERS, headers={"Authorization": f"Bearer {token}"})
        elif customer == stranger:
            yield Caller(f"{who}'s token", NOT_THERE, headers={"Authorization": f"Bearer {token}"})
        yield Caller(f"{who}'s token in the address", STRANGERS, query=f"token={token}")
        yield Caller(f"{who}'s token as a key", (*FORBIDDEN, "sign-in"), headers={"X-API-Key": token})


def _with_everything(owner: Customer, stranger: Customer) -> Iterator[Caller]:
    yield Caller("nobody", STRANGERS)
    for who, customer in (("another customer", stranger), ("the customer", owner)):
        token = customers_token(customer)
        yield Caller(
            f"{who} with every credential",
            STRANGERS,
            headers={"Authorization": f"Bearer {token}", "X-API-Key": token},
            cookies=customers_cookie(customer),
            query=f"token={token}",
        )


def _members() -> Iterator[tuple[Caller, set[str]]]:
    for group in [None, *Group.objects.order_by("name")]:
        user = rows.staff(f"member-{uuid4().hex[:8]}")
        if group:
            user.groups.add(group)
        who = f"a member of {group.name}" if group else "staff in no group"
        yield Caller(who, FORBIDDEN, cookies=signed_in(user), is_staff=True), user.get_all_permissions()
