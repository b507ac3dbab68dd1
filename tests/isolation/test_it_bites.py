"""The check finds what it is there to find: views with a fault each, on a product that is otherwise the same."""

from typing import Any

import pytest

from tests.isolation import leaking
from tests.isolation.callers import right_caller
from tests.isolation.check import faults, mixed_up
from tests.isolation.routes import NoIdeaWhatToSend, Route, all_routes
from tests.isolation.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.urls(leaking.__name__)]


def added() -> dict[str, Route]:
    ours = {route.pattern for route in all_routes("smartsupport.urls")}
    return {route.pattern: route for route in all_routes(leaking.__name__) if route.pattern not in ours}


def test_every_added_route_is_found_without_being_named() -> None:
    assert len(added()) == len(leaking.urlpatterns) - len(leaking.product)


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("api/v1/leak/<str:thread_id>", "by nobody: tells what is somebody else's"),
        ("api/v1/leak/<str:thread_id>", "by another customer's cookie: somebody else's ids are answered 200"),
        ("api/v1/leak-to-keys", "by a key for agents:read: tells what is somebody else's"),
        ("api/v1/leak-to-keys", "by staff in no group: tells what is somebody else's"),
        (
            "api/v1/leak-existence/<str:thread_id>",
            "GET /api/v1/leak-existence/<str:thread_id> by nobody: ids of nothing",
        ),
        ("api/v1/leak-late/<str:thread_id>", "by nobody: changed chat_conversation"),
        ("admin/chat/customer/emails/", "by staff in no group: tells what is somebody else's"),
        ("admin/chat/customer/emails/", "who lack chat.change_customer or chat.view_customer: tells"),
        ("exports/<str:thread_id>.json", "by nobody: tells what is somebody else's"),
    ],
)
def test_a_fault_is_found(pattern: str, fault: str, world: World) -> None:
    found = faults(added()[pattern], world, {})

    assert any(fault in one for one in found), found


def test_an_id_that_is_looked_up_without_its_owner_is_found(world: World) -> None:
    route = added()["api/v1/leak/<str:thread_id>/turns/<str:turn_id>"]

    assert faults(route, world, {}) == []  # whoever has no right is refused
    [fault, *_] = mixed_up(route, world, right_caller(route, world), {})
    assert "another customer's ids are answered 200" in fault


def test_a_parameter_that_nobody_explained_fails_loudly(world: World) -> None:
    with pytest.raises(NoIdeaWhatToSend, match="invoice_number"):
        faults(added()["invoices/<str:invoice_number>"], world, {})


def test_a_body_that_nobody_explained_fails_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.isolation import routes

    def document(self: Any, **_: Any) -> dict[str, Any]:
        schema = {"content": {"application/json": {"schema": {"type": "object", "properties": {"x": {}}}}}}
        return {"paths": {"/odd": {"post": {"requestBody": schema}}}, "components": {"schemas": {}}}

    monkeypatch.setattr(routes.SchemaGenerator, "get_schema", document)

    with pytest.raises(NoIdeaWhatToSend, match="/odd"):
        routes.bodies()
