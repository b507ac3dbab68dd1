"""`python -m tests.faults.soak [--customers 200] [--minutes 20] [--seed N]`: customers, staff and faults at random,
then an audit of the log against the business's journal and against what each customer was told. See docs/benchmarks.md.

The steps of every customer and the faults are drawn from the seed. The exit status is 1 where the audit finds anything.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.faults import soak_evidence, soak_plan, soak_stack
from tests.faults.soak_audit import Evidence, audit
from tests.faults.soak_customer import Customer
from tests.faults.soak_end import End, faults
from tests.faults.soak_stack import SoakStack
from tests.faults.soak_staff import Staff
from tests.faults.soak_weather import Weather

QUIET_SECONDS = 300
FIRST_CUSTOMER = 1002  # cus_1001 is the one that the chat page speaks for


@dataclass(frozen=True)
class Options:
    """`pace` is the mean number of seconds between two steps of a customer, `weather` between two faults.
    `leave` lets some approvals expire, which takes a minute each. It does not end before there were so many `messages`
    and `faults`."""

    customers: int = 200
    seconds: float = 1200
    seed: str = ""
    pace: float = 20.0
    weather: float = 6.0
    leave: bool = True
    token_delay_ms: float = 15.0
    messages: int = 0
    faults: int = 0


async def run(stack: SoakStack, options: Options) -> tuple[Evidence, Counter[str]]:
    """Drive the stack, wait until it is quiet, and gather the evidence."""
    counts: Counter[str] = Counter()
    staff = Staff(stack.urls, seed=options.seed, leave=options.leave, counts=counts)
    await staff.look_around()
    customers = [_customer(stack, number, options, counts, staff) for number in range(options.customers)]
    plans = [
        soak_plan.steps(f"{options.seed}:{customer.subject}", orders, pace=options.pace)
        for customer, orders in zip(customers, await _orders(stack, customers), strict=True)
    ]
    weather = Weather(stack, seed=options.seed, pace=options.weather, counts=counts)
    end = End(options.seconds, counts, messages=options.messages, faults=options.faults)
    async with asyncio.TaskGroup() as group:
        for customer, plan in zip(customers, plans, strict=True):
            group.create_task(customer.live(plan, end))
        group.create_task(staff.work(end))
        group.create_task(weather.blow(end))
        group.create_task(_report_progress(counts, end))
    await weather.clear()
    counts["seconds until quiet"] = await _quiet(stack, customers, staff)
    evidence = await soak_evidence.gather(stack, customers, staff)
    evidence.faults += [f"{name} ended by itself" for name in stack.ended_parts()]
    for customer in customers:
        await customer.leave_for_good()
    await staff.close()
    return evidence, counts


def _customer(
    stack: SoakStack, number: int, options: Options, counts: Counter[str], staff: Staff
) -> Customer:
    subject = f"cus_{FIRST_CUSTOMER + number}"
    customer = Customer(subject, stack.sockets, seed=options.seed, leave=options.leave, counts=counts)
    customer.strategies = staff.offers("multitask_strategy")
    return customer


async def _orders(stack: SoakStack, customers: list[Customer]) -> list[list[int]]:
    """The order numbers of each customer."""
    found = []
    async with httpx.AsyncClient(base_url=stack.business_url, trust_env=False, timeout=30) as client:
        for customer in customers:
            answer = await client.get(f"/shop/customers/{customer.subject}/orders", params={"limit": 100})
            orders = sorted(answer.json()["orders"], key=lambda row: row["status"] in ("paid", "processing"))
            found.append([row["order_id"] for row in reversed(orders)][:4] or [1042])
    return found


async def _quiet(stack: SoakStack, customers: list[Customer], staff: Staff) -> int:
    """Until every message is answered and every turn and action is at its end; the seconds that it took."""
    began = time.monotonic()
    deadline = began + QUIET_SECONDS
    await asyncio.gather(*(customer.settle(deadline) for customer in customers))
    while time.monotonic() < deadline:
        await asyncio.gather(staff.finish(), *(customer.stay() for customer in customers))
        if not await asyncio.to_thread(soak_evidence.unfinished, stack):
            break
        await asyncio.sleep(1)
    return round(time.monotonic() - began)


async def _report_progress(counts: Counter[str], end: End) -> None:
    while (left := end.left) > 0:
        await asyncio.sleep(min(30.0, left))
        said, ended = counts["messages"], counts["frame message_complete"]
        print(
            f"{left:5.0f} s left: {said} messages, {ended} turns ended, {faults(counts)} faults", flush=True
        )


def summary(evidence: Evidence, counts: Counter[str], findings: list[str]) -> dict[str, Any]:
    """The numbers of a run."""
    return {
        "conversations": len(evidence.conversations),
        "events": len(evidence.events),
        "messages": dict(Counter(message.state for message in evidence.sent)),
        "turns": dict(Counter(turn["status"] for turn in evidence.turns)),
        "actions": dict(Counter(action["status"] for action in evidence.actions)),
        "effects": len(evidence.journal),
        "duplicates": sum(finding.startswith("DOUBLED") for finding in findings),
        "lost": sum(finding.startswith("LOST") for finding in findings),
        "findings": len(findings),
        "counts": dict(sorted(counts.items())),
    }


def printed(numbers: dict[str, Any], findings: list[str]) -> str:
    counts = numbers["counts"]
    lines = ["", f"{'conversations':28}{numbers['conversations']:>8}", f"{'events':28}{numbers['events']:>8}"]
    for name in ("messages", "turns", "actions"):
        lines += [f"{f'{name}, {state}':28}{number:>8}" for state, number in sorted(numbers[name].items())]
    lines.append(f"{'effects':28}{numbers['effects']:>8}")
    lines += [f"{name:28}{number:>8}" for name, number in counts.items() if not name.startswith("frame ")]
    lines.append(f"{'frames':28}{sum(n for name, n in counts.items() if name.startswith('frame ')):>8}")
    lines += ["", *(f"{name:28}{numbers[name]:>8}" for name in ("duplicates", "lost", "findings"))]
    return "\n".join([*lines, *(f"  - {finding[:400]}" for finding in findings[:100])])


def errors_in_logs(folder: Path) -> Counter[str]:
    """What the programs logged as errors, by name: for whoever looks for the cause of a finding."""
    found: Counter[str] = Counter()
    for log in folder.glob("*.log"):
        for line in log.read_text(errors="replace").splitlines():
            if '"level": "error"' in line:
                name = re.search(r'"event": "([^"]{1,80})', line)
                found[f"{log.stem}: {name[1] if name else line[:80]}"] += 1
    return found


def _options(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument(
        "--customers", type=int, default=200, help="at most 238, as many as the demo business has"
    )
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument(
        "--seed", default="", help="a word that chooses the steps; without one, a new one is drawn"
    )
    parser.add_argument("--pace", type=float, default=20, help="mean seconds between two steps of a customer")
    parser.add_argument("--weather", type=float, default=6, help="mean seconds between two faults")
    parser.add_argument("--keep-logs", action="store_true", help="keep the programs' logs beside the report")
    return parser.parse_args(words)


def main() -> int:
    chosen = _options()
    seed = chosen.seed or f"{Random().randrange(10**6)}"
    options = Options(
        customers=min(chosen.customers, 238),
        seconds=chosen.minutes * 60,
        seed=seed,
        pace=chosen.pace,
        weather=chosen.weather,
    )
    folder = Path(os.environ.get("DATA_DIR", ".local")).resolve() / "soak"
    print(f"Starting the stack for {options.customers} customers, seed {seed} ...", flush=True)
    with soak_stack.running(folder, token_delay_ms=options.token_delay_ms, keep=chosen.keep_logs) as stack:
        evidence, counts = asyncio.run(run(stack, options))
        findings = audit(evidence)
        numbers = summary(evidence, counts, findings) | {"logged": dict(errors_in_logs(stack.folder))}
    print(printed(numbers, findings))
    now = datetime.now(UTC)
    report = {
        "at": now.isoformat(),
        "machine": platform.platform(),
        "seed": seed,
        "customers": options.customers,
    }
    path = folder / f"{now:%Y%m%d-%H%M%S}.json"
    path.write_text(
        json.dumps({**report, "minutes": chosen.minutes, **numbers, "all": findings}, indent=2) + "\n"
    )
    print(f"\nSeed {seed}. All numbers: {path}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
