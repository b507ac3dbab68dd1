"""Waiting for a call: woken by the conversation's own messages, and looking once in a while in case one was lost."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from chat import events
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
MOST = 500
"""So many may wait in one process at once. Whoever comes then is answered at once, and asks again."""
_waiting = 0


async def until(settled: Callable[[], bool], conversation_id: UUID, seconds: float) -> None:
    """Return when `settled` (synchronous, ORM) says so, or after `seconds`."""
    global _waiting
    if await in_thread(settled):
        return
    if _waiting >= MOST:
        log.warning("too_many_calls_wait", most=MOST)
        return
    _waiting += 1
    woken = asyncio.Event()
    listening = asyncio.ensure_future(_listen(conversation_id, woken))
    try:
        async with asyncio.timeout(seconds):
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await woken.wait()
                woken.clear()
                if await in_thread(settled):
                    return
    except TimeoutError:
        return
    finally:
        _waiting -= 1
        listening.cancel()
        await asyncio.wait([listening])


async def _listen(conversation_id: UUID, woken: asyncio.Event) -> None:
    """Set `woken` whenever something happens in the conversation, and once to begin with. Until cancelled."""
    layer = get_channel_layer()
    group = events.group_of(conversation_id)
    try:
        channel = await layer.new_channel()
        taking = asyncio.ensure_future(_take(layer, channel, woken))
        try:
            await layer.group_add(group, channel)
            woken.set()  # what was told before is looked for
            await taking
        finally:
            # Cancelled while it receives, the channel layer forgets the channel; of its group nobody else does.
            taking.cancel()
            await asyncio.wait([taking])
            await layer.group_discard(group, channel)
    except (RedisError, OSError) as error:
        log.warning("calls_not_listened_for", error=str(error) or type(error).__name__)


async def _take(layer: Any, channel: str, woken: asyncio.Event) -> None:
    while True:
        await layer.receive(channel)
        woken.set()
