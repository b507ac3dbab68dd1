"""Starts everything in the right order, tells where it is, and stops it all when one part ends."""

import fcntl
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings

from smartsupport.embedded import ports, servers
from smartsupport.embedded.errors import EmbeddedServerFailed
from smartsupport.supervisor import programs
from smartsupport.supervisor.output import say
from smartsupport.supervisor.programs import Program, Running
from smartsupport.supervisor.stopping import Stop, Watch

READY_SECONDS = 120
# Opened directly: a proxy of the environment has nothing to do with programs on this machine.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def everything(watch: Watch) -> None:
    """Run until stopped: always ends with Stop, after everything that was started is gone."""
    _refuse_taken_ports()
    with ExitStack() as stack:
        stack.enter_context(_only_run(settings.DATA_DIR))
        env = stack.enter_context(_environment_with_servers(watch))
        # What is told here is for a person: log lines only where something is wrong.
        quiet = env | {"LOG_LEVEL": "WARNING"}
        say("Bringing the database up to date ...")
        # Callbacks run backwards: web, turns and jobs stop together, then the demo business, then the servers.
        if settings.DEBUG:
            _start_demo(env, watch, stack)
        # In one process: loading the product takes longer than either, where there is nothing new.
        told = _run_once(programs.manage("seed", "seed", "--migrate"), quiet, watch)
        parts = [programs.web(settings.PORT), programs.turns(settings.TURN_DRAIN_SECONDS), programs.jobs()]
        started: list[Running] = []
        stack.callback(_stop_together, started)
        for program in parts:
            started.append(programs.start(program, env))
            watch.processes[program.name] = started[-1].process
        _announce(watch, told)
        watch.until(lambda: False)


def _refuse_taken_ports() -> None:
    wanted = {"PORT": settings.PORT} | ({"DEMO_PORT": settings.DEMO_PORT} if settings.DEBUG else {})
    for name, port in wanted.items():
        if not ports.is_free(port):
            raise Stop(
                f"Port {port} is already in use: stop the program that uses it, or choose another port with {name}.",
                status=1,
            )


@contextmanager
def _only_run(data_dir: Path) -> Iterator[None]:
    """One run per data folder: two would share one cluster's files."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(
                f"Another run uses {data_dir}: stop it first, or choose another folder with DATA_DIR.",
                status=1,
            ) from None
        yield


def _empty_folder(folder: Path) -> Path:
    """For temporary files: what a program leaves there that was killed goes at the next start, and nothing of it lies
    elsewhere on the machine."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def _environment_with_servers(watch: Watch) -> Iterator[dict[str, str]]:
    """The environment for the programs, with the servers from PyPI where none were given."""
    env = os.environ | {
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
        "TMPDIR": str(_empty_folder(settings.DATA_DIR / "tmp")),
    }
    own_database = not os.environ.get("DATABASE_URL", "").strip()
    own_broker = not os.environ.get("REDIS_URL", "").strip()
    with ExitStack() as stack:
        if own_database or own_broker:
            say("Starting " + " and ".join(["Postgres"] * own_database + ["Valkey"] * own_broker) + " ...")
            try:
                urls = stack.enter_context(
                    servers.running(settings.DATA_DIR, database=own_database, broker=own_broker)
                )
            except EmbeddedServerFailed as error:
                raise Stop(str(error), status=1) from None
            watch.processes |= urls.processes
            if own_database:
                env["DATABASE_URL"] = urls.database_url
            if own_broker:
                env["REDIS_URL"] = urls.redis_url
        yield env


def _run_once(program: Program, env: dict[str, str], watch: Watch) -> list[str]:
    """Run a program to its end and return its output. A failure is told and ends the run."""
    running = programs.start(program, env, keep_output=True)
    try:
        watch.until(lambda: running.exit_status() is not None)
    finally:
        running.ask_to_stop()
        running.wait()
    if running.exit_status() != 0:
        say("\n".join(running.kept), name=program.name)
        raise Stop(f"`manage.py {program.name}` failed, see above: nothing was left running.", status=1)
    return running.kept


def _start_demo(env: dict[str, str], watch: Watch, stack: ExitStack) -> None:
    demo = programs.start(programs.demo(settings.DEMO_PORT, settings.DATA_DIR), env)
    stack.callback(_stop_together, [demo])
    watch.processes["demo"] = demo.process
    if not watch.until(lambda: _answer(settings.DEMO_PORT, "/") is not None, seconds=READY_SECONDS):
        raise Stop("The demo business API did not start: see its lines above.", status=1)


def _stop_together(started: list[Running]) -> None:
    for running in started:
        running.ask_to_stop()
    for running in started:
        running.wait()


def _announce(watch: Watch, told_by_seed: list[str]) -> None:
    """Say where everything is once it is ready."""

    def ready() -> bool:
        answer = _answer(settings.PORT, "/readyz")
        return answer is not None and answer[0] == 200

    if not watch.until(ready, seconds=READY_SECONDS, pause=0.5):
        answer = _answer(settings.PORT, "/readyz")
        missing = ", ".join(json.loads(answer[1]).get("missing", [])) if answer else "the web server"
        say(
            f"Not ready after {READY_SECONDS} seconds. Still missing: {missing}. The lines above may say why."
        )
        return
    site = f"http://localhost:{settings.PORT}"
    lines = ["", "Smart Support is ready.", f"  Chat          {site}/", f"  Console       {site}/admin/"]
    lines += [f"  API docs      {site}/api/v1/docs/"]
    if settings.DEBUG:
        lines += [f"  Demo business http://localhost:{settings.DEMO_PORT}/"]
    if not any(line.startswith("Log in as") for line in told_by_seed):
        lines += ["  Log in as     admin, with the password that the first start told"]
    lines += [f"  {line}" for line in told_by_seed]
    lines += [f"  Model         {_model()}", "Press Ctrl-C to stop everything.", ""]
    say("\n".join(lines))


def _model() -> str:
    if settings.LLM_PROVIDER != "offline":
        return f"{settings.LLM_PROVIDER} {settings.LLM_MODEL}".strip()
    return "offline (rules, no network); set LLM_PROVIDER and its key for a real one"


def _answer(port: int, path: str) -> tuple[int, bytes] | None:
    """Status and body of a GET on this machine, or None while nobody answers."""
    try:
        with LOCAL.open(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except (OSError, ValueError):
        return None
