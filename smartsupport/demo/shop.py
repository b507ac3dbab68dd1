"""The shop: orders, their parcels, discounts and coupons."""

from __future__ import annotations

import secrets
import sqlite3
from datetime import timedelta
from typing import Any

from .calls import Answer, Call, Operation
from .errors import conflict, invalid, not_found
from .formats import day, money, share, timestamp, written

LONGEST_COUPON_DAYS = 3650
CANCELLABLE = ("paid", "processing")
STATUS_TEXT = {
    "paid": "The order is paid and waits to be packed.",
    "processing": "The order is being packed.",
    "shipped": "The order is on its way.",
    "delivered": "The order was delivered.",
    "cancelled": "The order was cancelled.",
}


def get_order_status(db: sqlite3.Connection, call: Call) -> Answer:
    """One order in full."""
    return Answer(200, _order(db, _find_order(db, call)))


def list_orders(db: sqlite3.Connection, call: Call) -> Answer:
    """The customer's orders, newest first, without their items."""
    filters = {"customer": call.customer_id, "status": call.arguments.get("status")}
    limit, page = call.arguments["limit"], call.arguments["page"]
    total = db.execute(
        "SELECT count(*) FROM orders WHERE customer_id = :customer AND (:status IS NULL OR status = :status)",
        filters,
    ).fetchone()[0]
    rows = db.execute(
        "SELECT * FROM orders WHERE customer_id = :customer AND (:status IS NULL OR status = :status)"
        " ORDER BY placed_at DESC, order_id DESC LIMIT :limit OFFSET :skipped",
        {**filters, "limit": limit, "skipped": (page - 1) * limit},
    ).fetchall()
    return Answer(200, {"orders": [_summary(db, row) for row in rows], "total": total, "page": page})


def get_tracking_info(db: sqlite3.Connection, call: Call) -> Answer:
    """Where the parcel is, or when it is expected to leave."""
    order = _find_order(db, call)
    shipped = order["shipped_at"] is not None
    events = db.execute(
        "SELECT at, place, description FROM tracking_events WHERE order_id = ? ORDER BY at DESC",
        (order["order_id"],),
    ).fetchall()
    # A date that has passed is no longer an expectation.
    tomorrow = (call.now + timedelta(days=1)).date()
    dispatch = max(day(order["expected_dispatch_on"]), tomorrow)
    delivery = max(day(order["expected_delivery_on"]), tomorrow if shipped else tomorrow + timedelta(days=2))
    if order["status"] == "cancelled":
        message = "The order was cancelled and will not be shipped."
    elif order["status"] == "delivered":
        message = f"The parcel was delivered on {order['delivered_at'][:10]}."
    elif shipped:
        message = f"The parcel is on its way with {order['carrier']} and is expected on {delivery}."
    else:
        message = f"The order has not been shipped yet. It is expected to leave the warehouse on {dispatch}."
    waiting = order["status"] in CANCELLABLE
    return Answer(
        200,
        {
            "order_id": order["order_id"],
            "shipped": shipped,
            "status": order["status"],
            "message": message,
            "carrier": order["carrier"],
            "tracking_number": order["tracking_number"],
            "shipped_at": order["shipped_at"],
            "delivered_at": order["delivered_at"],
            "expected_dispatch_on": dispatch.isoformat() if waiting else None,
            "expected_delivery_on": delivery.isoformat() if waiting or order["status"] == "shipped" else None,
            "events": [dict(event) for event in events],
        },
    )


def cancel_order(db: sqlite3.Connection, call: Call) -> Answer:
    """Cancel an order that has not left the warehouse, and refund what was paid for it."""
    order = _find_order(db, call)
    order_id, status = order["order_id"], order["status"]
    if status == "cancelled":
        raise conflict(f"Order {order_id} is already cancelled.")
    if status not in CANCELLABLE:
        raise conflict(
            f"Order {order_id} was already {status} and can no longer be cancelled. It can be returned "
            f"instead."
        )
    refund = _amounts(db, order)["total"]
    db.execute(
        "UPDATE orders SET status = 'cancelled', cancelled_at = ?, cancel_reason = ?, refunded_cents = ?"
        " WHERE order_id = ?",
        (timestamp(call.now), call.arguments.get("reason"), refund, order_id),
    )
    return Answer(
        200,
        {
            "message": f"Order {order_id} was cancelled. {written(refund, order['currency'])} will be "
            f"refunded to {order['payment_method']} within 5 working days.",
            "refund": money(refund, order["currency"]),
            "order": _order(db, _find_order(db, call)),
        },
    )


def apply_discount(db: sqlite3.Connection, call: Call) -> Answer:
    """Lower the price of an order. A cancelled order passes the discount on to the customer's next one."""
    order, percent = _find_order(db, call), call.arguments["percent"]
    order_id, currency = order["order_id"], order["currency"]
    if order["status"] == "cancelled":
        return _discount_on_next_order(db, call, order_id, percent)
    before = _amounts(db, order)["total"]
    # A second discount takes the place of the first: discounts never add up.
    db.execute("UPDATE orders SET discount_percent = ? WHERE order_id = ?", (percent, order_id))
    order = _find_order(db, call)
    after = _amounts(db, order)["total"]
    message = f"A discount of {percent}% was applied to order {order_id}."
    message += f" The new total is {written(after, currency)}."
    if after < before:
        message += f" {written(before - after, currency)} will be refunded to {order['payment_method']}."
    return Answer(
        200, {"message": message, "applied_to": "this_order", "coupon": None, "order": _order(db, order)}
    )


def _discount_on_next_order(db: sqlite3.Connection, call: Call, order_id: int, percent: int) -> Answer:
    db.execute(
        "UPDATE coupons SET voided_at = ? WHERE order_id = ? AND voided_at IS NULL",
        (timestamp(call.now), order_id),
    )
    coupon = _issue_coupon(db, call, percent, days=90, order_id=order_id)
    message = (
        f"Order {order_id} is cancelled, so the discount of {percent}% is kept for the next order: coupon "
        f"{coupon['code']}, valid until {coupon['expires_at'][:10]}."
    )
    order = _order(db, _find_order(db, call))
    return Answer(200, {"message": message, "applied_to": "next_order", "coupon": coupon, "order": order})


def generate_coupon(db: sqlite3.Connection, call: Call) -> Answer:
    """Issue a coupon for a later order."""
    days = call.arguments["expiry_days"]
    if days > LONGEST_COUPON_DAYS:
        raise invalid(f"Invalid expiry: {days} days. Must be at most {LONGEST_COUPON_DAYS}.")
    coupon = _issue_coupon(db, call, call.arguments["discount_percent"], days=days, order_id=None)
    until = coupon["expires_at"][:10]
    message = f"Coupon {coupon['code']} gives {coupon['discount_percent']}% off and is valid until {until}."
    return Answer(201, {"message": message, "coupon": coupon})


def list_coupons(db: sqlite3.Connection, call: Call) -> Answer:
    """The customer's coupons, newest first."""
    rows = db.execute(
        "SELECT * FROM coupons WHERE customer_id = ? ORDER BY created_at DESC, rowid DESC",
        (call.customer_id,),
    ).fetchall()
    return Answer(200, {"coupons": [_coupon(row, call) for row in rows]})


def change_delivery_address(db: sqlite3.Connection, call: Call) -> Answer:
    """Send an order that has not left the warehouse to another address."""
    order = _find_order(db, call)
    if order["status"] not in CANCELLABLE:
        raise conflict(
            f"Order {order['order_id']} is {order['status']}, so its address can no longer be changed."
        )
    address = " ".join(call.arguments["address"].split())
    if not address:
        raise invalid("address must not be empty.")
    db.execute("UPDATE orders SET ship_to = ? WHERE order_id = ?", (address, order["order_id"]))
    message = f"Order {order['order_id']} will be sent to {address}."
    return Answer(200, {"message": message, "order": _order(db, _find_order(db, call))})


def _find_order(db: sqlite3.Connection, call: Call) -> sqlite3.Row:
    """The customer's own order. Somebody else's is as missing as one that never existed."""
    order_id = call.arguments["order_id"]
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM orders WHERE order_id = ? AND customer_id = ?", (order_id, call.customer_id)
    ).fetchone()
    if row is None:
        raise not_found("Order", order_id)
    return row


def _amounts(db: sqlite3.Connection, order: sqlite3.Row) -> dict[str, int]:
    subtotal = db.execute(
        "SELECT sum(quantity * unit_cents) FROM order_items WHERE order_id = ?", (order["order_id"],)
    ).fetchone()[0]
    discount = share(subtotal, order["discount_percent"] or 0)
    return {
        "subtotal": subtotal,
        "discount": discount,
        "total": subtotal - discount + order["shipping_cents"],
    }


def _summary(db: sqlite3.Connection, order: sqlite3.Row) -> dict[str, Any]:
    return {
        "order_id": order["order_id"],
        "status": order["status"],
        "placed_at": order["placed_at"],
        "total": money(_amounts(db, order)["total"], order["currency"]),
    }


def _order(db: sqlite3.Connection, order: sqlite3.Row) -> dict[str, Any]:
    amounts, currency = _amounts(db, order), order["currency"]
    items = db.execute(
        "SELECT * FROM order_items WHERE order_id = ? ORDER BY line", (order["order_id"],)
    ).fetchall()
    percent = order["discount_percent"]
    return {
        **_summary(db, order),
        "status_text": STATUS_TEXT[order["status"]],
        "items": [
            {
                "sku": item["sku"],
                "name": item["name"],
                "quantity": item["quantity"],
                "unit_price": money(item["unit_cents"], currency),
            }
            for item in items
        ],
        "subtotal": money(amounts["subtotal"], currency),
        "discount": {"percent": percent, "amount": money(amounts["discount"], currency)} if percent else None,
        "shipping": money(order["shipping_cents"], currency),
        "payment_method": order["payment_method"],
        "ship_to": order["ship_to"],
        "shipped_at": order["shipped_at"],
        "delivered_at": order["delivered_at"],
        "cancelled_at": order["cancelled_at"],
        "refund": money(order["refunded_cents"], currency) if order["cancelled_at"] else None,
        "can_be_cancelled": order["status"] in CANCELLABLE,
    }


def _issue_coupon(
    db: sqlite3.Connection, call: Call, percent: int, *, days: int, order_id: int | None
) -> dict[str, Any]:
    code = f"SAVE{percent}-{secrets.token_hex(4).upper()}"
    expires = timestamp(call.now + timedelta(days=days))
    db.execute(
        "INSERT INTO coupons (code, customer_id, discount_percent, created_at, expires_at, order_id)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (code, call.customer_id, percent, timestamp(call.now), expires, order_id),
    )
    return _coupon(db.execute("SELECT * FROM coupons WHERE code = ?", (code,)).fetchone(), call)


def _coupon(row: sqlite3.Row, call: Call) -> dict[str, Any]:
    if row["voided_at"]:
        status = "replaced"
    elif row["expires_at"] <= timestamp(call.now):
        status = "expired"
    else:
        status = "valid"
    return {
        "code": row["code"],
        "discount_percent": row["discount_percent"],
        "status": status,
        "created_at": row["created_at"],
        "expires_at": row["expires_at"],
    }


OPERATIONS: dict[str, Operation] = {
    "get_order_status": get_order_status,
    "list_orders": list_orders,
    "get_tracking_info": get_tracking_info,
    "cancel_order": cancel_order,
    "change_delivery_address": change_delivery_address,
    "apply_discount": apply_discount,
    "generate_coupon": generate_coupon,
    "list_coupons": list_coupons,
}
