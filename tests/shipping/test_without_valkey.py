"""A backup is restored beside a Valkey that has forgotten everything: what waited goes on, nothing is done twice."""

import asyncio
from pathlib import Path

import pytest
import redis

from tests.live.chatter import Chatter, types
from tests.live.stack import until
from tests.shipping.fleet import Fleet, token_for
from tests.shipping.test_web_dies import cancellable_orders, keys_of_effects

pytestmark = pytest.mark.xdist_group("shipping")


def test_what_waited_goes_on_after_a_restore(production: Fleet, trusted: None, tmp_path: Path) -> None:
    """The last test that the fleet is for: of its processes only two are started again."""
    (asker, order), (writer, _) = list(cancellable_orders(production, 6).items())[-2:]
    asks = Chatter(production.socket_url, token=token_for(asker))
    writes = Chatter(production.socket_url, token=token_for(writer))
    interrupt = asyncio.run(ask(asks, f"Cancel order {order}"))
    for name in ("turns1", "turns2"):
        production.programs[name].stop()
    asyncio.run(write(writes))
    file = tmp_path / "whole.backup"
    production.manage("backup", str(file))
    for name in ("web1", "web2", "jobs", "beat"):
        production.programs[name].stop()
    production.rows("TRUNCATE chat_conversation CASCADE")
    with redis.Redis.from_url(production.redis_url) as client:
        client.flushdb()

    told = production.manage("restore", str(file), "--replace")
    production.add("turns1")
    production.add("web1")
    production.wait_answers(1)
    until(lambda: completed(production, writes.thread_id))
    asyncio.run(approve(asks))

    assert "Restored." in told.stdout
    assert completed(production, asks.thread_id)
    assert keys_of_effects(production, order) == [interrupt]


async def ask(tab: Chatter, content: str) -> str:
    """The approval that waits."""
    async with tab:
        frames = await tab.say(content)
    assert types(frames)[-1] == "interrupt"
    return str(frames[-1]["interrupt_id"])


async def write(tab: Chatter) -> None:
    async with tab:
        await tab.message("Hello, thanks for your help!")
        await tab.until("accepted")


async def approve(tab: Chatter) -> None:
    async with tab:
        ends = await tab.answer(True)
    assert ends[-1]["status"] == "completed"


def completed(production: Fleet, thread_id: str) -> bool:
    ends = (
        "SELECT 1 FROM chat_turn t JOIN chat_conversation c ON c.id = t.conversation_id "
        "WHERE c.thread_id = %s AND t.status = 'completed'"
    )
    return bool(production.rows(ends, thread_id))
