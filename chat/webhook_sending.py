"""Sends what is due: many attempts at once on one event loop, so that whoever answers slowly delays nobody else."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import transaction

from chat import webhook_claims, webhook_recording
from chat.webhook_endpoints import MOST_ENDPOINTS
from chat.webhook_one_run import OneRun
from chat.webhook_posting import Attempt, Finished, client, make
from chat.webhook_recording import Sent
from smartsupport.lib.own_loop import Threads

T = TypeVar("T")
AT_ONCE = webhook_claims.EACH * (MOST_ENDPOINTS + 1)
"""There is room for all that may be sent at once, to endpoints and to WEBHOOK_URL: nobody waits for a place that one
that hangs has taken."""
RUN_SECONDS = 20.0
"""How long one run goes on taking deliveries, so that a queue of them does not keep everything else waiting."""
SLOW_SECONDS = 2.0
"""An attempt that takes longer keeps its run from ending, which therefore goes on taking the deliveries of others."""
LOOK_SECONDS = 0.5
"""While attempts are under way, the queue is looked at so often."""


async def run() -> float | None:
    """Send what is due until nothing is, or the time is up. Returns in how many seconds something of it is due again:
    0 where more is due now, None where nothing is known of, or another run is at it.

    Attempts that hang end by WEBHOOK_TIMEOUT_SECONDS; others are made meanwhile. A second run, in another process,
    ends at once. Where one began all the same it finds everything taken: what this one has finished and what it takes
    in its place is one transaction.
    """
    one = OneRun()
    if not await _in_database(one.held):
        return None
    try:
        return await _send_as(one)
    finally:
        await _in_database(one.let_go)


async def _send_as(one: OneRun) -> float | None:
    _let_lookups_hang()
    began = time.monotonic()
    flying: dict[
        asyncio.Task[Finished], float
    ] = {}  # each with when it began, by the monotonic clock, as all here
    done: set[asyncio.Task[Finished]] = set()
    due: list[float] = []
    try:
        async with client(AT_ONCE) as through:
            while True:
                now = time.monotonic()
                hangs = any(now - since > SLOW_SECONDS for since in flying.values())
                taking = await _in_database(one.held) and (hangs or now - began < RUN_SECONDS)
                room = AT_ONCE - len(flying) if taking else 0
                finished = [task.result() for task in done]
                recorded, taken = await _in_database(partial(_exchange, finished, room))
                now = time.monotonic()
                due += [now + sent.again_in for sent in recorded if sent.again_in is not None]
                flying |= {asyncio.create_task(make(attempt, through)): now for attempt in taken}
                if not flying:
                    break
                done, _ = await asyncio.wait(
                    flying, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    del flying[task]
    finally:
        # Only where something broke: their leases run out, and they are sent again.
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)
    if not taking:
        return 0.0
    return max(0.0, min(due) - time.monotonic()) if due else None


@transaction.atomic
def _exchange(finished: Sequence[Finished], room: int) -> tuple[list[Sent], list[Attempt]]:
    """Record these and take others, with no gap in which another run could come between."""
    recorded = webhook_recording.record(finished)
    return recorded, webhook_claims.take(room) if room else []


def _let_lookups_hang() -> None:
    """A name server that does not answer holds a thread; there are enough for the names of all others."""
    asyncio.get_running_loop().set_default_executor(Threads(AT_ONCE, "webhook-names"))


async def _in_database(work: Callable[[], T]) -> T:
    """In the thread that waits for this loop (`async_to_sync`), with its connection."""
    return await sync_to_async(work)()
