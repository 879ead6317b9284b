"""Writes traces with OpenTelemetry's SDK and sends them by OTLP over HTTP. Imported only where traces are wanted."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from core.tracing import hooks

NAME = "hms"
propagator = TraceContextTextMapPropagator()


class Operation:
    """A span, as core.tracing.hooks sees it."""

    def __init__(self, span: Span) -> None:
        self.span = span
        carried: dict[str, str] = {}
        propagator.inject(carried)
        self.headers: Mapping[str, str] = carried

    def ended(self, *, failed: bool, **attributes: str | int) -> None:
        self.span.set_attributes(attributes)
        if failed:
            self.span.set_status(Status(StatusCode.ERROR))


class Sender:
    """Spans are sent in batches by a thread of its own; what can't be sent is dropped, and nobody waits for it."""

    def __init__(self, process: str) -> None:
        named = {"service.name": os.environ.get("OTEL_SERVICE_NAME") or NAME, "hms.process": process}
        named["service.instance.id"] = f"{socket.gethostname()}:{os.getpid()}"
        self.provider = TracerProvider(resource=Resource.create(named))
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self.provider.get_tracer(NAME)

    def statement(self, kind: str, text: str, seconds: float, *, ran: bool) -> None:
        if not get_current_span().get_span_context().is_valid:
            return  # of nothing that is traced: looking for a job, for instance
        end = time.time_ns()
        attributes = {"db.system.name": "postgresql", "db.operation.name": kind, "db.query.text": text}
        span = self.tracer.start_span(
            kind or "statement", kind=SpanKind.CLIENT, attributes=attributes, start_time=end - int(seconds * 1e9)
        )
        if not ran:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)

    @contextmanager
    def operation(self, name: str, *, to_others: bool, **attributes: str | int) -> Iterator[Operation]:
        kind = SpanKind.CLIENT if to_others else SpanKind.CONSUMER
        with self._current(name, kind, attributes) as span:
            yield Operation(span)

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[Operation]:
        """A request to HMS; with `headers` of another's trace it becomes part of that."""
        with self._current(method, SpanKind.SERVER, {"http.request.method": method}, headers) as span:
            yield Operation(span)

    def stop(self) -> None:
        """Sends what is left, for a few seconds at most."""
        self.provider.shutdown()

    @contextmanager
    def _current(
        self, name: str, kind: SpanKind, attributes: Mapping[str, str | int], headers: Mapping[str, str] | None = None
    ) -> Iterator[Span]:
        """What an exception says isn't recorded: it may quote a value."""
        parent = propagator.extract(headers) if headers else None
        with self.tracer.start_as_current_span(
            name, parent, kind, dict(attributes), record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise


sender: Sender | None = None


def begin(process: str) -> None:
    """In each process, never before a fork. `process`: web or worker."""
    global sender
    if settings.HMS_TRACES and sender is None:
        sender = Sender(process)
        hooks.install(sender)


def end() -> None:
    """Before the process ends."""
    global sender
    hooks.install(None)
    if sender is not None:
        sender.stop()
        sender = None
