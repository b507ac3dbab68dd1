"""What a real Daphne sends for an application that closes a socket: the code and the reason that it was given."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parents[2]
SERVER = """
from twisted.internet import asyncioreactor
asyncioreactor.install()
from urllib.parse import unquote
from daphne.server import Server
from chat import daphne_replies

async def application(scope, receive, send):
    code, reason = unquote(scope["path"]).strip("/").split("/")
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(code), "reason": reason})

class Told(Server):
    def listen_success(self, port):
        print(port.getHost().port, flush=True)

daphne_replies.install()
Told(application, endpoints=["tcp:port=0:interface=127.0.0.1"], signal_handlers=True).run()
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    words = [sys.executable, "-c", SERVER]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"ws://127.0.0.1:{server.stdout.readline().strip()}"
        server.terminate()


@pytest.mark.parametrize("code", [1000, 1011, 1012, 1013, 4001])
def test_a_socket_is_closed_with_the_code_and_the_reason_that_were_given(address: str, code: int) -> None:
    with connect(f"{address}/{code}/Try%20again%20later", proxy=None) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, "Try again later")
