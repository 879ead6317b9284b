"""Traces as a collector gets them: requests, statements, jobs, other systems; and nothing of a patient in any."""

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.factories.collector import Collector, collector
from tests.factories.job_crew import crew
from tests.factories.patience import eventually
from tests.factories.server import Server, serving

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("traces"), pytest.mark.thorough]

SERVER, CLIENT, CONSUMER = 2, 3, 5  # kinds of spans
THEIRS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FAST = {"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_SERVICE_NAME": "hms-of-tests"}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Collector]:
    with collector() as found:
        yield found


@pytest.fixture(scope="module")
def traced(receiver: Collector, django_db_setup: None, worker_id: str) -> Iterator[Server]:
    variables = {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "HMS_TRUSTED_PROXIES": "1", "WEB_CONCURRENCY": "1"}
    key = ["api_key", "create", "--name=Laboratory", "--scopes=patient:view", "--clinic=riverside"]
    variables["HMS_DEMO"] = "1"
    with serving(f"traced_{worker_id}", commands=[["seed_demo"], key], static=False, variables=variables) as server:
        yield server


def ask(server: Server, path: str, **headers: str) -> tuple[int, str]:
    connection = HTTPConnection(server.host, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers.get("X-Request-ID", "")


def test_a_request_with_its_statements(traced: Server, receiver: Collector) -> None:
    name = "GET /api/v2/patients/search"
    with traced.connect() as connection:
        (family,) = connection.execute("SELECT family_name FROM patients_patient LIMIT 1").fetchone() or ("",)
    status, request_id = ask(traced, f"/api/v2/patients/search?query={family}", traceparent=THEIRS)
    found = eventually(lambda: [one for one in receiver.spans if one.at.get("hms.request_id") == request_id])
    (request,) = found
    assert request.name.startswith("GET /api/v2/patients") and request.kind == SERVER, name
    assert request.at["http.response.status_code"] == status and request.at["http.route"].startswith("/api/")
    assert (request.trace, request.parent) == (THEIRS.split("-")[1], THEIRS.split("-")[2])
    assert request.of["service.name"] == "hms-of-tests" and request.of["hms.process"] == "web"
    status, request_id = ask(traced, "/health")
    (request,) = eventually(lambda: [one for one in receiver.spans if one.at.get("hms.request_id") == request_id])
    eventually(lambda: [one for one in receiver.spans if "db.query.text" in one.at])
    statements = [one for one in receiver.spans if "db.query.text" in one.at]
    assert all(one.kind == CLIENT and one.parent and one.nanoseconds >= 0 for one in statements)
    assert all(one.events == 0 for one in receiver.spans)
    assert str(family).encode() not in b"".join(receiver.raw)


def test_an_address_that_there_is_not_names_nothing(traced: Server, receiver: Collector) -> None:
    _, request_id = ask(traced, "/patients-of/Ines-Haddad")
    (request,) = eventually(lambda: [one for one in receiver.spans if one.at.get("hms.request_id") == request_id])
    assert request.at["http.response.status_code"] == 404 and b"Haddad" not in b"".join(receiver.raw)


def test_a_job_and_its_statements(receiver: Collector, worker_id: str, django_db_setup: None) -> None:
    variables = {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    with crew(f"traces_{worker_id}", with_redis=False, variables=variables) as found:
        found.start("worker", "--class", "normal", "--no-clock")
        done = found.enqueue("test.plain")
        failing = found.enqueue("test.gives_up")
        found.ends(done)
        found.ends(failing, "failed")
        eventually(lambda: receiver.named("job test.plain") and receiver.named("job test.gives_up"))
        (job,) = receiver.named("job test.plain")
        assert (job.kind, job.failed, job.at["hms.job_id"], job.at["hms.attempt"]) == (CONSUMER, False, done, 1)
        assert job.of["hms.process"] == "worker"
        eventually(lambda: len(receiver.below(job)) >= 2)
        assert {"INSERT", "UPDATE"} <= {one.name for one in receiver.below(job)}
        assert {done} & {part for one in receiver.below(job) for part in one.at["db.query.text"].split("'")} == set()
        (insert,) = [one for one in receiver.below(job) if one.name == "INSERT"]
        assert insert.at["db.query.text"] == "INSERT INTO test_effect (job, attempt, worker_says) VALUES (…)"
        assert receiver.named("job test.gives_up")[0].failed
