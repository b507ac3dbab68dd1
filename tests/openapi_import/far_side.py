"""Servers of documents, on a loop of their own, for tests of synchronous code."""

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from tests.lib.wire import Answer, Received, Wire, response

T = TypeVar("T")
PATIENCE_SECONDS = 60


class FarSide:
    """Starts servers (`tests.lib.wire`) in a thread; all of them end with the test."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="far-side", daemon=True)
        self._thread.start()
        self._wires: list[Wire] = []

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    def serve(self, answer: Answer | None = None) -> Wire:
        wire = Wire(answer)
        self.do(wire.__aenter__())
        self._wires.append(wire)
        return wire

    def documents(self, by_path: dict[str, Any]) -> Wire:
        """A server of these: bytes as they are, raw responses of `response`, anything else as JSON."""

        async def answer(asked: Received, writer: asyncio.StreamWriter) -> None:
            found = by_path.get(asked.target)
            if found is None:
                writer.write(response("404 Not Found"))
            elif isinstance(found, bytes) and found.startswith(b"HTTP/"):
                writer.write(found)
            else:
                body = found if isinstance(found, bytes) else json.dumps(found).encode()
                writer.write(response(body=body, content_type="application/json"))

        return self.serve(answer)

    def silent(self) -> tuple[Wire, threading.Event]:
        """A server that takes a request and never answers, and an event: somebody asks."""
        asked = threading.Event()

        async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await wire.closing.wait()

        wire = self.serve(answer)
        return wire, asked

    def close(self) -> None:
        for wire in self._wires:
            self.do(wire.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._loop.close()


@contextmanager
def far_side() -> Iterator[FarSide]:
    side = FarSide()
    try:
        yield side
    finally:
        side.close()


@pytest.fixture
def far() -> Iterator[FarSide]:
    with far_side() as side:
        yield side
