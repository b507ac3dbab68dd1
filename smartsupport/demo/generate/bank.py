"""One current account a customer, its payments, and the disputes that were filed about some of them."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from ..formats import timestamp
from .customers import Person, at_time
from .words import SPENDING

FIRST_TRANSACTION = 700001
FIRST_DISPUTE = 5001
DEMO_PAYMENTS, OTHER_PAYMENTS = 48, 6
DISPUTE_STORIES = {
    "under_review": ("We received your dispute.", "We asked the merchant for proof of the purchase."),
    "refunded": (
        "We received your dispute.",
        "The merchant did not answer.",
        "The amount was paid back to you.",
    ),
    "rejected": ("We received your dispute.", "The merchant proved the purchase.", "The dispute was closed."),
}
REASONS = ("I do not recognise this payment.", "I was charged twice.", "The goods never arrived.")


class Payment(NamedTuple):
    at: str
    customer_id: str
    kind: str
    description: str
    cents: int
    currency: str


def fill(db: sqlite3.Connection, random: Random, today: date, people: list[Person]) -> None:
    """Write accounts, transactions numbered in the order of time, and disputes."""
    payments: list[Payment] = []
    for person in people:
        number = f"{random.randrange(10**7, 10**8)}"
        db.execute(
            "INSERT INTO accounts VALUES (?, ?, ?, ?)",
            (person.customer_id, f"•••• {number[-4:]}", person.currency, random.randrange(150_000, 900_000)),
        )
        payments += _payments(random, today, person, DEMO_PAYMENTS if person is people[0] else OTHER_PAYMENTS)
    payments.sort()
    newest = timestamp(at_time(random, today - timedelta(days=2)))
    numbered = list(enumerate(payments, start=FIRST_TRANSACTION))
    db.executemany(
        "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (number, p.customer_id, p.at, p.kind, p.description, p.cents, p.currency,
             "pending" if p.at > newest and p.kind == "card_payment" else "posted")
            for number, p in numbered
        ],
    )  # fmt: skip
    _write_disputes(db, random, today, numbered, people[0].customer_id)


def _payments(random: Random, today: date, person: Person, count: int) -> list[Payment]:
    made = []
    for _ in range(count):
        kind, text, least, most = random.choice(SPENDING)
        at = timestamp(at_time(random, today - timedelta(days=random.randrange(1, 90))))
        made.append(
            Payment(at, person.customer_id, kind, text, -random.randint(least, most), person.currency)
        )
    for month in range(3):
        at = timestamp(at_time(random, today - timedelta(days=3 + 30 * month)))
        pay = random.randrange(180_000, 420_000)
        made.append(Payment(at, person.customer_id, "deposit", "Salary", pay, person.currency))
    if count == DEMO_PAYMENTS:
        # Something to dispute: the same streaming service charged twice within a minute.
        day = today - timedelta(days=4)
        for second in ("12", "47"):
            at = f"{day.isoformat()}T08:15:{second}Z"
            made.append(Payment(at, person.customer_id, "card_payment", "Northwind Streaming", -1499, "EUR"))
        at = f"{(today - timedelta(days=21)).isoformat()}T19:02:05Z"
        made.append(Payment(at, person.customer_id, "card_payment", "Gadget Bazaar Online", -8990, "EUR"))
    return made


def _write_disputes(
    db: sqlite3.Connection,
    random: Random,
    today: date,
    numbered: list[tuple[int, Payment]],
    demo_customer: str,
) -> None:
    cutoff = timestamp(at_time(random, today - timedelta(days=10)))
    old = [(n, p) for n, p in numbered if p.kind == "card_payment" and p.at < cutoff]
    mine = next(entry for entry in old if entry[1].description == "Gadget Bazaar Online")
    others = random.sample([entry for entry in old if entry[1].customer_id != demo_customer], 35)
    for dispute_id, (number, payment) in enumerate([mine, *others], start=FIRST_DISPUTE):
        status = "under_review" if number == mine[0] else random.choice(tuple(DISPUTE_STORIES))
        reason = "The goods never arrived." if number == mine[0] else random.choice(REASONS)
        # Ten days are left after every payment, so that a story of three steps ends before today.
        filed = at_time(random, date.fromisoformat(payment.at[:10]) + timedelta(days=1))
        db.execute(
            "INSERT INTO disputes VALUES (?, ?, ?, ?, ?, ?)",
            (dispute_id, payment.customer_id, number, reason, status, timestamp(filed)),
        )
        db.executemany(
            "INSERT INTO dispute_events VALUES (?, ?, ?, ?)",
            [
                (dispute_id, line, timestamp(filed + timedelta(days=3 * (line - 1))), text)
                for line, text in enumerate(DISPUTE_STORIES[status], start=1)
            ],
        )
