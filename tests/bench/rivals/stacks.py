"""Starting what is compared with us: each program in an environment of its own, on the same kind of servers, with the
same model and the same business."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from smartsupport.embedded import ports, servers
from smartsupport.supervisor import programs
from smartsupport.supervisor.programs import Program
from tests.bench import stack as ours
from tests.bench.customer import Visitor
from tests.bench.rivals.customers import ChainlitCustomer, DevCustomer, SocketCustomer
from tests.bench.stack import Stack
from tests.scripted_model import fixture

PROGRAMS = Path(__file__).with_name("programs")
IN_FOLDER = "import os, sys; os.chdir(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])"


@dataclass(frozen=True)
class Rival:
    """`command` has places for {bin} (of its environment), {port} and {folder} (a copy of the programs, where it runs).
    `ready` is a path that answers when it can be asked."""

    name: str
    title: str
    requirements: str
    command: tuple[str, ...]
    ready: str
    address: str
    arrive: Callable[[str], Awaitable[Visitor]]
    database: bool = True
    holds_sockets: bool = True


RIVALS = (
    Rival(
        "fastapi",
        "FastAPI + langgraph-supervisor + Postgres saver",
        "requirements-fastapi.txt",
        ("{bin}/python", "-m", "uvicorn", "fastapi_server:app", "--port", "{port}", "--log-level", "warning"),
        "/ready",
        "ws://127.0.0.1:{port}/ws",
        SocketCustomer.arrive,
    ),
    Rival(
        "chainlit",
        "Chainlit + langgraph-supervisor + Postgres saver",
        "requirements-chainlit.txt",
        ("{bin}/python", "-m", "chainlit", "run", "chainlit_app.py", "--headless", "--port", "{port}"),
        "/",
        "http://127.0.0.1:{port}",
        ChainlitCustomer.arrive,
    ),
    Rival(
        "langgraph",
        "langgraph dev + langgraph-supervisor (in memory)",
        "requirements-langgraph.txt",
        (
            "{bin}/langgraph",
            "dev",
            "--no-browser",
            "--no-reload",
            "--port",
            "{port}",
            "--n-jobs-per-worker",
            "200",
        ),
        "/ok",
        "http://127.0.0.1:{port}",
        DevCustomer.arrive,
        database=False,
        holds_sockets=False,
    ),
)


class NotInstalled(Exception):
    """Its packages could not be installed here; the message ends with what pip said last."""


def installed(rival: Rival, folder: Path) -> Path:
    """The `bin` of its environment below `folder`, made where there is none yet. Raises NotInstalled."""
    home = folder / rival.name
    wanted = (PROGRAMS / rival.requirements).read_text()
    known = home / "installed.txt"
    if not (known.is_file() and known.read_text() == wanted):
        print(f"Installing {rival.title} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        words = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        made = subprocess.run(
            [*words, "-r", str(PROGRAMS / rival.requirements)], capture_output=True, text=True
        )
        if made.returncode:
            raise NotInstalled(f"{rival.title}: {made.stderr.strip()[-500:]}")
        known.write_text(wanted)
    return home / "bin"


@contextmanager
def running(rival: Rival, *, bin_folder: Path, data_dir: Path) -> Iterator[Stack]:
    """Everything from an empty database to a server that answers. Nothing is left behind. Raises StackFailed."""
    with ExitStack() as stack:
        data_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{rival.name}-", dir=data_dir))
        folder.chmod(0o711)  # started by root, Postgres runs as somebody else, who must pass through here
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        started = stack.enter_context(servers.running(folder, database=rival.database, broker=False))
        model = stack.enter_context(fixture.running(keep=50_000))
        port, demo_port = ports.choose(None), ports.choose(None)
        demo = ours.start(programs.demo(demo_port, folder), dict(os.environ), stack)
        ours.wait_for(f"http://127.0.0.1:{demo_port}/", [demo])
        home = folder / "programs"
        shutil.copytree(PROGRAMS, home)
        env = os.environ | {
            "SAVER_URL": started.database_url,  # DATABASE_URL would switch a store of Chainlit's own on
            "DEMO_PORT": str(demo_port),
            "OPENAI_API_KEY": "bench",
            "OPENAI_BASE_URL": model.url,
            "CHAINLIT_APP_ROOT": str(home),
            "LANGSMITH_TRACING": "false",
            "PYTHONUNBUFFERED": "1",
        }
        for ours_alone in ("DJANGO_SETTINGS_MODULE", "DATABASE_URL"):
            env.pop(ours_alone, None)
        words = [word.format(bin=bin_folder, port=port, folder=home) for word in rival.command]
        command = (sys.executable, "-c", IN_FOLDER, str(home), *words)
        served = ours.start(Program(rival.name, command), env, stack)
        ours.wait_for(f"http://127.0.0.1:{port}{rival.ready}", [served])
        pids = [("web", served.process.pid), *((name, one.pid) for name, one in started.processes.items())]
        yield Stack(
            (rival.address.format(port=port),),
            started.database_url,
            model,
            (demo, served),
            (served,),
            tuple(pids),
            rival.arrive,
            holds_sockets=rival.holds_sockets,
        )
