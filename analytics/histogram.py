"""Durations counted in buckets, so that days add up and a percentile of a year comes from 365 small rows.

A bucket's upper bound *is* the duration that a percentile reports. Bounds grow by a tenth, so what is reported is at
most a tenth (plus a millisecond) above the truth, and never below it. Raw values are put into the same buckets by
the same rule wherever they are counted, in Python (`bucket`) and in SQL (`IN_SQL`), so both agree to the last unit.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

Histogram = dict[str, int]
"""{bucket's number as text: how many}, as it is stored in JSON. Empty buckets are left out."""
LONGEST_MS = 10**11
"""About three years. What took longer is counted in the last bucket."""


def _bounds() -> tuple[int, ...]:
    bounds = [0]
    while bounds[-1] < LONGEST_MS:
        bounds.append(max(bounds[-1] + 1, (bounds[-1] * 11 + 9) // 10))
    return tuple(bounds)


BOUNDS = _bounds()
"""Upper bounds in milliseconds, in whole numbers: nothing depends on how a machine rounds."""
IN_SQL = f"LEAST(width_bucket({{0}} - 1, ARRAY{list(BOUNDS)}::bigint[]), {len(BOUNDS) - 1})"
"""The bucket of the expression `{0}`, a bigint in milliseconds: how many bounds are below it."""


def bucket(milliseconds: int) -> int:
    """The number of the first bucket whose bound is not below the duration."""
    return min(bisect_left(BOUNDS, milliseconds), len(BOUNDS) - 1)


def counted(durations: Iterable[int]) -> Histogram:
    """The histogram of durations in milliseconds."""
    counts: Histogram = {}
    for duration in durations:
        name = str(bucket(duration))
        counts[name] = counts.get(name, 0) + 1
    return counts


def added(histograms: Iterable[Mapping[str, int]]) -> Histogram:
    counts: Histogram = {}
    for histogram in histograms:
        for name, count in histogram.items():
            counts[name] = counts.get(name, 0) + count
    return counts


def size(histogram: Mapping[str, int]) -> int:
    return sum(histogram.values())


def percentile(histogram: Mapping[str, int], percent: int) -> int | None:
    """Nearest rank: the bound (ms) of the first bucket up to which at least `percent` of the values lie. None: no
    values."""
    wanted = -(-percent * size(histogram) // 100)
    if not wanted:
        return None
    seen = 0
    for number in sorted(map(int, histogram)):
        seen += histogram[str(number)]
        if seen >= wanted:
            return BOUNDS[number]
    raise AssertionError("unreachable")
