"""Clients of Valkey that are shared."""

import asyncio

from smartsupport.lib import valkey


async def test_hundreds_who_ask_at_the_same_moment_are_all_answered() -> None:
    """As after an upgrade, when all pages connect again: a refused one would open the limits for everybody."""
    client = await valkey.client()

    answers = await asyncio.gather(*(client.eval("return 1", 0) for _ in range(500)))

    assert answers == [1] * 500


async def test_whoever_is_cancelled_while_they_ask_hears_of_it_wherever_they_are() -> None:
    """redis-py's own time limit lost it at one of these moments: a turn that was stopped there went on."""
    client = await valkey.client()
    await client.ping()  # a connection is open from now on

    for steps in range(20):
        asking = asyncio.create_task(client.set("a-key", "some text"))
        for _ in range(steps):
            await asyncio.sleep(0)
        if asking.done():
            break
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled(), f"lost after {steps} steps"
        await client.ping()
    assert steps > 1, "nothing was cancelled on its way"
