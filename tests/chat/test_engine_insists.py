"""A cancellation that was lost on its way through a library is made again; what a worker has to do for as long as it
runs is begun again where it broke."""

import asyncio
from uuid import uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

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


async def test_what_has_to_go_on_is_begun_again_where_it_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "POLL_SECONDS", 0)
    begun = 0
    again = asyncio.Event()

    async def renew() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise RuntimeError("What nobody has thought of.")
        again.set()
        await asyncio.Event().wait()

    with capture_logs() as logs:
        work = asyncio.ensure_future(engine._for_good(renew))
        async with asyncio.timeout(60):
            await again.wait()

    work.cancel()
    await asyncio.wait([work])
    assert (begun, work.cancelled()) == (2, True)
    assert [(line["event"], line["duty"]) for line in logs] == [("worker_duty_broke", "renew")]


async def test_what_may_fail_without_harm_may_fail_in_the_checkpoints_connection() -> None:
    """LangGraph's connections raise psycopg's own errors, and not Django's."""

    async def forget() -> None:
        raise psycopg.OperationalError("the connection is closed")

    with capture_logs() as logs:
        await engine._quietly(forget())

    assert [line["event"] for line in logs] == ["side_work_failed"]
