"""Spans from what is told (`smartsupport.lib.observing`): the facts that the log keeps, without what anybody wrote.

A turn's trace: `message` (when it was accepted, the root), below it `turn` for each worker that had it, below these
`chat <model>` and `execute_tool <tool>` by the GenAI semantic conventions, and `approval` where a person decided. A
turn that waits for somebody has no open span: it ends, and another begins when the decision is there.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from agents.facts import Fact
from agents.providers import answered_by
from agents.spending.usage import Call
from smartsupport.tracing.provider import ByTrace, chosen_ids

PROVIDERS = {"azure_openai": "azure.ai.openai", "google": "gcp.gen_ai"}
"""Names of the semantic conventions, where they are not ours."""
Attributes = dict[str, Any]


class Spans:
    """Makes the spans of one process. `told` is an observer, `headers` what goes to the business systems."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("smartsupport")
        self._sampler = provider.sampler
        self._turns: dict[UUID, tuple[int, Span]] = {}
        self._of: dict[str, Callable[..., None]] = {
            "facts": self._facts,
            "turn_started": self._turn_started,
            "turn_left": self._turn_left,
            "model_called": lambda call: self._model_call(call, Context()),
            "model_failed": self._model_failed,
            "approval_ended": self._approval,
            "job_ran": self._job,
        }

    def told(self, what: str, facts: dict[str, Any]) -> None:
        if take := self._of.get(what):
            take(**facts)

    def headers(self) -> dict[str, str]:
        """W3C Trace Context of the turn that is being worked on here, if any."""
        turn_id = structlog.contextvars.get_contextvars().get("turn_id")
        held = self._turns.get(UUID(turn_id)) if turn_id else None
        if held is None:
            return {}
        span = held[1].get_span_context()
        return {"traceparent": f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"}

    def _turn_started(self, turn_id: UUID, conversation_id: UUID, fence: int, waited: float) -> None:
        attributes: Attributes = {
            "smartsupport.turn.id": str(turn_id),
            "gen_ai.conversation.id": str(conversation_id),
            "smartsupport.turn.run": fence,
            "smartsupport.turn.waited_seconds": round(waited, 3),
        }
        span = self._tracer.start_span("turn", self._root(turn_id), SpanKind.CONSUMER, attributes)
        self._turns[turn_id] = (fence, span)

    def _turn_left(self, turn_id: UUID, fence: int, status: str) -> None:
        held = self._turns.get(turn_id)
        if held is None or held[0] != fence:
            return
        del self._turns[turn_id]
        held[1].set_attribute("smartsupport.turn.status", status)
        if status == "failed":
            held[1].set_status(Status(StatusCode.ERROR))
        held[1].end()

    def _facts(self, facts: Sequence[Fact], turn_id: UUID | None, conversation_id: UUID) -> None:
        held = self._turns.get(turn_id) if turn_id else None
        parent = self._parent(turn_id)
        for fact in facts:
            if fact.call:
                error = "" if fact.kind else "broke_off"
                self._model_call(fact.call, parent, error, conversation_id)
            if fact.kind == "message_received" and turn_id:
                self._message(turn_id, conversation_id)
            elif fact.kind == "tool_returned":
                self._tool(fact, parent)
            elif held and fact.kind in _NOTED:
                held[1].add_event(fact.kind, _NOTED[fact.kind](fact))

    def _message(self, turn_id: UUID, conversation_id: UUID) -> None:
        attributes = {"smartsupport.turn.id": str(turn_id), "gen_ai.conversation.id": str(conversation_id)}
        with _ids(turn_id.int, _root_span(turn_id)):
            self._tracer.start_span("message", Context(), SpanKind.PRODUCER, attributes).end()

    def _model_failed(self, call: Call, why: str, turn_id: UUID | None) -> None:
        self._model_call(call, self._parent(turn_id), why)

    def _model_call(
        self, call: Call, parent: Context, error: str = "", conversation_id: UUID | None = None
    ) -> None:
        usage, asked = call.usage, _asked(call)
        counts = {
            "gen_ai.usage.input_tokens": usage.tokens_in,
            "gen_ai.usage.cache_read.input_tokens": usage.tokens_cached,
            "gen_ai.usage.cache_write.input_tokens": usage.tokens_cache_write,
            "gen_ai.usage.output_tokens": usage.tokens_out,
            "gen_ai.usage.reasoning.output_tokens": usage.tokens_reasoning,
        }
        attributes: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": PROVIDERS.get(call.provider, call.provider),
            "gen_ai.request.model": asked,
            "gen_ai.request.stream": call.purpose == "answer",
            "gen_ai.output.type": "text" if call.purpose == "answer" else "json",
            "smartsupport.purpose": call.purpose,
            **({} if error else {"gen_ai.response.model": call.model}),
            **({"gen_ai.agent.name": call.agent} if call.agent else {}),
            **({"gen_ai.conversation.id": str(conversation_id)} if conversation_id else {}),
            **{name: count for name, count in counts.items() if count is not None},
        }
        self._past(f"chat {asked}", parent, SpanKind.CLIENT, attributes, call.duration_ms, error)

    def _tool(self, fact: Fact, parent: Context) -> None:
        told = fact.payload
        attributes: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": told["tool"],
            "gen_ai.tool.call.id": told["call_id"],
            "gen_ai.tool.type": "extension",  # carried out here, by calling somebody's API
            "smartsupport.tool.action": bool(told.get("action_id")),
            **({"gen_ai.agent.name": fact.agent} if fact.agent else {}),
            **({"http.response.status_code": told["status"]} if told.get("status") else {}),
        }
        error = "" if told["ok"] else (told.get("error") or {}).get("kind", "unknown")
        self._past(
            f"execute_tool {told['tool']}", parent, SpanKind.INTERNAL, attributes, fact.duration_ms, error
        )

    def _approval(
        self,
        turn_id: UUID,
        approval_id: UUID,
        tool: str,
        resolution: str,
        by: str,
        seconds: float,
        **_: Any,
    ) -> None:
        """From when it was asked for until it was decided, or could not be any more."""
        attributes = {
            "gen_ai.tool.name": tool,
            "smartsupport.approval.id": str(approval_id),
            "smartsupport.approval.resolution": resolution,
            "smartsupport.approval.by": by,
        }
        took = round(seconds * 1000)
        self._past("approval", self._root(turn_id), SpanKind.INTERNAL, attributes, took, "")

    def _job(self, job: str, ok: bool, seconds: float) -> None:
        error = "" if ok else "failed"
        self._past(
            f"job {job}",
            Context(),
            SpanKind.CONSUMER,
            {"smartsupport.job": job},
            round(seconds * 1000),
            error,
        )

    def _past(
        self,
        name: str,
        parent: Context,
        kind: SpanKind,
        attributes: Attributes,
        milliseconds: int | None,
        error: str,
    ) -> None:
        """A span of something that has just ended and took so long."""
        now = time.time_ns()
        began = now - (milliseconds or 0) * 1_000_000
        span = self._tracer.start_span(name, parent, kind, attributes, start_time=began)
        if error:
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR))
        span.end(now)

    def _parent(self, turn_id: UUID | None) -> Context:
        """The turn that runs here, else its `message`, else nothing."""
        if held := self._turns.get(turn_id) if turn_id else None:
            return set_span_in_context(held[1])
        return self._root(turn_id) if turn_id else Context()

    def _root(self, turn_id: UUID) -> Context:
        """The turn's `message`, wherever its span was made."""
        kept = isinstance(self._sampler, ByTrace) and self._sampler.keeps(turn_id.int)
        flags = TraceFlags(TraceFlags.SAMPLED if kept else TraceFlags.DEFAULT)
        root = SpanContext(turn_id.int, _root_span(turn_id), is_remote=True, trace_flags=flags)
        return set_span_in_context(NonRecordingSpan(root), Context())


def _asked(call: Call) -> str:
    """The model that was asked for. Only an agent may have another one than the deployment's."""
    return call.asked or ("" if call.purpose == "answer" else answered_by(None)) or call.model


def _root_span(turn_id: UUID) -> int:
    return int.from_bytes(hashlib.sha256(turn_id.bytes).digest()[:8], "big")


@contextmanager
def _ids(trace_id: int, span_id: int) -> Iterator[None]:
    reset = chosen_ids.set((trace_id, span_id))
    try:
        yield
    finally:
        chosen_ids.reset(reset)


# What is noted on a turn's span, and what of it: never what somebody wrote, nor a reason in words.
_NOTED: dict[str, Callable[[Fact], Attributes]] = {
    "routed": lambda fact: {"agents": list(fact.payload["agents"]), "by": fact.payload["by"]},
    "question_asked": lambda _: {},
    "approval_opened": lambda fact: {"tool": fact.payload["action"], "approver": fact.payload["approver"]},
    "handoff_requested": lambda fact: {"by": fact.payload["by"]},
    "turn_failed": lambda fact: {"code": fact.payload["code"]},
}
