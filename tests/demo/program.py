"""Runs `python -m smartsupport.demo` for a test."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
ORDER = "/shop/customers/cus_1001/orders/1042"
CUSTOMER = "cus_1001"


class Program:
    """A running demo business. `client` speaks to it; `stop()` ends it."""

    def __init__(self, data: Path, *options: str, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if name != "DEMO_API_KEY"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "smartsupport.demo", "--port", "0", "--data", str(data), *options],
            cwd=ROOT,
            env={**inherited, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ended: tuple[int, str] | None = None
        self.rest = ""
        assert self.process.stdout is not None
        self.announcement = self.process.stdout.readline()
        if not self.announcement:
            _, complaints = self.process.communicate(timeout=60)
            raise AssertionError(f"the demo business did not start: {complaints}")
        self.url = self.announcement.split()[-1]
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it as a supervisor would. Returns the exit status and what it wrote to stderr."""
        if self.ended is None:
            self.client.close()
            self.process.send_signal(number)
            self.rest, complaints = self.process.communicate(timeout=60)
            self.ended = self.process.returncode, complaints
        return self.ended

    def kill(self) -> None:
        """End it without warning."""
        self.stop(signal.SIGKILL)


def journal(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """The effects that took place."""
    entries = client.get("/_journal", params=query)
    assert entries.status_code == 200
    return entries.json()


def message(answer: httpx.Response) -> str:
    """The sentence of a refusal."""
    error = answer.json()["error"]
    assert set(error) == {"code", "message"}
    return str(error["message"])
