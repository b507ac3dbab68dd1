"""What a real Daphne sends for an application that closes a socket: the code and the reason that it was given; and what
becomes of an application that gives up a reader who reads nothing."""

import socket
import subprocess
import sys
from collections.abc import Iterator
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

async def application(scope, receive, send):
    if scope["type"] == "http":
        await stream(send)
        return
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
