"""A reader of server-sent events, as the WHATWG's HTML standard describes one (9.2.5, 9.2.6), over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import httpx

PATIENCE_SECONDS = 60


@dataclass
class Parser:
    """Lines in, events out: (data, the last event's id at that moment)."""

    last_id: str = ""
    retry_ms: int | None = None
    comments: int = 0
    _data: list[str] = field(default_factory=list)
    _id: str | None = None

    def take(self, line: str) -> tuple[str, str] | None:
        if not line:
            return self._dispatch()
        if line.startswith(":"):
            self.comments += 1
            return None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value)
        return None

    def _dispatch(self) -> tuple[str, str] | None:
        if self._id is not None:
            self.last_id = self._id
        self._id, data, self._data = None, self._data, []
        return ("\n".join(data), self.last_id) if data else None


class Listener:
    """One connection. `frames` are all that came over it, `last_id` is where to go on."""

    def __init__(self, url: str, *, last_id: str = "", **headers: str) -> None:
        self._client = httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._headers = {"Accept": "text/event-stream", "Cache-Control": "no-store", **named}
        if last_id:
            self._headers["Last-Event-ID"] = last_id
        self._url = url
        self.parser = Parser(last_id=last_id)
        self.frames: list[dict[str, Any]] = []
        self.answer: httpx.Response

    async def __aenter__(self) -> "Listener":
        asked = self._client.build_request("GET", self._url, headers=self._headers)
        self.answer = await self._client.send(asked, stream=True)
        if self.answer.status_code != 200:
            await self.answer.aread()
        self._events = self._read()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.answer.aclose()
        await self._client.aclose()

    @property
    def last_id(self) -> str:
        return self.parser.last_id

    async def _read(self) -> AsyncIterator[dict[str, Any]]:
        async for line in self.answer.aiter_lines():
            if (event := self.parser.take(line)) is not None:
                yield json.loads(event[0])

    async def frame(self) -> dict[str, Any] | None:
        """The next frame; None at the end of the answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                frame = await anext(self._events)
            except StopAsyncIteration:
                return None
        self.frames.append(frame)
        return frame

    async def until(self, kind: str, times: int = 1) -> list[dict[str, Any]]:
        """The frames up to the one of this type, `times` of them."""
        came: list[dict[str, Any]] = []
        while times:
            frame = await self.frame()
            assert frame is not None, f"ended before {kind}: {came}"
            came.append(frame)
            times -= frame["type"] == kind
        return came

    async def ended(self) -> bool:
        """Read to the end of the answer."""
        while await self.frame() is not None:
            pass
        return True
