"""What a real Daphne sends for an application that closes a socket: the code and the reason that it was given; and what
becomes of an application that gives up a reader who reads nothing, and of a socket's client that reads or writes
without end."""

import base64
import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parents[2]
SERVER = """
import asyncio
from twisted.internet import asyncioreactor
asyncioreactor.install()
from urllib.parse import unquote
from daphne.server import Server
from chat import daphne_replies

daphne_replies.READ_SECONDS = 2.0
go_on = asyncio.Event()

async def application(scope, receive, send):
    if scope["path"] == "/go-on":
        go_on.set()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
    elif scope["type"] == "http":
        await stream(send)
    elif scope["path"] == "/talks":
        await talk(receive, send)
    elif scope["path"] == "/listens-later":
        await listen_later(receive, send)
    else:
        await close(scope, receive, send)

async def talk(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    sent, gone = 0, asyncio.ensure_future(receive())
    while sent < 500 and not gone.done():
        await send({"type": "websocket.send", "text": "x" * 100_000})
        sent += 1
        await asyncio.sleep(0)
    print((await gone)["type"], flush=True)
    print(sent, flush=True)

async def listen_later(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await go_on.wait()
    frames = 0
    while (await receive()).get("bytes") != b"last":
        frames += 1
    print(frames, flush=True)

async def close(scope, receive, send):
    code, reason = unquote(scope["path"]).strip("/").split("/")
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(code), "reason": reason})
    if reason == "went on":
        await send({"type": "websocket.send", "text": "too late"})
        print(reason, flush=True)

async def stream(send):
    kind = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": kind})
    try:
        try:
            while True:
                async with asyncio.timeout(0.5):
                    await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        except TimeoutError:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        print("ended by itself", flush=True)
    except asyncio.CancelledError:
        print("cut", flush=True)

class Told(Server):
    def listen_success(self, port):
        print(port.getHost().port, flush=True)

daphne_replies.install()
Told(application, endpoints=["tcp:port=0:interface=127.0.0.1"], signal_handlers=True).run()
"""


class Server(NamedTuple):
    port: int
    says: IO[str]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    words = [sys.executable, "-c", SERVER]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield Server(int(running.stdout.readline()), running.stdout)
        running.terminate()


@pytest.mark.parametrize("code", [1000, 1011, 1012, 1013, 4001])
def test_a_socket_is_closed_with_the_code_and_the_reason_that_were_given(server: Server, code: int) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/{code}/Try%20again%20later", proxy=None) as opened:
        with pytest.raises(ConnectionClosed) as closed:
            opened.recv(timeout=60)

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, "Try again later")


def test_what_is_sent_while_a_socket_closes_is_no_error(server: Server) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/1000/went%20on", proxy=None) as opened:
        with pytest.raises(ConnectionClosed):
            opened.recv(timeout=60)

    assert server.says.readline() == "went on\n"


def test_whoever_gives_up_a_reader_who_reads_nothing_is_done_then(server: Server) -> None:
    with socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect(("127.0.0.1", server.port))
        idle.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")

        # Daphne would cut it after ten seconds.
        assert server.says.readline() == "ended by itself\n"


def opened(server: Server, path: str, opened: socket.socket) -> None:
    """A socket whose client does nothing by itself."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.settimeout(60)
    opened.connect(("127.0.0.1", server.port))
    key = base64.b64encode(os.urandom(16)).decode()
    opened.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += opened.recv(1)
    assert b" 101 " in head


def frame(content: bytes) -> bytes:
    """A binary frame of a client, masked with zeros."""
    size = bytes([0x80 | 126]) + len(content).to_bytes(2, "big")
    return b"\x82" + size + bytes(4) + content


LAST = b"\x82" + bytes([0x80 | 4]) + bytes(4) + b"last"


def unsent(opened: socket.socket, content: bytes) -> memoryview:
    """Write until nobody has read anything for a while; what is left of it then."""
    left = memoryview(content)
    opened.settimeout(3)
    try:
        while left:
            left = left[opened.send(left) :]
    except TimeoutError:
        pass
    opened.settimeout(60)
    return left


def test_a_socket_whose_client_reads_nothing_is_not_written_to_without_end(server: Server) -> None:
    with socket.socket() as idle:
        opened(server, "/talks", idle)

        assert "socket_reads_nothing" in server.says.readline()
        assert server.says.readline() == "websocket.disconnect\n"
        assert int(server.says.readline()) < 250


def test_a_socket_whose_client_reads_late_gets_everything(server: Server) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/talks", proxy=None, max_queue=1) as late:
        got = [len(late.recv(timeout=60)) for _ in range(500)]

    assert got == [100_000] * 500
    assert (server.says.readline(), server.says.readline()) == ("websocket.disconnect\n", "500\n")


def test_a_socket_whose_client_writes_without_end_is_read_as_it_is_answered(server: Server) -> None:
    frames = frame(b"y" * 32_000) * 1_000 + LAST
    with socket.socket() as eager:
        opened(server, "/listens-later", eager)
        left = unsent(eager, frames)
        assert left
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as other:
            other.request("GET", "/go-on")
            assert other.getresponse().status == 204
        eager.sendall(left)

        assert server.says.readline() == "1000\n"
