"""What all processes share about a business system: whether it answers, and how often it may be asked."""

import asyncio
import time
from dataclasses import replace
from uuid import uuid4

import pytest
import redis
from django.conf import LazySettings

from agents import breaker, broker, pacing
from agents.models import Credential
from agents.tool_http import ATTEMPTS, send
from smartsupport.lib import valkey as connections
from smartsupport.lib.own_loop import on_own_loop
from tests.agents.calling import KEY_IN_HEADER, request, terms
from tests.lib.wire import Received, Wire, always, response

pytestmark = pytest.mark.asyncio
BUSY = response("503 Busy", b"{}")
OPEN_SECONDS = 600
"""Longer than any of these tests takes, and than a call may."""


@pytest.fixture(autouse=True)
def allowed(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> LazySettings:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.TOOL_TIMEOUT_SECONDS = 60
    monkeypatch.setattr(breaker, "OPEN_SECONDS", OPEN_SECONDS)
    monkeypatch.setattr("agents.tool_http.BACKOFF_SECONDS", 0.001)
    return settings


async def fail_until_open(server: Wire, own: object) -> int:
    """Call until nothing is sent any more; how many requests that took."""
    for _ in range(breaker.FAILURES):
        outcome = await send(request(server.url), own, repeatable=True)  # type: ignore[arg-type]
        if outcome.attempts == 0:
            break
    return len(server.received)


async def test_a_business_that_does_not_answer_is_left_alone() -> None:
    async with Wire(always(BUSY)) as server:
        own = terms()
        assert await fail_until_open(server, own) == breaker.FAILURES

        read = await send(request(server.url), own, repeatable=True)
        write = await send(request(server.url, "POST"), own, repeatable=False)
        doubtful = await send(request(server.url, "POST"), own, repeatable=True, in_doubt=True)

        assert len(server.received) == breaker.FAILURES
        for outcome in (read, write):
            assert (outcome.kind, outcome.seen, outcome.attempts) == ("transient", True, 0)
            assert outcome.message.endswith("left alone for a moment. Nothing was sent.")
            assert 0 < outcome.wait_seconds <= OPEN_SECONDS
        assert not doubtful.seen  # nothing was sent now, but what of the time before?


async def test_other_sources_and_other_hosts_are_asked_all_the_same() -> None:
    async with Wire(always(BUSY)) as server, Wire() as other:
        own = terms()
        await fail_until_open(server, own)

        assert (await send(request(other.url), own, repeatable=True)).ok
        assert (await send(request(server.url), terms(), repeatable=False)).status == 503


async def test_processes_learn_from_one_another() -> None:
    async with Wire(always(BUSY)) as server:
        own = terms()
        await fail_until_open(server, own)
        before = len(server.received)

        elsewhere = await asyncio.to_thread(on_own_loop, send(request(server.url), own, repeatable=True))

        assert (elsewhere.attempts, len(server.received)) == (0, before)


@pytest.mark.parametrize("recovers", [True, False])
async def test_one_call_finds_out_whether_it_is_back(recovers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "OPEN_SECONDS", 0)
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        if len(server.received) > breaker.FAILURES:
            asked.set()
            await go_on.wait()
            writer.write(response() if recovers else BUSY)
        else:
            writer.write(BUSY)

    async with Wire(answer) as server:
        own = terms()
        for _ in range(breaker.FAILURES):
            await send(request(server.url, "POST"), own, repeatable=False)
        monkeypatch.setattr(breaker, "OPEN_SECONDS", OPEN_SECONDS)
        probe = asyncio.ensure_future(send(request(server.url, "POST"), own, repeatable=False))
        await asyncio.wait_for(asked.wait(), 60)

        beside = await send(request(server.url), own, repeatable=True)
        go_on.set()
        await probe
        after = await send(request(server.url, "POST"), own, repeatable=False)

        assert beside.attempts == 0
        assert (after.ok, after.attempts) == ((True, 1) if recovers else (False, 0))
        assert len(server.received) == breaker.FAILURES + (2 if recovers else 1)


async def test_a_probe_that_was_never_sent_is_nobodys_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "OPEN_SECONDS", 0)
    monkeypatch.setattr(pacing, "WINDOW_MS", 600_000)
    broken = Credential(scheme="main", kind="api_key", secret="not ours")
    async with Wire(always(BUSY)) as server:
        source = uuid4()
        own, unreadable = replace(terms(), source_id=source), terms((KEY_IN_HEADER, broken))
        for _ in range(breaker.FAILURES):
            await send(request(server.url, "POST"), own, repeatable=False)

        unsent = await send(request(server.url), replace(unreadable, source_id=source), repeatable=True)
        late = replace(own, calls_per_minute=1)
        await pacing.place_for(source, 1, patience=1.0)
        unpaced = await send(request(server.url), late, repeatable=True)
        await send(request(server.url, "POST"), own, repeatable=False)

        assert (unsent.kind, unpaced.attempts) == ("auth", 0)
        assert len(server.received) == breaker.FAILURES + 1


async def test_an_answer_in_between_and_a_request_to_wait_count_as_life() -> None:
    async def now_and_then(_: Received, writer: asyncio.StreamWriter) -> None:
        last = len(server.received) % breaker.FAILURES == 0
        writer.write(response("404 None") if last else BUSY)

    async with Wire(now_and_then) as server:
        own = terms()
        for _ in range(3 * breaker.FAILURES):
            assert (await send(request(server.url, "POST"), own, repeatable=False)).attempts == 1

    async with Wire(always(response("429 Slow down", b"{}"))) as server:
        for _ in range(breaker.FAILURES):
            assert (await send(request(server.url), own, repeatable=True)).attempts == ATTEMPTS


async def test_in_any_minute_a_source_has_as_many_places_as_it_may_be_called() -> None:
    source, began = uuid4(), time.monotonic()

    waits = [(await pacing.place_for(source, 3, patience=600.0))[1] for _ in range(8)]

    took = time.monotonic() - began
    for wait, minutes in zip(waits, [0, 0, 0, 1, 1, 1, 2, 2], strict=True):
        assert 60 * minutes - took - 0.1 <= wait <= 60 * minutes


async def test_a_call_is_sent_when_its_place_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "WINDOW_MS", 500)
    moments: list[float] = []

    async def note(_: Received, writer: asyncio.StreamWriter) -> None:
        moments.append(time.monotonic())
        writer.write(response())

    async with Wire(note) as server:
        own = terms(calls_per_minute=3)
        began = time.monotonic()
        outcomes = await asyncio.gather(*(send(request(server.url), own, repeatable=True) for _ in range(8)))

    assert all(outcome.ok for outcome in outcomes)
    assert len(moments) == 8
    for place, moment in enumerate(sorted(moments)):
        assert moment - began >= place // 3 * 0.5 - 0.01


async def test_who_cannot_be_served_in_time_is_told_and_takes_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pacing, "WINDOW_MS", 600_000)
    async with Wire() as server:
        own = terms(calls_per_minute=2)
        for _ in range(2):
            assert (await send(request(server.url), own, repeatable=True)).ok

        late = [await send(request(server.url, "POST"), own, repeatable=False) for _ in range(3)]

        assert len(server.received) == 2
    for outcome in late:
        assert (outcome.kind, outcome.seen, outcome.attempts) == ("transient", True, 0)
        assert "It can be asked again in " in outcome.message
        assert (
            500 < outcome.wait_seconds <= 600
        )  # and nobody has waited for that, or for the call's own limit


async def test_a_broker_that_is_away_or_silent_stops_no_call(
    allowed: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once, and then left alone for a while."""
    monkeypatch.setattr(broker, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(broker, "PAUSE_SECONDS", 600.0)
    async with Wire(lambda _, __: server.closing.wait()) as silent, Wire() as server:  # type: ignore[arg-type,return-value]
        for url in ("redis://127.0.0.1:1/0", f"redis://{silent.host}/0"):
            broker._not_before = 0.0
            allowed.REDIS_URL = url
            await connections.close()

            for _ in range(3):
                assert (await send(request(server.url), terms(calls_per_minute=1), repeatable=True)).ok

        assert (silent.connections, len(server.received)) == (1, 6)
    await connections.close()


async def test_nothing_is_left_of_the_connections_of_a_loop_that_ended(valkey: "redis.Redis") -> None:
    source = uuid4()

    assert await asyncio.to_thread(on_own_loop, pacing.place_for(source, 5, patience=1.0)) == (True, 0.0)

    assert [loop for loop in connections._open if loop.is_closed()] == []
    assert valkey.llen(f"smartsupport:calls:{source}") == 1
