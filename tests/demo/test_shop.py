"""Orders, parcels, discounts and coupons."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.demo.program import ORDER, journal, message

SHOP = "/shop/customers/cus_1001"


def test_the_demo_customers_open_orders_can_all_be_cancelled(business: httpx.Client) -> None:
    orders = [business.get(f"{SHOP}/orders/{number}").json() for number in range(1042, 1070)]

    assert all(order["can_be_cancelled"] for order in orders)
    assert {order["status"] for order in orders} == {"paid", "processing"}
    assert len({order["total"]["amount"] for order in orders}) > 15
    assert orders[0]["total"] == {"amount": "129.90", "currency": "EUR"}
    assert orders[0]["items"][0]["name"] == "Aurora wireless headphones"


def test_an_order_adds_up(business: httpx.Client) -> None:
    business.post(f"{SHOP}/orders/1043/discount", json={"percent": 15})

    for number in range(1042, 1070):
        order = business.get(f"{SHOP}/orders/{number}").json()
        items = sum(item["quantity"] * cents(item["unit_price"]) for item in order["items"])
        discount = cents(order["discount"]["amount"]) if order["discount"] else 0
        assert cents(order["subtotal"]) == items
        assert cents(order["total"]) == items - discount + cents(order["shipping"])


def test_the_list_has_every_order_once_and_newest_first(business: httpx.Client) -> None:
    pages = [
        business.get(f"{SHOP}/orders", params={"limit": 10, "page": page}).json() for page in (1, 2, 3, 4)
    ]

    orders = [order for page in pages for order in page["orders"]]
    assert len(orders) == len({order["order_id"] for order in orders}) == pages[0]["total"] == 34
    placed = [order["placed_at"] for order in orders]
    assert placed == sorted(placed, reverse=True)
    shipped = business.get(f"{SHOP}/orders", params={"status": "shipped"}).json()
    assert {order["order_id"] for order in shipped["orders"]} == {1031, 1038}


@pytest.mark.parametrize("suffix", ["", "/tracking"])
def test_somebody_elses_order_looks_like_a_missing_one(business: httpx.Client, suffix: str) -> None:
    foreign = business.get(f"/shop/customers/cus_1002/orders/1042{suffix}")
    missing = business.get(f"{SHOP}/orders/9999{suffix}")

    assert foreign.status_code == missing.status_code == 404
    assert message(missing) == "Order 9999 was not found."
    assert message(foreign) == "Order 1042 was not found."


@pytest.mark.parametrize(
    ("action", "body"),
    [("cancellation", {}), ("discount", {"percent": 10}), ("delivery-address", {"address": "1 New St"})],
)
def test_somebody_elses_order_cannot_be_changed(
    business: httpx.Client, action: str, body: dict[str, Any]
) -> None:
    before = business.get(ORDER).json()

    method = "PUT" if action == "delivery-address" else "POST"
    refused = business.request(method, f"/shop/customers/cus_1002/orders/1042/{action}", json=body)

    assert refused.status_code == 404
    assert message(refused) == "Order 1042 was not found."
    assert business.get(ORDER).json() == before
    assert journal(business) == []


def test_tracking_an_order_that_is_still_in_the_warehouse(business: httpx.Client) -> None:
    today = datetime.now(UTC).date()
    tracking = business.get(f"{ORDER}/tracking").json()

    assert tracking["shipped"] is False
    assert tracking["tracking_number"] is None
    assert tracking["events"] == []
    assert date.fromisoformat(tracking["expected_dispatch_on"]) > today
    assert tracking["expected_delivery_on"] > tracking["expected_dispatch_on"]
    assert "has not been shipped yet" in tracking["message"]


def test_tracking_a_parcel_on_its_way_and_one_that_arrived(business: httpx.Client) -> None:
    under_way = business.get(f"{SHOP}/orders/1031/tracking").json()
    arrived = business.get(f"{SHOP}/orders/702/tracking").json()

    assert under_way["shipped"] is True
    assert under_way["carrier"] in under_way["message"]
    assert under_way["delivered_at"] is None
    assert arrived["delivered_at"] == arrived["events"][0]["at"]
    assert arrived["expected_delivery_on"] is None


def test_expected_dates_never_lie_in_the_past(start: Any) -> None:
    books_of_last_spring = start(None, "--today", "2026-03-01")

    today = datetime.now(UTC).date()
    tracking = books_of_last_spring.client.get(f"{ORDER}/tracking").json()

    assert date.fromisoformat(tracking["expected_dispatch_on"]) > today


def test_cancelling_refunds_and_shows(business: httpx.Client) -> None:
    cancelled = business.post(f"{ORDER}/cancellation", json={"reason": "Ordered twice"})

    assert cancelled.status_code == 200
    assert cancelled.json()["refund"] == {"amount": "129.90", "currency": "EUR"}
    order = business.get(ORDER).json()
    assert order == cancelled.json()["order"]
    assert (order["status"], order["can_be_cancelled"]) == ("cancelled", False)
    assert order["refund"]["amount"] == "129.90"
    assert "will not be shipped" in business.get(f"{ORDER}/tracking").json()["message"]
    assert [(e["operation"], e["body"]) for e in journal(business)] == [
        ("cancel_order", {"reason": "Ordered twice"})
    ]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (1031, "Order 1031 was already shipped and can no longer be cancelled. It can be returned instead."),
        (702, "Order 702 was already delivered and can no longer be cancelled. It can be returned instead."),
        (905, "Order 905 is already cancelled."),
    ],
)
def test_an_order_that_left_or_was_cancelled_stays_as_it_is(
    business: httpx.Client, number: int, reason: str
) -> None:
    before = business.get(f"{SHOP}/orders/{number}").json()

    refused = business.post(f"{SHOP}/orders/{number}/cancellation")

    assert (refused.status_code, message(refused)) == (409, reason)
    assert business.get(f"{SHOP}/orders/{number}").json() == before
    assert journal(business) == []


def test_a_discount_lowers_the_price_and_a_second_one_replaces_it(business: httpx.Client) -> None:
    first = business.post(f"{ORDER}/discount", json={"percent": 10}).json()
    second = business.post(f"{ORDER}/discount", json={"percent": 20}).json()

    assert first["order"]["total"]["amount"] == "116.91"
    assert second["order"]["total"]["amount"] == "103.92"
    assert business.get(ORDER).json()["discount"] == {
        "percent": 20,
        "amount": {"amount": "25.98", "currency": "EUR"},
    }


def test_the_discount_of_a_cancelled_order_becomes_a_coupon(business: httpx.Client) -> None:
    business.post(f"{ORDER}/cancellation")

    granted = business.post(f"{ORDER}/discount", json={"percent": 10}).json()

    assert granted["applied_to"] == "next_order"
    assert granted["coupon"]["discount_percent"] == 10
    assert granted["order"]["discount"] is None
    assert granted["coupon"] in business.get(f"{SHOP}/coupons").json()["coupons"]

    business.post(f"{ORDER}/discount", json={"percent": 15})

    statuses = {c["code"]: c["status"] for c in business.get(f"{SHOP}/coupons").json()["coupons"]}
    assert statuses[granted["coupon"]["code"]] == "replaced"


@pytest.mark.parametrize("percent", [0, -5, 101, 150, 10**30, 10.5])
def test_a_discount_out_of_range_is_refused_in_the_words_of_the_document(
    business: httpx.Client, percent: float
) -> None:
    before = business.get(ORDER).json()

    on_order = business.post(f"{ORDER}/discount", json={"percent": percent})
    on_coupon = business.post(f"{SHOP}/coupons", json={"discount_percent": percent})

    assert on_order.status_code == on_coupon.status_code == 422
    assert (
        message(on_order) == message(on_coupon) == f"Invalid discount: {percent}%. Must be between 1 and 100."
    )
    assert business.get(ORDER).json() == before
    assert journal(business) == []


@pytest.mark.parametrize("days", [0, -1])
def test_a_coupon_that_would_have_expired_is_refused(business: httpx.Client, days: int) -> None:
    before = business.get(f"{SHOP}/coupons").json()

    refused = business.post(f"{SHOP}/coupons", json={"discount_percent": 10, "expiry_days": days})

    assert refused.status_code == 422
    assert message(refused) == f"Invalid expiry: {days} days. Must be at least 1."
    assert business.get(f"{SHOP}/coupons").json() == before
    assert journal(business) == []


def test_a_coupon_cannot_outlive_ten_years(business: httpx.Client) -> None:
    refused = business.post(f"{SHOP}/coupons", json={"discount_percent": 10, "expiry_days": 10**12})

    assert refused.status_code == 422
    assert message(refused) == "Invalid expiry: 1000000000000 days. Must be at most 3650."
    assert journal(business) == []


@pytest.mark.parametrize(("given", "days"), [({}, 30), ({"expiry_days": 7}, 7)])
def test_a_coupon_has_a_code_and_a_date(business: httpx.Client, given: dict[str, int], days: int) -> None:
    earliest = datetime.now(UTC) + timedelta(days=days) - timedelta(seconds=1)

    issued = business.post(f"{SHOP}/coupons", json={"discount_percent": 15, **given})

    assert issued.status_code == 201
    coupon = issued.json()["coupon"]
    assert re.fullmatch(r"SAVE15-[0-9A-F]{8}", coupon["code"])
    assert (
        earliest <= datetime.fromisoformat(coupon["expires_at"]) <= datetime.now(UTC) + timedelta(days=days)
    )
    assert business.get(f"{SHOP}/coupons").json()["coupons"][0] == coupon


def test_the_address_changes_only_while_the_order_is_here(business: httpx.Client) -> None:
    changed = business.put(f"{ORDER}/delivery-address", json={"address": " 5 New Street,  Galway, Ireland "})
    refused = business.put(f"{SHOP}/orders/1031/delivery-address", json={"address": "5 New Street, Galway"})

    assert changed.status_code == 200
    assert business.get(ORDER).json()["ship_to"] == "5 New Street, Galway, Ireland"
    assert refused.status_code == 409
    assert [entry["path"] for entry in journal(business)] == [f"{ORDER}/delivery-address"]


def cents(amount: dict[str, str]) -> int:
    return int(amount["amount"].replace(".", ""))
