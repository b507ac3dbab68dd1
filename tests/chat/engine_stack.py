"""Stacks whose times are short enough to wait for: one whose turns workers are killed, by its lease and its drain, and
one that gives up turns of which nothing comes."""

import signal
from collections.abc import Iterator

import pytest

from tests.live.fixtures import _started
from tests.live.stack import Stack, until
from tests.scripted_model.fixture import RunningModel

LEASE_SECONDS = 3
IDLE_SECONDS = 3


@pytest.fixture(scope="session")
def _mortal_stack(
    tmp_path_factory: pytest.TempPathFactory, scripted_model_server: RunningModel
) -> Iterator[Stack]:
    env = {
        "LLM_PROVIDER": "openai",
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": scripted_model_server.url,
        "TURN_LEASE_SECONDS": str(LEASE_SECONDS),
        "TURN_DRAIN_SECONDS": "1",
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
        "TOOL_TIMEOUT_SECONDS": str(IDLE_SECONDS - 1),
        "TURN_IDLE_SECONDS": str(IDLE_SECONDS),
        "SHOW_REASONING": "true",
    }
    yield from _started(Stack("impatient", tmp_path_factory.mktemp("impatient"), **env))


@pytest.fixture
def impatient(_impatient_stack: Stack, scripted_model_server: RunningModel) -> Stack:
    """A stack that ends a turn of which nothing comes for three seconds, and shows what its model thinks."""
    scripted_model_server.clear()
    _impatient_stack.business.post("/_reset")
    _impatient_stack.business.delete("/_faults")
    return _impatient_stack


def worker(stack: Stack, name: str = "turns") -> None:
    """Start a turns worker and wait until it claims turns."""
    started = (
        stack.log(name).count("turns_worker_started") if (stack.directory / f"{name}.log").exists() else 0
    )
    stack.run(name, "manage.py", "runworker", "turns")
    until(
        lambda: (
            stack.log(name).count("turns_worker_started") > started
            or stack.processes[name].poll() is not None
        )
    )
    assert stack.processes[name].poll() is None, stack.log(name)[-3000:]


def asked(model: RunningModel, requests: int) -> None:
    """Wait until the model has been asked so many times."""
    until(lambda: len(model.requests(summary=True)) >= requests)


def struck(stack: Stack, times: int = 1) -> None:
    """Wait until so many requests have reached the business that has a fault in force."""
    until(lambda: stack.business.get("/_faults").json()[0]["fired"] >= times)


def leave(stack: Stack, name: str = "turns") -> None:
    """End a worker as a deployment does."""
    stack.kill(name, signal.SIGTERM)
