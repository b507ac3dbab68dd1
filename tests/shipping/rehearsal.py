"""`python -m tests.shipping.rehearsal [--old REF] [--customers 40] [--pause 8]`: an upgrade under load, and an audit.

A production of the code at REF (a tag, a commit; without one, of this code) serves customers and staff through nginx.
Then what docs/deployment.md describes is done: migrate with the new code while the old one serves, then replace one
process after another. Afterwards the log, the business's journal and what every customer was told are compared line by
line, as after the soak. The exit status is 1 where anything was lost, doubled or reordered.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests import servers
from tests.faults import soak, soak_evidence, soak_plan
from tests.faults.soak_audit import Evidence, audit
from tests.faults.soak_customer import Customer
from tests.faults.soak_end import End
from tests.faults.soak_stack import API_KEY
from tests.faults.soak_staff import Staff
from tests.live.stack import until
from tests.shipping import image
from tests.shipping.fleet import Fleet
from tests.shipping.nginx import ROOT

ORDER = ("turns1", "turns2", "web1", "web2", "jobs", "beat")
"""In which they are replaced: turns first, because the new web may write what an old turns process does not know."""
Doing = Callable[[Counter[str]], Awaitable[None]]
"""What is done under load. It is given what happens meanwhile, counted: `messages`, for one."""


async def drive(
    fleet: Fleet, options: soak.Options, doing: Doing
) -> tuple[Evidence, Counter[str], list[str]]:
    """Customers and staff at work while `doing` is done, and for `options.seconds`; evidence, counts and findings."""
    os.environ["SSL_CERT_FILE"] = str(
        fleet.nginx.certificate
    )  # their sockets trust nginx's certificate, nothing else
    counts: Counter[str] = Counter()
    staff = Staff([fleet.url] * 2, seed=options.seed, leave=False, counts=counts)
    staff.clients = [
        httpx.AsyncClient(
            base_url=f"{fleet.url}/api/v1/",
            headers={"X-API-Key": API_KEY},
            verify=fleet.nginx.tls,
            trust_env=False,
            timeout=60,
        )
        for _ in range(2)
    ]
    await staff.look_around()
    customers = [soak._customer(fleet, number, options, counts, staff) for number in range(options.customers)]  # type: ignore[arg-type]
    plans = [
        soak_plan.steps(f"{options.seed}:{customer.subject}", orders, pace=options.pace)
        for customer, orders in zip(customers, await soak._orders(fleet, customers), strict=True)  # type: ignore[arg-type]
    ]
    end = End(options.seconds, counts)
    end.held = True
    at_work = [asyncio.create_task(one.live(plan, end)) for one, plan in zip(customers, plans, strict=True)]
    at_work.append(asyncio.create_task(staff.work(end)))
    try:
        await doing(counts)
        end.held = False
        counts["messages until the end of the upgrade"] = counts["messages"]
        await asyncio.gather(*at_work)
    finally:
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
    counts["seconds until quiet"] = await soak._quiet(fleet, customers, staff)  # type: ignore[arg-type]
    evidence = _of_these(await soak_evidence.gather(fleet, customers, staff))  # type: ignore[arg-type]
    evidence.faults += [f"{name} ended by itself" for name, one in fleet.programs.items() if one.ended]
    await _leave(customers, staff)
    return evidence, counts, audit(evidence)


def _of_these(evidence: Evidence) -> Evidence:
    """Without what others have left in the same database and the same business."""
    theirs = {row["id"] for row in evidence.conversations if row["thread_id"].startswith("soak-")}
    evidence.conversations = [row for row in evidence.conversations if row["id"] in theirs]
    evidence.events = [row for row in evidence.events if row["conversation_id"] in theirs]
    evidence.turns = [row for row in evidence.turns if row["conversation_id"] in theirs]
    turns = {row["id"] for row in evidence.turns}
    others = {str(row["id"]) for row in evidence.actions if row["turn_id"] not in turns}
    evidence.actions = [row for row in evidence.actions if row["turn_id"] in turns]
    evidence.journal = [row for row in evidence.journal if str(row["idempotency_key"]) not in others]
    return evidence


async def _leave(customers: list[Customer], staff: Staff) -> None:
    for customer in customers:
        await customer.leave_for_good()
    await staff.close()


async def replace(fleet: Fleet, name: str) -> tuple[float, int]:
    """Stop a process as a deployment does, start this code's in its place, and wait until it is at work. The seconds
    that the old one took to leave, and its exit status."""
    began = time.monotonic()
    status = await asyncio.to_thread(fleet.programs[name].stop)
    left = time.monotonic() - began
    fleet.add(name)
    if name.startswith("web"):
        await asyncio.to_thread(fleet.wait_ready, int(name[3:]))
    else:
        alive = fleet.folder / name / "data" / "alive"
        program = fleet.programs[name]
        said = alive / f"{name.rstrip('12')}-{program.pid}"
        await asyncio.to_thread(until, said.exists)
    return left, status


@contextmanager
def checked_out(reference: str) -> Iterator[Path]:
    """A folder with the code at a commit, its static files made."""
    packed = subprocess.run(["git", "archive", reference], cwd=ROOT, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="smartsupport-old-") as name:
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(name, filter="data")
        yield Path(name)


def collect_static(code: Path, target: Path) -> None:
    [line] = [rest for kind, rest in image.last_stage() if kind == "RUN" and "collectstatic" in rest]
    env = {name: value for name, value in os.environ.items() if name not in servers.OURS}
    env |= {
        "DEBUG": "false",
        "STATIC_ROOT": str(target),
        "PATH": f"{Path(sys.executable).parent}:{env['PATH']}",
    }
    env |= {"DJANGO_SETTINGS_MODULE": "smartsupport.settings", "DATA_DIR": str(target.parent / "data")}
    subprocess.run(["sh", "-c", line], cwd=code, env=env, check=True)


def rehearse(folder: Path, *, old: Path, options: soak.Options, pause: float) -> dict[str, Any]:
    """From a production of the old code to one of this code, under load. Numbers and findings."""
    fleet = Fleet(folder, folder / "static-new")
    fleet.static_roots[old] = folder / "static-old"
    for code, target in fleet.static_roots.items():
        collect_static(code, target)
    with ExitStack() as stack:
        stack.callback(fleet.stop)
        with psycopg.connect(fleet.admin_url, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{fleet.name}"')
        fleet.start_business_and_model()
        fleet.manage("migrate", "-v", "0", cwd=old)
        fleet.seed(old)
        fleet.start_programs(old)
        times: dict[str, float] = {}
        statuses: dict[str, int] = {}

        async def upgrade(_: Counter[str]) -> None:
            await asyncio.sleep(pause)
            began = time.monotonic()
            await asyncio.to_thread(fleet.manage, "migrate", "-v", "0")
            times["migrate"] = time.monotonic() - began
            await asyncio.sleep(pause)
            for name in ORDER:
                times[name], statuses[name] = await replace(fleet, name)
                await asyncio.sleep(pause)

        evidence, counts, findings = asyncio.run(drive(fleet, options, upgrade))
        logged = sum((soak.errors_in_logs(part) for part in folder.iterdir() if part.is_dir()), Counter())
        return {
            **soak.summary(evidence, counts, findings),
            "seconds": {name: round(value, 1) for name, value in times.items()},
            "statuses": statuses,
            "all": findings,
            "logged": logged,
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.shipping.rehearsal", description=__doc__)
    parser.add_argument(
        "--old", default="", help="the commit or tag that is replaced; without one, this very code"
    )
    parser.add_argument("--customers", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=150, help="how long customers write")
    parser.add_argument(
        "--pause", type=float, default=8, help="seconds of load between two steps of the upgrade"
    )
    parser.add_argument("--seed", default="upgrade")
    chosen = parser.parse_args()
    servers.provide()
    options = soak.Options(
        customers=min(chosen.customers, 238), seconds=chosen.seconds, seed=chosen.seed, pace=4, leave=False
    )
    with ExitStack() as stack:
        old = stack.enter_context(checked_out(chosen.old)) if chosen.old else ROOT
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smartsupport-rehearsal-")))
        folder.chmod(0o711)
        numbers = rehearse(folder, old=old, options=options, pause=chosen.pause)
    print(json.dumps(numbers, indent=2))
    return 1 if numbers["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
