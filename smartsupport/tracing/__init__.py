"""Traces for OpenTelemetry (docs/observability.md), off unless OTEL_EXPORTER_OTLP_ENDPOINT is set: one trace for each
turn, with the turn's id as its trace id, so that every process adds to it without handing anything over (`spans`)."""
