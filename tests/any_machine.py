"""What makes a test end the same on any machine, at any time of day."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

DAY_SECONDS = 86_400
LAST_MINUTE = 60

# Of Hypothesis's own: the same examples in every run, and no limit on how long one takes, as a busy machine stands
# still for longer than 200 ms. `--hypothesis-profile default` looks for others.
settings.load_profile("ci")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """No test begins in the last minute of a UTC day: what it counts and compares is of one day."""
    left = DAY_SECONDS - time.time() % DAY_SECONDS
    if left < LAST_MINUTE:
        threading.Event().wait(left)


@pytest.fixture(scope="session")
def unhurried(django_test_environment: None) -> Iterator[list[Any]]:
    """In this process Valkey and Postgres may take half a minute to answer, and who looks at a page is there for ten.
    Who counts in Valkey and is not answered within a second lets everybody in; a search is given up after two; and a
    busy machine stands still for longer than that. Gives the modules that count."""
    from agents import broker
    from chat import key_limits, limits, search
    from chat.api import reads
    from smartsupport.lib import presence, valkey

    counting: list[Any] = [broker, key_limits, limits, presence]
    with pytest.MonkeyPatch.context() as patch:
        for module in (broker, limits, presence, valkey):
            patch.setattr(module, "PATIENCE_SECONDS", 30.0)
        for module in (search, reads):
            patch.setattr(module, "SECONDS", 30.0)
        patch.setattr(reads, "COUNTED_WITHIN", 30.0)
        patch.setattr(presence, "GONE_AFTER_SECONDS", 600)
        yield counting
