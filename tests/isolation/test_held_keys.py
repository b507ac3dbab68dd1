"""A key that is held to one customer tries every route of the API with what is another one's: nothing of it exists."""

from typing import Any

import pytest

from chat import api_keys
from tests.isolation import public
from tests.isolation.answers import Answer, ask, body_for
from tests.isolation.crowd import Caller
from tests.isolation.needs import answers
from tests.isolation.routes import Ids, Route, all_routes
from tests.isolation.watching import watching
from tests.isolation.world import World, used_just_now

pytestmark = pytest.mark.django_db

ROUTES = [one for one in all_routes() if one.is_api and not public.reason(one.pattern, staff=False)]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REFUSED = (400, 403, 404, 405, 422)


def key_of(world: World) -> Caller:
    text = api_keys.issue(name="of one", scopes=["admin"], customer=str(world.stranger.subject))[1]
    return Caller("a key that is held to another customer", REFUSED, headers={"X-API-Key": text})


def test_nobody_else_exists_for_a_key_that_is_held_to_a_customer(
    world: World, bodies: dict[tuple[str, str], Any]
) -> None:
    caller, faults = key_of(world), []
    client = caller.client()
    used_just_now()

    def answered(route: Route, method: str, ids: Ids) -> Answer:
        return ask(client, caller, method, route.url(ids), body_for(route, method, bodies), ids)

    with watching() as watch:
        for route in ROUTES:
            for method in (one for one in METHODS if answers(route, one)):
                theirs, nobodys = (
                    answered(route, method, world.for_staff),
                    answered(route, method, world.nobodys),
                )
                wanted = REFUSED if route.parameters else (200, *REFUSED)
                if theirs.leaks or theirs.kind not in wanted:
                    faults.append(f"{method} {route}: another customer's ids are answered {theirs.kind}")
                elif route.parameters and theirs.text != nobodys.text:
                    faults.append(f"{method} {route}: tells another customer's ids from ids of nothing")
                if tables := watch.changed():
                    faults.append(f"{method} {route}: changed {', '.join(tables)}")

    assert faults == []


def test_its_own_customer_exists_for_it(world: World) -> None:
    """Otherwise the refusals above would say nothing."""
    caller = key_of(world)
    client = caller.client()
    named = [one for one in ROUTES if {"thread_id", "interrupt_id", "customer"} & set(one.parameters)]
    read = [one for one in named if answers(one, "GET") and not one.pattern.endswith("/stream")]

    found = {str(one): ask(client, caller, "GET", one.url(world.own), {}, world.own).kind for one in read}

    assert len(found) > 8
    assert {kind for name, kind in found.items() if "<str:link_id>" not in name} == {200}, found
