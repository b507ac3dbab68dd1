"""Clients of Valkey that are shared."""

import asyncio

from smartsupport.lib import valkey


async def test_hundreds_who_ask_at_the_same_moment_are_all_answered() -> None:
    """As after an upgrade, when all pages connect again: a refused one would open the limits for everybody."""
    client = await valkey.client()

    answers = await asyncio.gather(*(client.eval("return 1", 0) for _ in range(500)))

    assert answers == [1] * 500
