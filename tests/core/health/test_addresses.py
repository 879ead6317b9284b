"""What each address says to whom."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from core.accounts.roles import Role
from core.health import checks, views
from core.health.checks import Check, Status, Unwell, Weight
from tests.factories.api_client import ApiClient
from tests.factories.world import Place, World

TOKEN = "t" * 40
PROBES = ("live", "ready", "startup", "api")
OPERATORS_ALONE = ("/health/detailed", "/health/metrics", "/metrics")


def fine() -> dict[str, float]:
    return {"usage_percent": 12.0}


def broken() -> dict[str, float]:
    raise Unwell("SECRET sentence")


def half() -> dict[str, float]:
    raise Unwell("SECRET sentence", Status.DEGRADED, {"usage_percent": 88.0})


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Nothing but these is looked at; in this test no process has started yet."""
    monkeypatch.setattr(checks, "_checks", {})
    monkeypatch.setattr(views, "_started", False)

    def register(**looks: tuple[Any, Weight]) -> None:
        for name, (look, weight) in looks.items():
            checks.register(Check(name, look, weight, kept=0))

    yield register


def watcher() -> Client:
    return Client(headers={"Authorization": f"Bearer {TOKEN}"})


def test_what_is_missing_is_named_and_nothing_more(only: Any, client: Client) -> None:
    only(database=(broken, Weight.REQUIRED), migrations=(fine, Weight.REQUIRED), clock=(broken, Weight.NEEDED))
    for probe in ("ready", "startup", "api"):
        answer = client.get(f"/health/{probe}")
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer.json()["failing"] == ["database"]
        assert b"SECRET" not in answer.content
    assert client.get("/health/live").json() == {"status": "alive"}


def test_a_process_that_has_started_stays_started(only: Any, client: Client) -> None:
    only(database=(broken, Weight.REQUIRED))
    assert client.get("/health/startup").status_code == 503
    only(database=(fine, Weight.REQUIRED))
    assert client.get("/health/startup").json() == {"status": "started"}
    only(database=(broken, Weight.REQUIRED))
    assert client.get("/health/startup").status_code == 200
    assert client.get("/health/ready").status_code == 503


def test_it_is_ready_while_what_is_only_needed_fails(only: Any, client: Client, settings: Any) -> None:
    settings.HMS_MONITORING_TOKEN = TOKEN
    only(
        database=(fine, Weight.REQUIRED), broker=(broken, Weight.NEEDED), cache=(broken, Weight.HELPFUL), disk=(half, Weight.NEEDED)
    )
    assert client.get("/health/ready").status_code == 200
    answer = watcher().get("/health/detailed")
    found = answer.json()
    assert (answer.status_code, found["status"], found["failing"]) == (503, "unhealthy", ["broker"])
    assert {name: one["status"] for name, one in found["checks"].items()} == {
        "database": "healthy",
        "broker": "unhealthy",
        "cache": "degraded",  # what only helps makes nothing unhealthy
        "disk": "degraded",
    }
    assert found["checks"]["disk"]["usage_percent"] == 88.0
    assert "SECRET" in found["checks"]["broker"]["note"]


def test_degraded_is_no_failure(only: Any, settings: Any) -> None:
    settings.HMS_MONITORING_TOKEN = TOKEN
    only(disk=(half, Weight.NEEDED))
    answer = watcher().get("/health/detailed")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


def test_the_api_says_statuses_to_anybody_and_figures_to_operators(only: Any, client: Client, settings: Any) -> None:
    settings.HMS_MONITORING_TOKEN = TOKEN
    only(database=(fine, Weight.REQUIRED), disk=(half, Weight.NEEDED))
    stranger = client.get("/api/performance/health").json()["data"]
    assert stranger["checks"] == {"database": {"status": "healthy"}, "disk": {"status": "degraded"}}
    assert stranger["status"] == "degraded"
    assert stranger["response_time"] >= 0
    operator = watcher().get("/api/performance/health").json()["data"]
    assert operator["checks"]["disk"]["usage_percent"] == 88.0
    assert operator["checks"]["database"]["response_time"] >= 0


def test_versions_are_named(only: Any, client: Client) -> None:
    only(database=(fine, Weight.REQUIRED))
    found = client.get("/health/api").json()
    assert (found["status"], found["newest"]) == ("available", "2.0")
    assert found["versions"]["1.0"] == {"path": "/api/v1/", "deprecated": True, "sunset": "2027-12-31"}


@pytest.mark.parametrize("path", OPERATORS_ALONE)
def test_for_others_there_is_no_such_address(path: str, world: World, riverside: Place, settings: Any, sign_in: Any) -> None:
    settings.HMS_MONITORING_TOKEN, settings.HMS_METRICS_ALLOW = TOKEN, ["203.0.113.0/24"]
    assert Client().get(path).status_code == 404
    for said in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ", f"Bearer {'é' * 40}"):
        assert Client(headers={"Authorization": said}).get(path).status_code in (401, 404), said
    assert Client(REMOTE_ADDR="203.0.114.7").get(path).status_code == 404
    for role in (Role.CLINIC_ADMIN, Role.RECEPTIONIST, Role.AUDITOR):
        assert sign_in(riverside.users[role], riverside.clinic).get(path).status_code == 404, role


@pytest.mark.parametrize("path", OPERATORS_ALONE)
def test_no_token_opens_it_while_none_is_set_or_it_is_short(path: str, settings: Any) -> None:
    for token in ("", "short"):
        settings.HMS_MONITORING_TOKEN = token
        assert Client(headers={"Authorization": f"Bearer {token}"}).get(path).status_code in (401, 404)


@pytest.mark.parametrize("path", OPERATORS_ALONE)
def test_operators_see_it_signed_in_or_by_token(path: str, world: World, settings: Any, sign_in: Any) -> None:
    settings.HMS_MONITORING_TOKEN = TOKEN
    for role in (Role.SUPER_ADMIN, Role.SYSTEM_ADMIN):
        assert sign_in(world.platform[role]).get(path).status_code in (200, 503), role
    assert sign_in(world.platform[Role.SUPPORT]).get(path).status_code == 404
    assert watcher().get(path).status_code in (200, 503)


def test_a_listed_address_reads_metrics_and_nothing_else(settings: Any) -> None:
    settings.HMS_METRICS_ALLOW = ["203.0.113.0/24", "2001:db8::/32"]
    for address in ("203.0.113.9", "2001:db8::9"):
        answers = [Client(REMOTE_ADDR=address).get(path).status_code for path in OPERATORS_ALONE]
        assert answers == [404, 404, 200]


@pytest.mark.parametrize("probe", PROBES)
def test_probes_come_by_any_host_and_by_plain_http(probe: str, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = [settings.HMS_BASE_DOMAIN]
    assert Client().get(f"/health/{probe}", headers={"Host": "10.1.2.3:8000"}).status_code == 200
    assert Client().get("/sign-in/", headers={"Host": "10.1.2.3:8000"}).status_code in (301, 400)


@pytest.mark.parametrize("probe", PROBES)
def test_probes_look_up_nobody(probe: str, riverside: Place, sign_in: Any) -> None:
    """Not even whose credentials came along: bad ones, and good ones, change nothing."""
    doctor = riverside.users[Role.DOCTOR]
    for client in (Client(headers={"Authorization": "Bearer nonsense"}), ApiClient(doctor), sign_in(doctor)):
        answer = client.get(f"/health/{probe}")
        assert answer.status_code == 200
        assert '"0 queries"' in answer["Server-Timing"]
    assert '"0 queries"' not in sign_in(doctor).get("/health/detailed")["Server-Timing"]


def test_here_all_is_well_that_can_be(client: Client, world: World) -> None:
    """The real checks, in the tests' own process: no worker and no clock run, and all else is there."""
    found = client.get("/api/performance/health").json()["data"]["checks"]
    assert set(found) >= {"database", "migrations", "access_log", "events", "broker", "workers", "clock", "disk", "memory"}
    assert {name for name, one in found.items() if one["status"] == "unhealthy"} <= {"clock", "workers", "disk", "memory"}
