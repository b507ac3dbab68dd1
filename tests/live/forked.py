"""The processes of a stack that come from its nursery (`tests/live/nursery.py`), to be used like `subprocess.Popen`."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60


class Nursery:
    """A loaded product in `env`. `takes` says what it can start; without it, or where loading has started a thread,
    which a fork would lose, processes are started as usual."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.env = dict(env)
        self._asking = threading.Lock()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.live.nursery"],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
            )
        assert self._process.stdout is not None
        select.select([self._process.stdout], [], [], PATIENCE_SECONDS)
        told = self._process.stdout.readline().decode()
        if not told:
            raise RuntimeError(f"The product did not load:\n{log.read_text(errors='replace')[-3000:]}")
        self._forks = json.loads(told)["threads"] == 1

    def takes(self, words: tuple[str, ...], env: dict[str, str]) -> bool:
        """Whether it can start this: what it has loaded is only right for its own environment."""
        known = words[:1] == ("manage.py",) or words[:2] in (("-m", "daphne"), ("-m", "celery"))
        return self._forks and known and env == self.env

    def start(self, words: tuple[str, ...], log: Path) -> "Forked":
        return Forked(self, words, self._ask(start=list(words), log=str(log))["pid"])

    def status(self, pid: int) -> int | None:
        status: int | None = self._ask(status=pid)["status"]
        return status

    def close(self) -> None:
        """End it, and everything that it has started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=PATIENCE_SECONDS)
        self._process.stdout.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._asking:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


class Forked:
    """One process. Its `returncode` is set by `poll` and `wait`, as Popen's is."""

    def __init__(self, nursery: Nursery, words: tuple[str, ...], pid: int) -> None:
        self.args, self.pid = words, pid
        self.returncode: int | None = None
        self._nursery = nursery

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.status(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its status. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            threading.Event().wait(0.01)
        return status

    def send_signal(self, sign: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sign)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
