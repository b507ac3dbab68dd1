"""`python -m tests.bench.judging <labelled.tsv>`: how well the rules tell reads from writes, as a table.

Columns: source, service, operation, method, path, summary, label (read or write), confidence (strong or weak).
Half of the services, by a hash of their names, is for tuning the rules, the other half for reporting.
"""

import csv
import hashlib
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from openapi_import.judging import Endpoint, Judgement, judge


@dataclass(frozen=True)
class Labelled:
    source: str
    service: str
    endpoint: Endpoint
    label: str  # read | write
    strong: bool

    @property
    def half(self) -> str:
        """`tuning` or `report`: the same for all operations of a service, for ever."""
        return "tuning" if hashlib.sha256(self.service.encode()).digest()[0] % 2 == 0 else "report"


@dataclass(frozen=True)
class Score:
    """Shares of 0 to 1. `accuracy` counts "ask" as the write that it is until somebody has looked; `decided` is the
    accuracy of the others alone. `false_reads` is of what was called a read."""

    operations: int
    accuracy: float
    decided: float
    asked: float
    reads: int
    writes_called_reads: int

    @property
    def false_reads(self) -> float:
        return self.writes_called_reads / self.reads if self.reads else 0.0


def load(path: Path) -> list[Labelled]:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Labelled(
                row["source"],
                row["service"],
                Endpoint(row["method"], row["path"], row["operation"], row["summary"]),
                row["label"],
                row["confidence"] != "weak",
            )
            for row in rows
        ]


def score(rows: Iterable[Labelled], judged: Callable[[Endpoint], Judgement] = judge) -> Score:
    pairs = [(row.label, judged(row.endpoint)) for row in rows]
    right = [(label == one.access, one.uncertain) for label, one in pairs]
    decided = [good for good, uncertain in right if not uncertain]
    read = [label for label, one in pairs if one.access == "read"]
    return Score(
        operations=len(pairs),
        accuracy=sum(good for good, _ in right) / max(1, len(right)),
        decided=sum(decided) / max(1, len(decided)),
        asked=sum(uncertain for _, uncertain in right) / max(1, len(right)),
        reads=len(read),
        writes_called_reads=read.count("write"),
    )


def _cut(rows: list[Labelled], source: str) -> list[Labelled]:
    if source == "all but aws-iam":
        return [row for row in rows if row.source != "aws-iam"]
    return [row for row in rows if source in ("all", row.source)]


def table(rows: list[Labelled]) -> list[str]:
    """Markdown: for each half and kind of source, with all labels and, where some are weak, without those."""
    sources = [*sorted({row.source for row in rows}), "all but aws-iam", "all"]
    lines = [
        "| services | labels | operations | accuracy, ask = write | of the decided | asked | writes called reads |",
        "|---|---|---|---|---|---|---|",
    ]
    for half in ("tuning", "report", "tuning and report"):
        for source in sources:
            found = [row for row in _cut(rows, source) if row.half in half.split(" and ")]
            strong = [row for row in found if row.strong]
            for kind, chosen in (("", found), (", strong only", strong)):
                if not chosen or (kind and len(strong) == len(found)):
                    continue
                one = score(chosen)
                lines.append(
                    f"| {half} | {source}{kind} | {one.operations:,} | {one.accuracy:.2%} | {one.decided:.2%} "
                    f"| {one.asked:.2%} | {one.writes_called_reads} of {one.reads:,} ({one.false_reads:.2%}) |"
                )
    return lines


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print("Usage: python -m tests.bench.judging <labelled.tsv>", file=sys.stderr)
        return 2
    rows = load(Path(arguments[0]))
    print("\n".join(table(rows)))
    begun = time.perf_counter()
    for row in rows:
        judge(row.endpoint)
    print(f"\n{(time.perf_counter() - begun) / max(1, len(rows)) * 1e6:.0f} microseconds for each operation")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
