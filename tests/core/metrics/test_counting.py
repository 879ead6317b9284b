"""What is counted, under which labels: of each route, and of nobody."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from prometheus_client.parser import text_string_to_metric_families

from core.accounts.roles import Role
from core.health.watched import Watched
from core.metrics import sources
from core.metrics.process import Publisher, cache_reads, publisher
from core.security.limiting.classes import RouteClass
from core.security.limiting.limiter import limiter
from tests.factories.api_client import ApiClient
from tests.factories.api_keys import api_key
from tests.factories.cases import filled, secrets_of
from tests.factories.routes import all_routes
from tests.factories.world import Place, World

pytestmark = pytest.mark.thorough

TOKEN = "t" * 40
ROLES = {"stranger", "person", "patient", "staff", "platform", "system"}
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"}
EVERY_PART = """
hms_process_resident_bytes hms_process_cpu_seconds_total hms_python_gc_collections_total hms_database_statements_total
hms_database_breakers_open hms_cache_reads_total hms_bus_listening hms_streams_open hms_stream_events_total hms_jobs_waiting
hms_jobs_oldest_seconds hms_messages_waiting hms_messages hms_faults_total hms_faults_open
hms_visits_today hms_tickets_today hms_check_status hms_database_bytes hms_memory_used_percent
"""
VALUE = re.compile(r"[a-z0-9_./\- ]{1,60}", re.I)  # families of the cache are named after templates


@pytest.fixture(autouse=True)
def token(settings: Any) -> None:
    settings.HMS_MONITORING_TOKEN = TOKEN


def read() -> dict[str, list[Any]]:
    """Every sample, by name."""
    answer = Client(headers={"Authorization": f"Bearer {TOKEN}"}).get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def count(name: str, **labels: str) -> float:
    return sum(one.value for one in read().get(name, []) if labels.items() <= one.labels.items())


def known_names(patterns: Any, spaces: tuple[str, ...] = ()) -> set[str]:
    """What Django may call a route, from the URL conf."""
    found = set()
    for entry in patterns:
        if isinstance(entry, URLResolver):
            inner = (*spaces, entry.namespace) if entry.namespace else spaces
            found |= known_names(entry.url_patterns, inner)
        elif isinstance(entry, URLPattern):
            found.add(":".join((*spaces, entry.name or entry.lookup_str)))
    return found


def test_a_request_is_counted_once_by_route_method_status_and_role(riverside: Place) -> None:
    doctor = ApiClient(riverside.users[Role.DOCTOR], riverside.clinic)
    wanted = {"route": "api:patient-list", "method": "GET", "status": "200", "role": "staff"}
    before = count("hms_requests_total", **wanted)
    took, asked = (
        count("hms_request_seconds_count", route="api:patient-list"),
        count("hms_route_queries_total", route="api:patient-list"),
    )
    assert doctor.request("GET", "/api/patients").status_code == 200
    assert count("hms_requests_total", **wanted) == before + 1
    assert count("hms_request_seconds_count", route="api:patient-list", method="GET") == took + 1
    assert count("hms_route_queries_total", route="api:patient-list") > asked
    assert count("hms_route_database_seconds_total", route="api:patient-list") > 0


def test_who_asked_is_one_of_six(world: World, riverside: Place) -> None:
    path, route = "/api/v2/patients", "api-v2:patient-list"
    callers = {
        "stranger": ApiClient(),
        "patient": ApiClient(riverside.users[Role.PATIENT]),
        "staff": ApiClient(riverside.users[Role.NURSE]),
        "platform": ApiClient(world.platform[Role.SUPPORT]),
        "system": ApiClient(key=api_key(riverside, "patient:view")),
        "person": ApiClient(world.nobody),
    }
    assert set(callers) == ROLES
    for role, caller in callers.items():
        before = count("hms_requests_total", route=route, role=role)
        caller.request("GET", path)
        assert count("hms_requests_total", route=route, role=role) == before + 1, role


def test_a_method_or_an_address_that_there_is_not_makes_no_series() -> None:
    client = Client(raise_request_exception=False)
    for number in range(3):
        client.generic(f"HACK{number}", f"/nowhere/{uuid4()}/")
    samples = read()["hms_requests_total"]
    assert {one.labels["method"] for one in samples} <= METHODS
    assert count("hms_requests_total", route="(none)", method="OTHER", status="404") >= 3


def test_a_refusal_by_a_limit_is_counted_by_its_class(settings: Any) -> None:
    settings.HMS_RATE_ANON = "1/m"
    limiter.memory.clear()
    before = count("hms_rate_limited_total", limit=RouteClass.USUAL.value)
    statuses = [Client(REMOTE_ADDR="198.51.100.3").get("/api/v2/locations").status_code for _ in range(2)]
    assert statuses[-1] == 429
    assert count("hms_rate_limited_total", limit=RouteClass.USUAL.value) == before + 1
    limiter.memory.clear()


def test_nothing_of_what_is_asked_about_becomes_a_label(riverside: Place) -> None:
    """Each route that names a record is called with a real one, by somebody who may see it; then every label is known before."""
    machine, person = ApiClient(riverside.users[Role.CLINIC_ADMIN], riverside.clinic), Client(raise_request_exception=False)
    person.force_login(riverside.users[Role.CLINIC_ADMIN])
    paths = [filled(one, riverside) for one in all_routes() if "{" in one.path and one.method == "GET"]
    assert len(paths) > 40
    for path in paths:
        (machine if path.startswith("/api/") else person).get(path)
    names = known_names(get_resolver().url_patterns) | {"(none)"}
    labels = [(name, value) for found in read().values() for one in found for name, value in one.labels.items()]
    assert {value for name, value in labels if name == "route"} <= names
    assert {value for name, value in labels if name == "role"} <= ROLES
    assert {value for name, value in labels if name == "method"} <= METHODS
    rest = {value for name, value in labels if name not in ("route", "role", "method", "le")}
    assert not (strange := {value for value in rest if not VALUE.fullmatch(value)}), strange
    values = {value for _, value in labels}
    assert not [one for one in secrets_of(riverside) if any(one in value for value in values)]
    ids = {part for path in paths for part in path.split("/") if len(part) > 30}
    assert ids and not [one for one in ids if any(one in value for value in values)]


def test_json_says_the_same(riverside: Place) -> None:
    Client().get("/health")
    answer = Client(headers={"Authorization": f"Bearer {TOKEN}"}).get("/health/metrics")
    found = answer.json()["metrics"]
    assert any(one["route"] == "health" and one["value"] >= 1 for one in found["hms_requests_total"])
    assert found["hms_processes"] == [{"value": 1.0}]
    assert not [name for name in found if name.endswith("_bucket")]


def test_what_the_parts_count_grows_and_is_told_once() -> None:
    told = Publisher()
    before = count("hms_cache_reads_total", family="planted", result="memory")
    told._grown(cache_reads, 5, "planted", "memory")
    told._grown(cache_reads, 7, "planted", "memory")
    told._grown(cache_reads, 7, "planted", "memory")
    assert count("hms_cache_reads_total", family="planted", result="memory") == before + 7
    told._grown(cache_reads, 2, "planted", "memory")  # it has begun anew
    assert count("hms_cache_reads_total", family="planted", result="memory") == before + 9


def test_every_part_is_told(riverside: Place) -> None:
    ApiClient(riverside.users[Role.DOCTOR], riverside.clinic).request("GET", "/api/v2/patients")
    publisher.publish()
    found = set(read())
    assert set(EVERY_PART.split()) <= found
    up = {"jobs": 1, "messages": 1, "faults": 1, "workers": 1, "day": 1, "installation": 1, "checks": 1}
    assert {one.labels["source"]: one.value for one in read()["hms_source_up"]} == up


def test_a_source_in_trouble_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> list[sources.Figure]:
        raise ConnectionError

    monkeypatch.setitem(sources._sources, "day", Watched("day", ask, limit=5, kept=0))
    found = read()
    assert "hms_visits_today" not in found
    up = {"jobs": 1, "messages": 1, "faults": 1, "workers": 1, "day": 0, "installation": 1, "checks": 1}
    assert {one.labels["source"]: one.value for one in found["hms_source_up"]} == up


def test_it_can_be_switched_off(settings: Any) -> None:
    settings.HMS_METRICS = False
    for path in ("/metrics", "/health/metrics"):
        assert Client(headers={"Authorization": f"Bearer {TOKEN}"}).get(path).status_code == 404
