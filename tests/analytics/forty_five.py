"""The conversations of forty_five.txt, which test_by_hand.py has counted by hand."""

from datetime import date
from pathlib import Path

from analytics.ranges import Period
from tests.analytics.scripted import moment, write

NOW = moment("08 12:00")
WEEK = Period(date(2026, 11, 1), date(2026, 11, 8))
TABLE = (Path(__file__).parent / "forty_five.txt").read_text()


def lines() -> list[list[str]]:
    wanted = (line for line in TABLE.splitlines() if line and not line.startswith("#"))
    return [[cell.strip() for cell in line.split("|")] for line in wanted]


def outcomes() -> dict[str, str]:
    return {line[0]: line[4] for line in lines()}


def write_all() -> None:
    for name, customer, start, script, _ in lines():
        write(name, customer=customer or f"customer of {name}", start=moment(start), script=script)
