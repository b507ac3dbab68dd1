"""What makes a test end the same on any machine, at any time of day."""

import threading
import time

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
