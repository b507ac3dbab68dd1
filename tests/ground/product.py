"""The whole product, started in a test the way a person starts it."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from smartsupport.embedded import ports

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 150


class Product:
    """A run of `make run` (or of the supervisor alone) with a data folder and ports of its own."""

    def __init__(self, data_dir: Path, *, by_make: bool = False, **env: str) -> None:
        self.mark = f"SMARTSUPPORT_TEST_RUN={uuid.uuid4().hex}"
        self.port, self.demo_port = ports.choose(None), ports.choose(None)
        name, _, value = self.mark.partition("=")
        temporary = data_dir.parent / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        self.env = _environment() | {
            "PORT": str(self.port),
            "DEMO_PORT": str(self.demo_port),
            "DATA_DIR": str(data_dir),
            "TMPDIR": str(temporary),  # whoever is killed leaves folders
            name: value,
            **env,
        }
        command = ["make", "run"] if by_make else [sys.executable, "-m", "smartsupport.supervisor"]
        self.lines: list[str] = []
        self._arrived: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A suite that runs in the background of a shell has interrupts ignored, and make would keep it so.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._arrived.put(line.rstrip("\n"))
        self._arrived.put(None)

    def wait_for_line(self, text: str) -> str:
        """The first line from now on that contains `text`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            line = self._arrived.get(timeout=max(0.1, deadline - time.monotonic()))
            assert line is not None, f"ended before saying {text!r}:\n" + "\n".join(self.lines)
            self.lines.append(line)
            if text in line:
                return line

    def wait_until_gone(self) -> int:
        """Wait for its end and for the end of everything it started; its exit status."""
        status = self.process.wait(timeout=PATIENCE_SECONDS)
        until(lambda: not self.processes())
        self._reader.join(timeout=60)
        while (line := self._arrived.get(timeout=60)) is not None:
            self.lines.append(line)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def processes(self) -> dict[int, str]:
        """Process ids and command lines of everything that descends from this run, by a mark in the environment."""
        return marked(self.mark)

    def pid_of(self, *words: str) -> int:
        """The one process (not a tether) whose command line has all these words."""
        found = [pid for pid, command in self.processes().items() if all(word in command for word in words)]
        found = [pid for pid in found if "tether.py" not in self.processes().get(pid, "tether.py")]
        assert found, f"no process with {words} among {self.processes()}"
        return min(found)

    def kill(self) -> None:
        """End it without ceremony, for tests that failed half-way."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        until(lambda: not self.processes())
        self._reader.join(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()


def _environment() -> dict[str, str]:
    """Ours, without what the tests of this process were pointed at."""
    from tests.servers import OURS

    return {
        name: value for name, value in os.environ.items() if name not in {*OURS, "DJANGO_SETTINGS_MODULE"}
    }


def marked(mark: str) -> dict[int, str]:
    """Running processes whose environment has this mark, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait for a condition of another process, which can tell us of it in no other way. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.05)
