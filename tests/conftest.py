"""Fixtures for every test. Each lives in the module that its subject suggests and is listed here."""

import gc

import pytest

pytest_plugins = [
    "tests.fixtures_servers",
    "tests.scripted_model.fixture",
    "tests.live.fixtures",
    "tests.one_browser",
    "tests.chat.engine_stack",
]

# 5,800 collected tests are no garbage, and are searched for some in vain some hundred times: seven seconds a worker.
gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on only what the tests make is looked at."""
    gc.collect()
    gc.freeze()
    gc.enable()
