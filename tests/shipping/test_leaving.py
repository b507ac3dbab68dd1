"""A web process that is told to leave: whoever is there is finished with or sent on, and nobody new is let in."""

import asyncio

import httpx
import psycopg
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.shipping.fleet import API_KEY, Fleet, token_for

pytestmark = pytest.mark.xdist_group("shipping")
AS_NGINX = {"X-Forwarded-Proto": "https", "X-API-Key": API_KEY}


async def test_it_sends_sockets_on_finishes_what_it_has_begun_and_lets_nobody_in(production: Fleet) -> None:
    leaving = production.programs["web2"]
    # Others may have let it leave before.
    before = len(leaving.log())
    address = f"127.0.0.1:{production.web_ports[1]}"
    url = f"http://{address}/api/v1/agents"
    try:
        async with (
            httpx.AsyncClient(headers=AS_NGINX, trust_env=False, timeout=60) as client,
            connect(f"ws://{address}/ws?token={token_for('cus_1002')}", proxy=None) as tab,
            await psycopg.AsyncConnection.connect(production.database_url) as lock,
        ):
            await lock.execute("LOCK TABLE agents_agent IN ACCESS EXCLUSIVE MODE")
            begun = asyncio.create_task(client.get(url))
            await waits_for_the_lock(lock)
            stopped = asyncio.create_task(asyncio.to_thread(leaving.stop))

            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(tab.recv(), 60)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
                1012,
                "The server restarts. Connect again.",
            )
            assert not begun.done()
            async with httpx.AsyncClient(headers=AS_NGINX, trust_env=False, timeout=60) as stranger:
                with pytest.raises(httpx.ConnectError):
                    await stranger.get(url)
            await lock.rollback()

            answer = await begun
            assert answer.status_code == 200
            assert answer.headers["Connection"] == "close"
            assert await stopped == 0
        told = leaving.log()[before:]
        assert '"event": "web_left"' in told
        assert '"cut": 0' in told
        assert "Traceback" not in told.partition("web_leaving")[2]
    finally:
        if leaving.process is not None:
            leaving.kill()
        production.add("web2")
        production.wait_ready(2)


async def waits_for_the_lock(lock: "psycopg.AsyncConnection[tuple[object, ...]]") -> None:
    """Until somebody waits for what `lock` holds."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'agents_agent'::regclass"
    found: tuple[object, ...] | None = None
    async with asyncio.timeout(60):
        while not (found and found[0]):
            found = await (await lock.execute(waiting)).fetchone()
