"""The table: for people as Markdown, for comparisons as JSON."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults.audit import Finding, totals
from tests.faults.rows import Row
from tests.faults.scenarios import Scenario
from tests.faults.stack import LEASE_SECONDS

BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"


@dataclass(frozen=True)
class Part:
    """One run of a scenario with one fault."""

    row: Row
    scenario: str
    boundary: str
    side: str
    nth: int
    findings: list[Finding]
    seconds: float | None
    effects: int
    statuses: list[str]
    retries: int = 0

    @property
    def right(self) -> bool:
        return not self.findings


def cell(parts: Sequence[Part]) -> str:
    """What a cell says: what came of it, and the longest time until the customer had the end."""
    if not parts:
        return "–"
    wrong = [part for part in parts if not part.right]
    times = f" ×{len(parts)}" if len(parts) > 1 else ""
    unknown = any("unknown" in part.statuses for part in parts)
    word = f"**WRONG** {len(wrong)} of {len(parts)}" if wrong else ("unknown" if unknown else "ok") + times
    if any(part.retries for part in parts):
        word += ", tried again"
    seconds = [part.seconds for part in parts if part.seconds is not None]
    return f"{word}, {max(seconds):.1f} s" if seconds else word


def table(parts: Sequence[Part], scenarios: Mapping[str, Scenario]) -> str:
    """One Markdown table for each group of rows."""
    lines: list[str] = []
    for group in dict.fromkeys(part.row.group for part in parts):
        mine = [part for part in parts if part.row.group == group]
        columns = [name for name in scenarios if any(part.scenario == name for part in mine)]
        lines += ["", f"### {group[0].upper()}{group[1:]}", ""]
        lines.append("| | " + " | ".join(scenarios[name].title.lower() for name in columns) + " |")
        lines.append("|---|" + "---|" * len(columns))
        for row in dict.fromkeys(part.row for part in mine):
            of_row = [part for part in mine if part.row == row]
            cells = [cell([part for part in of_row if part.scenario == name]) for name in columns]
            lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines).strip() + "\n"


def summary(parts: Sequence[Part], seconds: float) -> str:
    found = totals([finding for part in parts for finding in part.findings])
    cells = len({(part.row, part.scenario) for part in parts})
    wrong = len({(part.row, part.scenario) for part in parts if not part.right})
    slowest = max((part.seconds for part in parts if part.seconds is not None), default=0.0)
    effects = sum(part.effects for part in parts)
    return (
        f"{len(parts)} faults in {cells} cells, {wrong} wrong. Effects in the business: {effects}. "
        f"Duplicates: {found['duplicate']}. Lost: {found['lost']}. Untrue: {found['untrue']}. "
        f"Longest recovery: {slowest:.1f} s, with a lease of {LEASE_SECONDS} s. It took {seconds:.0f} s."
    )


def wrong(parts: Sequence[Part]) -> str:
    """What is wrong, a line each."""
    return "\n".join(
        f"{part.row.group}, {part.row.title}, {part.scenario}, crossing {part.nth}: {finding.kind}: {finding.what}"
        for part in parts
        for finding in part.findings
    )


def save(
    parts: Sequence[Part], written: str, folder: Path, *, seconds: float, control: Any = None
) -> tuple[Path, Path]:
    """Write the results with the time and the machine, and the Markdown; the files' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    results = {
        "at": now.isoformat(),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "lease_seconds": LEASE_SECONDS,
        "seconds": round(seconds, 1),
        "totals": totals([finding for part in parts for finding in part.findings]),
        "parts": [asdict(part) for part in parts],
        "control": control,
    }
    numbers, words = folder / f"{now:%Y%m%d-%H%M%S}.json", folder / f"{now:%Y%m%d-%H%M%S}.md"
    numbers.write_text(json.dumps(results, indent=1) + "\n")
    words.write_text(written)
    return numbers, words


def put_into(page: Path, written: str) -> None:
    """Replace what stands between the marks of a page."""
    text = page.read_text()
    head, _, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        raise ValueError(f"{page} has no place for the table: {BEGIN} … {END}")
    page.write_text(f"{head}{BEGIN}\n{written}\n{end}{tail}")
