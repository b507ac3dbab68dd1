"""The product as it runs for customers: web, turns and the demo business as processes of their own, on a database and a
Valkey number of their own. Tests talk to it as the outside does (sockets, HTTP) and look at its rows by SQL."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse, urlunparse

import httpx
import psycopg
from psycopg.rows import dict_row

from smartsupport.embedded import ports
from tests import migrated, valkey_numbers
from tests.live import warm
from tests.live.forked import Nursery
from tests.live.warm import Forked

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
START_SECONDS = 180
"""How long a process may take until it serves: several stacks start at once, and each loads the whole product."""
API_KEY = "live-test-key-0123456789abcdef"
ADMIN_PASSWORD = "live-test-password"
JWT_SECRET = "live-test-customer-secret-0123456789"
# Whoever asks again and again takes this: a context of one's own loads all authorities, for 17 ms of the processor.
TLS = httpx.create_ssl_context(trust_env=False)


class Stack:
    """`url` and `socket_url` are the web process; `business` is the demo business API's client; `db` runs SQL."""

    def __init__(self, name: str, directory: Path, **env: str) -> None:
        self.name = f"live_{name}_{os.getpid()}"
        self.port, self.demo_port = ports.choose(None), ports.choose(None)
        self.url = f"http://127.0.0.1:{self.port}"
        self.socket_url = f"ws://127.0.0.1:{self.port}/ws"
        self.directory = directory
        self._admin_url = os.environ["SMARTSUPPORT_TEST_DATABASE_URL"]
        self.database_url = urlunparse(urlparse(self._admin_url)._replace(path=f"/{self.name}"))
        self.redis_url = valkey_numbers.claim()
        self.env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"} | {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "DATA_DIR": str(directory / "data"),
            "PORT": str(self.port),
            "DEMO_PORT": str(self.demo_port),
            "ADMIN_PASSWORD": ADMIN_PASSWORD,
            "ADMIN_API_KEY": API_KEY,
            "CUSTOMER_JWT_SECRET": JWT_SECRET,
            "LOG_FORMAT": "json",
            "TOOL_TIMEOUT_SECONDS": "300",  # no test that holds the business back is saved by it
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(directory / "tmp"),  # whoever is killed leaves folders
            **env,
        }
        (directory / "tmp").mkdir(parents=True)
        self.processes: dict[str, Forked] = {}
        self._nursery: Nursery | None = None
        self.business = httpx.Client(
            base_url=f"http://127.0.0.1:{self.demo_port}", trust_env=False, timeout=30, verify=TLS
        )
        self.api = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"X-API-Key": API_KEY},
            trust_env=False,
            timeout=70,
            verify=TLS,
        )
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def start(self) -> None:
        migrated.copy(self._admin_url, self.name)
        (self.directory / "data").mkdir(parents=True)
        self.run(
            "demo",
            "-m",
            "smartsupport.demo",
            "--port",
            str(self.demo_port),
            "--data",
            str(self.directory / "demo"),
        )
        self._nursery = Nursery(self.env, self.directory / "nursery.log")
        until(lambda: self._answers(f"http://127.0.0.1:{self.demo_port}/_health"), seconds=START_SECONDS)
        self._manage("seed")
        self.run(
            "web", "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), "smartsupport.asgi:application"
        )
        self.run("turns", "manage.py", "runworker", "turns")
        until(lambda: self._answers(f"{self.url}/readyz"), seconds=START_SECONDS)

    def _manage(self, *words: str) -> None:
        name = f"manage-{words[0]}"
        process = self.run(name, "manage.py", *words)
        assert process.wait(timeout=START_SECONDS) == 0, self.log(name)[-3000:]
        del self.processes[name]

    def run(self, name: str, *words: str, **env: str) -> Forked:
        """Start one of the processes; its output is appended to `<name>.log`. `env` is for it alone."""
        path, env = self.directory / f"{name}.log", self.env | env
        if self._nursery is not None and self._nursery.takes(words, env):
            self.processes[name] = self._nursery.start(words, path)
            return self.processes[name]
        with path.open("ab") as log:
            process = warm.start(words, env=env, stdout=log, stderr=log)
        self.processes[name] = process
        return process

    def kill(self, name: str, sign: signal.Signals = signal.SIGKILL) -> None:
        """End a process and wait until it is gone."""
        process = self.processes.pop(name)
        process.send_signal(sign)
        process.wait(timeout=PATIENCE_SECONDS)

    def log(self, name: str) -> str:
        """What a process has printed so far. One that is being forked makes its file itself, a moment later."""
        try:
            return (self.directory / f"{name}.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def db(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run SQL on the stack's database; rows as dicts. On one connection, because tests look often; a connection
        that somebody has cut is replaced."""
        kept = self._connection
        if kept is not None and not kept.closed:
            try:
                return _rows(kept, statement, parameters)
            except psycopg.OperationalError:
                if not kept.closed:
                    raise
        self._connection = psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row)
        return _rows(self._connection, statement, parameters)

    def events(self, thread_id: str) -> list[dict[str, Any]]:
        """The conversation's events in order."""
        return self.db(
            "SELECT e.* FROM chat_event e JOIN chat_conversation c ON c.id = e.conversation_id "
            "WHERE c.thread_id = %s ORDER BY e.seq",
            thread_id,
        )

    def journal(self, operation: str = "") -> list[dict[str, Any]]:
        """Every effect that took place in the business."""
        entries: list[dict[str, Any]] = self.business.get("/_journal").json()
        return [entry for entry in entries if not operation or entry["operation"] == operation]

    def stop(self) -> None:
        for name in list(self.processes):
            # The jobs' own children, beat among them, outlive a parent that is killed.
            self.kill(name, signal.SIGTERM if name == "jobs" else signal.SIGKILL)
        if self._nursery is not None:
            self._nursery.close()
        self.business.close()
        self.api.close()
        if self._connection is not None:
            self._connection.close()
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        valkey_numbers.give_back(self.redis_url)

    def _answers(self, url: str) -> bool:
        for name, process in list(self.processes.items()):  # another thread may end one meanwhile
            assert process.poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
        try:
            return httpx.get(url, trust_env=False, timeout=10, verify=TLS).status_code == 200
        except httpx.HTTPError:
            return False


def _rows(
    connection: psycopg.Connection[dict[str, Any]], statement: str, parameters: Sequence[Any]
) -> list[dict[str, Any]]:
    cursor = connection.execute(statement, parameters)
    return cursor.fetchall() if cursor.description else []


def until(condition: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait for a condition of another process, which has no other way to tell us. Returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.05)
    return value
