"""Spans and numbers from what is told: whom they reach, how many there are, and what never disturbs a turn."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from agents import tool_http, unanswered
from agents.credentials import Terms
from agents.facts import Fact, broke_off, tool_returned
from agents.spending.usage import Call
from agents.tool_request import Request
from smartsupport.lib import observing
from smartsupport.metrics.counting import MODELS, Counting
from smartsupport.tracing.provider import ByTrace, ChosenIds
from smartsupport.tracing.spans import Spans
from tests.ground.product import ROOT

Told = Callable[..., None]
CALLS = "smartsupport_model_call_seconds"


@pytest.fixture
def finished() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(finished: InMemorySpanExporter) -> Iterator[Spans]:
    provider = TracerProvider(sampler=ByTrace(1.0), id_generator=ChosenIds(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    made = Spans(provider)
    yield made
    observing.forget(made.told)
    provider.shutdown()


@pytest.fixture
def business() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A business system's address, and the headers that it was sent."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()
    thread.join()


def started(turn_id: UUID, fence: int = 1) -> None:
    observing.tell("turn_started", turn_id=turn_id, conversation_id=uuid4(), fence=fence, waited=0.1)


async def ask(host: str, **headers: str) -> None:
    request = Request("GET", f"http://{host}/orders", (), headers, None)
    outcome = await tool_http.send(request, Terms(uuid4()), repeatable=True)
    assert outcome.ok, outcome


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_business_is_told_of_the_trace_only_where_that_is_switched_on(
    spans: Spans, business: tuple[str, list[dict[str, str]]], settings: Any, wanted: bool
) -> None:
    host, seen = business
    settings.SAFE_HTTP_ALLOWED_HOSTS = [host]
    observing.observe(spans.told, headers=spans.headers if wanted else None)
    turn_id = uuid4()
    started(turn_id)
    with structlog.contextvars.bound_contextvars(turn_id=str(turn_id)):
        await ask(host)
        await ask(host, traceparent="of-the-tool")
    await ask(host)  # no turn: nothing to tell of

    first, own, outside = (one.get("traceparent") for one in seen)
    assert (own, outside) == ("of-the-tool", None)
    if wanted:
        version, trace_id, span_id, flags = (first or "").split("-")
        assert (version, UUID(trace_id), flags, len(span_id)) == ("00", turn_id, "01", 16)
    else:
        assert first is None


def test_every_process_comes_to_the_same_decision_about_a_trace() -> None:
    ids = [uuid4().int for _ in range(2_000)]

    assert [ByTrace(0.3).keeps(one) for one in ids] == [ByTrace(0.3).keeps(one) for one in ids]
    assert 400 < sum(ByTrace(0.3).keeps(one) for one in ids) < 800
    assert all(ByTrace(1.0).keeps(one) for one in ids)
    assert not any(ByTrace(0.0).keeps(one) for one in ids)


def test_a_turn_that_is_left_early_leaves_nothing_behind(
    spans: Spans, finished: InMemorySpanExporter
) -> None:
    observing.observe(spans.told)
    turn_id = uuid4()
    started(turn_id, fence=1)
    started(turn_id, fence=2)  # it was claimed here once more; the first run ends afterwards
    observing.tell("turn_left", turn_id=turn_id, fence=1, status="handed_over")
    assert finished.get_finished_spans() == ()
    observing.tell("turn_left", turn_id=turn_id, fence=2, status="failed")
    observing.tell("turn_left", turn_id=turn_id, fence=2, status="failed")

    [span] = finished.get_finished_spans()
    assert span.attributes is not None
    assert (span.name, span.attributes["smartsupport.turn.status"]) == ("turn", "failed")
    assert not span.status.is_ok
    with structlog.contextvars.bound_contextvars(turn_id=str(turn_id)):
        assert spans.headers() == {}


def test_what_failed_is_an_error_and_says_of_what_kind(spans: Spans, finished: InMemorySpanExporter) -> None:
    observing.observe(spans.told)
    said = {"kind": "transient", "message": "Ada!"}
    of = {"agent": "orders", "tool": "get_order", "call_id": "c1"}
    answer = tool_returned(**of, ok=False, error=said, duration_ms=1500)
    half = broke_off(agent="orders", model="m-1", provider="openai", duration_ms=20)
    observing.tell("facts", facts=(answer, half), turn_id=uuid4(), conversation_id=uuid4())

    tool, model = finished.get_finished_spans()
    assert [one.attributes["error.type"] for one in (tool, model) if one.attributes] == [
        "transient",
        "broke_off",
    ]
    assert not tool.status.is_ok
    assert tool.end_time is not None
    assert tool.start_time is not None
    assert tool.end_time - tool.start_time == 1_500_000_000
    assert "Ada" not in tool.to_json()


def test_a_call_that_failed_before_its_first_word_is_counted_and_traced(
    spans: Spans, finished: InMemorySpanExporter, settings: Any
) -> None:
    settings.LLM_PROVIDER, settings.LLM_MODEL, settings.OPENAI_API_KEY = "openai", "m-1", "none"
    registry = CollectorRegistry()
    observing.observe(spans.told)
    counting = Counting(registry)
    observing.observe(counting.told)
    turn_id = uuid4()
    try:
        for error in (httpx.ConnectError("nobody there"), asyncio.CancelledError(), KeyError("ours")):
            with pytest.raises(type(error)), unanswered.told("route", turn_id=turn_id):
                raise error
        with unanswered.told("route"):
            pass
    finally:
        observing.forget(counting.told)

    calls = {"provider": "openai", "model": "m-1", "purpose": "route"}
    for outcome in ("unreachable", "stopped", "other"):
        assert registry.get_sample_value(f"{CALLS}_count", calls | {"outcome": outcome}) == 1
    assert registry.get_sample_value(f"{CALLS}_count", calls | {"outcome": "ok"}) is None
    failed, *others = finished.get_finished_spans()
    assert len(others) == 2
    assert failed.context.trace_id == turn_id.int
    assert failed.attributes is not None
    assert (failed.name, failed.attributes["error.type"]) == ("chat m-1", "unreachable")
    assert not failed.status.is_ok
    assert "nobody there" not in failed.to_json()


def test_attempts_of_webhooks_are_counted_by_what_was_answered() -> None:
    registry = CollectorRegistry()
    counting = Counting(registry)
    for delivered, status in ((True, 204), (False, 503), (False, 404), (False, 302), (False, None)):
        counting.told("webhook_attempted", {"delivered": delivered, "status": status, "seconds": 0.2})

    outcomes = ("delivered", "status_5xx", "status_4xx", "status_3xx", "unanswered")
    name = "smartsupport_webhook_attempt_seconds_count"
    assert [registry.get_sample_value(name, {"outcome": outcome}) for outcome in outcomes] == [1] * 5


def test_an_observer_that_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def fails(what: str, _: dict[str, Any]) -> None:
        raise RuntimeError(what)

    def listens(what: str, _: dict[str, Any]) -> None:
        heard.append(what)

    for observer in (fails, listens):
        observing.observe(observer, headers=lambda: {}["no such header"])
    try:
        observing.tell("something")
        assert observing.outgoing_headers() == {}
    finally:
        observing.forget(fails)
        observing.forget(listens)

    assert heard == ["something"]
    assert not observing.anybody()


def test_labels_are_bounded() -> None:
    registry = CollectorRegistry()
    counting = Counting(registry)
    for number in range(MODELS + 10):
        counting.told("model_called", {"call": Call("answer", "openai", f"m-{number}", duration_ms=10)})
    strange = Fact("tool_returned", {"tool": "t", "call_id": "c", "ok": False, "error": {"kind": "x" * 500}})
    counting.told("facts", {"facts": (strange,), "turn_id": None, "conversation_id": uuid4()})

    def count(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    calls = {"provider": "openai", "purpose": "answer", "outcome": "ok"}
    assert count("smartsupport_model_call_seconds_count", model="other", **calls) == 10
    assert count("smartsupport_tool_call_seconds_count", kind="read", outcome="other") == 1


def test_a_collector_that_is_away_holds_a_process_up_for_a_few_seconds_only(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smartsupport.tracing import provider as sending

    monkeypatch.setattr(sending, "FLUSH_MILLISECONDS", 300)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections and answers nobody
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = f"http://127.0.0.1:{silent.getsockname()[1]}"
        made, end = sending.make("turns")
        made.get_tracer("a test").start_span("left").end()
        began = time.monotonic()
        end()

    assert 0.3 <= time.monotonic() - began < 20, "the SDK's own would wait for 30"


def test_every_metric_has_its_unit_and_its_line_in_the_documentation() -> None:
    """Names as Prometheus wants them (prometheus.io, "Metric and label naming")."""
    page = (ROOT / "docs" / "observability.md").read_text()
    registry = CollectorRegistry()
    counting = Counting(registry)
    made = [one for one in vars(counting).values() if isinstance(one, MetricWrapperBase)]

    assert len(made) >= 12
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert re.fullmatch(r"smartsupport(_[a-z]+)+", name)
        assert family.type != "histogram" or name.endswith("_seconds")
        assert f"`{name}`" in page, name
    for one in made:
        for label in one._labelnames:
            assert f"`{label}`" in page, label
