"""`python -m tests.faults [--only TEXT] [--scenario NAME,...] [--lanes N] [--control] [--docs]`: the kill table.

Each cell runs a scenario on a live stack (Postgres, Valkey, web, a turns worker, the demo business, a scripted
model), kills a process with SIGKILL at one boundary, starts another, waits for the end and audits what is left.
The exit status is 1 where a cell is wrong.
"""

import argparse
import asyncio
import importlib.util
import os
import queue
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.faults import report, rows
from tests.faults.audit import Finding
from tests.faults.boundaries import Gone
from tests.faults.cells import Cell, Result, Strike
from tests.faults.report import Part
from tests.faults.rows import NotCovered, Planned
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.stack import FaultStack, Servers, running

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
Lane = tuple[FaultStack, Servers]


def play(stack: FaultStack, scenario: Scenario, strike: Strike) -> Result:
    return asyncio.run(Cell(stack, scenario, strike).run())


def part_of(planned: Planned, lane: Lane) -> Part:
    """Play one. A run that breaks is a finding too."""
    stack, servers = lane
    strike = planned.strike(servers)
    try:
        result = play(stack, planned.scenario, strike)
    except Exception as error:
        broken = Finding("untrue", f"the run broke: {type(error).__name__}: {error}"[:500])
        result = Result([broken], None, 0, [])
    return Part(
        planned.row,
        planned.scenario.name,
        strike.boundary,
        strike.side,
        strike.nth,
        result.findings,
        result.seconds,
        result.effects,
        result.statuses,
        result.retries,
    )


def play_all(plan: Sequence[Planned], lanes: Sequence[Lane]) -> list[Part]:
    """Every part, on as many stacks as there are; in the order of the plan."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for place in range(len(plan)):
        waiting.put(place)
    played: dict[int, Part] = {}

    def work(lane: Lane) -> None:
        while True:
            try:
                place = waiting.get_nowait()
            except queue.Empty:
                return
            played[place] = part = part_of(plan[place], lane)
            told = f"[{len(played)}/{len(plan)}] {part.row.group}, {part.row.title}, {part.scenario}"
            print(f"{told}: {report.cell([part])}", flush=True)
            for finding in part.findings:
                print(f"    {finding.kind}: {finding.what}", flush=True)

    threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [played[place] for place in sorted(played)]


def control_column() -> Any:
    """What tests/faults/control.py measures of a plain LangGraph agent, or None where there is no such module. It has
    `measure() -> dict` with `markdown` (its table) beside its numbers."""
    if importlib.util.find_spec("tests.faults.control") is None:
        print("There is no control: tests/faults/control.py is missing.", file=sys.stderr)
        return None
    from importlib import import_module

    return import_module("tests.faults.control").measure()


def written(parts: Sequence[Part], seconds: float, control: Any) -> str:
    told = f"{report.summary(parts, seconds)}\n\n{report.table(parts, SCENARIOS)}"
    return told + (
        f"\n### The same for a plain LangGraph agent\n\n{control['markdown']}\n" if control else ""
    )


def main() -> int:
    options = _options()
    scenarios = {name: SCENARIOS[name] for name in SCENARIOS if name in options.scenario.split(",")}
    folder = Path(os.environ.get("DATA_DIR", ".local")).resolve() / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with ExitStack() as stack:
        runs = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
        runs.chmod(0o711)
        stack.callback(shutil.rmtree, runs, ignore_errors=True)
        lanes = []
        for number in range(options.lanes):
            print(f"Starting stack {number + 1} of {options.lanes} ...", flush=True)
            lanes.append(stack.enter_context(running(f"lane{number}", runs / str(number))))
        try:
            traces = {name: play(lanes[0][0], scenario, Strike()) for name, scenario in SCENARIOS.items()}
            rows.check(traces)
        except (NotCovered, Gone) as fault:
            print(fault, file=sys.stderr)
            return 1
        plan = [
            planned
            for planned in rows.plan({name: traces[name] for name in scenarios}, scenarios)
            if options.only.lower() in f"{planned.row.group}, {planned.row.title}".lower()
        ]
        print(f"{len(plan)} faults.", flush=True)
        parts = play_all(plan, lanes)
    seconds = time.monotonic() - began
    control = control_column() if options.control else None
    return _tell(parts, folder, seconds=seconds, control=control, docs=options.docs)


def _tell(parts: list[Part], folder: Path, *, seconds: float, control: Any, docs: bool) -> int:
    if not parts:
        print("No cell was chosen.", file=sys.stderr)
        return 1
    text = written(parts, seconds, control)
    numbers, words = report.save(parts, text, folder, seconds=seconds, control=control)
    print("\n" + text)
    print(report.wrong(parts))
    print(f"All numbers: {numbers}\nThis table: {words}")
    if docs:
        report.put_into(PAGE, text)
    return 0 if all(part.right for part in parts) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", default="", help="rows whose group or title has this text")
    parser.add_argument("--scenario", default=",".join(SCENARIOS), help="which columns, comma-separated")
    parser.add_argument("--lanes", type=int, default=3, help="how many stacks at once (3)")
    parser.add_argument("--control", action="store_true", help="put the control's table beside it")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/faults.md")
    options = parser.parse_args()
    if not set(options.scenario.split(",")) <= set(SCENARIOS):
        parser.error(f"--scenario takes {', '.join(SCENARIOS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
