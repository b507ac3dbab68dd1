"""The cases of `outbound_cases.tsv`: what an outbound client is tried with, and what has to become of it.

Columns: kind (url, redirect, rebinding, environment, behaviour), input (JSON text: an address, or a sentence), setup
(JSON: `answers` of names, `answers_in_turn`, `redirect`), expected (allowed, refused), why.
"""

import csv
import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("outbound_cases.tsv")


def _rows() -> list[dict[str, str]]:
    with FILE.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def of_urls() -> list[dict[str, Any]]:
    """The cases that are an address: {"url", "expect", "why", "answers"?, "answers_in_turn"?, "redirect"?}."""
    return [
        {
            "url": json.loads(row["input"]),
            "expect": row["expected"],
            "why": row["why"],
            **json.loads(row["setup"] or "{}"),
        }
        for row in _rows()
        if row["kind"] in ("url", "redirect", "rebinding")
    ]


def of_behaviour() -> list[str]:
    """The cases that are a sentence: something is refused that no address shows."""
    rows = [row for row in _rows() if row["kind"] in ("environment", "behaviour")]
    assert all(row["expected"] == "refused" for row in rows)
    return [json.loads(row["input"]) for row in rows]
