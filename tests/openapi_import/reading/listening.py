"""A real server that keeps what it was sent, and the client of the product in front of it, for tests without a loop."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from aiohttp import web

from agents.tool_request import Request
from smartsupport.lib.safe_http import SafeClient


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. `fields`: the pairs of a form as aiohttp parses them; files as (name, type, bytes)."""

    method: str
    target: str  # path and query, as on the request line
    headers: dict[str, str]
    content: bytes
    query: list[tuple[str, str]]
    fields: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def raw_query(self) -> dict[str, list[str]]:
        """{decoded name: values as they were written}."""
        found: dict[str, list[str]] = {}
        for pair in filter(None, self.target.partition("?")[2].split("&")):
            name, _, value = pair.partition("=")
            found.setdefault(unquote(name), []).append(value)
        return found

    @property
    def cookies(self) -> list[tuple[str, str]]:
        """Names and values as they were written, in order, repeats included."""
        pairs = filter(None, self.headers.get("Cookie", "").split("; "))
        return [(unquote(name), value) for name, _, value in (pair.partition("=") for pair in pairs)]


class Listening:
    """`send` a request to it and get what arrived."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self._loop, self._port = loop, port
        self._seen: list[Seen] = []
        self._client = SafeClient(allowed_hosts=[f"127.0.0.1:{port}"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def send(self, request: Request) -> Seen:
        return asyncio.run_coroutine_threadsafe(self._send(request), self._loop).result(20)

    async def _send(self, request: Request) -> Seen:
        self._seen.clear()
        await self._client.request(
            request.method, request.address, headers=request.headers, content=request.body, timeout=15
        )
        [seen] = self._seen
        return seen

    async def answer(self, request: web.BaseRequest) -> web.Response:
        parts = request.content_type.startswith("multipart/")  # read by its parser, and only once
        content = b"" if parts else await request.read()
        fields = []
        if parts or request.content_type.endswith("form-urlencoded"):
            for name, value in (await request.post()).items():
                if isinstance(value, web.FileField):
                    fields.append((name, (value.filename, value.content_type, value.file.read())))
                else:
                    fields.append((name, value if isinstance(value, str) else bytes(value)))
        headers = {name: value.decode("latin-1") for name, value in _named(request)}
        self._seen.append(
            Seen(request.method, request.raw_path, headers, content, list(request.query.items()), fields)
        )
        return web.json_response({})


def _named(request: web.BaseRequest) -> Iterator[tuple[str, bytes]]:
    for name, value in request.raw_headers:
        yield name.decode("ascii"), value


@contextmanager
def listening() -> Iterator[Listening]:
    """A server of this process, in a thread with a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="listening")
    thread.start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        probe.listen()
        server = Listening(loop, probe.getsockname()[1])

        async def start() -> web.ServerRunner:
            runner = web.ServerRunner(web.Server(server.answer, access_log=None))
            await runner.setup()
            await web.SockSite(runner, probe).start()
            return runner

        runner = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server._client.aclose(), loop).result(20)
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(20)
            loop.close()


def decoded(written: str) -> str:
    """Percent-decoded UTF-8; never a plus for a space."""
    return unquote_to_bytes(written).decode()
