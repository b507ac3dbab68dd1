"""The OpenTelemetry SDK as we use it: batches over OTLP/HTTP, ids that we choose, whole traces sampled or none of one.

The exporter opens connections by itself, to an address that the operator has set: the one exception to the rule that
only `safe_http` does. It works in a thread of its own with a bounded queue; what it cannot send is dropped.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextvars import ContextVar

import structlog
from django.conf import settings
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

log = structlog.get_logger(__name__)

LONGEST_VALUE = 256
FLUSH_MILLISECONDS = 5_000

chosen_ids: ContextVar[tuple[int, int] | None] = ContextVar("chosen_ids", default=None)
"""The trace id and span id of the span that is being started here; None: random ones."""


class ChosenIds(RandomIdGenerator):
    def generate_span_id(self) -> int:
        chosen = chosen_ids.get()
        return chosen[1] if chosen else super().generate_span_id()

    def generate_trace_id(self) -> int:
        chosen = chosen_ids.get()
        return chosen[0] if chosen else super().generate_trace_id()

    def is_trace_id_random(self) -> bool:
        return False  # a UUID has bits that are always the same


class ByTrace(Sampler):
    """So many of all traces: each process comes to the same decision about a trace, by a hash of its id."""

    def __init__(self, share: float) -> None:
        self.share = share

    def keeps(self, trace_id: int) -> bool:
        digest = hashlib.sha256(trace_id.to_bytes(16, "big")).digest()
        return int.from_bytes(digest[:7], "big") < self.share * 2**56

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        kept = Decision.RECORD_AND_SAMPLE if self.keeps(trace_id) else Decision.DROP
        return SamplingResult(kept, attributes if self.keeps(trace_id) else None, trace_state)

    def get_description(self) -> str:
        return f"ByTrace({self.share})"


def make(process: str) -> tuple[TracerProvider, Callable[[], None]]:
    """A provider for this process (`web`, `turns`, `jobs`), and what sends the rest and ends it."""
    resource = Resource.create(
        {
            "service.name": settings.OTEL_SERVICE_NAME,
            "service.version": settings.VERSION,
            "smartsupport.process": process,
        }
    )
    provider = TracerProvider(
        resource=resource,
        sampler=ByTrace(settings.OTEL_TRACES_SHARE),
        id_generator=ChosenIds(),
        span_limits=SpanLimits(max_attribute_length=LONGEST_VALUE),
    )
    # Its other settings (headers, time-outs, certificates) are OpenTelemetry's own variables.
    exporter = OTLPSpanExporter(f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces")
    provider.add_span_processor(_Sender(exporter))
    log.info("traces_exported", process=process, endpoint=settings.OTEL_EXPORTER_OTLP_ENDPOINT)
    # Called by the SDK when a process ends without it.
    return provider, provider.shutdown


class _Sender(BatchSpanProcessor):
    """Sends what is left when the process leaves, for FLUSH_MILLISECONDS. The SDK's own waits for as long as the
    exporter tries, half a minute where the collector is away: longer than a container is given to stop."""

    def shutdown(self) -> None:
        self._batch_processor.shutdown(FLUSH_MILLISECONDS)
