"""A request to another system carries the trace in which it was asked."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.outbound.addresses import Guard
from core.outbound.client import Client
from core.outbound.errors import OutboundTrouble
from core.outbound.systems import System
from core.tracing import hooks, sending
from tests.factories.collector import Collector, collector
from tests.factories.endpoints import Told, endpoints

PATH = "/results/RVS-000123"


@pytest.fixture
def receiver(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as found:
        settings.HMS_TRACES = found.url
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        sending.begin("tests")
        try:
            yield found
        finally:
            sending.end()


def lab(ends: list[Any]) -> Client:
    return Client(System("lab", "lab", tuple(one.url for one in ends), guard=Guard.of(["127.0.0.1"]), attempts=1))


def test_it_carries_the_trace_and_its_own_span(receiver: Collector) -> None:
    with endpoints(1) as ends:
        with hooks.job("test.asks"):
            assert lab(ends).request("GET", PATH).ok
        headers = {name.lower(): value for name, value in ends[0].taken[0].headers.items()}
    carried = headers["traceparent"].split("-")
    sending.end()
    (job,), (asked,) = receiver.named("job test.asks"), receiver.named("GET lab")
    assert carried[1] == job.trace == asked.trace and carried[2] == asked.id and asked.parent == job.id
    assert asked.at == {"peer.service": "lab", "http.request.method": "GET", "http.response.status_code": 200}
    assert PATH.encode() not in b"".join(receiver.raw)


def test_what_goes_wrong_is_marked_without_a_word_of_it(receiver: Collector) -> None:
    with endpoints(1) as ends:
        ends[0].answer = lambda _: Told(503)
        with pytest.raises(OutboundTrouble):
            lab(ends).request("POST", PATH, json={"name": "Ines Haddad"})
    sending.end()
    (asked,) = receiver.named("POST lab")
    assert asked.failed and asked.at["error.type"] == "OutboundTrouble" and asked.events == 0
    assert b"Haddad" not in b"".join(receiver.raw)


def test_without_traces_nothing_is_added() -> None:
    assert hooks.tracing is None
    with endpoints(1) as ends:
        lab(ends).request("GET", PATH)
        assert "traceparent" not in {name.lower() for name in ends[0].taken[0].headers}
