"""How xdist's workers share the tests out. The tests of a module stay together: what a module makes once (a demo
business, rows) would otherwise be made by every worker. What takes longest begins first, so that nobody is left waiting
for it at the end. One worker has tests that compute while the others have those that mostly wait, for processes or for
time to pass, as long as there are any of both: where all wait, the processors have nothing to do.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

import pytest
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

EACH_TEST_SECONDS = 0.1
DIVIDED = {"tests/isolation/test_routes.py": 6}
"""Modules that would keep one worker for too long, and into how many parts they are cut."""
WAITING = {
    "live-scripted": 150,
    "tests/ground/test_run.py": 130,
    "live-offline": 90,
    "live-mortal": 90,
    "shipping": 90,
    "docs": 80,
    "live-faults": 60,
    "soak": 45,
    "live-fuzz": 40,
    "widget": 40,
    "live-broker": 30,
    "observed": 30,
    "control": 30,
    "live-reasoning": 20,
    "live-impatient": 20,
}
"""About how many seconds those take, by group or module, whose tests wait for most of them."""
COMPUTING = {
    "tests/admin/test_axe.py": 130,
    "tests/isolation/test_routes.py": 150,
    "tests/admin/test_working_days.py": 40,
    "tests/admin/test_roles.py": 40,
    "tests/admin/test_pages_at_scale.py": 30,
    "tests/admin/test_conversations_browser.py": 25,
    "tests/admin/test_inbox_browser.py": 20,
    "tests/admin/test_browser.py": 20,
    "tests/admin/test_theme_browser.py": 15,
    "tests/chat/test_turn_machine.py": 15,
}
"""The same of others, as far as they take much longer than EACH_TEST_SECONDS a test."""


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
    module, _, part = name.partition(" ")
    if part:
        return COMPUTING[module] / DIVIDED[module]
    return WAITING.get(name) or COMPUTING.get(name) or counted[name] * EACH_TEST_SECONDS


def next_of(names: Iterable[str], elsewhere: Sequence[str]) -> str:
    """What a worker begins next, of `names` in the order in which they are to begin, while the other workers are at
    `elsewhere`: what computes where all others have what waits, and what waits where one of them computes."""
    waits = any(name not in WAITING for name in elsewhere)
    names = list(names)
    return next((name for name in names if (name in WAITING) == waits), names[0])


class WholeModules(LoadGroupScheduling):
    """Gives each worker that runs out of tests the next that stay together."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False  # they come in the right order
        super().__init__(config, log)
        self._begun: dict[WorkerController, str] = {}

    def _assign_work_unit(self, node: WorkerController) -> None:
        elsewhere = [self._begun.get(other, "") for other in self.nodes if other is not node]
        self._begun[node] = chosen = next_of(self.workqueue, elsewhere)
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
