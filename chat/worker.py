"""The consumer behind `manage.py runworker turns`: it hands to the engine what all workers are told, and never waits
for a turn."""

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chat.dispatching import DirectConsumer

if TYPE_CHECKING:
    from chat.engine import TurnEngine

_engines: dict[asyncio.AbstractEventLoop, "TurnEngine"] = {}


def engine() -> "TurnEngine":
    """This process's engine."""
    from chat.engine import TurnEngine  # here, because the web process routes to us and runs no turns

    return _engines.setdefault(asyncio.get_running_loop(), TurnEngine())


class TurnsConsumer(DirectConsumer):
    async def turns_wake(self, message: dict[str, Any]) -> None:
        """Sent by web processes of before there was a list of wake-ups, which serve on during an upgrade."""
        engine().wake()

    async def turns_stop(self, message: dict[str, Any]) -> None:
        engine().stop(UUID(message["turn_id"]))

    async def turns_forget(self, message: dict[str, Any]) -> None:
        await engine().forget(UUID(message["turn_id"]))
