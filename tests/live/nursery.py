"""Where a stack's processes come from: `python -m tests.live.nursery` loads the product once and forks one process for
each that is asked for. A start of its own takes a second and a half of the processor, of which one is imports.

Requests come as lines of JSON, and so do the answers:

    {"start": ["manage.py", "runworker", "turns"], "log": path} -> {"pid": n}
    {"status": pid} -> {"status": null while it runs | exit status | minus the number of the signal}

What can be started is `manage.py ...`, `-m daphne ...` and `-m celery ...`, as from a shell. All of them end with this
process, and this process ends with its standard input.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
import threading
from typing import Any

PR_SET_PDEATHSIG = 1


def main() -> int:
    load()
    return attend()


def load() -> None:
    """Everything that web and turns import, and nothing that opens a connection or starts a thread."""
    from smartsupport import startup

    with startup.loading():
        startup.read_settings()
        import django

        django.setup()
        # langchain_openai is what the worker's first model would import.
        for module in (
            "manage",
            "chat.worker",
            "smartsupport.asgi",
            "smartsupport.urls",
            "smartsupport.celery",
            "langchain_openai",
        ):
            importlib.import_module(module)


def attend() -> int:
    """Do what is asked until nobody asks any more. In a process that was forked: run it, and return its status."""
    print(json.dumps({"ready": os.getpid(), "threads": threading.active_count()}), flush=True)
    ended: dict[int, int] = {}
    started: set[int] = set()
    while line := sys.stdin.readline():
        asked = json.loads(line)
        answer: dict[str, Any]
        if "start" in asked:
            pid = os.fork()
            if not pid:
                _detach(asked["log"])
                return _run(asked["start"])
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


def _detach(log: str) -> None:
    """Give up the parent's pipes, and end with it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _run(words: list[str]) -> int:
    if words[0] == "manage.py":
        sys.argv = words
        importlib.import_module("manage").main()
    elif words[1] == "celery":
        sys.argv = words[1:]
        importlib.import_module("celery.__main__").main()
    else:
        from daphne.cli import CommandLineInterface  # here: it makes the reactor, which must not be shared

        CommandLineInterface().run(words[2:])
    return 0


def _status(pid: int, ended: dict[int, int]) -> int | None:
    if pid not in ended:
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            return None
        ended[pid] = os.waitstatus_to_exitcode(status)
    return ended[pid]


if __name__ == "__main__":
    sys.exit(main())
