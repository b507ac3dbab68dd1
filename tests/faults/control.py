"""`python -m tests.faults.control [--style common,careful] [--only TEXT]`: the control of the kill table.

The same kills for a plain LangGraph agent (`create_agent`, its Postgres saver, a person before each write), driven by a
small worker with a table of jobs (`control_worker.py`). The worker kills itself with SIGKILL at one crossing of one
point; another takes its place at once. Then the business's journal, the answers and the thread are looked at.
"""

import argparse
import json
import multiprocessing
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from psycopg.rows import dict_row

from smartsupport.embedded import postgres, tethered
from tests.faults.control_rows import NOBODY, SCENARIOS, STYLES, Row, Scenario, cell, markdown

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 20.0


@dataclass
class Place:
    """The servers of the control."""

    database_url: str
    business_url: str
    model_url: str
    folder: Path

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []


def run(
    styles: Sequence[str] = STYLES, *, only: str = "", scenarios: Sequence[str] = tuple(SCENARIOS)
) -> list[Row]:
    """Every kill of every scenario, each style after the other."""
    found: list[Row] = []
    with running() as place:
        for style in styles:
            for name in scenarios:
                if style == "common" and not SCENARIOS[name].keyed:
                    continue  # it never sends a key, so this is its plain write
                plain = play(place, Row(style, NOBODY, 0, name))
                if plain.findings:
                    raise RuntimeError(f"«{name}» goes wrong with nobody killed: {plain.findings}")
                for point, times in Counter((place.folder / "trace").read_text().splitlines()).items():
                    if only.lower() not in point:
                        continue
                    for nth in range(1, times + 1):
                        row = play(place, Row(style, point, nth, name))
                        print(f"{style}, {name}, {point} ({nth}): {cell([row])}", file=sys.stderr, flush=True)
                        found.append(row)
    return found


@contextmanager
def running() -> Iterator[Place]:
    """A Postgres, the demo business and a model, thrown away afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smartsupport-control-")))
        folder.chmod(0o711)
        server = postgres.start(folder, throwaway=True)
        stack.callback(server.stop)
        business = _server(stack, "-m", "smartsupport.demo", "--port", "0", "--data", str(folder / "demo"))
        model = _server(stack, "-m", "tests.faults.soak_model")
        place = Place(server.url, business, model, folder)
        from langgraph.checkpoint.postgres import PostgresSaver

        from tests.faults.control_worker import TABLES

        with PostgresSaver.from_conn_string(server.url) as saver:
            saver.setup()
        place.rows(TABLES)
        yield place


def _server(stack: ExitStack, *words: str) -> str:
    """Start a server that prints its address first; the address."""
    process = tethered.start([sys.executable, *words], cwd=ROOT, output=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    for at_the_end in (process.stdout.close, process.stdin.close, process.wait, process.terminate):
        stack.callback(at_the_end)
    ready, _, _ = select.select([process.stdout], [], [], 60)
    line = process.stdout.readline().decode() if ready else ""
    if "http" not in line:
        raise RuntimeError(f"{' '.join(words)} did not start: {line!r}")
    return line.split()[-1]


def _worker(place: Place, row: Row, thread_id: str, *, mortal: bool) -> BaseProcess:
    """A worker in a process of its own; only the first one of a run dies."""
    from tests.faults import control_worker
    from tests.faults.control_agent import Setting

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.control_worker"])  # so that a start takes milliseconds
    point = row.point if mortal and row.point != NOBODY else ""
    trace = place.folder / ("trace" if mortal else "trace-after")
    setting = Setting(
        place.database_url,
        place.business_url,
        place.model_url,
        row.style,
        trace,
        point,
        row.nth,
        SCENARIOS[row.scenario].keyed,
    )
    process = context.Process(target=control_worker.main, args=(setting, thread_id), daemon=True)
    process.start()
    return process


def play(place: Place, row: Row, *, patience: float = PATIENCE_SECONDS) -> Row:
    """Run one scenario, with one death; `row` with what was found. After `patience` seconds an answer is lost."""
    thread_id, scenario = f"control-{uuid4().hex[:12]}", SCENARIOS[row.scenario]
    httpx.post(f"{place.business_url}/_reset", trust_env=False, timeout=60).raise_for_status()
    (place.folder / "trace").unlink(missing_ok=True)
    _queue(place, thread_id, "message", content=scenario.message)
    worker = _worker(place, row, thread_id, mortal=True)
    died: float | None = None
    deadline = time.monotonic() + patience
    try:
        while time.monotonic() < deadline and not _over(place, thread_id):
            if not worker.is_alive():
                died = died or time.monotonic()
                worker = _worker(place, row, thread_id, mortal=False)
            for approval in place.rows(
                "UPDATE approvals SET status = 'decided' WHERE thread_id = %s AND status = 'pending' RETURNING id",
                thread_id,
            ):
                _queue(place, thread_id, "decision", approved=scenario.approved, content=str(approval["id"]))
            time.sleep(0.02)
        answered = time.monotonic()
        if died is None and row.point != NOBODY:  # the last points come after the answer
            worker.join(1)
        row.effects, row.findings = _found(place, thread_id, scenario)
        if "lost" in row.findings and _is_wedged(place, thread_id, worker, row):
            row.findings[row.findings.index("lost")] = "wedged"
        elif died is not None and "lost" not in row.findings:
            row.seconds = round(answered - died, 2)
    finally:
        worker.kill()
        worker.join()
    return row


def _queue(
    place: Place, thread_id: str, kind: str, *, content: str = "", approved: bool | None = None
) -> None:
    statement = "INSERT INTO jobs (thread_id, kind, content, approved) VALUES (%s, %s, %s, %s)"
    place.rows(statement, thread_id, kind, content, approved)


OPEN = """
SELECT (SELECT count(*) FROM jobs WHERE thread_id = %(thread)s AND status IN ('queued', 'running'))
     + (SELECT count(*) FROM approvals WHERE thread_id = %(thread)s AND status = 'pending') AS open
"""


def _over(place: Place, thread_id: str) -> bool:
    """Nothing is queued, running or waiting for a person."""
    with psycopg.connect(place.database_url, row_factory=dict_row) as connection:
        row = connection.execute(OPEN, {"thread": thread_id}).fetchone()
    assert row is not None
    return not row["open"]


def _found(place: Place, thread_id: str, scenario: Scenario) -> tuple[int, list[str]]:
    """How many effects there were, and what is wrong."""
    journal = httpx.get(f"{place.business_url}/_journal", trust_env=False, timeout=60).json()
    times = Counter((entry["operation"], entry["path"], json.dumps(entry["body"])) for entry in journal)
    answers = place.rows("SELECT 1 FROM answers WHERE thread_id = %s", thread_id)
    asked = place.rows("SELECT 1 FROM approvals WHERE thread_id = %s", thread_id)
    found = []
    if any(number > 1 for number in times.values()):
        found.append("effect doubled")
    if len(times) > scenario.effects:
        found.append("effect nobody approved")
    if len(times) < scenario.effects:
        found.append("effect missing")
    if not answers:
        found.append("lost")
    if len(answers) > 1:
        found.append("answered twice")
    if len(asked) > 1:
        found.append("person asked twice")
    if _messages(place, thread_id) > 1:
        found.append("message doubled")
    return len(journal), found


def _messages(place: Place, thread_id: str) -> int:
    """How often the customer's message stands in the thread."""
    from langchain_core.messages import HumanMessage
    from langgraph.checkpoint.postgres import PostgresSaver

    with PostgresSaver.from_conn_string(place.database_url) as saver:
        kept = saver.get_tuple({"configurable": {"thread_id": thread_id}})
    messages = kept.checkpoint["channel_values"].get("messages", []) if kept else []
    return sum(isinstance(message, HumanMessage) for message in messages)


def _is_wedged(place: Place, thread_id: str, worker: BaseProcess, row: Row) -> bool:
    """Whether the customer's next message is not answered either."""
    if not worker.is_alive():
        worker = _worker(place, row, thread_id, mortal=False)
    _queue(place, thread_id, "message", content="What is the status of order 1044?")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and not _over(place, thread_id):
        time.sleep(0.05)
    return not place.rows("SELECT 1 FROM answers WHERE thread_id = %s", thread_id)


def measure() -> dict[str, Any]:
    """The table beside the kill table: `markdown`, and its `rows` as numbers."""
    rows = run()
    return {"markdown": markdown(rows), "rows": [asdict(row) for row in rows]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.control", description=__doc__)
    parser.add_argument("--style", default=",".join(STYLES), help="which of the two, comma-separated")
    parser.add_argument("--scenario", default=",".join(SCENARIOS), help="which columns, comma-separated")
    parser.add_argument("--only", default="", help="points whose name has this text")
    parser.add_argument("--json", type=Path, help="write the numbers into this file")
    options = parser.parse_args()
    rows = run(options.style.split(","), only=options.only, scenarios=options.scenario.split(","))
    print(markdown(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
