"""Sends what is due: many attempts at once on one event loop, so that whoever answers slowly delays nobody else."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import structlog
from asgiref.sync import sync_to_async

from chat import webhook_claims
from chat.webhook_claims import Sent
from chat.webhook_posting import Attempt, client, post
from smartsupport.lib.safe_http import SafeClient

log = structlog.get_logger(__name__)

T = TypeVar("T")
AT_ONCE = 32
RUN_SECONDS = 20.0
"""How long one run goes on taking deliveries, so that a queue of them does not keep everything else waiting."""
LOOK_SECONDS = 0.5
"""While attempts are under way, the queue is looked at so often."""


async def run() -> float | None:
    """Send what is due until nothing is, or the time is up. Returns in how many seconds something of it is due again:
    0 where more is due now, None where nothing is known of.

    Attempts that hang end by WEBHOOK_TIMEOUT_SECONDS; others are made meanwhile.
    """
    until = time.monotonic() + RUN_SECONDS
    flying: set[asyncio.Task[Sent]] = set()
    due: list[float] = []  # times of the monotonic clock
    async with client() as through:
        while True:
            taking = time.monotonic() < until
            if taking and len(flying) < AT_ONCE:
                taken = await _in_database(partial(webhook_claims.take, AT_ONCE - len(flying)))
                flying |= {asyncio.create_task(attempt_now(attempt, through)) for attempt in taken}
            if not flying:
                break
            done, flying = await asyncio.wait(
                flying, timeout=LOOK_SECONDS if taking else None, return_when=asyncio.FIRST_COMPLETED
            )
            due += [time.monotonic() + again for task in done if (again := _again_in(task)) is not None]
    if not taking:
        return 0.0
    return max(0.0, min(due) - time.monotonic()) if due else None


def _again_in(task: "asyncio.Task[Sent]") -> float | None:
    if fault := task.exception():  # its lease runs out, and it is sent again
        log.error("webhook_not_recorded", exc_info=fault)
        return None
    return task.result().again_in


async def attempt_now(attempt: Attempt, through: SafeClient, *, trial: bool = False) -> Sent:
    """Make an attempt that was claimed, and record it."""
    started = time.monotonic()
    outcome = await post(attempt, through)
    duration_ms = round((time.monotonic() - started) * 1000)
    return await _in_database(
        partial(webhook_claims.record, attempt, outcome, duration_ms=duration_ms, trial=trial)
    )


async def _in_database(work: Callable[[], T]) -> T:
    """In the thread that waits for this loop (`async_to_sync`), with its connection."""
    return await sync_to_async(work)()
