"""`python -u tests/live/preloaded.py SOCKET` loads once what the product's programs import from elsewhere; each program
that is asked for is a fork of it. Of the 1.2 seconds of the processor that one takes to start, 0.8 are these imports.

Nothing of the product is loaded, and nothing that looks at its settings: a program may have any environment, folder
and checkout, and runs as `python WORDS` does. One serves all processes of a test run (`tests/live/warm.py` asks it).
Requests come over the Unix socket SOCKET as lines of JSON, with three descriptors for the standard streams of what is
started:

    {"start": ["manage.py", "migrate"], "env": {...}, "cwd": path, "session": true} -> {"pid": n}
    {"status": pid} -> {"status": null while it runs | exit status | minus the number of the signal}

What was started ends with the connection that it was asked for on, and this process ends with its last connection.
"""

import ctypes
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PIECE = 1 << 16
LOADED = """autobahn.websocket.protocol celery.bin.celery celery.apps.worker celery.concurrency.prefork channels.layers
channels_redis.core cryptography.fernet django.contrib.messages django.contrib.staticfiles.storage
django.core.handlers.asgi django.core.management.commands.migrate django.core.serializers.json
django.db.backends.postgresql.base django.db.models django.forms django.http django.template.backends.django django.test
django.urls django.views.generic httpcore httpx jsonschema jwt kombu.transport.redis
langchain_core.messages langchain_openai langgraph.graph markdown_it mcp.server opentelemetry.trace psycopg psycopg_pool
redis.asyncio requests rest_framework.serializers rich.pretty ruamel.yaml structlog
twisted.internet.asyncioreactor twisted.internet.ssl uvicorn yaml""".split()


class Connection:
    """Who asks, and what was started for them."""

    def __init__(self, door: socket.socket) -> None:
        self.door = door
        self.started: dict[int, bool] = {}
        self.ended: dict[int, int] = {}

    def request(self) -> tuple[dict[str, Any], list[int]] | None:
        """The next request with its descriptors; None where nobody asks any more."""
        line, descriptors = b"", list[int]()
        while not line.endswith(b"\n"):
            piece, more, _, _ = socket.recv_fds(self.door, PIECE, 3)
            if not piece:
                return None
            line, descriptors = line + piece, descriptors + list(more)
        return json.loads(line), descriptors

    def tell(self, answer: dict[str, Any]) -> None:
        self.door.sendall(json.dumps(answer).encode() + b"\n")

    def status(self, pid: int) -> int | None:
        if pid not in self.ended:
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                return None
            self.ended[pid] = os.waitstatus_to_exitcode(status)
        return self.ended[pid]

    def end(self) -> None:
        """End what is still there of what was started."""
        for pid, session in self.started.items():
            if self.status(pid) is None:
                (os.killpg if session else os.kill)(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        self.door.close()


def main() -> int:
    sys.path.pop(0)  # this folder
    address = Path(sys.argv[1])
    for module in LOADED:
        importlib.import_module(module)
    assert threading.active_count() == 1, f"A fork would lose threads: {threading.enumerate()}"
    assert "twisted.internet.reactor" not in sys.modules, "A reactor must not be shared."
    address.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(address))
    server.listen()
    print("ready", flush=True)
    return attend(server)


def attend(server: socket.socket) -> int:
    """Do what is asked until nobody is there any more. In a process that was forked: run it, and return its status."""
    waiting = selectors.DefaultSelector()
    waiting.register(server, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is server:
                connection = Connection(server.accept()[0])
                waiting.register(connection.door, selectors.EVENT_READ, connection)
                continue
            connection = key.data
            asked = connection.request()
            if asked is None:
                waiting.unregister(connection.door)
                connection.end()
                if len(waiting.get_map()) == 1:
                    return 0
            elif "status" in asked[0]:
                connection.tell({"status": connection.status(asked[0]["status"])})
            elif start(connection, *asked):
                for registered in list(waiting.get_map().values()):
                    registered.fileobj.close()  # type: ignore[union-attr]
                waiting.close()
                return run(*asked)


def start(connection: Connection, asked: dict[str, Any], descriptors: list[int]) -> bool:
    """Fork; true in the new process."""
    pid = os.fork()
    if not pid:
        return True
    for descriptor in descriptors:
        os.close(descriptor)
    connection.ended.pop(pid, None)  # the number may have been a dead one's
    connection.started[pid] = asked["session"]
    connection.tell({"pid": pid})
    return False


def run(asked: dict[str, Any], descriptors: list[int]) -> int:
    """Become what `python WORDS` is."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if asked["session"]:
        os.setsid()
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, place)
        os.close(descriptor)
    words, env = asked["start"], asked["env"]
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(env)
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    by_module = words[0] == "-m"
    first = asked["cwd"] if by_module else str(Path(words[0]).resolve().parent)
    sys.path[:0] = [first, *(folder for folder in env.get("PYTHONPATH", "").split(":") if folder)]
    sys.argv = words[1:] if by_module else words
    if by_module:
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(words[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
