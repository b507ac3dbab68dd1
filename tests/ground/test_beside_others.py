"""Deployments on one Valkey server, each with a number of its own: Valkey keeps their keys apart, their names what is
published."""

import asyncio
import os
import runpy
from contextlib import AsyncExitStack
from typing import Any

import pytest
import redis
from channels_redis.pubsub import RedisPubSubChannelLayer

from tests.ground.product import ROOT
from tests.live.stack import until
from tests.servers import REDIS_URL

WAIT_SECONDS = 60


def configured(number: int) -> dict[str, Any]:
    """The settings of a deployment with this number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_URL", f"{os.environ[REDIS_URL].rpartition('/')[0]}/{number}")
        return runpy.run_path(str(ROOT / "smartsupport" / "settings.py"))


async def test_two_deployments_on_one_server_do_not_hear_each_other(valkey: "redis.Redis") -> None:
    async with AsyncExitStack() as stack:
        layers, names = [], []
        for number in (30, 31):
            settings = configured(number)
            layer = RedisPubSubChannelLayer(**settings["CHANNEL_LAYERS"]["default"]["CONFIG"])
            stack.push_async_callback(layer.flush)
            layers.append(layer)
            names.append(settings["TURNS_CHANNEL"])
        mine, theirs = layers
        own = await mine.new_channel()
        await mine.group_add("conversation", own)
        worker = asyncio.ensure_future(mine.receive(names[0]))
        await asyncio.to_thread(until, lambda: valkey.pubsub_numsub(names[0])[0][1])

        async with asyncio.timeout(WAIT_SECONDS):
            for whose, layer, name in ("theirs", theirs, names[1]), ("mine", mine, names[0]):
                await layer.group_send("conversation", {"type": "from", "whose": whose})
                await layer.send(name, {"type": "from", "whose": whose})

            heard = [await mine.receive(own), await worker]
    assert [message["whose"] for message in heard] == ["mine", "mine"]


def test_the_names_of_number_0_are_those_of_before_there_were_numbers() -> None:
    """Processes of both versions run side by side during an upgrade."""
    settings = configured(0)

    assert settings["CHANNEL_LAYERS"]["default"]["CONFIG"]["prefix"] == "smartsupport"
    assert settings["TURNS_CHANNEL"] == "turns"
