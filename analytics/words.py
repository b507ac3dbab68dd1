"""Numbers of analytics as people read them."""

from typing import Any

from smartsupport.lib.console import money

UNITS = ((86_400, "day", "days", 3_600, "h"), (3_600, "h", "h", 60, "min"), (60, "min", "min", 1, "s"))
NOTHING = "–"


def written(value: Any, unit: str) -> str:
    """A metric's value in its unit (see `definitions.Metric`); a dash for None."""
    if value is None:
        return NOTHING
    if unit == "share":
        return percent(value)
    if unit == "ms":
        return duration(value)
    if unit == "micros":
        return money(round(value))
    return f"{value:,}" if unit == "count" else f"{value:,.2f}"


def percent(share: float) -> str:
    """`55.6 %`. What is not all is never written as 100, and what is not nothing never as 0."""
    if 0 < share < 0.0005:
        return "under 0.1 %"
    if 0.9995 <= share < 1:
        return "over 99.9 %"
    return f"{share * 100:.1f} %"


def duration(milliseconds: int) -> str:
    """`0.84 s`, `12 s`, `5 min 16 s`, `2 h 5 min`, `3 days 4 h`."""
    seconds = milliseconds / 1000
    if seconds < 10:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    for size, one, many, smaller, name in UNITS:
        if whole >= size:
            count, rest = divmod(whole, size)
            more = f" {rest // smaller} {name}" if rest // smaller else ""
            return f"{count} {one if count == 1 else many}{more}"
    return f"{whole} s"


def difference(now: Any, before: Any, unit: str) -> str:
    """How a value has changed: points of a share, percent of anything else; "" where one of them is missing."""
    if now is None or before is None or (not before and unit != "share"):
        return ""
    if unit == "share":
        points = (now - before) * 100
        return f"{points:+.1f} points" if abs(points) >= 0.05 else "no change"
    change = (now - before) / before * 100
    return f"{change:+,.0f} %" if abs(change) >= 0.5 else "no change"
