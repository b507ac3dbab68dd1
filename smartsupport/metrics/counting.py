"""What this process does, counted from the facts that it records and the turns and jobs that it runs.

No label holds anything of a customer, and none can grow without bound: models beyond the first MODELS are "other".
"""

import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from agents.facts import Fact
from agents.spending.usage import Call

MODELS = 50
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300)
PEOPLES_SECONDS = (5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 14400, 86400)
FAILURES = frozenset({"transient", "validation", "auth", "unknown", "stopped"})
"""Kinds of failed tool calls."""


class Counting:
    """The numbers of one process, in `registry`. `told` is an observer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, what: str, *labels: str, buckets: Sequence[float] = SECONDS) -> Histogram:
            return Histogram(name, what, labels, registry=registry, buckets=buckets)

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(name, what, labels, registry=registry)

        self.turns = histogram("smartsupport_turn_seconds", "How long a worker had a turn.", "status")
        self.queued = histogram("smartsupport_turn_queue_seconds", "How long a turn waited for a worker.")
        self.running = Gauge(
            "smartsupport_turns_running",
            "Turns that run in this process.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.failures = counter("smartsupport_turn_failures", "Turns that failed, by the reason.", "code")
        self.model_calls = histogram(
            "smartsupport_model_call_seconds", "Calls of models.", "provider", "model", "purpose", "outcome"
        )
        self.tokens = counter(
            "smartsupport_model_tokens",
            "Tokens as providers count them; cached ones are input too.",
            "provider",
            "model",
            "kind",
        )
        self.tools = histogram(
            "smartsupport_tool_call_seconds", "Calls of business systems.", "kind", "outcome"
        )
        self.approvals = counter("smartsupport_approvals", "What became of approvals.", "event", "by")
        self.waits = histogram(
            "smartsupport_approval_wait_seconds",
            "How long what was approved, rejected or has expired had waited.",
            "resolution",
            "approver",
            buckets=PEOPLES_SECONDS,
        )
        self.webhooks = histogram(
            "smartsupport_webhook_attempt_seconds", "Attempts to deliver a webhook.", "outcome"
        )
        self.messages = counter("smartsupport_messages", "Messages of customers that were accepted.")
        self.handoffs = counter("smartsupport_handoffs", "Conversations handed to people.", "by")
        self.jobs = histogram("smartsupport_job_seconds", "Jobs.", "job", "outcome")
        self._began: dict[tuple[UUID, int], float] = {}
        self._models: set[str] = set()
        self._of: dict[str, Callable[..., None]] = {
            "facts": self._facts,
            "turn_started": self._turn_started,
            "turn_left": self._turn_left,
            "model_called": lambda call: self._model_call(call, "ok"),
            "model_failed": lambda call, why, **_: self._model_call(call, why),
            "approval_ended": self._approval_ended,
            "webhook_attempted": self._webhook_attempted,
            "job_ran": lambda job, ok, seconds: self.jobs.labels(job, _outcome(ok)).observe(seconds),
        }

    def told(self, what: str, facts: dict[str, Any]) -> None:
        if take := self._of.get(what):
            take(**facts)

    def _turn_started(self, turn_id: UUID, fence: int, waited: float, **_: Any) -> None:
        self._began[turn_id, fence] = time.monotonic()
        self.running.set(len(self._began))
        self.queued.observe(max(0.0, waited))

    def _turn_left(self, turn_id: UUID, fence: int, status: str, **_: Any) -> None:
        began = self._began.pop((turn_id, fence), None)
        self.running.set(len(self._began))
        if began is not None:
            self.turns.labels(status).observe(time.monotonic() - began)

    def _facts(self, facts: Sequence[Fact], **_: Any) -> None:
        for fact in facts:
            if fact.call:
                self._model_call(fact.call, "ok" if fact.kind else "broke_off")
            if count := _COUNTED.get(fact.kind):
                count(self, fact)

    def _model_call(self, call: Call, outcome: str) -> None:
        model = self._bounded(call.model)
        seconds = (call.duration_ms or 0) / 1000
        self.model_calls.labels(call.provider, model, call.purpose, outcome).observe(seconds)
        usage = call.usage
        counted = {"input": usage.tokens_in, "cached": usage.tokens_cached, "output": usage.tokens_out}
        for kind, tokens in counted.items():
            if tokens:
                self.tokens.labels(call.provider, model, kind).inc(tokens)

    def _bounded(self, model: str) -> str:
        """Providers may name any model in their answers."""
        if model not in self._models and len(self._models) >= MODELS:
            return "other"
        self._models.add(model)
        return model[:120]

    def _tool(self, fact: Fact) -> None:
        kind = "action" if fact.payload.get("action_id") else "read"
        said = (fact.payload.get("error") or {}).get("kind", "unknown")
        outcome = "ok" if fact.payload.get("ok") else said if said in FAILURES else "other"
        self.tools.labels(kind, outcome).observe((fact.duration_ms or 0) / 1000)

    def _approval(self, event: str, by: str) -> None:
        self.approvals.labels(event, by).inc()

    def _approval_ended(self, resolution: str, approver: str, seconds: float, **_: Any) -> None:
        self.waits.labels(resolution, approver).observe(max(0.0, seconds))

    def _webhook_attempted(self, delivered: bool, status: int | None, seconds: float) -> None:
        failed = f"status_{status // 100}xx" if status else "unanswered"
        self.webhooks.labels("delivered" if delivered else failed).observe(seconds)


def _outcome(ok: bool) -> str:
    return "ok" if ok else "failed"


_COUNTED: dict[str, Callable[[Counting, Fact], None]] = {
    "message_received": lambda counting, _: counting.messages.inc(),
    "tool_returned": Counting._tool,
    "turn_failed": lambda counting, fact: counting.failures.labels(fact.payload["code"]).inc(),
    "handoff_requested": lambda counting, fact: counting.handoffs.labels(fact.payload["by"]).inc(),
    "approval_opened": lambda counting, fact: counting._approval("opened", fact.payload["approver"]),
    "approval_decided": lambda counting, fact: counting._approval(
        fact.payload["resolution"], fact.payload["by"]
    ),
    "approval_expired": lambda counting, _: counting._approval("expired", "nobody"),
}
