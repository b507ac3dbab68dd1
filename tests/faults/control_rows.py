"""The control's rows: what is asked for, what came of a kill, and the table of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

NOBODY = "undisturbed"
STYLES = ("common", "careful")
TITLES = {
    "common": "`interrupt_before` loop, as commonly written",
    "careful": "by the book: HumanInTheLoopMiddleware, sync durability, idempotency keys, resume with `None`",
}


@dataclass(frozen=True)
class Scenario:
    """A message, how a person decides about what it leads to, and how many effects there are to be. `keyed` tells
    whether the business honours idempotency keys, for the style that sends them."""

    title: str
    message: str
    approved: bool = True
    effects: int = 1
    keyed: bool = True


SCENARIOS = {
    "read": Scenario("a read", "What is the status of order 1042?", effects=0),
    "write": Scenario("an approved write", "I would like a coupon for 10% that lasts 30 days."),
    "once": Scenario(
        "an approved write, not safe to repeat",
        "I would like a coupon for 10% that lasts 30 days.",
        keyed=False,
    ),
    "two": Scenario(
        "two approved writes", "Cancel order 1042 and give me a 10% discount on order 1043.", effects=2
    ),
    "rejected": Scenario(
        "a rejected write", "I would like a coupon for 10% that lasts 30 days.", approved=False, effects=0
    ),
}


@dataclass
class Row:
    """One kill in one scenario, and what came of it. `findings` are words: doubled, lost, wedged, ...; `seconds` from
    the kill until the customer had an answer, None without one."""

    style: str
    point: str
    nth: int
    scenario: str
    findings: list[str] = field(default_factory=list)
    effects: int = 0
    seconds: float | None = None


def cell(rows: Sequence[Row]) -> str:
    """What a cell of the table says."""
    if not rows:
        return "–"
    wrong = Counter(finding for row in rows for finding in row.findings)
    times = f" ×{len(rows)}" if len(rows) > 1 else ""
    seconds = [row.seconds for row in rows if row.seconds is not None]
    longest = f", {max(seconds):.1f} s" if seconds else ""
    if not wrong:
        return f"ok{times}{longest}"
    told = ", ".join(f"{finding} {number}/{len(rows)}" for finding, number in sorted(wrong.items()))
    return f"**{told}**{longest}"


def markdown(rows: Sequence[Row]) -> str:
    """One table for each style, in the shape of the kill table."""
    lines: list[str] = []
    for style in dict.fromkeys(row.style for row in rows):
        mine = [row for row in rows if row.style == style]
        names = [name for name in SCENARIOS if any(row.scenario == name for row in mine)]
        lines += ["", f"#### {TITLES[style][0].upper()}{TITLES[style][1:]}", "", summary(mine), ""]
        lines.append("| killed | " + " | ".join(SCENARIOS[name].title for name in names) + " |")
        lines.append("|---|" + "---|" * len(names))
        for point in dict.fromkeys(row.point for row in mine):
            cells = [
                cell([row for row in mine if (row.point, row.scenario) == (point, name)]) for name in names
            ]
            lines.append(f"| {point} | " + " | ".join(cells) + " |")
    return "\n".join(lines).strip() + "\n"


def summary(rows: Sequence[Row]) -> str:
    wrong = Counter(finding for row in rows for finding in row.findings)
    right = sum(not row.findings for row in rows)
    told = ", ".join(f"{finding}: {number}" for finding, number in wrong.most_common())
    return f"{len(rows)} kills, {right} without a finding. {told[:1].upper()}{told[1:]}."
