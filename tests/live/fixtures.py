"""Live stacks as fixtures: one per kind and xdist worker, started when first asked for. Mark a module that uses one
with `pytestmark = pytest.mark.xdist_group("live-offline")` (or `live-scripted`), so that it starts once in a run."""

from collections.abc import Iterator

import pytest

from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel, running


@pytest.fixture(scope="session")
def offline_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The product with the offline model."""
    yield from _started(Stack("offline", tmp_path_factory.mktemp("offline")))


@pytest.fixture(scope="session")
def scripted_model_server() -> Iterator[RunningModel]:
    with running() as model:
        yield model


@pytest.fixture(scope="session")
def _scripted_stack(
    tmp_path_factory: pytest.TempPathFactory, scripted_model_server: RunningModel
) -> Iterator[Stack]:
    env = {"LLM_PROVIDER": "openai", "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": scripted_model_server.url}
    yield from _started(Stack("scripted", tmp_path_factory.mktemp("scripted"), **env))


@pytest.fixture
def scripted_stack(_scripted_stack: Stack, scripted_model_server: RunningModel) -> Stack:
    """The product with the scripted model; no rules and no remembered requests at the start of each test."""
    scripted_model_server.clear()
    _scripted_stack.business.delete("/_faults")
    return _scripted_stack


def _started(stack: Stack) -> Iterator[Stack]:
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
