"""The check itself: faults of one route, as sentences. No fault is what we want."""

from typing import Any

from tests.isolation import public
from tests.isolation.answers import Answer, ask, body_for
from tests.isolation.callers import everybody_refused
from tests.isolation.crowd import Caller
from tests.isolation.needs import model_admin_of
from tests.isolation.routes import METHODS, Ids, Route
from tests.isolation.watching import watching
from tests.isolation.world import World, changed, everything, used_just_now


def faults(route: Route, world: World, bodies: dict[tuple[str, str], Any]) -> list[str]:
    """Everything that is wrong with how the route treats those whom it has to refuse."""
    found: list[str] = []
    callers = list(everybody_refused(world, route, METHODS))
    clients = [caller.client() for caller, _ in callers]
    model = model_of(route)
    addresses = [(route.url(ids, model=model), ids) for ids in (world.theirs, world.nobodys)]
    if not route.parameters:
        del addresses[1:]  # it names nothing
    used_just_now()
    with watching() as watch:
        for (caller, methods), client in zip(callers, clients, strict=True):
            for method in methods:
                body = body_for(route, method, bodies)
                answers = [ask(client, caller, method, url, body, ids) for url, ids in addresses]
                found += [
                    f"{method} {route} by {caller.who}: {fault}"
                    for fault in _wrong(route, caller, answers[0], answers[-1])
                ]
            if tables := watch.changed():
                found.append(f"{', '.join(methods)} {route} by {caller.who}: changed {', '.join(tables)}")
    return found


def model_of(route: Route) -> str:
    model_admin = model_admin_of(route) if route.is_console else None
    return model_admin.model._meta.label if model_admin else ""


def _wrong(route: Route, caller: Caller, theirs: Answer, nobodys: Answer) -> list[str]:
    found = []
    if theirs.leaks or nobodys.leaks:
        found.append("tells what is somebody else's")
    if public.reason(route.pattern, staff=caller.is_staff):
        return found
    for whose, answer in (("somebody else's ids", theirs), ("ids of nothing", nobodys)):
        if answer.kind not in caller.refused_by and answer.kind != 405:
            found.append(f"{whose} are answered {answer.kind}, not {caller.refused_by}")
    if not found and theirs.text != nobodys.text:
        found.append("tells somebody else's ids from ids of nothing")
    return found


def mixed_up(route: Route, world: World, caller: Caller, bodies: dict[tuple[str, str], Any]) -> list[str]:
    """Faults with one customer's things asked for under another's: as if they did not exist."""
    found, client, method = [], caller.client(), "GET"
    used_just_now()
    before = everything()

    def answered(first: Ids, others: Ids) -> Answer:
        url = route.url(first, others=others, model=model_of(route))
        return ask(client, caller, method, url, body_for(route, method, bodies), others)

    for method in METHODS:
        theirs, nobodys = answered(world.own, world.theirs), answered(world.own, world.nobodys)
        if theirs.leaks or theirs.kind not in (404, 405, 200 if method == "OPTIONS" else 404):
            found.append(f"{method} {route}: another customer's ids are answered {theirs.kind}")
        elif theirs.text != nobodys.text:
            found.append(f"{method} {route}: tells another customer's ids from ids of nothing")
    if tables := changed(before):
        found.append(f"{route}: changed {', '.join(tables)}")
    return found
