"""One program of the soak's stack, which can be ended and started again."""

import subprocess
from pathlib import Path

from smartsupport.embedded import tethered
from smartsupport.supervisor.programs import PYTHON, ROOT


class Part:
    """One program of the stack. `stop_signal` is what ends it: KILL as a crash does, TERM as a deployment does."""

    def __init__(self, name: str, words: tuple[str, ...], env: dict[str, str], log: Path) -> None:
        self.name, self.words, self.env, self.log = name, words, env, log
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self, *, stop_signal: str = "KILL") -> None:
        with self.log.open("ab") as output:
            self.process = tethered.start(
                [PYTHON, *self.words],
                stop_signal=stop_signal,
                grace_seconds=15,
                env=self.env,
                cwd=ROOT,
                output=output,
            )
        self.starts += 1

    def end(self) -> None:
        """End it by its signal and wait until it and what it started are gone."""
        if self.process is None:
            return
        self.process.terminate()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return f"{self.name} ended:\n" + "\n".join(lines[-20:])
