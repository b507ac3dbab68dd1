"""The same measurements for us and for what people would build or install instead, and the table of both."""

import asyncio
import math
import time
from pathlib import Path
from typing import Any

from httpx import HTTPError
from socketio.exceptions import SocketIOError

from tests.bench import crowd, measures
from tests.bench.customer import TurnFailed
from tests.bench.measures import FOLLOW_UP, LIMIT_INTERVAL_SECONDS, QUESTION, Numbers
from tests.bench.rivals import stacks
from tests.bench.stack import Stack, StackFailed
from tests.bench.stack import running as running_ours

OURS = "Smart Support"
LONG_TURNS = 125  # eight steps each, so a thousand
LONG_CONVERSATIONS = 4
AT_ONCE = (50, 200)
PART_SECONDS = 420  # what takes longer is left out, and said to be
MISSING = math.nan
Line = tuple[str, str, str, bool]  # key, what, unit, whether more is better

LINES: tuple[Line, ...] = (
    ("model_calls", "Model calls of a first message", "", False),
    ("model_calls_follow_up", "Model calls of a follow-up", "", False),
    ("prompt_tokens", "Prompt tokens of a first message", "", False),
    ("prompt_tokens_60", "Prompt tokens of turn 60", "", False),
    ("first_p50_1", "First-token overhead, 1 at once, p50", " ms", False),
    ("first_p95_1", "First-token overhead, 1 at once, p95", " ms", False),
    ("first_p50_50", "First-token overhead, 50 at once, p50", " ms", False),
    ("first_p95_50", "First-token overhead, 50 at once, p95", " ms", False),
    ("first_p50_200", "First-token overhead, 200 at once, p50", " ms", False),
    ("first_p95_200", "First-token overhead, 200 at once, p95", " ms", False),
    ("turns_per_second", "Turns per second, 50 customers", "/s", True),
    ("turns_per_core_second", "Turns per second of one core's time", "/s", True),
    ("kib_per_socket", "Memory per idle socket", " KiB", False),
    ("bytes_60", "Bytes stored by turn 60", "", False),
    ("open_ms", "Opening a conversation of 1,000 steps", " ms", False),
    ("open_whole_ms", "  all of it", " ms", False),
)


def compare(data_dir: Path, *, quick: bool, names: set[str]) -> dict[str, Any]:
    """{title: {key: number}}, ours first, then those of `names`. What cannot be installed or started here has a text
    instead of numbers."""
    results: dict[str, Any] = {}
    print(f"Measuring {OURS} beside others ...", flush=True)
    with running_ours(workers=1, data_dir=data_dir) as stack:
        results[OURS] = asyncio.run(measure(stack, quick=quick, ours=True))
    for rival in (one for one in stacks.RIVALS if one.name in names):
        try:
            folder = stacks.installed(rival, data_dir / "rivals")
            print(f"Measuring {rival.title} ...", flush=True)
            with stacks.running(rival, bin_folder=folder, data_dir=data_dir) as stack:
                results[rival.title] = asyncio.run(measure(stack, quick=quick, ours=False))
        except (stacks.NotInstalled, StackFailed) as failed:
            results[rival.title] = str(failed)
    return results


async def measure(stack: Stack, *, quick: bool, ours: bool) -> Numbers:
    """One program's numbers. A part that it does not survive is left out, and `failed` says why."""
    await measures.latency(stack, visits=5)  # the first calls of a process pay for imports and connections
    found: Numbers = {"failed": []}
    parts = [_latency(stack, found, quick), _load(stack, found, quick)]
    parts += [_crowd(stack, found, turns, quick) for turns in AT_ONCE]
    parts += [_sockets(stack, found, quick), _long(stack, found, quick, ours)]
    for part in parts:
        try:
            async with asyncio.timeout(PART_SECONDS):
                await part
        except* (TurnFailed, OSError, AssertionError, HTTPError, SocketIOError) as failures:
            found["failed"].append(f"{part.__name__.strip('_')}: {failures.exceptions[0]!r}"[:300])
    stack.require_alive()
    return found


async def _latency(stack: Stack, found: Numbers, quick: bool) -> None:
    measured = await measures.latency(stack, visits=10 if quick else 60)
    single, follow = measured["single"], measured["follow_up"]
    found |= {
        "model_calls": single["model_calls"],
        "model_calls_follow_up": follow["model_calls"],
        "prompt_tokens": single["prompt_tokens"],
        "first_p50_1": single["overhead_p50_ms"],
        "first_p95_1": single["overhead_p95_ms"],
        "first_p50_follow_up": follow["overhead_p50_ms"],
    }


async def _load(stack: Stack, found: Numbers, quick: bool) -> None:
    measured = await measures.throughput(
        stack, conversations=50, seconds=5 if quick else 15, turns_a_visit=measures.TURNS_A_VISIT
    )
    found |= {name: measured[name] for name in ("turns_per_second", "turns_per_core_second")}


async def _crowd(stack: Stack, found: Numbers, turns: int, quick: bool) -> None:
    measured = await crowd.at_once(stack, turns=turns, rounds=1 if quick else 3)
    found |= {
        f"first_p50_{turns}": measured["overhead_p50_ms"],
        f"first_p95_{turns}": measured["overhead_p95_ms"],
    }


async def _sockets(stack: Stack, found: Numbers, quick: bool) -> None:
    if not stack.holds_sockets:
        return
    measured = await crowd.idle_sockets(stack, sockets=100 if quick else 1000, talk=False)
    found["kib_per_socket"] = measured["bytes_per_socket"] / 1024


async def _long(stack: Stack, found: Numbers, quick: bool, ours: bool) -> None:
    """Conversations of 1,000 steps: what the sixtieth turn costs and keeps, and how long they take to open."""
    customers = [await stack.arrive() for _ in range(LONG_CONVERSATIONS)]
    sizes: dict[int, int] = {}
    for number in range(1, (65 if quick else LONG_TURNS) + 1):
        began = time.monotonic()
        stack.model.forget()
        text = (QUESTION if number == 1 else FOLLOW_UP).format(measures.ORDERS[number % len(measures.ORDERS)])
        await asyncio.gather(*(customer.say(text) for customer in customers))
        if number in (50, 60) and stack.database_url:
            sizes[number] = measures.database_bytes(stack.database_url)
        if number == 60:
            asked = sum(item["prompt_tokens"] for item in stack.model.requests(summary=True))
            found["prompt_tokens_60"] = asked / len(customers)
            if sizes:
                found["bytes_60"] = (sizes[60] - sizes[50]) / 10 / len(customers)
        if ours:  # one customer of ours may write ten messages in ten seconds
            await asyncio.sleep(max(0.0, LIMIT_INTERVAL_SECONDS - (time.monotonic() - began)))
    for name, whole in (("open_ms", False), ("open_whole_ms", True)):
        times = [await customer.open_again(whole=whole) for customer in customers for _ in range(3)]
        found[name] = measures.percentile(times, 50) * 1000
    for customer in customers:
        await customer.leave()


def table(results: dict[str, Any]) -> str:
    """Markdown: a line for each measurement, and in brackets how many times ours it is."""
    titles = list(results)
    lines = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for key, what, unit, _ in LINES:
        cells = [_cell(results, title, key, unit) for title in titles]
        lines.append(f"| {what.strip()} | {' | '.join(cells)} |")
    for title, numbers in results.items():
        if isinstance(numbers, str):
            lines += ["", f"{title}: {numbers}"]
        else:
            lines += [line for fault in numbers["failed"] for line in ("", f"{title}, {fault}")]
    return "\n".join(lines)


def _cell(results: dict[str, Any], title: str, key: str, unit: str) -> str:
    numbers, ours = results[title], results[OURS]
    value = MISSING if isinstance(numbers, str) else numbers.get(key, MISSING)
    if math.isnan(value):
        return "–"
    written = f"{value:,.0f}{unit}" if value >= 100 or float(value).is_integer() else f"{value:,.1f}{unit}"
    reference = ours.get(key, MISSING)
    if title == OURS or math.isnan(reference) or not reference:
        return written
    return (
        f"{written} (×{value / reference:,.2g})"
        if value / reference < 10
        else f"{written} (×{value / reference:,.0f})"
    )
