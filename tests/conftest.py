"""Fixtures for every test. Each lives in the module that its subject suggests and is listed here."""

import gc
from typing import Any

import pytest

from tests import sharing_out

pytest_plugins = [
    "tests.any_machine",
    "tests.fixtures_servers",
    "tests.scripted_model.fixture",
    "tests.live.fixtures",
    "tests.one_browser",
    "tests.chat.engine_stack",
]

# 8,600 collected tests are no garbage, and are searched for some in vain some hundred times: seven seconds a worker.
gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, modules stay together, too."""
    return sharing_out.WholeModules(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In one of xdist's workers, whose tests are named with their groups by now."""
    if hasattr(config, "workerinput"):
        sharing_out.longest_first(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on only what the tests make is looked at, and less often: little of it is garbage that refers to
    itself, and looking for it took a twelfth of a test's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()
