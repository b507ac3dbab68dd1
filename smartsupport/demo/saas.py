"""The software subscription: account, plan, invoices."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta
from typing import Any, NamedTuple

from .calls import Answer, Call, Operation
from .errors import conflict
from .formats import day, money, written
from .plans import PERIOD_DAYS, PLANS


class Standing(NamedTuple):
    """A subscription as of today: the stored period is carried forward, and a planned end takes place."""

    status: str
    period_started_on: date
    period_ends_on: date
    ended_on: date | None


def get_account_status(db: sqlite3.Connection, call: Call) -> Answer:
    """Account, subscription, usage and what is owed."""
    owed = db.execute(
        "SELECT coalesce(sum(amount_cents), 0) FROM invoices WHERE customer_id = ? AND status != 'paid'",
        (call.customer_id,),
    ).fetchone()[0]
    row = _row(db, call)
    plan = PLANS[row["plan"]]
    return Answer(
        200,
        {
            "customer_id": call.customer_id,
            "name": row["name"],
            "email": row["email"],
            "workspace": row["workspace"],
            "customer_since": row["started_at"][:10],
            "subscription": _subscription(row, call),
            "usage": {
                "seats_used": row["seats_used"],
                "seats": row["seats"],
                "storage_used_gb": row["storage_used_gb"],
                "storage_gb": plan.storage_gb,
            },
            "amount_owed": money(owed, row["currency"]),
        },
    )


def list_plans(db: sqlite3.Connection, call: Call) -> Answer:
    """The plans on offer, priced in the customer's currency."""
    currency = _row(db, call)["currency"]
    return Answer(200, {"plans": [_plan(name, currency) for name in PLANS]})


def list_invoices(db: sqlite3.Connection, call: Call) -> Answer:
    """The customer's invoices, newest first."""
    rows = db.execute(
        "SELECT * FROM invoices WHERE customer_id = ? ORDER BY issued_on DESC, invoice_id DESC LIMIT ?",
        (call.customer_id, call.arguments["limit"]),
    ).fetchall()
    return Answer(200, {"invoices": [_invoice(row) for row in rows]})


def change_plan(db: sqlite3.Connection, call: Call) -> Answer:
    """Move the subscription to another plan at once, and settle the rest of the period."""
    row, wanted = _live_row(db, call), call.arguments["plan"]
    now, new, old = _standing(row, call), PLANS[wanted], PLANS[row["plan"]]
    if wanted == row["plan"]:
        raise conflict(f"The subscription is already on the {new.title} plan.")
    if row["cancel_at_period_end"]:
        raise conflict(f"The subscription ends on {now.period_ends_on}. Resume it before changing the plan.")
    if row["seats"] > new.max_seats:
        raise conflict(
            f"The {new.title} plan allows {new.max_seats} seats, and this account has {row['seats']}."
        )
    days_left = (now.period_ends_on - call.now.date()).days
    difference = 0
    if now.status != "trialing":
        difference = round((new.seat_cents - old.seat_cents) * row["seats"] * days_left / PERIOD_DAYS)
    db.execute("UPDATE subscriptions SET plan = ? WHERE customer_id = ?", (wanted, call.customer_id))
    invoice = (
        _bill(db, call, row["currency"], old.title, new.title, days_left, difference)
        if difference > 0
        else None
    )
    message = f"The subscription was changed from {old.title} to {new.title}."
    if difference > 0:
        message += f" {written(difference, row['currency'])} is charged for the rest of this period."
    elif difference < 0:
        message += f" {written(-difference, row['currency'])} is credited to the next invoice."
    return Answer(
        200,
        {
            "message": message,
            "previous_plan": row["plan"],
            "prorated_charge": money(difference, row["currency"]),
            "invoice": invoice,
            "subscription": _subscription(_row(db, call), call),
        },
    )


def cancel_subscription(db: sqlite3.Connection, call: Call) -> Answer:
    """Let the subscription run out at the end of the paid period."""
    row = _live_row(db, call)
    now = _standing(row, call)
    if row["cancel_at_period_end"]:
        raise conflict(f"The subscription is already cancelled and ends on {now.period_ends_on}.")
    db.execute(
        "UPDATE subscriptions"
        " SET cancel_at_period_end = 1, cancel_reason = ?, period_started_on = ?, period_ends_on = ?"
        " WHERE customer_id = ?",
        # The period is stored as it is now: an end that was promised must not be carried forward.
        (call.arguments.get("reason"), str(now.period_started_on), str(now.period_ends_on), call.customer_id),
    )
    message = (
        f"The subscription was cancelled. It can be used until {now.period_ends_on} and is not charged again."
    )
    return Answer(200, {"message": message, "subscription": _subscription(_row(db, call), call)})


def resume_subscription(db: sqlite3.Connection, call: Call) -> Answer:
    """Take back a cancellation that has not taken place yet."""
    row = _live_row(db, call)
    if not row["cancel_at_period_end"]:
        raise conflict("The subscription is not cancelled, so there is nothing to resume.")
    db.execute(
        "UPDATE subscriptions SET cancel_at_period_end = 0, cancel_reason = NULL WHERE customer_id = ?",
        (call.customer_id,),
    )
    renewed = _row(db, call)
    message = f"The subscription continues and renews on {_standing(renewed, call).period_ends_on}."
    return Answer(200, {"message": message, "subscription": _subscription(renewed, call)})


def _row(db: sqlite3.Connection, call: Call) -> sqlite3.Row:
    row: sqlite3.Row = db.execute(
        "SELECT * FROM subscriptions JOIN customers USING (customer_id) WHERE customer_id = ?",
        (call.customer_id,),
    ).fetchone()
    return row


def _live_row(db: sqlite3.Connection, call: Call) -> sqlite3.Row:
    row = _row(db, call)
    standing = _standing(row, call)
    if standing.ended_on:
        raise conflict(f"The subscription ended on {standing.ended_on} and can no longer be changed.")
    return row


def _standing(row: sqlite3.Row, call: Call) -> Standing:
    start, end, today = day(row["period_started_on"]), day(row["period_ends_on"]), call.now.date()
    if row["ended_on"]:
        return Standing("cancelled", start, end, day(row["ended_on"]))
    if row["cancel_at_period_end"]:
        return Standing(
            "cancelled" if end <= today else row["status"], start, end, end if end <= today else None
        )
    status = row["status"]
    while end <= today:
        start, end = end, end + timedelta(days=PERIOD_DAYS)
        status = "active" if status == "trialing" else status
    return Standing(status, start, end, None)


def _subscription(row: sqlite3.Row, call: Call) -> dict[str, Any]:
    standing, plan = _standing(row, call), PLANS[row["plan"]]
    ends = standing.ended_on or (standing.period_ends_on if row["cancel_at_period_end"] else None)
    return {
        "plan": row["plan"],
        "status": standing.status,
        "seats": row["seats"],
        "price_per_period": money(plan.seat_cents * row["seats"], row["currency"]),
        "current_period_started_on": standing.period_started_on.isoformat(),
        "current_period_ends_on": standing.period_ends_on.isoformat(),
        "cancel_at_period_end": bool(row["cancel_at_period_end"]),
        "ends_on": ends.isoformat() if ends else None,
        "renews_on": None if ends else standing.period_ends_on.isoformat(),
    }


def _plan(name: str, currency: str) -> dict[str, Any]:
    plan = PLANS[name]
    return {
        "plan": name,
        "title": plan.title,
        "price_per_seat": money(plan.seat_cents, currency),
        "period_days": PERIOD_DAYS,
        "max_seats": plan.max_seats,
        "storage_gb": plan.storage_gb,
        "summary": plan.summary,
    }


def _bill(
    db: sqlite3.Connection, call: Call, currency: str, old: str, new: str, days_left: int, cents: int
) -> dict[str, Any]:
    today = call.now.date()
    invoice_id = db.execute("SELECT max(invoice_id) + 1 FROM invoices").fetchone()[0]
    db.execute(
        "INSERT INTO invoices VALUES (?, ?, ?, ?, ?, ?, ?, 'open')",
        (
            invoice_id, call.customer_id, str(today), str(today + timedelta(days=14)),
            f"Change from {old} to {new}, {days_left} days", cents, currency,
        ),
    )  # fmt: skip
    return _invoice(db.execute("SELECT * FROM invoices WHERE invoice_id = ?", (invoice_id,)).fetchone())


def _invoice(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "invoice_id": row["invoice_id"],
        "issued_on": row["issued_on"],
        "due_on": row["due_on"],
        "description": row["description"],
        "amount": money(row["amount_cents"], row["currency"]),
        "status": row["status"],
    }


OPERATIONS: dict[str, Operation] = {
    "get_account_status": get_account_status,
    "list_plans": list_plans,
    "list_invoices": list_invoices,
    "change_plan": change_plan,
    "cancel_subscription": cancel_subscription,
    "resume_subscription": resume_subscription,
}
