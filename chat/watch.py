"""Heals what the broker lost. A group message is a wake-up and may be lost for good (Valkey restarted, a buffer ran
over); the log is the truth. One query every few seconds tells which of a process's sockets are behind."""

import asyncio
from typing import Protocol
from uuid import UUID

import structlog
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from chat import events
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

CHECK_SECONDS = 5.0


class Follower(Protocol):
    """A socket that follows conversations."""

    def told(self) -> dict[UUID, int]:
        """How far it has been told, by conversation."""

    async def catch_up(self, conversation_id: UUID) -> None:
        """Send what is missing."""


class Watch:
    """The followers of one event loop. It looks only while there are any."""

    def __init__(self) -> None:
        self._followers: set[Follower] = set()
        self._looking: asyncio.Task[None] | None = None
        self._healing: dict[Follower, asyncio.Task[None]] = {}

    def add(self, follower: Follower) -> None:
        self._followers.add(follower)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())

    def remove(self, follower: Follower) -> None:
        self._followers.discard(follower)

    async def _look(self) -> None:
        while self._followers:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self._heal()
            except (DatabaseError, RedisError, OSError):
                log.exception("watch_failed")

    async def _heal(self) -> None:
        told: dict[UUID, int] = {}
        for follower in self._followers:
            for conversation_id, seq in follower.told().items():
                told[conversation_id] = min(seq, told.get(conversation_id, seq))
        behind = await in_thread(lambda: events.behind(told)) if told else {}
        for follower in list(self._followers):
            late = [
                conversation_id
                for conversation_id, seq in follower.told().items()
                if seq < behind.get(conversation_id, 0)
            ]
            if late and follower not in self._healing:
                self._healing[follower] = asyncio.ensure_future(self._catch_up(follower, late))

    async def _catch_up(self, follower: Follower, late: list[UUID]) -> None:
        """One socket that is slow, or closing, is nobody else's matter."""
        try:
            for conversation_id in late:
                await follower.catch_up(conversation_id)
        except Exception:
            log.warning("follower_not_healed", exc_info=True)
        finally:
            del self._healing[follower]


_watches: dict[asyncio.AbstractEventLoop, Watch] = {}


def watch() -> Watch:
    """This loop's watch."""
    return _watches.setdefault(asyncio.get_running_loop(), Watch())
