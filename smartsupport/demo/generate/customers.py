"""Two hundred and forty customers; the chat page of a fresh installation speaks for `cus_1001`."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import NamedTuple

from ..formats import timestamp
from .words import REGIONS

CUSTOMERS = 240
FIRST = 1001
# Letters that Unicode does not take apart into a base letter and an accent.
PLAIN_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "'": "", " ": ""})


class Person(NamedTuple):
    customer_id: str
    name: str
    email: str
    city: str
    country: str
    currency: str
    created_at: str


def fill(db: sqlite3.Connection, random: Random, today: date) -> list[Person]:
    """Write the customers and give them back, `cus_1001` first."""
    people = list(_people(random, today))
    db.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?, ?)", people)
    return people


def at_time(random: Random, day: date) -> datetime:
    """A moment between 7:00 and 21:59 UTC on that day."""
    hour, minute, second = random.randrange(7, 22), random.randrange(60), random.randrange(60)
    return datetime.combine(day, time(hour, minute, second), tzinfo=UTC)


def _people(random: Random, today: date) -> Iterator[Person]:
    joined = timestamp(at_time(random, today - timedelta(days=900)))
    yield Person(f"cus_{FIRST}", "Alex Morgan", "alex.morgan@example.com", "Dublin", "Ireland", "EUR", joined)
    taken = {"alex.morgan@example.com"}
    names = {"Alex Morgan"}
    for number in range(FIRST + 1, FIRST + CUSTOMERS):
        given_names, family_names, cities, currency = random.choice(REGIONS)
        name = f"{random.choice(given_names.split())} {random.choice(family_names.split())}"
        while name in names:
            name = f"{random.choice(given_names.split())} {random.choice(family_names.split())}"
        names.add(name)
        city, country = random.choice(cities)
        email = _email(name, random.choice(("example.com", "example.org", "example.net")), taken)
        joined = timestamp(at_time(random, today - timedelta(days=random.randrange(450, 1800))))
        yield Person(f"cus_{number}", name, email, city, country, currency, joined)


def _email(name: str, domain: str, taken: set[str]) -> str:
    given, _, family = name.partition(" ")
    parts = (unicodedata.normalize("NFKD", part.translate(PLAIN_LETTERS)) for part in (given, family))
    local = ".".join(part.encode("ascii", "ignore").decode().lower() for part in parts)
    email, copy = f"{local}@{domain}", 1
    while email in taken:
        copy += 1
        email = f"{local}{copy}@{domain}"
    taken.add(email)
    return email
