"""Each misconfiguration is said by its number, and a right configuration is not scolded."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as current
from django.core.checks import run_checks

from core.audit.spool import DAMAGED, Spool

PROJECT = Path(__file__).resolve().parent.parent.parent
URLS = {role: f"postgresql://{role}:secret@db.example/hms" for role in ("hms_app", "hms_owner", "hms_platform", "hms_maintenance")}
KEY = "1:" + "A" * 43 + "="
PRODUCTION: dict[str, Any] = {
    "DATABASE_ROLE_URLS": URLS,
    "EMBEDDED_POSTGRES": None,
    "HMS_DEMO": False,
    "HMS_BASE_URL": "https://hms.example.org",
    "SECRET_KEY": "x" * 64,
    "HMS_SEARCH_KEY": "x" * 43,
    "HMS_ENCRYPTION_KEYS": [KEY],
    "JWT_EXPIRES_IN": "15m",
    "HMS_TRUSTED_PROXIES": 1,
}


@pytest.fixture
def production(settings: Any) -> Any:
    for name, value in PRODUCTION.items():
        setattr(settings, name, value)
    return settings


def found() -> set[str]:
    return {message.id for message in run_checks(include_deployment_checks=True) if str(message.id).startswith("hms.")}


def test_a_right_configuration_is_not_scolded(production: Any) -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("number", "change"),
    [
        ("hms.E001", {"SECRET_KEY": "short"}),
        ("hms.E002", {"HMS_SEARCH_KEY": ""}),
        ("hms.E003", {"HMS_ENCRYPTION_KEYS": []}),
        ("hms.E004", {"HMS_ENCRYPTION_KEYS": [KEY, "2:tooshort"]}),
        ("hms.E004", {"HMS_ENCRYPTION_KEYS": ["A" * 43 + "="]}),
        ("hms.E004", {"HMS_ENCRYPTION_KEYS": ["0" + KEY[1:]]}),
        ("hms.E005", {"DATABASE_ROLE_URLS": {**URLS, "hms_owner": ""}}),
        ("hms.E005", {"DATABASE_ROLE_URLS": {**URLS, "hms_platform": ""}}),
        ("hms.E006", {"DATABASE_ROLE_URLS": {**URLS, "hms_platform": URLS["hms_app"]}}),
        ("hms.E007", {"DATABASE_ROLE_URLS": {**URLS, "hms_app": "postgresql://postgres@db.example/hms"}}),
        ("hms.E007", {"DATABASE_ROLE_URLS": {**URLS, "hms_maintenance": "postgresql://db.example/hms"}}),
        ("hms.E008", {"JWT_EXPIRES_IN": "15"}),
        ("hms.E008", {"JWT_EXPIRES_IN": "0m"}),
        ("hms.E008", {"JWT_EXPIRES_IN": "a while"}),
        ("hms.E009", {"HMS_BASE_URL": "https://hms.example.org/"}),
        ("hms.E009", {"HMS_BASE_URL": "https://"}),
        ("hms.E010", {"HMS_DEMO": True}),
        ("hms.E011", {"HMS_TRUSTED_PROXIES": -1}),
        ("hms.E031", {"HMS_API_V1_SUNSET": "2027-13-01"}),
        ("hms.E050", {"HMS_TOKEN_KEYS": []}),
        ("hms.E051", {"HMS_TOKEN_KEYS": ["no name"]}),
        ("hms.E052", {"HMS_TOKEN_KEYS": ["1:" + "x" * 31]}),
        ("hms.E053", {"HMS_TOKEN_KEYS": ["1:" + "x" * 32, "1:" + "y" * 32]}),
        ("hms.E070", {"HMS_MONITORING_TOKEN": "x" * 31}),
        ("hms.E071", {"HMS_METRICS_ALLOW": ["10.0.0.0/8", "prometheus"]}),
        ("hms.E071", {"HMS_METRICS_ALLOW": ["10.0.0.1/8"]}),
        ("hms.E090", {"HMS_TRACES": "127.0.0.1:4318"}),
        ("hms.E091", {"HMS_MEMORY_LIMIT_MB": 64}),
        ("hms.E092", {"HMS_WORKER_BEAT": 0}),
        ("hms.E093", {"DATABASE_LISTEN_URL": "db.example.org:5432/hms"}),
        ("hms.E093", {"DATABASE_LISTEN_URL": "https://hms_app@db.example.org/hms"}),
        ("hms.E093", {"DATABASE_LISTEN_URL": "postgresql://hms_app:secret@db.example.org:port/hms?nothing=1"}),
        ("hms.E094", {"DATABASE_LISTEN_URL": "postgresql://hms_maintenance:secret@db.example.org/hms"}),
        ("hms.E094", {"DATABASE_LISTEN_URL": "postgresql://db.example.org/hms"}),
        ("hms.E076", {"HMS_CDN_URL": "http://cdn.example.org"}),
        ("hms.E077", {"HMS_CDN_PROVIDER": "somebody"}),
        ("hms.E096", {"HMS_ACCESS_LOG_YEARS": 0}),
        ("hms.E080", {"HMS_OPERATORS": ["ops@example.org", "somebody"]}),
        ("hms.E081", {"HMS_ALERT_WEBHOOK_URL": "alerts.example.org", "HMS_ALERT_WEBHOOK_SECRET": "s" * 32}),
        ("hms.E082", {"HMS_ALERT_WEBHOOK_URL": "https://alerts.example.org/hms", "HMS_ALERT_WEBHOOK_SECRET": "s" * 31}),
        ("hms.E012", {"HMS_NEVER_BLOCK": ["203.0.113.0/24", "everybody"]}),
        ("hms.E013", {"HMS_SECURITY_EVENT_DAYS": 0}),
        ("hms.W003", {"HMS_TRUSTED_PROXIES": 0}),
        ("hms.E040", {"HMS_RATE_ANON": "60"}),
        ("hms.E040", {"HMS_RATE_SEARCH": "60/m;1000/h"}),
        ("hms.E041", {"HMS_RATE_PROCESSES": 0}),
        ("hms.W040", {"HMS_RATE_SEARCH": "5/m", "HMS_RATE_PROCESSES": 8, "REDIS_URL": ""}),
        ("hms.W040", {"HMS_RATE_UPLOAD": "5/m", "HMS_RATE_PROCESSES": 8, "REDIS_URL": ""}),
        ("hms.E085", {"HMS_LOG_FORMAT": "xml"}),
        ("hms.E086", {"HMS_FAULT_DAYS": 0}),
        ("hms.W002", {"HMS_BASE_URL": "http://hms.example.org"}),
    ],
)
def test_each_misconfiguration_has_its_number(production: Any, number: str, change: dict[str, Any]) -> None:
    for name, value in change.items():
        setattr(production, name, value)
    assert number in found()


def test_an_access_log_that_cant_be_written_or_is_damaged_is_said(production: Any, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.checks.spool", Spool(spool))
        assert found() == set()
        (spool / f"1{DAMAGED}").touch()
        assert found() == {"hms.W050"}
        patch.setattr("core.checks.spool", Spool(tmp_path / "spool" / f"1{DAMAGED}"))  # no folder
        assert found() == {"hms.E095"}


def test_every_number_names_one_check_and_is_tried() -> None:
    """By the source: each is given once, and stands in some test."""
    sources = [path for app in ("core", "clinics", "patients", "appointments", "hms") for path in (PROJECT / app).rglob("*.py")]
    given = [number for path in sources for number in re.findall(r'id="(hms\.[EW]\d+)"', path.read_text())]
    tried = " ".join(path.read_text() for path in (PROJECT / "tests").rglob("*.py"))
    assert [number for number, times in Counter(given).items() if times > 1] == []
    assert [number for number in given if number not in tried] == []


def test_a_limit_that_is_none_is_named(production: Any) -> None:
    production.HMS_RATE_HEAVY = "a lot"
    assert [message.msg for message in run_checks() if message.id == "hms.E040"] == ["HMS_RATE_HEAVY is not a limit."]


def test_a_demo_on_the_embedded_database_is_a_warning(settings: Any) -> None:
    settings.HMS_DEMO = True
    if current.EMBEDDED_POSTGRES:
        assert "hms.W001" in found()


def test_debug_is_found_by_djangos_own_check(production: Any) -> None:
    production.DEBUG = True
    assert "security.W018" in {message.id for message in run_checks(include_deployment_checks=True)}
