"""A production in small: what compose.yml starts, by its own commands, behind nginx, on the run's own servers.

Each service is a program here instead of a container, forked from a process that has loaded what it imports; addresses,
secrets and the demo business stand in for what `.env` and the network give it there.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse, urlunparse

import httpx
import jwt
import psycopg
from psycopg.rows import dict_row

from smartsupport.embedded import ports
from tests import migrated, valkey_numbers
from tests.faults.soak_stack import AGENTS_YAML, API_KEY, JWT_SECRET
from tests.live import warm
from tests.live.stack import TLS, until
from tests.servers import DATABASE_URL, OURS
from tests.shipping.nginx import COMPOSE, ROOT, Nginx

PYTHON = Path(sys.executable)
ADMIN_PASSWORD = "fleet-password-0123456789"
SERVICES: dict[str, Any] = COMPOSE["services"]


@dataclass
class Program:
    """One process of a service. `stop` ends it as `docker stop` does; True: it needed no kill."""

    name: str
    command: list[str]
    env: dict[str, str]
    folder: Path
    cwd: Path = ROOT
    process: warm.Group | None = None

    def start(self, *, grace: float = 120) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as output:
            self.process = warm.Group(
                self.command[1:], grace=grace, env=self.env, cwd=self.cwd, output=output
            )

    def stop(self) -> int:
        """SIGTERM, and wait until it and all that it started are gone; its exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        return self._gone()

    def kill(self) -> None:
        """As a machine that loses its power: the program itself first, by its own id."""
        assert self.process is not None
        self.process.kill()
        self._gone()

    def _gone(self) -> int:
        assert self.process is not None
        status = self.process.wait(timeout=180)
        self.process = None
        return status

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def log(self) -> str:
        path = self.folder / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


def command_of(service: str, *, python: Path = PYTHON, **placed: str) -> list[str]:
    """The service's command as compose.yml has it, with this machine's Python and, for web, another address."""
    words = list(SERVICES[service]["command"])
    program = [str(python)] if words[0] == "python" else [str(python), str(python.parent / words[0])]
    return program + [placed.get(words[place - 1].lstrip("-"), word) for place, word in enumerate(words)][1:]


class Fleet:
    """`programs` by name; `url` and `socket_url` are nginx's; `api` is an integrator; `rows` runs SQL."""

    def __init__(self, folder: Path, static_root: Path, *, webs: int = 2, turns: int = 2, **env: str) -> None:
        self.folder = folder
        self.admin_url = os.environ[DATABASE_URL]
        self.name = f"fleet_{os.getpid()}_{secrets.token_hex(4)}"
        self.database_url = urlunparse(urlparse(self.admin_url)._replace(path=f"/{self.name}"))
        self.redis_url = valkey_numbers.claim()
        self.web_ports = [ports.choose(None) for _ in range(webs)]
        self.demo_port = ports.choose(None)
        self.business_url = f"http://127.0.0.1:{self.demo_port}"
        self.env = {name: value for name, value in os.environ.items() if name not in OURS} | {
            **{name: value for name, value in SERVICES["web"]["environment"].items() if "_URL" not in name},
            "SECRET_KEY": secrets.token_urlsafe(60),
            "ALLOWED_HOSTS": "127.0.0.1",
            "CUSTOMER_JWT_SECRET": JWT_SECRET,
            "ADMIN_PASSWORD": ADMIN_PASSWORD,
            "ADMIN_API_KEY": API_KEY,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "TURN_LEASE_SECONDS": "30",
            "TURN_DRAIN_SECONDS": "2",
            "DEMO_PORT": str(self.demo_port),
            "SAFE_HTTP_ALLOWED_HOSTS": f"127.0.0.1:{self.demo_port}",
            "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
            "LOG_FORMAT": "json",
            "TMPDIR": str(folder / "tmp"),  # whoever is killed leaves folders
            **env,
        }
        (folder / "tmp").mkdir(exist_ok=True)
        self.turns = turns
        self.model_url = ""
        self._model: subprocess.Popen[bytes] | None = None
        self.static_roots = {ROOT: static_root}
        self.programs: dict[str, Program] = {}
        self.nginx = Nginx(folder / "nginx", self.web_ports)
        self.url, self.socket_url = self.nginx.url, self.nginx.socket_url
        # What the soak's customers and its evidence ask for.
        self.sockets = [self.socket_url] * 2

    def start(self) -> None:
        migrated.copy(self.admin_url, self.name)
        self.start_business_and_model()
        self.seed()
        self.start_programs()

    def start_business_and_model(self) -> None:
        demo = ["-m", "smartsupport.demo", "--port", str(self.demo_port), "--data", str(self.folder / "demo")]
        self.add("demo", [str(PYTHON), *demo])
        model = [str(PYTHON), "-m", "tests.faults.soak_model", "--token-delay-ms", "5", "--attached"]
        self._model = subprocess.Popen(model, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._model.stdout is not None
        self.model_url = self._model.stdout.readline().decode().split()[-1]
        self.env |= {"LLM_PROVIDER": "openai", "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": self.model_url}
        until(lambda: _healthy(f"{self.business_url}/_health"))

    def seed(self, cwd: Path = ROOT) -> None:
        """The demo's tools are seeded in development only."""
        self.manage("seed", cwd=cwd, DEBUG="true")

    def start_programs(self, cwd: Path = ROOT) -> None:
        webs, turns = range(1, len(self.web_ports) + 1), range(1, self.turns + 1)
        for name in (
            *(f"web{number}" for number in webs),
            *(f"turns{number}" for number in turns),
            "jobs",
            "beat",
        ):
            self.add(name, cwd=cwd)
        for number in webs:
            self.wait_ready(number)
        self.nginx.start()
        self.api = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"X-API-Key": API_KEY},
            verify=self.nginx.tls,
            trust_env=False,
            timeout=70,
        )
        answer = self.api.post(
            "/agents/import", content=AGENTS_YAML, headers={"Content-Type": "application/yaml"}
        )
        assert answer.status_code == 200, answer.text

    def add(self, name: str, command: list[str] | None = None, *, cwd: Path = ROOT) -> Program:
        """Start a program: `web1` is the first process of the service `web`. `cwd` is whose code it runs."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True, parents=True)
        if command is None:
            command = self.command(name)
        env = self.env | {"DATA_DIR": str(folder / "data"), "STATIC_ROOT": str(self.static_roots[cwd])}
        program = Program(name, command, env | {"PYTHONPATH": str(cwd)}, folder, cwd)
        program.start()
        self.programs[name] = program
        return program

    def command(self, name: str) -> list[str]:
        service = name.rstrip("0123456789")
        place = {"b": "127.0.0.1", "p": str(self.web_ports[int(name[3:]) - 1])} if service == "web" else {}
        return command_of(service, **place)

    def wait_ready(self, number: int) -> None:
        """Until web process `number` says that everything is there."""
        until(lambda: self._up() and self._is_ready(number))

    def wait_answers(self, number: int) -> None:
        """The same where others have been stopped on purpose."""
        until(lambda: self._is_ready(number))

    def _is_ready(self, number: int) -> bool:
        return _healthy(f"http://127.0.0.1:{self.web_ports[number - 1]}/readyz")

    def _up(self) -> bool:
        for program in self.programs.values():
            assert not program.ended, f"{program.name} ended:\n{program.log()[-3000:]}"
        return True

    def manage(self, *words: str, cwd: Path = ROOT, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run a management command with the fleet's environment; fails where it fails."""
        given = self.env | {"DATA_DIR": str(self.folder / "data"), "PYTHONPATH": str(cwd)} | env
        done = warm.run(["manage.py", *words], cwd=cwd, env=given)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def health_check(self, name: str, data: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Run compose.yml's health check of a program's service, as its container would; `data` is another DATA_DIR."""
        _, *words = SERVICES[name.rstrip("0123456789")]["healthcheck"]["test"]
        if name.startswith("web"):
            words = [word.replace(":8000", f":{self.web_ports[int(name[3:]) - 1]}") for word in words]
        env = self.env | {"DATA_DIR": str(data or self.folder / name / "data")}
        command = [str(PYTHON) if word == "python" else word for word in words]
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        self.nginx.stop()
        if hasattr(self, "api"):
            self.api.close()
        for program in self.programs.values():
            if program.process is not None:
                program.process.terminate()
        for program in self.programs.values():
            program.stop()
        if self._model is not None:
            self._model.communicate()
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        valkey_numbers.give_back(self.redis_url)


def token_for(subject: str) -> str:
    """A customer's token as the company's own site would sign it, good for an hour."""
    return jwt.encode({"sub": subject, "exp": int(time.time()) + 3600}, JWT_SECRET, algorithm="HS256")


def _healthy(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=10, verify=TLS).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def running(folder: Path, static_root: Path, **options: Any) -> Iterator[Fleet]:
    """A fleet from nothing to ready. Nothing of it is left running."""
    folder.mkdir(parents=True, exist_ok=True)
    fleet = Fleet(folder, static_root, **options)
    with ExitStack() as stack:
        stack.callback(fleet.stop)
        fleet.start()
        yield fleet
