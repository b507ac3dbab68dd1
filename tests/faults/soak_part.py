"""One program of the soak's stack, which can be ended and started again."""

from pathlib import Path

from tests.live import warm


class Part:
    """One program of the stack. `stop_signal` is what ends it: KILL as a crash does, TERM as a deployment does."""

    def __init__(self, name: str, words: tuple[str, ...], env: dict[str, str], log: Path) -> None:
        self.name, self.words, self.env, self.log = name, words, env, log
        self.process: warm.Group | None = None
        self.starts = 0

    def start(self, *, stop_signal: str = "KILL") -> None:
        with self.log.open("ab") as output:
            self.process = warm.Group(
                self.words, stop_signal=stop_signal, grace=15, env=self.env, output=output
            )
        self.starts += 1

    def end(self) -> None:
        """End it by its signal and wait until it and what it started are gone."""
        if self.process is None:
            return
        self.process.terminate()
        self.process.wait()
        self.process = None

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return f"{self.name} ended:\n" + "\n".join(lines[-20:])
