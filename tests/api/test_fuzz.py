"""Requests that nobody would think of: schemathesis, all checks, few of them, and the same ones in every run.
`make fuzz-api` takes longer, and tries others each time.

A stack of its own: what is tried out pauses sources, deletes tools and disables keys.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.fuzz import run, seed
from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-fuzz")
EXAMPLES = 3
"""Of each operation, in each phase."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    own = Stack("fuzz", tmp_path_factory.mktemp("fuzz"), STREAM_SECONDS="1")
    try:
        own.start()
        seed(own)
        yield own
    finally:
        own.stop()


def test_nothing_is_found(stack: Stack, tmp_path: Path) -> None:
    code, told = run(stack, examples=EXAMPLES, report=tmp_path)

    assert code == 0, told[-6_000:]
    assert " generated" in told
