"""How things stand in the business: the reading tool that a tool names, asked for the action's own customer."""

from typing import Any

import httpx
import pytest
from django.conf import LazySettings

from agents import read_back
from agents.models import Action, Tool
from chat.models import Event
from tests.factories import approved_action, close_threads

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("executor")]


@pytest.fixture(autouse=True)
def close_connections() -> Any:
    yield
    close_threads()


def action_with(tools: dict[str, Tool], reading: str = "get_order_status", **fields: Any) -> Action:
    Tool.objects.filter(pk=tools["cancel_order"].pk).update(read_back=tools[reading], **fields)
    made, _ = approved_action(Tool.objects.get(pk=tools["cancel_order"].pk), order_id=1042)
    return Action.objects.select_related("tool__read_back", "customer").get(pk=made.pk)


def test_the_orders_state_is_read_with_the_actions_arguments(
    tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = action_with(tools)
    before = Event.objects.count()

    standing = read_back.read_back(action)

    assert (standing.ok, standing.status, standing.tool) == (True, 200, "Look up an order")
    assert str(standing.result).count("1042")
    assert (standing.asked["method"], standing.asked["url"].endswith("/customers/cus_1001/orders/1042")) == (
        "GET",
        True,
    )
    assert Event.objects.count() == before
    assert shop.get("/_journal").json() == []


def test_the_customer_is_the_one_whom_the_action_was_bound_to(
    tools: dict[str, Tool], shop: httpx.Client
) -> None:
    action = action_with(tools)
    action.arguments = '{"customer_id":"cus_1002","order_id":1042}'  # whatever a model wrote

    assert "/customers/cus_1001/" in read_back.read_back(action).asked["url"]


def test_nobody_is_asked_about_a_customer_whom_the_business_does_not_know(tools: dict[str, Tool]) -> None:
    action = action_with(tools)
    action.bound_arguments, action.customer.business_id = "{}", ""

    with pytest.raises(read_back.NoReadBack, match="customer_id"):
        read_back.read_back(action)


def test_what_does_not_answer_in_time_is_said(
    tools: dict[str, Tool], shop: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.post("/_faults", json={"operation": "get_order_status", "slow_ms": 3000})
    monkeypatch.setattr(read_back, "LIMIT_SECONDS", 0.3)

    standing = read_back.read_back(action_with(tools))

    assert (standing.ok, standing.message) == (
        False,
        "The business system did not answer within 0 seconds. Try again.",
    )


def test_an_error_of_the_business_is_shown(tools: dict[str, Tool], shop: httpx.Client) -> None:
    shop.post("/_faults", json={"operation": "get_order_status", "fail": 401})

    standing = read_back.read_back(action_with(tools))

    assert (standing.ok, standing.status) == (False, 401)
    assert standing.message == "The business system refused our credentials."


def test_where_it_cannot_be_looked_up_that_is_said(tools: dict[str, Tool], settings: LazySettings) -> None:
    action = action_with(tools, "check_dispute_status")
    with pytest.raises(read_back.NoReadBack, match="cannot be asked with this action's arguments"):
        read_back.read_back(action)

    assert action.tool.read_back is not None
    action.tool.read_back.enabled = False
    assert not read_back.is_possible(action)
    with pytest.raises(read_back.NoReadBack, match="is switched off"):
        read_back.read_back(action)

    action.tool.read_back = None
    with pytest.raises(read_back.NoReadBack, match="names no reading tool"):
        read_back.read_back(action)


def test_a_tool_that_writes_is_never_a_read_back(tools: dict[str, Tool], shop: httpx.Client) -> None:
    action = action_with(tools, "cancel_order")

    assert not read_back.is_possible(action)
    with pytest.raises(read_back.NoReadBack):
        read_back.read_back(action)

    assert shop.get("/_journal").json() == []
