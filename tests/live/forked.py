"""A stack's nursery (`tests/live/nursery.py`), which forks its processes."""

import json
import os
import select
import threading
from pathlib import Path
from typing import Any

from tests.live import warm
from tests.live.warm import PATIENCE_SECONDS, Forked


class Nursery:
    """A loaded product in `env`. `takes` says what it can start; without it, or where loading has started a thread,
    which a fork would lose, processes are started as usual."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.env = dict(env)
        self._asking = threading.Lock()
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        self._requests, self._answers = os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb")
        with log.open("ab") as output, os.fdopen(theirs_in) as stdin, os.fdopen(theirs_out, "wb") as stdout:
            self._process = warm.start(
                ["-m", "tests.live.nursery"],
                env=self.env,
                stdin=stdin.fileno(),
                stdout=stdout,
                stderr=output,
            )
        select.select([self._answers], [], [], PATIENCE_SECONDS)
        told = self._answers.readline().decode()
        if not told:
            raise RuntimeError(f"The product did not load:\n{log.read_text(errors='replace')[-3000:]}")
        self._forks = json.loads(told)["threads"] == 1

    def takes(self, words: tuple[str, ...], env: dict[str, str]) -> bool:
        """Whether it can start this: what it has loaded is only right for its own environment."""
        known = words[:1] == ("manage.py",) or words[:2] in (("-m", "daphne"), ("-m", "celery"))
        return self._forks and known and env == self.env

    def start(self, words: tuple[str, ...], log: Path) -> Forked:
        return Forked(self, words, self._ask(start=list(words), log=str(log))["pid"])

    def status(self, pid: int) -> int | None:
        status: int | None = self._ask(status=pid)["status"]
        return status

    def close(self) -> None:
        """End it, and everything that it has started."""
        self._requests.close()
        self._process.wait(timeout=PATIENCE_SECONDS)
        self._answers.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        with self._asking:
            self._requests.write(json.dumps(request).encode() + b"\n")
            self._requests.flush()
            answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer
