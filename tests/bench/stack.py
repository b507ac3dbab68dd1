"""The stack under measurement: its own servers, demo business, model, web and turns workers."""

import os
import secrets
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from smartsupport.embedded import ports, servers
from smartsupport.supervisor import programs
from smartsupport.supervisor.programs import Program, Running
from tests.bench.customer import Customer, Visitor
from tests.scripted_model import fixture
from tests.scripted_model.fixture import RunningModel

READY_SECONDS = 60
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StackFailed(Exception):
    """A part of the stack did not start; the message ends with what it printed last."""


@dataclass(frozen=True)
class Stack:
    """`socket_urls` are the addresses of the web processes `webs`, in the same order. `served_by`: (name, pid) of what
    works for a turn, which are the product's own processes, its database and its broker."""

    socket_urls: tuple[str, ...]
    database_url: str
    model: RunningModel
    parts: tuple[Running, ...]
    webs: tuple[Running, ...]
    served_by: tuple[tuple[str, int], ...] = ()
    customer: Callable[[str], Awaitable[Visitor]] = Customer.arrive
    holds_sockets: bool = True

    async def arrive(self, number: int = 0) -> Visitor:
        """A new customer, at one of the web processes by turns."""
        return await self.customer(self.socket_urls[number % len(self.socket_urls)])

    def require_alive(self) -> None:
        for part in self.parts:
            if part.exit_status() is not None:
                raise StackFailed(_last_words(part))


@contextmanager
def running(*, workers: int, data_dir: Path, webs: int = 1) -> Iterator[Stack]:
    """Everything from an empty database to ready web servers. Nothing is left behind.

    DATABASE_URL chooses the Postgres server, on which a database is created and dropped again. The broker is
    always our own: channel names are shared by all who use one.
    """
    with ExitStack() as stack:
        data_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=data_dir))
        folder.chmod(0o711)  # started by root, Postgres runs as somebody else, who must pass through here
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        given = os.environ.get("DATABASE_URL", "").strip()
        started = stack.enter_context(servers.running(folder, database=not given))
        database_url = stack.enter_context(_own_database(given)) if given else started.database_url
        model = stack.enter_context(fixture.running(keep=50_000))
        web_ports, demo_port = [ports.choose(None) for _ in range(webs)], ports.choose(None)
        env = _environment(folder, database_url, started.redis_url, model, web_ports[0], demo_port)
        demo = start(programs.demo(demo_port, folder), env, stack)
        wait_for(f"http://127.0.0.1:{demo_port}/", [demo])
        development = env | {"DEBUG": "true"}  # the demo's tools and agents are seeded in development only
        for name, words in (("migrate", ("--noinput", "-v", "0")), ("seed", ())):
            _run(programs.manage(name, name, *words), development)
        parts = [start(programs.turns(drain_seconds=5), env, stack) for _ in range(workers)]
        web = [start(programs.web(port), env, stack) for port in web_ports]
        for port in web_ports:
            wait_for(f"http://127.0.0.1:{port}/readyz", [*parts, *web])
        urls = tuple(f"ws://127.0.0.1:{port}/ws" for port in web_ports)
        own = (*parts, *web)
        served_by = [(part.program.name, part.process.pid) for part in own]
        served_by += [(name, one.pid) for name, one in started.processes.items()]
        yield Stack(urls, database_url, model, (demo, *own), tuple(web), tuple(served_by))


def _environment(
    folder: Path, database_url: str, redis_url: str, model: RunningModel, port: int, demo_port: int
) -> dict[str, str]:
    """Production settings: development ones cost time that no deployment pays."""
    return {name: value for name, value in os.environ.items() if name not in ("LLM_MODEL", "LOG_LEVEL")} | {
        "DEBUG": "false",
        "HTTPS_ONLY": "false",
        "SECRET_KEY": secrets.token_urlsafe(60),
        "ALLOWED_HOSTS": "127.0.0.1",
        "ALLOW_ANONYMOUS_CHAT": "true",
        "DEMO_CUSTOMER_ID": "cus_1001",
        "SAFE_HTTP_ALLOWED_HOSTS": f"127.0.0.1:{demo_port}",
        "TEMPLATE_NAME": "ecommerce",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(folder),
        "PORT": str(port),
        "DEMO_PORT": str(demo_port),
        "LLM_PROVIDER": "openai",
        "NEW_VISITORS_PER_MINUTE": "100000",  # all of them come from one address here
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": model.url,
        "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def _own_database(url: str) -> Iterator[str]:
    name = f"smartsupport_bench_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def start(program: Program, env: dict[str, str], stack: ExitStack) -> Running:
    """Start a program that is stopped, and waited for, at the end of `stack`."""
    part = programs.start(program, env, keep_output=True)
    stack.callback(part.wait)
    stack.callback(part.ask_to_stop)
    return part


def _run(program: Program, env: dict[str, str]) -> None:
    part = programs.start(program, env, keep_output=True)
    part.wait()
    if part.exit_status() != 0:
        raise StackFailed(_last_words(part))


def wait_for(url: str, parts: list[Running]) -> None:
    """Until `url` answers 2xx. Raises StackFailed when one of `parts` ends, or after a minute."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        for part in parts:
            if part.exit_status() is not None:
                raise StackFailed(_last_words(part))
        try:
            with LOCAL.open(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            error.close()  # it answers, but is not ready yet
        except OSError:
            pass
        time.sleep(0.1)
    raise StackFailed(f"{url} was not ready after {READY_SECONDS} seconds. {_last_words(parts[-1])}")


def _last_words(part: Running) -> str:
    return f"{part.program.name}: " + "\n".join(part.kept[-15:])
