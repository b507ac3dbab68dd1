"""The plans that the software subscription is sold in."""

from __future__ import annotations

from typing import NamedTuple

PERIOD_DAYS = 30


class Plan(NamedTuple):
    """What a plan costs and allows. `seat_cents` is the price of one seat for a period of 30 days."""

    title: str
    seat_cents: int
    max_seats: int
    storage_gb: int
    summary: str


PLANS = {
    "free": Plan("Free", 0, 3, 5, "For trying it out: up to 3 seats, community support."),
    "starter": Plan("Starter", 900, 5, 50, "For small teams: up to 5 seats, support by e-mail."),
    "team": Plan(
        "Team", 1900, 25, 250, "For growing teams: shared calendars, guest access, priority support."
    ),
    "business": Plan(
        "Business", 3900, 250, 1000, "For companies: single sign-on, audit log, support by phone."
    ),
    "enterprise": Plan(
        "Enterprise", 7900, 5000, 10000, "For large companies: own region, a named contact, a signed SLA."
    ),
}
