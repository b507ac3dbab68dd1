"""How xdist's workers share the tests out. The tests of a module stay together: what a module makes once (a demo
business, rows) would otherwise be made by every worker. What takes longest begins first, so that nobody is left waiting
for it at the end.
"""

from typing import Any
from zlib import crc32

import pytest
from xdist.scheduler import LoadGroupScheduling

EACH_TEST_SECONDS = 0.1
DIVIDED = {"tests/isolation/test_routes.py": 6}
"""Modules that would keep one worker for too long, and into how many parts they are cut."""
SECONDS = {
    "live-scripted": 150,
    "live-offline": 90,
    "live-mortal": 90,
    "shipping": 90,
    "docs": 80,
    "live-faults": 60,
    "live-fuzz": 40,
    "soak": 45,
    "tests/admin/test_axe.py": 100,
    "tests/admin/test_pages_at_scale.py": 25,
    "widget": 40,
    "observed": 30,
    "live-broker": 30,
    "control": 30,
    "live-reasoning": 20,
    "live-impatient": 20,
    "tests/ground/test_run.py": 130,
}
"""About how long these take, by group or module. Others take EACH_TEST_SECONDS a test."""


def together(test: str) -> str:
    """The name of what this test stays together with: its group (`xdist_group`), its module, or a part of it."""
    module, _, name = test.partition("::")
    if name.rfind("@") > name.rfind("]"):
        return name.rpartition("@")[2]
    parts = DIVIDED.get(module)
    return f"{module} {crc32(test.encode()) % parts}" if parts else module


def longest_first(items: list[pytest.Item]) -> None:
    """Bring the tests into the order in which they are to begin, in place."""
    counted: dict[str, int] = {}
    for item in items:
        name = together(item.nodeid)
        counted[name] = counted.get(name, 0) + 1
    items.sort(key=lambda item: -_seconds(together(item.nodeid), counted))


def _seconds(name: str, counted: dict[str, int]) -> float:
    return SECONDS.get(name, counted[name] * EACH_TEST_SECONDS)


class WholeModules(LoadGroupScheduling):
    """Gives each worker that runs out of tests the next that stay together."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False  # they come in the right order
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
