"""Asynchronous work for synchronous code: it leaves nothing behind, and nobody else's end ends it."""

import asyncio
import gc
import threading

import pytest
from asgiref.sync import sync_to_async

from smartsupport.lib.own_loop import on_own_loop
from smartsupport.lib.safe_http import SafeClient, shared, shared_client
from tests.lib.wire import Wire


async def use_a_shared_client() -> SafeClient:
    async with Wire() as server:
        client = await shared_client(allowed_hosts=[server.host])
        assert (await client.request("GET", server.url)).status == 200
        return client


def test_connections_loops_and_threads_are_gone_afterwards() -> None:
    threads, loops = set(threading.enumerate()), len(shared._loops)

    first, second = on_own_loop(use_a_shared_client()), on_own_loop(use_a_shared_client())
    gc.collect()  # an open socket would be warned of, and warnings are errors

    assert first is not second
    assert set(threading.enumerate()) <= threads
    assert len(shared._loops) <= loops
    for client in (first, second):
        assert not client._pools.kept.connections
        assert not client._pools.fresh.connections


def test_many_at_once_do_not_disturb_each_other() -> None:
    made: list[SafeClient] = []
    threads = [
        threading.Thread(target=lambda: made.append(on_own_loop(use_a_shared_client()))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len({id(client) for client in made}) == 12


def test_what_it_raises_is_raised() -> None:
    async def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        on_own_loop(fail())


async def test_a_request_that_is_given_up_does_not_cut_it_off() -> None:
    """A web server cancels the request of a visitor who has left; what was sent for them is still heard out."""
    begun, finished, go_on = threading.Event(), threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        await asyncio.to_thread(go_on.wait, 60)
        finished.set()

    request = asyncio.ensure_future(sync_to_async(on_own_loop, thread_sensitive=False)(work()))
    await asyncio.to_thread(begun.wait, 60)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    go_on.set()

    assert await asyncio.to_thread(finished.wait, 60)


def test_a_thread_that_was_given_up_keeps_nobody_waiting() -> None:
    """A name server that does not answer holds one for half a minute, whatever the time limit of the request."""
    answered, over = threading.Event(), threading.Event()

    def look_up() -> None:
        answered.wait(30)
        over.set()

    async def give_up() -> None:
        async with asyncio.timeout(0.05):
            await asyncio.to_thread(look_up)

    try:
        with pytest.raises(TimeoutError):
            on_own_loop(give_up())
        assert not over.is_set()
    finally:
        answered.set()
    assert over.wait(60)
