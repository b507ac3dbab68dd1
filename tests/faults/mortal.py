"""Starts web and turns processes that die where they are told to: `python -m tests.faults.mortal FOLDER`.

It loads the product once, wraps its boundaries, and forks one process for each that is asked for, so that the next
one is there at once. Requests come as lines of JSON, and so do the answers:

    {"start": "turns" | "web", "log": path, "port": n} -> {"pid": n}
    {"status": pid} -> {"status": null while it runs | exit status | minus the number of the signal}

All of them end with this process, and this process ends with its standard input.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from tests.faults import boundaries
from tests.faults.orders import Passage

PR_SET_PDEATHSIG = 1


def main() -> int:
    _load()
    boundaries.install(Passage(Path(sys.argv[1])))
    assert threading.active_count() == 1, f"A fork would lose threads: {threading.enumerate()}"
    print(json.dumps({"ready": os.getpid()}), flush=True)
    ended: dict[int, int] = {}
    started: set[int] = set()
    while line := sys.stdin.readline():
        asked = json.loads(line)
        answer: dict[str, Any]
        if "start" in asked:
            pid = _start(asked)
            ended.pop(pid, None)  # the number may have been a dead one's
            started.add(pid)
            answer = {"pid": pid}
        else:
            answer = {"status": _status(asked["status"], ended)}
        print(json.dumps(answer), flush=True)
    for pid in started:
        if _status(pid, ended) is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return 0


def _load() -> None:
    """Everything that web and turns import, and nothing that opens a connection or starts a thread."""
    from smartsupport import startup

    startup.read_settings()
    import django

    django.setup()
    # langchain_openai is what the worker's first model would import.
    for module in ("chat.worker", "smartsupport.asgi", "smartsupport.urls", "langchain_openai"):
        importlib.import_module(module)


def _start(asked: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _detach(asked["log"])
        (_serve if asked["start"] == "web" else _run_turns)(asked)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _detach(log: str) -> None:
    """Give up the parent's pipes, and end with it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _run_turns(asked: dict[str, Any]) -> None:
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", "runworker", "turns"])


def _serve(asked: dict[str, Any]) -> None:
    from daphne.cli import CommandLineInterface  # here: it makes the reactor, which must not be shared

    port = str(asked["port"])
    CommandLineInterface().run(["-b", "127.0.0.1", "-p", port, "smartsupport.asgi:application"])


def _status(pid: int, ended: dict[int, int]) -> int | None:
    if pid not in ended:
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            return None
        ended[pid] = os.waitstatus_to_exitcode(status)
    return ended[pid]


if __name__ == "__main__":
    sys.exit(main())
