"""An upgrade in small: every process is replaced, one after another, under load, and nothing is lost.

`python -m tests.shipping.rehearsal --old REF` does the same with the code of another day; docs/deployment.md has its
numbers."""

import asyncio
from collections import Counter

import pytest

from tests.faults import soak
from tests.live.stack import until
from tests.shipping import rehearsal
from tests.shipping.fleet import Fleet

pytestmark = pytest.mark.xdist_group("shipping")


def test_every_process_is_replaced_under_load_and_nothing_is_lost(production: Fleet) -> None:
    options = soak.Options(customers=8, seconds=0, seed="rolling", pace=1.5, leave=False)
    statuses: dict[str, int] = {}

    async def upgrade(counts: Counter[str]) -> None:
        for name in rehearsal.ORDER:
            _, statuses[name] = await rehearsal.replace(production, name)
            wanted = counts["messages"] + 2
            await asyncio.to_thread(until, lambda wanted=wanted: counts["messages"] >= wanted)

    evidence, counts, findings = asyncio.run(rehearsal.drive(production, options, upgrade))

    assert findings == [], "\n".join(findings)
    # Celery's beat now and then trips over its own closed schedule when it is told to leave, with nothing to lose.
    assert statuses.pop("beat") in (0, 1)
    assert set(statuses.values()) == {0}, "each left by itself, and said so"
    assert counts["messages until the end of the upgrade"] >= 2 * len(rehearsal.ORDER)
    assert evidence.journal
