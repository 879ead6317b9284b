"""A collector of traces on the loopback interface: takes OTLP over HTTP and reads the protobuf."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Traced:
    """A span as it came. `at`: its attributes; `of`: those of the process."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    failed: bool
    nanoseconds: int
    at: dict[str, Any]
    of: dict[str, Any]
    events: int


@dataclass
class Collector:
    url: str = ""
    spans: list[Traced] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        said = ExportTraceServiceRequest.FromString(body)
        self.raw.append(body)
        for resource in said.resource_spans:
            of = _attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans += [_traced(one, of) for one in scope.spans]

    def named(self, name: str) -> list[Traced]:
        return [one for one in self.spans if one.name == name]

    def below(self, parent: Traced) -> list[Traced]:
        return [one for one in self.spans if one.trace == parent.trace and one.parent == parent.id]


def _attributes(given: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in given}


def _traced(one: Any, of: dict[str, Any]) -> Traced:
    took = one.end_time_unix_nano - one.start_time_unix_nano
    ids = (one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex())
    return Traced(one.name, one.kind, *ids, one.status.code == 2, took, _attributes(one.attributes), of, len(one.events))


@contextmanager
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
