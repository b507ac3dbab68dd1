"""A turns worker that is told to go says goodbye to the broker first, and leaves no traceback behind."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings

from chat.management.commands.runworker import TurnsWorker
from tests.live import warm
from tests.live.stack import START_SECONDS, until


@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_leaves_leaves_quietly(
    server_environment: dict[str, str], valkey: "redis.Redis", tmp_path: Path, order: signal.Signals
) -> None:
    def listeners() -> int:
        [(_, count)] = valkey.pubsub_numsub(settings.TURNS_CHANNEL)
        return int(count)

    log, before = tmp_path / "log", listeners()
    with log.open("wb") as told:
        worker = warm.start(
            ["manage.py", "runworker", "turns"], env=server_environment, stdout=told, stderr=told
        )
        try:
            until(lambda: listeners() > before, seconds=START_SECONDS)
            worker.send_signal(order)
            code = worker.wait(timeout=60)
        finally:
            worker.kill()
            worker.wait()

    said = log.read_text()
    assert "turns_worker_stopped" in said
    assert code == 0
    assert "Traceback" not in said, said
    assert "[error" not in said, said


class Layer:
    """A channel layer whose channels are left in several steps, as Valkey's are."""

    def __init__(self) -> None:
        self.joined = asyncio.Event()
        self.left: list[str] = []

    async def receive(self, channel: str) -> Any:
        self.joined.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            self.left.append(channel)


async def test_channels_are_left_before_the_loop_ends() -> None:
    layer = Layer()
    worker = TurnsWorker(None, ["turns"], layer)
    handling = asyncio.ensure_future(worker.handle())
    await layer.joined.wait()

    handling.cancel()
    await worker.hang_up()

    assert layer.left == ["turns"]
