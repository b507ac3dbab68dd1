"""One of two web processes dies behind nginx: customers come back to the other one, and nothing is lost or doubled."""

import asyncio

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.faults.soak_audit import SEEN_BY_CUSTOMERS
from tests.live.chatter import Chatter, Frame
from tests.live.stack import TLS
from tests.shipping.fleet import Fleet, token_for

pytestmark = pytest.mark.xdist_group("shipping")
CANDIDATES = [f"cus_{number}" for number in range(1012, 1080)]


async def test_customers_come_back_to_the_other_process_and_go_on(production: Fleet, trusted: None) -> None:
    order_of = cancellable_orders(production, 4)
    tabs = [Chatter(production.socket_url, token=token_for(subject)) for subject in order_of]
    orders = list(order_of.values())
    for tab in tabs:
        await tab.__aenter__()
    asked = [await tab.say(f"Cancel order {order}") for tab, order in zip(tabs, orders, strict=True)]
    assert [frames[-1]["type"] for frames in asked] == ["interrupt"] * 4

    production.programs["web1"].kill()

    try:
        read = [production.api.get("/conversations?per_page=1").status_code for _ in range(10)]
        assert read == [200] * 10, "who asks by HTTP notices nothing"
        broken = [tab for tab in tabs if await is_broken(tab)]
        assert broken, "nobody was connected to the process that died"
        for tab in broken:
            await come_back(tab)
        ends = await asyncio.gather(*(tab.answer(True) for tab in tabs))
        assert [frames[-1]["status"] for frames in ends] == ["completed"] * 4
    finally:
        production.add("web1")
        production.wait_ready(1)
        for tab in tabs:
            await tab.socket.close()
    for tab, order, frames in zip(tabs, orders, asked, strict=True):
        assert keys_of_effects(production, order) == [frames[-1]["interrupt_id"]]
        assert numbers(tab.seen) == seen_by_customers(production, tab.thread_id), (
            "each was told, once, in order"
        )


def seen_by_customers(production: Fleet, thread_id: str) -> list[int]:
    rows = production.rows(
        "SELECT e.seq, e.kind FROM chat_event e JOIN chat_conversation c ON c.id = e.conversation_id "
        "WHERE c.thread_id = %s ORDER BY e.seq",
        thread_id,
    )
    return [row["seq"] for row in rows if row["kind"] in SEEN_BY_CUSTOMERS]


def cancellable_orders(production: Fleet, many: int) -> dict[str, int]:
    """So many customers, and of each an order that can still be cancelled."""
    found: dict[str, int] = {}
    for subject in CANDIDATES:
        url = f"{production.business_url}/shop/customers/{subject}/orders"
        rows = httpx.get(url, trust_env=False, timeout=60, verify=TLS).json()["orders"]
        open_ones = [row["order_id"] for row in rows if row["status"] in ("paid", "processing")]
        if open_ones:
            found[subject] = open_ones[0]
        if len(found) == many:
            return found
    raise AssertionError(f"The business has only {found}.")


def keys_of_effects(production: Fleet, order: int) -> list[str]:
    """The idempotency keys with which something was done to an order in the business."""
    url = f"{production.business_url}/_journal"
    journal = httpx.get(url, trust_env=False, timeout=60, verify=TLS).json()
    return [entry["idempotency_key"] for entry in journal if f"/orders/{order}/" in entry["path"] + "/"]


async def is_broken(tab: Chatter) -> bool:
    try:
        await tab.quiet()
    except ConnectionClosed:
        return True
    return False


async def come_back(tab: Chatter) -> None:
    """As the page does: a new socket, and on from the last event that it has."""
    await tab.__aenter__()
    await tab.send({"type": "resume", "thread_id": tab.thread_id, "after": numbers(tab.seen)[-1]})
    await tab.until("resumed")


def numbers(frames: list[Frame]) -> list[int]:
    """The events that a tab was told of, each once although an event may have two frames."""
    told = [frame["seq"] for frame in frames if "seq" in frame and frame["type"] != "resumed"]
    return [seq for place, seq in enumerate(told) if place == 0 or told[place - 1] != seq]
