"""Thirteen hundred orders. Those of `cus_1001` from 1042 to 1069 have not left the warehouse."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from ..formats import timestamp
from .customers import Person, at_time
from .words import CARRIERS, GOODS, PAYMENT_METHODS, STREETS

FIRST_ORDER, LAST_ORDER = 101, 1400
OPEN_ORDERS = range(1042, 1070)
# Older orders of the same customer: order number -> how far it got.
EARLIER_ORDERS = {
    702: "delivered",
    811: "delivered",
    905: "cancelled",
    987: "delivered",
    1031: "shipped",
    1038: "shipped",
}
HISTORY_DAYS = 400
FREE_SHIPPING_FROM = 7500
INSERT_ORDER = (
    "INSERT INTO orders VALUES (:order_id, :customer_id, :status, :placed_at, :currency, :shipping_cents,"
    " :discount_percent, :payment_method, :ship_to, :expected_dispatch_on, :expected_delivery_on, :carrier,"
    " :tracking_number, :shipped_at, :delivered_at, :cancelled_at, :cancel_reason, :refunded_cents)"
)


def fill(db: sqlite3.Connection, random: Random, today: date, people: list[Person]) -> None:
    """Write orders with their items and tracking, and a few coupons. Order numbers grow with time."""
    mine, others = people[0], people[1:]
    for order_id in range(FIRST_ORDER, LAST_ORDER + 1):
        placed = at_time(random, today - timedelta(days=_days_ago(order_id)))
        if order_id in OPEN_ORDERS:
            owner, status = mine, "processing" if order_id == 1042 or random.random() < 0.5 else "paid"
        elif order_id in EARLIER_ORDERS:
            owner, status = mine, EARLIER_ORDERS[order_id]
        else:
            owner, status = random.choice(others), _status(random, (today - placed.date()).days)
        _write_order(db, random, today, order_id, owner, status, placed)
    _write_coupons(db, random, today, people)


def _days_ago(order_id: int) -> int:
    # The shop has been growing: most orders are recent, and 1042 to 1069 are about a week old.
    left = (LAST_ORDER - order_id) / (LAST_ORDER - FIRST_ORDER)
    return 1 + int(HISTORY_DAYS * left**3.2)


def _status(random: Random, age: int) -> str:
    if random.random() < 0.06:
        return "cancelled"
    if age > 14:
        return "delivered"
    if age > 5:
        return random.choice(("delivered", "shipped", "shipped"))
    return random.choice(("processing", "paid", "shipped") if age > 2 else ("processing", "paid"))


def _items(random: Random, order_id: int) -> list[tuple[str, str, int, int]]:
    if order_id == 1042:
        return [(*GOODS[0][:2], 1, GOODS[0][2]), (*GOODS[3][:2], 1, GOODS[3][2])]
    chosen = random.sample(GOODS, random.choice((1, 1, 2, 2, 3)))
    return [(sku, name, random.choice((1, 1, 1, 2, 3)), price) for sku, name, price in chosen]


def _write_order(
    db: sqlite3.Connection,
    random: Random,
    today: date,
    order_id: int,
    owner: Person,
    status: str,
    placed: datetime,
) -> None:
    items = _items(random, order_id)
    subtotal = sum(quantity * price for _, _, quantity, price in items)
    shipping = 0 if subtotal >= FREE_SHIPPING_FROM else 490
    address = f"{random.randrange(1, 180)} {random.choice(STREETS)}, {owner.city}, {owner.country}"
    row: dict[str, Any] = {
        "order_id": order_id, "customer_id": owner.customer_id, "status": status,
        "placed_at": timestamp(placed),
        "currency": owner.currency, "shipping_cents": shipping, "discount_percent": None,
        "payment_method": random.choice(PAYMENT_METHODS), "ship_to": address, "carrier": None,
        "tracking_number": None, "shipped_at": None, "delivered_at": None, "cancelled_at": None,
        "cancel_reason": None, "refunded_cents": 0,
    }  # fmt: skip
    dispatch = today + timedelta(days=random.randrange(1, 5))
    events: list[tuple[datetime, str, str]] = []
    if status in ("shipped", "delivered"):
        dispatch, events = _ship(random, today, row, owner, placed)
    elif status == "cancelled":
        row["cancelled_at"] = timestamp(placed + timedelta(hours=random.randrange(1, 9)))
        row["cancel_reason"] = random.choice(("Ordered by mistake", "Found it elsewhere", "No longer needed"))
        row["refunded_cents"] = subtotal + shipping
        dispatch = placed.date() + timedelta(days=2)
    row["expected_dispatch_on"] = dispatch.isoformat()
    row["expected_delivery_on"] = (dispatch + timedelta(days=random.randrange(2, 5))).isoformat()
    if status == "shipped":
        row["expected_delivery_on"] = (today + timedelta(days=random.randrange(1, 4))).isoformat()
    db.execute(INSERT_ORDER, row)
    db.executemany(
        "INSERT INTO order_items VALUES (?, ?, ?, ?, ?, ?)",
        [(order_id, line, *item) for line, item in enumerate(items, start=1)],
    )
    db.executemany(
        "INSERT INTO tracking_events VALUES (?, ?, ?, ?)",
        [(order_id, timestamp(at), place, text) for at, place, text in events],
    )


def _ship(
    random: Random, today: date, row: dict[str, Any], owner: Person, placed: datetime
) -> tuple[date, list[tuple[datetime, str, str]]]:
    """Give the parcel a carrier and a journey. Nothing in it lies in the future."""
    carrier, prefix = random.choice(CARRIERS)
    row["carrier"], row["tracking_number"] = carrier, f"{prefix}{random.randrange(10**9, 10**10)}"
    latest = at_time(random, today - timedelta(days=1))
    shipped = min(placed + timedelta(hours=random.randrange(18, 60)), latest)
    row["shipped_at"] = timestamp(shipped)
    events = [
        (shipped, "Dublin warehouse", f"Parcel handed to {carrier}."),
        (shipped + timedelta(hours=9), "Dublin sorting centre", "Parcel sorted and on its way."),
    ]
    if row["status"] == "delivered":
        delivered = min(shipped + timedelta(hours=random.randrange(40, 120)), latest + timedelta(hours=10))
        delivered = max(delivered, shipped + timedelta(hours=12))
        row["delivered_at"] = timestamp(delivered)
        events += [
            (delivered - timedelta(hours=2), owner.city, "Out for delivery."),
            (delivered, owner.city, "Delivered."),
        ]
    elif shipped + timedelta(hours=30) < latest:
        events.append(
            (shipped + timedelta(hours=30), f"{owner.city} depot", "Parcel arrived at the local depot.")
        )
    now = at_time(random, today - timedelta(days=1)) + timedelta(hours=12)
    return shipped.date(), [event for event in events if event[0] <= now or row["status"] == "delivered"]


def _write_coupons(db: sqlite3.Connection, random: Random, today: date, people: list[Person]) -> None:
    holders = [people[0], *random.sample(people[1:], 59)]
    rows = []
    for holder in holders:
        percent = random.choice((5, 10, 15, 20))
        created = at_time(random, today - timedelta(days=random.randrange(2, 25)))
        code = f"SAVE{percent}-{random.randrange(16**8):08X}"
        rows.append(
            (code, holder.customer_id, percent, timestamp(created), timestamp(created + timedelta(days=30)))
        )
    db.executemany(
        "INSERT INTO coupons (code, customer_id, discount_percent, created_at, expires_at) VALUES (?, ?, "
        "?, ?, ?)",
        rows,
    )
