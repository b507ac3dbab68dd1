"""Metrics and traces of the product as it runs: web, turns and jobs with a port each; real scrapes, a real receiver."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from smartsupport.embedded import ports
from tests.ground.otlp_receiver import ReceivedSpan, Receiver, receiving
from tests.ground.product import ROOT
from tests.live.chatter import Chatter
from tests.live.stack import TLS, Stack, until
from tests.live.warm import Forked

pytestmark = pytest.mark.xdist_group("observed")
TOKEN = "a-token-for-whoever-collects-metrics"
SECRETS = ("Cancel order", "1063", "cus_1001", "Ada")

# Each process sends its own when it comes to it.
PARTS = Counter({"message": 1, "approval": 1, "turn": 2, "execute_tool cancel_order": 1})

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Observed(Stack):
    """A stack of which every process shows its numbers on a port of its own: `metrics` by process."""

    def __init__(self, *args: Any, **env: str) -> None:
        super().__init__(*args, **env)
        self.metrics = {name: ports.choose(None) for name in ("web", "turns", "jobs")}

    def run(self, name: str, *words: str) -> Forked:
        self.env["METRICS_PORT"] = str(self.metrics.get(name, 0))
        return super().run(name, *words)

    def answers(self, process: str) -> bool:
        """Whether its port is open: each process opens its own after it has begun to work."""
        with socket.socket() as door:
            return door.connect_ex(("127.0.0.1", self.metrics[process])) == 0

    def samples(self, process: str) -> Samples:
        url = f"http://127.0.0.1:{self.metrics[process]}/metrics"
        return parsed(httpx.get(url, trust_env=False, timeout=60, verify=TLS).text)

    def deployment(self) -> Samples:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{self.url}/metrics"
        return parsed(httpx.get(url, headers=headers, trust_env=False, timeout=60, verify=TLS).text)

    def is_ready(self) -> bool:
        """Whether a turns worker is at work, too."""
        return self._answers(f"{self.url}/readyz")


def parsed(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of all samples of this name with these labels."""
    return sum(
        number
        for (found, having), number in samples.items()
        if found == name and labels.items() <= dict(having).items()
    )


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture(scope="module")
def stack(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    env = {
        "METRICS_TOKEN": TOKEN,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        # Whoever waits for a receiver that does not answer waits for longer than any test.
        "OTEL_EXPORTER_OTLP_TIMEOUT": "600",
    }
    product = Observed("observed", tmp_path_factory.mktemp("observed"), **env)
    try:
        product.start()
        product.run(
            "jobs", "-m", "celery", "-q", "-A", "smartsupport", "worker", "--beat", "--concurrency", "1"
        )
        for process in product.metrics:
            until(partial(product.answers, process))
        yield product
    finally:
        product.stop()


async def test_a_turn_is_counted_and_traced_and_nothing_of_the_customer_is_told(
    stack: Observed, receiver: Receiver
) -> None:
    before, began = stack.samples("turns"), time.monotonic()
    async with Chatter(stack.socket_url) as customer:
        [accepted, *_] = await customer.say("Cancel order 1063")
        # The customer is asked a moment before the turn is put aside.
        waiting = await asyncio.to_thread(until, lambda: _waits(stack.deployment()))
        await customer.answer(True)
    turn_id = UUID(accepted["turn_id"])

    # What waits, told by the web process for the whole deployment.
    assert value(waiting, "smartsupport_approvals_waiting", approver="customer") == 1
    assert value(waiting, "smartsupport_turns_workers") == 1
    assert value(waiting, "smartsupport_scrape_ok") == 2
    oldest = value(waiting, "smartsupport_approvals_waiting_oldest_seconds", approver="customer")
    assert 0 <= oldest <= time.monotonic() - began

    # What was done, told by the process that did it.
    def grown(name: str, **labels: str) -> float:
        return value(stack.samples("turns"), name, **labels) - value(before, name, **labels)

    until(lambda: grown("smartsupport_turn_seconds_count", status="completed") == 1)
    assert grown("smartsupport_turn_seconds_count", status="waiting") == 1
    assert grown("smartsupport_turn_queue_seconds_count") == 2
    assert grown("smartsupport_tool_call_seconds_count", kind="action", outcome="ok") == 1
    assert grown("smartsupport_approvals_total", event="opened", by="customer") == 1
    assert grown("smartsupport_model_call_seconds_count", provider="offline", outcome="ok") >= 2
    assert value(stack.samples("turns"), "smartsupport_turns_running") == 0
    waited = {"resolution": "approved", "approver": "customer"}
    until(lambda: value(stack.samples("web"), "smartsupport_approval_wait_seconds_count", **waited) == 1)
    web = stack.samples("web")
    seconds = value(web, "smartsupport_approval_wait_seconds_sum", **waited)
    assert 0 < seconds <= time.monotonic() - began
    assert value(web, "process_resident_memory_bytes") > 10_000_000
    assert not [name for name, _ in web if name.endswith("_created")], "a series more of each, for nobody"
    assert value(web, "smartsupport_messages_total") == 1
    assert value(web, "smartsupport_approvals_total", event="approved", by="customer") == 1

    # One trace, named by the turn, of all processes.
    until(lambda: PARTS <= Counter(span.name for span in receiver.of(turn_id.hex)))
    trace = receiver.of(turn_id.hex)
    [root] = _named(trace, "message")
    runs = _named(trace, "turn")
    assert (root.process, root.parent_id) == ("web", "")
    assert [run.parent_id for run in runs] == [root.span_id] * 2
    assert [run.attributes["smartsupport.turn.status"] for run in runs] == ["waiting", "completed"]
    assert ("approval_opened", {"tool": "cancel_order", "approver": "customer"}) in runs[0].events
    [tool] = _named(trace, "execute_tool cancel_order")
    assert (tool.parent_id, tool.failed) == (runs[1].span_id, False)
    assert tool.attributes["gen_ai.operation.name"] == "execute_tool"
    assert tool.attributes["smartsupport.tool.action"] is True
    [approval] = _named(trace, "approval")
    assert (approval.process, approval.parent_id) == ("web", root.span_id)
    assert approval.attributes["smartsupport.approval.resolution"] == "approved"
    assert approval.milliseconds > 0, "as long as it waited"
    models = [span for span in trace if span.attributes.get("gen_ai.operation.name") == "chat"]
    assert {span.attributes["smartsupport.purpose"] for span in models} == {"route", "answer"}
    assert {span.attributes["gen_ai.provider.name"] for span in models} == {"offline"}
    assert {span.attributes["gen_ai.request.model"] for span in models} == {
        span.attributes["gen_ai.response.model"] for span in models
    }
    for text in SECRETS:
        assert text.encode() not in receiver.raw
        assert text not in json.dumps([[*map(str, name)] for name in stack.samples("turns")])


def test_jobs_are_counted_over_all_children(stack: Observed, receiver: Receiver) -> None:
    def swept() -> float:
        name = "smartsupport_job_seconds_count"
        try:
            return value(stack.samples("jobs"), name, job="chat.sweep_turns", outcome="ok")
        except httpx.TransportError:  # it is still starting
            return 0

    until(lambda: swept() >= 1)
    until(lambda: [span for span in receiver.spans if span.name == "job chat.sweep_turns"])


async def test_a_receiver_that_does_not_answer_delays_no_turn_and_no_stop(
    stack: Observed, receiver: Receiver
) -> None:
    with receiver.silent():
        async with Chatter(stack.socket_url) as customer:
            frames = await customer.say("What is the status of order 1042?")
        assert frames[-1]["status"] == "completed"
        await asyncio.to_thread(until, lambda: receiver.unanswered)

        before = time.monotonic()
        stack.kill("turns", signal.SIGTERM)

        assert time.monotonic() - before < 25, (
            "the SDK's own would wait for 30, and for the rest of the process"
        )


async def test_the_rest_is_sent_when_a_worker_leaves(stack: Observed, receiver: Receiver) -> None:
    stack.env["OTEL_BSP_SCHEDULE_DELAY"] = "600000"  # it would send by itself in ten minutes
    stack.run("turns", "manage.py", "runworker", "turns")
    await asyncio.to_thread(until, stack.is_ready)
    async with Chatter(stack.socket_url) as customer:
        [accepted, *_] = await customer.say("What is the status of order 1043?")
    turn_id = UUID(accepted["turn_id"])
    assert _named(receiver.of(turn_id.hex), "turn") == []

    stack.kill("turns", signal.SIGTERM)

    assert len(_named(receiver.of(turn_id.hex), "turn")) == 1
    assert "Traceback" not in stack.log("turns")


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_the_deployments_numbers_need_the_token(stack: Observed, given: str | None) -> None:
    answer = httpx.get(
        f"{stack.url}/metrics",
        headers={"Authorization": given} if given else {},
        trust_env=False,
        timeout=60,
        verify=TLS,
    )

    assert answer.status_code == 401
    assert "smartsupport_" not in answer.text
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    posted = httpx.post(f"{stack.url}/metrics", headers=bearer, trust_env=False, timeout=60, verify=TLS)
    assert posted.status_code == 405


def test_whoever_collects_needs_no_host_name_of_ours(stack: Observed) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "10.0.0.7:8000"}
    answer = httpx.get(f"{stack.url}/metrics", headers=headers, trust_env=False, timeout=60, verify=TLS)

    assert (answer.status_code, answer.headers["Content-Type"]) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )


OFF = """
from smartsupport import asgi
import chat.engine, sys
from smartsupport.celery import app
from smartsupport.lib import observing
from celery.signals import task_prerun
assert not observing.anybody() and observing.outgoing_headers() == {}
names = ("prometheus_client", "opentelemetry.exporter", "smartsupport.tracing", "smartsupport.metrics.counting")
print([name for name in sys.modules if name.startswith(names)])
"""


def test_off_means_that_nothing_is_loaded() -> None:
    env = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "METRICS_"))}
    answer = subprocess.run(
        [sys.executable, "-c", OFF],
        cwd=ROOT,
        env=env | {"DJANGO_SETTINGS_MODULE": "smartsupport.settings"},
        capture_output=True,
        text=True,
        timeout=180,
    )

    assert (answer.returncode, answer.stdout.strip()) == (0, "[]"), answer.stderr[-2000:]


def _waits(samples: Samples) -> Samples | None:
    """They, where one turn waits."""
    return samples if value(samples, "smartsupport_turns", state="waiting") == 1 else None


def _named(spans: list[ReceivedSpan], name: str) -> list[ReceivedSpan]:
    return [span for span in spans if span.name == name]
