"""Every route, tried by everybody who must not: a route that is added is tried too. See docs/isolation.md."""

from typing import Any

import pytest
from django.test import Client

from tests.isolation import public
from tests.isolation.answers import ask, body_for
from tests.isolation.callers import right_caller
from tests.isolation.check import faults, mixed_up, model_of
from tests.isolation.needs import answers, asked
from tests.isolation.routes import METHODS, Route, all_routes
from tests.isolation.world import MARK, World, changed, everything, used_just_now

pytestmark = pytest.mark.django_db

ROUTES = all_routes()
every_route = pytest.mark.parametrize("route", ROUTES, ids=str)


@every_route
def test_whoever_has_no_right_is_refused_and_learns_nothing(
    route: Route, world: World, bodies: dict[tuple[str, str], Any]
) -> None:
    assert faults(route, world, bodies) == []


PRIVATE = [route for route in ROUTES if not public.reason(route.pattern, staff=True)]


def ways_in() -> list[tuple[Route, str]]:
    """Each private route with the method that somebody may use: GET where there is one."""
    ways = []
    for route in PRIVATE:
        open_by = [m for m in ("GET", "POST") if answers(route, m) and all(asked(route, m).permissions)]
        ways += [(route, open_by[0])] if open_by else []
    return ways


@pytest.mark.parametrize(("route", "method"), ways_in(), ids=str)
def test_whoever_has_the_right_gets_in(
    route: Route, method: str, world: World, bodies: dict[tuple[str, str], Any]
) -> None:
    """Otherwise the refusals above would say nothing: any wrong address is refused."""
    caller = right_caller(route, world)
    body = body_for(route, method, bodies)
    body.pop("customer", None)  # it has one
    url = route.url(world.for_staff, model=model_of(route))

    answer = ask(caller.client(), caller, method, url, body, world.for_staff)

    assert answer.kind in ((200,) if method == "GET" else (200, 201, 202, 409, 422)), answer.text[:2000]


def test_where_nobody_gets_in_it_is_because_the_console_has_no_such_page() -> None:
    closed = {route.name for route in PRIVATE} - {route.name for route, _ in ways_in()}

    assert all(name.endswith(("_add", "_delete")) for name in closed), closed


@pytest.mark.parametrize("route", [one for one in PRIVATE if len(one.parameters) > 1], ids=str)
def test_what_is_another_customers_does_not_exist_under_this_one(
    route: Route, world: World, bodies: dict[tuple[str, str], Any]
) -> None:
    assert mixed_up(route, world, right_caller(route, world), bodies) == []


@pytest.mark.parametrize("route", [one for one in PRIVATE if one.parameters], ids=str)
def test_what_does_not_exist_is_not_made(
    route: Route, world: World, bodies: dict[tuple[str, str], Any]
) -> None:
    caller = right_caller(route, world)
    client = caller.client()
    used_just_now()
    before = everything()

    for method in ("GET", "PUT", "PATCH", "DELETE", "POST") if route.is_api else ("GET", "POST"):
        body = body_for(route, method, bodies)
        body = {name: value for name, value in body.items() if name != "customer"}  # that one opens a thread
        url = route.url(world.nobodys, model=model_of(route))
        answer = ask(client, caller, method, url, body, world.nobodys)
        assert answer.kind in ((404, 405) if route.is_api else ("home", 200, 403, 404)), (
            f"{method}: {answer.text[:2000]}"
        )
        assert MARK not in answer.text or route.is_console

    assert changed(before) == []


def test_what_is_open_on_purpose_is_there() -> None:
    patterns = [route.pattern for route in ROUTES]

    assert set(public.TO_EVERYBODY) <= set(patterns)
    assert all(any(one.startswith(begin) for one in patterns) for begin in public.TO_ALL_STAFF)


@pytest.mark.parametrize("path", public.BY_MIDDLEWARE)
def test_what_a_middleware_answers_tells_nothing_and_changes_nothing(path: str, world: World) -> None:
    before = everything()

    answers = [Client().generic(method, path) for method in METHODS]

    assert {answer.status_code for answer in answers} <= {200, 405, 503}
    assert not [answer for answer in answers if MARK.encode() in answer.content]
    assert changed(before) == []


def test_there_are_routes_to_try() -> None:
    found = {str(route) for route in ROUTES}

    assert len(found) > 70
    assert found >= {
        "/api/v1/conversations/<str:thread_id>/messages",
        "/api/v1/interrupts/<str:interrupt_id>/decision",
        "/admin/agents/action/<path:object_id>/approve/",
        "/admin/chat/conversation/<path:object_id>/live/",
        "/admin/agents/agent/agents.yaml",
    }
