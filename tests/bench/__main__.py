"""`python -m tests.bench [--quick] [--only latency,throughput,storage]`: a table and its numbers.

WORKERS is the number of turns workers (1). DATABASE_URL chooses a Postgres server instead of an embedded one.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from smartsupport.embedded.errors import EmbeddedServerFailed
from tests.bench import measures, report
from tests.bench.customer import TurnFailed
from tests.bench.stack import Stack, StackFailed, running

PARTS = ("latency", "throughput", "storage")


async def measure(stack: Stack, parts: set[str], *, quick: bool) -> dict[str, Any]:
    results: dict[str, Any] = {}
    await measures.latency(stack, visits=10)  # the first calls of a process pay for imports and connections
    if "latency" in parts:
        print("Measuring latency, one customer at a time ...", flush=True)
        results["latency"] = await measures.latency(stack, visits=20 if quick else 100)
    if "throughput" in parts:
        print("Measuring throughput, 50 conversations at once ...", flush=True)
        seconds = 5.0 if quick else 15.0
        for name, turns_a_visit in (("throughput", measures.TURNS_A_VISIT), ("throughput_new", 1)):
            results[name] = await measures.throughput(
                stack, conversations=50, seconds=seconds, turns_a_visit=turns_a_visit
            )
    if "storage" in parts:
        print("Measuring what 60 turns leave behind (a good minute) ...", flush=True)
        results["storage"] = await measures.storage(stack, conversations=5 if quick else 20)
    stack.require_alive()
    return results


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    """The first exception of a group and of the groups in it."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples: to see that it works")
    parser.add_argument("--only", default=",".join(PARTS), help="which measurements, comma-separated")
    options = parser.parse_args()
    parts = set(options.only.split(","))
    if not parts <= set(PARTS):
        parser.error(f"--only takes {', '.join(PARTS)}")
    folder = Path(os.environ.get("DATA_DIR", ".local")).resolve() / "bench"
    workers = int(os.environ.get("WORKERS", "1"))
    results: dict[str, Any] = {}
    try:
        print(f"Starting the stack with {workers} turns worker(s) ...", flush=True)
        with running(workers=workers, data_dir=folder) as stack:
            results = asyncio.run(measure(stack, parts, quick=options.quick))
    except* (StackFailed, TurnFailed, EmbeddedServerFailed) as failures:
        print(_first(failures), file=sys.stderr)
    if not results:
        return 1
    results["workers"] = workers
    print("\n" + report.table(results))
    print(f"\nAll numbers: {report.save(results, folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
