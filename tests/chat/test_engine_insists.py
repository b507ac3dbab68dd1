"""A cancellation that was lost on its way through a library is made again."""

import asyncio
from uuid import uuid4

import pytest

from chat import engine
from chat.turns import Claim


async def _work(heard: list[str]) -> None:
    """What takes the first cancellation for its own, as `asyncio.wait_for` does before Python 3.12."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        heard.append("lost")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        heard.append("heard")
        raise


def _run(heard: list[str]) -> engine._Run:
    claim = Claim(uuid4(), 1, uuid4(), "t-1", uuid4(), "", "Hello", 1, "")
    return engine._Run(claim, task=asyncio.create_task(_work(heard)))


async def test_a_turn_that_did_not_hear_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    run = _run(heard)
    await asyncio.sleep(0)
    run.cancel("stop")
    await asyncio.sleep(0)
    run.insist()
    await asyncio.sleep(0)
    assert heard == ["lost"], "it is given a moment"

    monkeypatch.setattr(engine, "HEARD_SECONDS", -1.0)
    run.insist()

    assert run.task is not None
    await asyncio.wait([run.task])
    assert (heard, run.task.cancelled(), run.cancelled_for) == (["lost", "heard"], True, "stop")


@pytest.mark.parametrize("state", ["not cancelled", "out of its graph", "being sealed"])
async def test_whoever_is_at_work_or_on_the_way_out_is_left_alone(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "HEARD_SECONDS", -1.0)
    heard: list[str] = []
    run = _run(heard)
    await asyncio.sleep(0)
    if state != "not cancelled":
        run.cancel("stop")
    run.came_out, run.ending = state == "out of its graph", state == "being sealed"

    for _ in range(3):
        run.insist()
        await asyncio.sleep(0)

    assert heard == ([] if state == "not cancelled" else ["lost"])
    assert run.task is not None
    while not run.task.done():
        run.task.cancel()
        await asyncio.sleep(0)
