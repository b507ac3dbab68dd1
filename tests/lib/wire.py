"""The far side of the wire for tests of the outbound client: real sockets, and a map of the internet.

`Wire` listens on a free port and answers with raw bytes, so a test decides what a server does to the last
byte. `Internet` stands where sockets are opened: it leads public addresses to those servers and notes every
dial.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import httpcore


@dataclass(frozen=True)
class Received:
    """A request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def response(status: str = "200 OK", body: bytes = b"ok", **headers: str) -> bytes:
    """The bytes of a response; `content_type="x"` becomes `content-type: x`."""
    lines = {"content-length": str(len(body))} | {
        name.replace("_", "-"): text for name, text in headers.items()
    }
    head = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


def always(answer: bytes) -> Answer:
    """Answer every request with these bytes."""

    async def reply(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return reply


def put_forward(seconds: float) -> None:
    """The running loop's clock jumps: what was to happen within this time happens next, on a slow machine too."""
    loop = asyncio.get_running_loop()
    before = loop.time
    vars(loop)["time"] = lambda: before() + seconds


class Drip:
    """A body of one byte a second, by the loop's clock, for as long as its reader listens; `sent` counts them. The
    reader dials through `internet`."""

    def __init__(self) -> None:
        self.sent = 0
        self.internet = Internet()

    async def __call__(self, _: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not writer.is_closing():
            seen = self.internet.reads
            writer.write(b".")
            self.sent += 1
            while self.internet.reads == seen and not writer.is_closing():  # noqa: ASYNC110
                await asyncio.sleep(0)
            put_forward(1)


class Wire:
    """A server on loopback. `received` holds all requests, `connections` counts what was accepted."""

    def __init__(self, answer: Answer | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer or always(response())
        self.received: list[Received] = []
        self.connections = 0
        self.closing = asyncio.Event()
        self._tls = tls
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._transports: list[asyncio.WriteTransport] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closing.set()
        self._server.close()
        await self._server.wait_closed()
        await asyncio.sleep(0)  # who was let in last is known after this
        while self._open:
            await self.hang_up()
        for transport in self._transports:
            if not transport.is_closing():
                transport.abort()  # a client that does not read would keep it open
        await asyncio.sleep(0)  # sockets are closed in the loop's next round

    async def hang_up(self) -> None:
        """Close every open connection and wait until their tasks are done."""
        tasks = list(self._open)
        for writer in self._open.values():
            writer.close()
        await asyncio.gather(*tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._transports.append(writer.transport)
        task = asyncio.ensure_future(self._serve(reader, writer, self.connections))
        self._open[task] = writer
        task.add_done_callback(self._open.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        try:
            while not writer.is_closing():
                received = await _read_request(reader, number)
                self.received.append(received)
                await self.answer(received, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader, number: int) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.rstrip().split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body, number)


class Internet(httpcore.AsyncNetworkBackend):
    """Leads addresses to local ports. `dialled` lists every (address, port) that was tried; `reads` counts how often
    something of an answer was read."""

    def __init__(self, *servers: Wire, **routes: Wire) -> None:
        self._everywhere = servers[0].port if servers else None
        self._routes = {address: server.port for address, server in routes.items()}
        self._network = httpcore.AnyIOBackend()
        self.dialled: list[tuple[str, int]] = []
        self.reads = 0

    def lead_to(self, server: Wire) -> None:
        """Every address from now on."""
        self._everywhere = server.port

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append((host, port))
        local = self._routes.get(host, self._everywhere)
        if local is None:
            raise httpcore.ConnectError(f"no route to {host}")
        return self._counted(await self._network.connect_tcp("127.0.0.1", local, timeout=timeout))

    def _counted(self, stream: httpcore.AsyncNetworkStream) -> httpcore.AsyncNetworkStream:
        read = stream.read

        async def counted(most: int, timeout: float | None = None) -> bytes:
            piece = await read(most, timeout)
            self.reads += 1
            return piece

        vars(stream)["read"] = counted
        return stream


class Names:
    """A resolver that answers from a table and notes every lookup; several answers are given in turn."""

    def __init__(
        self, answers: dict[str, Sequence[str]], in_turn: dict[str, list[Sequence[str]]] | None = None
    ):
        self._answers = answers
        self._in_turn = in_turn or {}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if self._in_turn.get(host):
            return self._in_turn[host].pop(0)
        if host not in self._answers:
            raise OSError(f"unknown name {host}")
        return self._answers[host]
