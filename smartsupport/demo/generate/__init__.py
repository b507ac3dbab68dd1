"""The business's first day: customers, orders, subscriptions and transactions made from one seed.

The same seed and day give the same rows. Nothing here is anybody's real data: e-mail addresses are at
reserved example domains, and names are drawn from lists.
"""

from __future__ import annotations

import sqlite3
from datetime import date
from random import Random

from . import bank, customers, saas, shop

DEMO_CUSTOMER = "cus_1001"


def everything(db: sqlite3.Connection, *, seed: int, today: date) -> None:
    """Fill empty tables inside the caller's transaction. Dates count back from `today`."""
    # One generator per face, so that a change to one face leaves the rows of the others as they were.
    people = customers.fill(db, Random(f"{seed}/customers"), today)
    shop.fill(db, Random(f"{seed}/shop"), today, people)
    saas.fill(db, Random(f"{seed}/saas"), today, people)
    bank.fill(db, Random(f"{seed}/bank"), today, people)
