"""`python -m tests.bench [--quick] [--only latency,throughput,...]`: a table and its numbers.

WORKERS is the number of turns workers (1). DATABASE_URL chooses a Postgres server instead of an embedded one.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from smartsupport.embedded.errors import EmbeddedServerFailed
from tests.bench import crowd, measures, report, scaling
from tests.bench.customer import TurnFailed
from tests.bench.rivals import compare, stacks
from tests.bench.stack import Stack, StackFailed, running

PARTS = ("latency", "throughput", "at_once", "storage", "sockets", "scaling", "rivals")
APART = {"scaling", "rivals"}  # each starts stacks of its own
CONVERSATIONS = 50


async def measure(stack: Stack, parts: set[str], *, quick: bool) -> dict[str, Any]:
    results: dict[str, Any] = {}
    await measures.latency(stack, visits=10)  # the first calls of a process pay for imports and connections
    if "latency" in parts:
        print("Measuring latency, one customer at a time ...", flush=True)
        results["latency"] = await measures.latency(stack, visits=20 if quick else 100)
    if "throughput" in parts:
        print("Measuring throughput, 50 conversations at once ...", flush=True)
        for name, turns_a_visit in (("throughput", measures.TURNS_A_VISIT), ("throughput_new", 1)):
            results[name] = await measures.throughput(
                stack, conversations=CONVERSATIONS, seconds=_seconds(quick), turns_a_visit=turns_a_visit
            )
    if "at_once" in parts:
        print("Measuring turns that begin at the same moment ...", flush=True)
        results["at_once"] = await crowd.at_once(stack, turns=100, rounds=1 if quick else 5)
    if "storage" in parts:
        print("Measuring what 60 turns leave behind (a good minute) ...", flush=True)
        results["storage"] = await measures.storage(stack, conversations=5 if quick else 20)
    if "sockets" in parts:
        print("Measuring idle sockets ...", flush=True)
        results["sockets"] = await crowd.idle_sockets(stack, sockets=_sockets(quick))
    stack.require_alive()
    return results


def _seconds(quick: bool) -> float:
    return 5.0 if quick else 15.0


def _sockets(quick: bool) -> int:
    return 100 if quick else 1000


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    """The first exception of a group and of the groups in it."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples: to see that it works")
    parser.add_argument("--only", default=",".join(PARTS), help="which measurements, comma-separated")
    everybody = ",".join(one.name for one in stacks.RIVALS)
    parser.add_argument("--rivals", default=everybody, help="whom to measure beside us, comma-separated")
    options = parser.parse_args()
    parts = set(options.only.split(","))
    if not parts <= set(PARTS):
        parser.error(f"--only takes {', '.join(PARTS)}")
    folder = Path(os.environ.get("DATA_DIR", ".local")).resolve() / "bench"
    workers = int(os.environ.get("WORKERS", "1"))
    results: dict[str, Any] = {}
    crowd.allow_sockets(_sockets(options.quick))
    try:
        if not parts <= APART:
            print(f"Starting the stack with {workers} turns worker(s) ...", flush=True)
            with running(workers=workers, data_dir=folder) as stack:
                results = asyncio.run(measure(stack, parts, quick=options.quick))
        if "scaling" in parts:
            results["scaling"] = scaling.measure(folder, seconds=_seconds(options.quick))
        if "rivals" in parts:
            results["rivals"] = compare.compare(
                folder, quick=options.quick, names=set(options.rivals.split(","))
            )
    except* (StackFailed, TurnFailed, EmbeddedServerFailed) as failures:
        print(_first(failures), file=sys.stderr)
    if not results:
        return 1
    results["workers"] = workers
    print("\n" + report.table(results))
    if needed := scaling.table(results):
        print("\n" + needed)
    if "rivals" in results:
        print("\n" + compare.table(results["rivals"]))
    print(f"\nAll numbers: {report.save(results, folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
