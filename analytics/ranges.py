"""Ranges of days, as `7d`: that many UTC days, today included."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from smartsupport.lib.errors import ServiceError

LONGEST = 365
_WRITTEN = re.compile(r"([0-9]+)d", re.ASCII)


class InvalidRange(ServiceError):
    code, status = "invalid_range", 400
    message = "Invalid range format. Expected: '<N>d' e.g. '7d', '30d'."


OUT_OF_BOUNDS = f"Range must be between 1 and {LONGEST} days."


@dataclass(frozen=True, slots=True)
class Period:
    """Whole UTC days, both ends included."""

    first: date
    last: date

    @classmethod
    def up_to(cls, now: datetime, days: int) -> "Period":
        """The `days` days that end with the day of `now` (an aware UTC moment)."""
        return cls(now.date() - timedelta(days=days - 1), now.date())

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def before(self) -> "Period":
        """The same number of days right before."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    def parts(self) -> tuple[list[date], list[date]]:
        """The whole months in it (their first days), and the days that are in none of them."""
        months: list[date] = []
        days: list[date] = []
        day = self.first
        while day <= self.last:
            following = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
            if day.day == 1 and following - timedelta(days=1) <= self.last:
                months.append(day)
                day = following
            else:
                days.append(day)
                day += timedelta(days=1)
        return months, days

    def each(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range(self.days)]


def parse(text: str) -> int:
    """The number of days of `<N>d`, ASCII digits only. Raises InvalidRange."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise InvalidRange()
    digits = found[1].lstrip("0")
    if not digits or len(digits) > 3 or int(digits) > LONGEST:
        raise InvalidRange(OUT_OF_BOUNDS)
    return int(digits)
