"""Traces for OpenTelemetry: what a request or a job consisted of, sent where OTEL_EXPORTER_OTLP_ENDPOINT says."""
