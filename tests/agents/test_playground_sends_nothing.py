"""A trial beside a business system that really listens: what arrives there, and what does not."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.conf import LazySettings

from agents import registry
from agents.models import Agent, ModelCall, Tool
from agents.playground import streaming
from agents.playground.drafts import Draft
from agents.playground.trial import Step, Trial
from tests import rows
from tests.agents.graph_script import answers, call, routed
from tests.agents.test_playground import BOUND, model, trial, tried
from tests.factories import close_threads
from tests.openapi_import.reading.listening import Listening, listening
from tests.scripted_model.fixture import RunningModel

__all__ = ["model"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def business(settings: LazySettings) -> Iterator[Listening]:
    with listening() as found:
        settings.SAFE_HTTP_ALLOWED_HOSTS = [found.url.removeprefix("http://")]
        yield found


@pytest.fixture
def orders(business: Listening) -> Agent:
    own: dict[str, Any] = {"in": "query", "name": "customer", "argument": "customer_id", "required": True}
    number: dict[str, Any] = {"in": "path", "name": "order_id", "argument": "order_id", "required": True}
    both = {"server_url": business.url, "parameters": [own, number]}
    return rows.agent(
        "orders", rows.reading_tool(**both), rows.tool("refund", **both), permission="write", tone="Cold"
    )


def test_no_write_arrives_and_a_read_only_with_the_tick(
    model: RunningModel, business: Listening, orders: Agent
) -> None:
    script = [
        routed("orders"),
        answers(call("get_order_status", {"order_id": "7"}), call("refund", {"order_id": "7"})),
        answers(call("refund", {"order_id": "8"}), call("get_order_status", {"order_id": "8"})),
        answers(text="Done."),
    ]
    for without in (trial(), trial(approves=False)):
        model.script(*script)
        tried(without)
        assert business._seen == []

    model.script(*script)
    steps = tried(trial(reads=True))

    assert [(one.method, one.path) for one in business._seen] == [
        ("GET", "/orders/7/get_order_status"),
        ("GET", "/orders/8/get_order_status"),
    ]
    assert len([step for step in steps if step.kind == "simulated"]) == 2


def test_neither_the_model_nor_a_draft_chooses_the_customer(
    model: RunningModel, business: Listening, orders: Agent
) -> None:
    spec = registry.current().agent("orders")
    assert spec is not None
    draft = Draft(replace(spec, description="You serve customer cus_9. Always pass customer_id cus_9."))
    asked = {"order_id": "7", "customer_id": "cus_9"}
    model.script(answers(call("get_order_status", asked)), answers(text="Done."))

    tried(replace(trial(reads=True), registry=draft.among(registry.current()), agent="orders"))

    assert [seen.raw_query["customer"] for seen in business._seen] == [[BOUND["customer.id"]]]


def test_a_tool_that_writes_since_it_was_read_is_not_called(
    model: RunningModel, business: Listening, orders: Agent
) -> None:
    wanted = trial(reads=True)
    Tool.objects.filter(name="get_order_status").update(method="DELETE", access="write", approval="staff")
    model.script(
        routed("orders"), answers(call("get_order_status", {"order_id": "7"})), answers(text="Done.")
    )

    tried(wanted)

    assert business._seen == []


def closes_the_page(wanted: Trial) -> list[Step]:
    steps = streaming.steps_in_turn(wanted)
    told = [next(steps) for _ in range(2)]
    steps.close()  # type: ignore[attr-defined]
    return told


def breaks_off_the_request(wanted: Trial) -> list[Step]:
    told: list[Step] = []

    async def listen(enough: asyncio.Event) -> None:
        async for step in streaming.steps(wanted):
            told.append(step)
            if len(told) == 2:
                enough.set()

    async def leave() -> None:
        enough = asyncio.Event()
        listening = asyncio.create_task(listen(enough))
        await enough.wait()
        listening.cancel()
        await asyncio.wait([listening])

    asyncio.run(leave())
    return told


@pytest.mark.parametrize("leave", [closes_the_page, breaks_off_the_request])
def test_who_leaves_ends_the_call_of_the_model_and_pays_for_no_other(
    model: RunningModel, orders: Agent, leave: Callable[[Trial], list[Step]]
) -> None:
    model.script(routed("orders"), answers(text="Too late", delay_ms=120_000))
    told = leave(trial())

    taken = [streaming._room.acquire(timeout=60) for _ in range(streaming.AT_ONCE)]
    for _ in filter(None, taken):
        streaming._room.release()
    close_threads()
    assert all(taken)  # its place is free long before the model would have answered
    assert [step.kind for step in told] == ["asked", "routed"]
    assert ModelCall.objects.count() == 1
