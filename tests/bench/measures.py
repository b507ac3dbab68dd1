"""What one customer notices, what 50 get done, and what is kept. Each drives real sockets and returns plain numbers;
times are milliseconds."""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

import psycopg

from tests.bench.customer import Turn
from tests.bench.spent import processor_seconds
from tests.bench.stack import Stack

QUESTION = "What is the status of order {}?"
FOLLOW_UP = "And what is the status of order {}?"
ORDERS = range(1042, 1070)
TURNS_A_VISIT = 6  # well below the ten messages in ten seconds that one customer may send
LIMIT_INTERVAL_SECONDS = 1.05
PROMPTS_AT = (1, 10, 30, 60)

Numbers = dict[str, Any]


async def latency(stack: Stack, *, visits: int) -> dict[str, Numbers]:
    """One customer at a time: what the platform adds between a message and its first token."""
    samples: dict[str, list[Numbers]] = {"single": [], "follow_up": []}
    for number in range(visits):
        customer = await stack.arrive()
        for kind, text in (("single", QUESTION), ("follow_up", FOLLOW_UP)):
            stack.model.forget()
            turn = await customer.say(text.format(_order(number)))
            samples[kind].append(_overhead(turn, stack.model.requests(summary=True)))
        await customer.leave()
    return {kind: _summary(found) for kind, found in samples.items()}


def _overhead(turn: Turn, requests: list[Numbers]) -> Numbers:
    """The time to the first token without the model server's part: whole requests before it, and of the one
    that the token came from the time until its first piece."""
    assert turn.first_text is not None, f"no text arrived: {turn.frames}"
    before = [item for item in requests if item["first_piece"] <= turn.first_text]
    model = sum(min(item["finished"], turn.first_text) - item["received"] for item in before[:-1])
    model += before[-1]["first_piece"] - before[-1]["received"]
    raw = turn.first_text - turn.sent
    return {
        "first_token_ms": raw * 1000,
        "overhead_ms": (raw - model) * 1000,
        "business_api_ms": turn.tool_seconds * 1000,
        "whole_turn_ms": (turn.finished - turn.sent) * 1000,
        "model_calls": len(requests),
        "prompt_tokens": sum(item["prompt_tokens"] for item in requests),
    }


def _summary(samples: list[Numbers]) -> Numbers:
    overhead = [item["overhead_ms"] for item in samples]
    mean = {name: sum(item[name] for item in samples) / len(samples) for name in samples[0]}
    return {
        "turns": len(samples),
        "overhead_p50_ms": percentile(overhead, 50),
        "overhead_p95_ms": percentile(overhead, 95),
        "first_token_p50_ms": percentile([item["first_token_ms"] for item in samples], 50),
        "business_api_ms": mean["business_api_ms"],
        "whole_turn_ms": mean["whole_turn_ms"],
        "model_calls": max(item["model_calls"] for item in samples),
        "prompt_tokens": mean["prompt_tokens"],
    }


async def throughput(stack: Stack, *, conversations: int, seconds: float, turns_a_visit: int) -> Numbers:
    """As many turns as possible from `conversations` customers at once, in visits of `turns_a_visit`; 1
    means that every message opens a conversation, the dearest case. Turns are counted to the last one's end: customers
    who are all answered in step would otherwise lose a whole wave to the moment at which the clock stops."""
    done: list[Turn] = []
    stack.model.forget()
    before = _used(stack)
    begin = time.monotonic()
    end = begin + seconds

    async def visitor(number: int) -> None:
        while time.monotonic() < end:
            customer = await stack.arrive(number)
            for turn_number in range(turns_a_visit):
                text = QUESTION if turn_number == 0 else FOLLOW_UP
                done.append(await customer.say(text.format(_order(number + turn_number))))
                if time.monotonic() >= end:
                    break
            await customer.leave()

    async with asyncio.TaskGroup() as group:
        for number in range(conversations):
            group.create_task(visitor(number))
    used = {name: after - before[name] for name, after in _used(stack).items()}
    lasted = max(turn.finished for turn in done) - begin
    first = [(turn.first_text - turn.sent) * 1000 for turn in done if turn.first_text]
    return {
        "conversations": conversations,
        "turns_a_visit": turns_a_visit,
        "seconds": lasted,
        "turns": len(done),
        "turns_per_second": len(done) / lasted,
        "turns_per_core_second": len(done) / sum(used.values()),
        "processor_ms_per_turn": {name: seconds * 1000 / len(done) for name, seconds in used.items()},
        "first_token_p50_ms": percentile(first, 50),
        "first_token_p95_ms": percentile(first, 95),
    }


def _used(stack: Stack) -> dict[str, float]:
    """Seconds of processor time by what has used them; processes of one kind are added up."""
    kinds: dict[str, list[int]] = {}
    for name, pid in stack.served_by:
        kinds.setdefault(name, []).append(pid)
    return {name: processor_seconds(pids) for name, pids in kinds.items()}


async def storage(stack: Stack, *, conversations: int) -> Numbers:
    """What one turn leaves in the database, and what its prompts weigh, early and late in a conversation."""
    customers = [await stack.arrive() for _ in range(conversations)]
    sizes = {0: database_bytes(stack.database_url)}
    prompts: dict[int, float] = {}
    for turn_number in range(1, max(PROMPTS_AT) + 1):
        began = time.monotonic()
        stack.model.forget()
        text = QUESTION if turn_number == 1 else FOLLOW_UP
        await asyncio.gather(
            *(
                customer.say(text.format(_order(number + turn_number)))
                for number, customer in enumerate(customers)
            )
        )
        requests = stack.model.requests(summary=True)
        prompts[turn_number] = sum(item["prompt_tokens"] for item in requests) / conversations
        if turn_number in (1, 5, 10, 50, 60):
            sizes[turn_number] = database_bytes(stack.database_url)
        await asyncio.sleep(max(0.0, LIMIT_INTERVAL_SECONDS - (time.monotonic() - began)))
    for customer in customers:
        await customer.leave()

    def each(low: int, high: int) -> float:
        return (sizes[high] - sizes[low]) / (high - low) / conversations

    return {
        "conversations": conversations,
        "bytes_per_turn": {"1": each(0, 1), "10": each(5, 10), "60": each(50, 60)},
        "prompt_tokens_per_turn": {str(number): prompts[number] for number in PROMPTS_AT},
        "bytes_after_60_turns": (sizes[60] - sizes[0]) / conversations,
    }


def database_bytes(url: str) -> int:
    """Bytes of all tables with their indexes, after dead rows were given back: what is kept for good."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM FULL")
        query = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not below `percent` % of all; NaN for none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _order(number: int) -> int:
    return ORDERS[number % len(ORDERS)]
