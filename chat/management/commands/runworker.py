"""`runworker turns`: Channels' own worker, with the engine beside it: it polls for what no message told it of, says
that it lives, and drains on SIGTERM and SIGINT."""

import asyncio
import signal
from typing import Any

import structlog
from channels.management.commands.runworker import Command as ChannelsCommand
from channels.worker import Worker
from django.conf import settings
from redis.exceptions import RedisError

from chat.worker import engine
from smartsupport import startup
from smartsupport.lib import observing
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

LISTEN_AGAIN_SECONDS = 1.0
HANG_UP_SECONDS = 3.0


class TurnsWorker(Worker):
    application_checker_interval = 1.0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._listening: set[asyncio.Task[Any]] = set()

    def run(self) -> None:
        asyncio.run(self.serve())

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        leave = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, leave.set)
        turns = engine()
        parts = [
            asyncio.ensure_future(turns.run()),
            asyncio.ensure_future(self.handle()),
            # A consumer that broke is logged and followed by another one; without this, what it is sent waits for ever.
            asyncio.ensure_future(self.application_checker()),
            asyncio.ensure_future(leave.wait()),
        ]
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        await turns.drain(settings.TURN_DRAIN_SECONDS)
        await in_thread(lambda: observing.tell("process_leaves"))
        for part in parts:
            part.cancel()
        await self.hang_up()
        for part in done:
            part.result()  # a broken engine ends the process with its error

    async def hang_up(self) -> None:
        """Let the listeners leave their channels while the loop is whole. Channels leaves that to the loop's end, which
        ends the broker's own tasks at the same moment: then leaving fails, with a traceback that means nothing."""
        listening = list(self._listening)
        for task in listening:
            task.cancel()
        if listening:
            await asyncio.wait(listening, timeout=HANG_UP_SECONDS)

    async def listener(self, channel: str) -> None:
        """Channels' own, which ends the process when Valkey is away while the worker starts. The engine needs no
        broker: it finds turns by looking for them."""
        if (task := asyncio.current_task()) is not None:
            self._listening.add(task)
        while True:
            try:
                await super().listener(channel)
            except (RedisError, OSError) as error:
                log.warning("broker_away", channel=channel, error=str(error))
                # It counts as subscribed although it is not.
                self.channel_layer.channels.pop(channel, None)
                await asyncio.sleep(LISTEN_AGAIN_SECONDS)


class Command(ChannelsCommand):
    worker_class = TurnsWorker

    def handle(self, *args: Any, **options: Any) -> None:
        if options["channels"] != ["turns"]:
            self.worker_class = Worker
        else:
            startup.require_whole_database()
            options["channels"] = [settings.TURNS_CHANNEL]
            observing.tell(
                "process_started", name="turns"
            )  # before Channels loads what the web process serves
            with startup.loading():
                import chat.engine  # noqa: F401  now, not while a turn waits
        super().handle(*args, **options)
