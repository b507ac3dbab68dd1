"""Stacks for what may happen to a turn: one whose turns workers are killed and leave, and one that gives up turns of
which nothing comes. Nobody waits for a lease to run out: tests end it in its row, however slow this machine is."""

import signal
from collections.abc import Iterator

import pytest

from tests.live.fixtures import _started
from tests.live.stack import START_SECONDS, Stack, until
from tests.live.warm import Forked
from tests.scripted_model.fixture import RunningModel

IDLE_SECONDS = 8
TOOL_SECONDS = IDLE_SECONDS - 1


@pytest.fixture(scope="session")
def _mortal_stack(
    tmp_path_factory: pytest.TempPathFactory, scripted_model_server: RunningModel
) -> Iterator[Stack]:
    env = {
        "LLM_PROVIDER": "openai",
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": scripted_model_server.url,
        "TURN_DRAIN_SECONDS": "60",
    }
    yield from _started(Stack("mortal", tmp_path_factory.mktemp("mortal"), **env))


@pytest.fixture
def mortal(_mortal_stack: Stack, scripted_model_server: RunningModel) -> Iterator[Stack]:
    """The stack with exactly one turns worker, `turns`, and a business and a model as on the first day."""
    scripted_model_server.clear()
    _mortal_stack.business.post("/_reset")
    _mortal_stack.business.delete("/_faults")
    yield _mortal_stack
    for name in [name for name in _mortal_stack.processes if name.startswith("turns")]:
        if name != "turns":
            _mortal_stack.kill(name)
    if "turns" not in _mortal_stack.processes:
        worker(_mortal_stack)


@pytest.fixture(scope="session")
def _impatient_stack(
    tmp_path_factory: pytest.TempPathFactory, scripted_model_server: RunningModel
) -> Iterator[Stack]:
    env = {
        "LLM_PROVIDER": "openai",
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": scripted_model_server.url,
        "TOOL_TIMEOUT_SECONDS": str(TOOL_SECONDS),
        "TURN_IDLE_SECONDS": str(IDLE_SECONDS),
        "SHOW_REASONING": "true",
    }
    yield from _started(Stack("impatient", tmp_path_factory.mktemp("impatient"), **env))


@pytest.fixture
def impatient(_impatient_stack: Stack, scripted_model_server: RunningModel) -> Stack:
    """A stack that ends a turn of which nothing comes for `IDLE_SECONDS`, and shows what its model thinks."""
    scripted_model_server.clear()
    _impatient_stack.business.post("/_reset")
    _impatient_stack.business.delete("/_faults")
    return _impatient_stack


def worker(stack: Stack, name: str = "turns", **env: str) -> None:
    """Start a turns worker and wait until it claims turns."""
    started = stack.log(name).count("turns_worker_started")
    stack.run(name, "manage.py", "runworker", "turns", **env)
    until(
        lambda: (
            stack.log(name).count("turns_worker_started") > started
            or stack.processes[name].poll() is not None
        ),
        seconds=START_SECONDS,
    )
    assert stack.processes[name].poll() is None, stack.log(name)[-3000:]


def jobs(stack: Stack) -> None:
    """Start the background jobs, with what runs them regularly. They are killed with SIGTERM."""
    celery = ("-m", "celery", "-q", "-A", "smartsupport", "worker")
    stack.run("jobs", *celery, "--beat", "--concurrency", "1", "--pool", "solo")


def struck(stack: Stack, times: int = 1) -> None:
    """Wait until so many requests have reached the business that has a fault in force."""
    until(lambda: stack.business.get("/_faults").json()[0]["fired"] >= times)


def die(stack: Stack, name: str = "turns") -> None:
    """Kill a worker, and let the leases of its turns have run out."""
    stack.kill(name)
    lapse(stack)


def lapse(stack: Stack) -> None:
    stack.db("UPDATE chat_turn SET lease_until = now() - interval '1 second' WHERE status = 'running'")


def leave(stack: Stack, name: str = "turns") -> None:
    """End a worker as a deployment does."""
    stack.kill(name, signal.SIGTERM)


def leaving(stack: Stack, name: str = "turns") -> Forked:
    """Ask a worker to end, and wait until it only finishes what it is at. It is the caller's to wait for."""
    left = stack.log(name).count("turns_worker_leaves")
    process = stack.processes.pop(name)
    process.terminate()
    until(lambda: stack.log(name).count("turns_worker_leaves") > left)
    return process
