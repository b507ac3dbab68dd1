"""One workspace and subscription a customer, with the invoices of the past months."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from datetime import date, timedelta
from random import Random

from ..formats import timestamp
from ..plans import PERIOD_DAYS, PLANS
from .customers import PLAIN_LETTERS, Person, at_time

FIRST_INVOICE = 20001


def fill(db: sqlite3.Connection, random: Random, today: date, people: list[Person]) -> None:
    """Write a subscription for everybody and its invoices, numbered in the order of issue."""
    invoices: list[tuple[date, str, str, int, str, str]] = []
    for person in people:
        invoices += _subscribe(db, random, today, person, is_demo=person is people[0])
    invoices.sort()
    db.executemany(
        "INSERT INTO invoices VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                number,
                customer,
                day.isoformat(),
                (day + timedelta(days=14)).isoformat(),
                text,
                cents,
                currency,
                status,
            )
            for number, (day, customer, text, cents, currency, status) in enumerate(
                invoices, start=FIRST_INVOICE
            )
        ],
    )


def _subscribe(
    db: sqlite3.Connection, random: Random, today: date, person: Person, *, is_demo: bool
) -> list[tuple[date, str, str, int, str, str]]:
    name = random.choice(tuple(PLANS))
    status = random.choices(("active", "trialing", "past_due", "cancelled"), (84, 5, 6, 5))[0]
    periods = random.randrange(3, 14)
    if is_demo:
        name, status, periods = "team", "active", 11
    if status == "trialing":
        periods = 0
    plan = PLANS[name]
    seats = 3 if is_demo else random.randrange(1, min(plan.max_seats, 40) + 1)
    start = today - timedelta(days=random.randrange(4, 25))
    end = start + timedelta(days=PERIOD_DAYS)
    ended = None
    if status == "cancelled":
        end = today - timedelta(days=random.randrange(5, 60))
        start, ended = end - timedelta(days=PERIOD_DAYS), end.isoformat()
    began = at_time(random, start - timedelta(days=PERIOD_DAYS * periods))
    db.execute(
        "INSERT INTO subscriptions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
        (
            person.customer_id, _workspace(random, person.name), name, status, seats,
            random.randrange(1, seats + 1),
            random.randrange(1, plan.storage_gb), timestamp(began), start.isoformat(), end.isoformat(),
            "Closed by the customer" if ended else None, ended,
        ),
    )  # fmt: skip
    bills = []
    for number in range(periods + 1 if plan.seat_cents and status != "trialing" else 0):
        day = start - timedelta(days=PERIOD_DAYS * number)
        paid = "overdue" if status == "past_due" and number == 0 else "paid"
        text = f"{plan.title} plan, {seats} {'seat' if seats == 1 else 'seats'}, {PERIOD_DAYS} days"
        bills.append((day, person.customer_id, text, plan.seat_cents * seats, person.currency, paid))
    return bills


def _workspace(random: Random, name: str) -> str:
    family = unicodedata.normalize("NFKD", name.split(" ", 1)[1].translate(PLAIN_LETTERS))
    plain = re.sub(r"[^a-z]", "", family.encode("ascii", "ignore").decode().lower())
    return f"{plain}-{random.choice(('studio', 'works', 'labs', 'team', 'partners', 'design'))}"
