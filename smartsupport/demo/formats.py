"""How money and time are written in answers, and the few sums that are done with them."""

from __future__ import annotations

from datetime import UTC, date, datetime

Money = dict[str, str]


def money(cents: int, currency: str) -> Money:
    """12990 and "EUR" give `{"amount": "129.90", "currency": "EUR"}`; a debit is negative."""
    sign = "-" if cents < 0 else ""
    return {"amount": f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}", "currency": currency}


def written(cents: int, currency: str) -> str:
    """The same for use inside a sentence: `129.90 EUR`."""
    return f"{money(cents, currency)['amount']} {currency}"


def share(cents: int, percent: int) -> int:
    """`percent` of an amount in cents, rounded half up to a cent. The amount must not be negative."""
    return (cents * percent + 50) // 100


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC to the second: `2026-11-20T09:30:00Z`. Sorts as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The other way round."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def day(text: str) -> date:
    """The calendar day (UTC) of a timestamp or of an ISO date."""
    return date.fromisoformat(text[:10])
