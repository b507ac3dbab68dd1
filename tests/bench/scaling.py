"""What more processes bring, and what a number of conversations a day needs.

`measure` puts the same load on one and two web and turns processes, and on more turns processes, each on a stack of its
own. Where all of them share few cores with the customers, the model and the database, turns per second say little:
what counts is the processor time of a turn by the kind of process, and how it changes with their number. `needs`
computes from it what a day's conversations take; its assumptions are the constants below.
"""

import asyncio
import math
import os
from pathlib import Path
from typing import Any

from tests.bench import measures
from tests.bench.stack import Stack, running

SHAPES = ((1, 1), (2, 1), (1, 2), (2, 2), (1, 4))  # web, turns
CONVERSATIONS = 50
DAYS = (10_000, 100_000, 1_000_000)

TURNS = 3  # of a conversation
BUSIEST_HOUR = 0.15  # of a day's conversations
BURST = 2  # the busiest minutes of that hour
TURN_SECONDS = 8  # three calls of a real model
OPEN_MINUTES = 15  # a customer's page
USED = 0.6  # of a core, at the most: beyond it things queue
WEB_SOCKETS = 5_000
CAPACITY = 64  # turns that one turns process runs at once
CONNECTIONS = {"web": 17, "turns": 24}  # to Postgres, at the most, of one process


def measure(folder: Path, *, seconds: float) -> dict[str, Any]:
    """{"cores": n, "shapes": [{web_processes, turns_processes, turns_per_second, processor_ms_per_turn, ...}]}"""
    found = []
    for webs, workers in SHAPES:
        print(f"Measuring throughput with {webs} web and {workers} turns process(es) ...", flush=True)
        with running(workers=workers, webs=webs, data_dir=folder) as stack:
            found.append(
                {"web_processes": webs, "turns_processes": workers} | asyncio.run(_throughput(stack, seconds))
            )
            stack.require_alive()
    return {"cores": os.cpu_count(), "shapes": found}


async def _throughput(stack: Stack, seconds: float) -> dict[str, Any]:
    visit = measures.TURNS_A_VISIT
    await measures.throughput(stack, conversations=10, seconds=2, turns_a_visit=visit)  # warm
    return await measures.throughput(stack, conversations=CONVERSATIONS, seconds=seconds, turns_a_visit=visit)


def needs(conversations: int, results: dict[str, Any]) -> dict[str, float]:
    """What so many conversations a day take in their busiest minutes, by what a turn took of two of each process, and
    what a socket held and a late turn kept."""
    spent = next(shape for shape in results["scaling"]["shapes"] if _two_of_each(shape))[
        "processor_ms_per_turn"
    ]
    turns = conversations * TURNS * BUSIEST_HOUR * BURST / 3600
    sockets = conversations * BUSIEST_HOUR * BURST * OPEN_MINUTES / 60
    cores = {name: turns * milliseconds / 1000 / USED for name, milliseconds in spent.items()}
    by_time, by_room = cores["turns"], turns * TURN_SECONDS / CAPACITY
    web = max(2, math.ceil(cores["web"]), math.ceil(sockets / WEB_SOCKETS))
    workers = max(2, math.ceil(by_time), math.ceil(by_room))
    return {
        "turns_per_second": turns,
        "turns_running": turns * TURN_SECONDS,
        "sockets": sockets,
        "turns_processes": workers,
        "for_their_time": by_time,
        "for_their_room": by_room,
        "web_processes": web,
        "socket_gib": sockets * results["sockets"]["bytes_per_socket_with_conversation"] / 2**30,
        "cores": sum(cores.values()),
        "postgres_cores": cores["postgres"],
        "valkey_cores": cores["valkey"],
        "connections": web * CONNECTIONS["web"] + workers * CONNECTIONS["turns"],
        "gib_a_day": conversations * TURNS * results["storage"]["bytes_per_turn"]["10"] / 2**30,
    }


def _two_of_each(shape: dict[str, Any]) -> bool:
    return shape["web_processes"] == shape["turns_processes"] == 2


LINES = {
    "turns_per_second": "turns begun a second",
    "turns_running": "turns running at once",
    "sockets": "sockets open",
    "turns_processes": "**turns processes**",
    "for_their_time": "  for their processor time alone",
    "for_their_room": f"  for {CAPACITY} turns at once in each",
    "web_processes": "**web processes**",
    "socket_gib": "  memory for their sockets, GiB",
    "cores": "**cores**, all together",
    "postgres_cores": "  of them Postgres",
    "valkey_cores": "  of them Valkey",
    "connections": "connections to Postgres, at the most",
    "gib_a_day": "stored a day, GiB",
}


def table(results: dict[str, Any]) -> str:
    """Markdown; empty where a part that it needs was not measured."""
    if not {"scaling", "sockets", "storage"} <= results.keys():
        return ""
    days = {conversations: needs(conversations, results) for conversations in DAYS}
    lines = [
        f"| conversations a day | {' | '.join(f'{day:,}' for day in DAYS)} |",
        "|---" * (len(DAYS) + 1) + "|",
    ]
    for key, what in LINES.items():
        lines.append(f"| {what.strip()} | {' | '.join(_short(found[key]) for found in days.values())} |")
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or float(value).is_integer() else f"{value:.2g}"
