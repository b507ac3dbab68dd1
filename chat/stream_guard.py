"""Ends the streams of those who may not read any more. One look every few seconds for all streams of an event loop."""

import asyncio
from functools import partial
from typing import Protocol

import structlog
from django.db import Error as DatabaseError

from chat.stream_places import Caller, refused
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

CHECK_SECONDS = 5.0


class Guarded(Protocol):
    @property
    def caller(self) -> Caller:
        """Whose it is."""

    def end(self, reason: str) -> None:
        """End it soon."""


class Guard:
    def __init__(self) -> None:
        self._streams: set[Guarded] = set()
        self._looking: asyncio.Task[None] | None = None

    def add(self, stream: Guarded) -> None:
        self._streams.add(stream)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())

    def remove(self, stream: Guarded) -> None:
        self._streams.discard(stream)

    async def _look(self) -> None:
        while self._streams:
            await asyncio.sleep(CHECK_SECONDS)
            callers = {stream.caller for stream in self._streams if stream.caller.kind != "customer"}
            try:
                gone = await in_thread(partial(refused, callers)) if callers else set()
            except (DatabaseError, OSError):
                log.exception("streams_not_checked")
                continue
            for stream in [one for one in self._streams if one.caller in gone]:
                stream.end("not allowed any more")


_guards: dict[asyncio.AbstractEventLoop, Guard] = {}


def guard() -> Guard:
    """This loop's guard."""
    return _guards.setdefault(asyncio.get_running_loop(), Guard())
