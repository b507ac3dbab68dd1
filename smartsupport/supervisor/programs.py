"""The programs that make up a running Smart Support, and how each is started and stopped."""

import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smartsupport.embedded import tethered
from smartsupport.supervisor import output

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = sys.executable


@dataclass(frozen=True)
class Program:
    """A command and how long it may take to stop, in seconds, before it is killed."""

    name: str
    command: tuple[str, ...]
    grace_seconds: float = 10


@dataclass
class Running:
    """A started program. `kept` holds its output lines where they were not to be printed."""

    program: Program
    process: "subprocess.Popen[bytes]"
    reader: threading.Thread
    kept: list[str] = field(default_factory=list)

    def exit_status(self) -> int | None:
        """The status it ended with, or None while it runs."""
        return self.process.poll()

    def ask_to_stop(self) -> None:
        """Begin stopping it. Returns at once."""
        self.process.terminate()

    def wait(self) -> None:
        """Wait until it and everything it started are gone and its last line is printed."""
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.reader.join(timeout=2)


def start(program: Program, env: Mapping[str, str], *, keep_output: bool = False) -> Running:
    """Start a program that ends when we do."""
    process = tethered.start(
        program.command, env=env, cwd=ROOT, output=subprocess.PIPE, grace_seconds=program.grace_seconds
    )
    assert process.stdout is not None
    kept: list[str] = []
    reader = output.relay(program.name, process.stdout, kept if keep_output else None)
    return Running(program, process, reader, kept)


def manage(name: str, *words: str, grace_seconds: float = 10) -> Program:
    return Program(name, (PYTHON, str(ROOT / "manage.py"), *words), grace_seconds)


def demo(port: int, data_dir: Path) -> Program:
    words = ("-m", "smartsupport.demo", "--port", str(port), "--data", str(data_dir / "demo"))
    return Program("demo", (PYTHON, *words))


def web(port: int) -> Program:
    # Quiet, because django-structlog tells of every request; with the log of daphne they would be told twice.
    words = ("-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port), "smartsupport.asgi:application")
    return Program("web", (PYTHON, *words))


def turns(drain_seconds: int) -> Program:
    return manage("turns", "runworker", "turns", grace_seconds=drain_seconds + 10)


def jobs() -> Program:
    # Two imports at most run at once (openapi_import.jobs.RUNNING_AT_ONCE), and one run of webhooks, which an endpoint
    # that hangs may hold (chat.webhook_one_run); the fourth is for everything else.
    words = ("-m", "celery", "-q", "-A", "smartsupport", "worker", "--beat", "--concurrency", "4")
    return Program("jobs", (PYTHON, *words, "--without-gossip", "--without-mingle"))
