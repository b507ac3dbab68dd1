"""Two beats: the second one waits, is alive meanwhile, and takes over when the first has left."""

import pytest

from tests.live.stack import until
from tests.shipping.fleet import Fleet

pytestmark = pytest.mark.xdist_group("shipping")


def test_a_second_beat_waits_and_takes_over(production: Fleet) -> None:
    first = production.programs["beat"]
    until(lambda: "beat_begins" in first.log())
    second = production.add("beat2")
    try:
        until(lambda: "beat_waits" in second.log())
        until(lambda: production.health_check("beat2").returncode == 0)
        assert "beat_begins" not in second.log()

        first.stop()

        until(lambda: "beat_begins" in second.log())
    finally:
        second.stop()
        del production.programs["beat2"]
        production.add("beat")
