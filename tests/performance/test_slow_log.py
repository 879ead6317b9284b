"""A slow statement is written once, with route, line and plan, and without anything a patient said."""

import logging
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from clinics.models import Provider
from core.database import slow
from core.database.detector import Detector, statistics
from core.database.fingerprint import fingerprint
from core.database.slow import SlowLog
from patients.models import Patient
from tests.factories.world import Place

SECRET = "Zaphodovic"
SLEEPING = "SELECT pg_sleep(0.05) FROM patients_patient WHERE family_name = %s OR phone > '+4477' LIMIT 1"


@pytest.fixture(autouse=True)
def own_log(monkeypatch: pytest.MonkeyPatch, settings: Any) -> SlowLog:
    settings.HMS_SLOW_QUERY_MS, settings.HMS_SLOW_QUERY_SAMPLE = 20, 1.0
    fresh = SlowLog()
    monkeypatch.setattr("core.database.detector.slow_log", fresh)
    return fresh


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == slow.__name__]


def run(sql: str, params: Any = None, label: str = "GET /somewhere") -> None:
    with Detector(lambda: label).on(connection), connection.cursor() as cursor:
        cursor.execute(sql, params)


def slowly(request: HttpRequest, name: str) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05), %s", [name])
    return HttpResponse("done")


urlpatterns = [path("slow/<str:name>/", slowly)]


def test_a_request_says_its_route_and_line(caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        assert Client().get(f"/slow/{SECRET}/").status_code == 200
    (line,) = lines(caplog)
    assert "GET /slow/<str:name>/ from tests/performance/test_slow_log.py:" in line
    assert "SELECT pg_sleep(%s), %s; plan: Result" in line and SECRET not in line


def test_the_plan_is_there_and_no_value(in_riverside: Place, caplog: pytest.LogCaptureFixture) -> None:
    run(SLEEPING, [SECRET])
    (line,) = lines(caplog)
    assert "patients_patient" in line and "family_name" in line and "clinic_id" in line  # the policy is part of the plan
    assert SECRET not in line and "4477" not in line and str(in_riverside.clinic.pk) not in line


def test_a_slow_write_is_explained_and_done_once(in_riverside: Place, caplog: pytest.LogCaptureFixture) -> None:
    run("UPDATE clinics_provider SET name = name || '!', version = version + (SELECT 1 FROM pg_sleep(0.05))")
    (line,) = lines(caplog)
    assert "ModifyTable on clinics_provider" in line
    assert [provider.name.count("!") for provider in Provider.objects.all()] == [1, 1, 1]


def test_the_transaction_goes_on_afterwards(in_riverside: Place, caplog: pytest.LogCaptureFixture) -> None:
    with transaction.atomic():
        run(SLEEPING, [SECRET])
        assert Patient.objects.count() == len(in_riverside.patients)
    assert len(lines(caplog)) == 1


def test_what_did_not_end_is_written_without_a_plan_and_its_error_kept(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(OperationalError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '60ms'")
        run("SELECT pg_sleep(5)")
    (line,) = lines(caplog)
    assert line.endswith("plan: it did not end")


def test_a_plan_that_is_not_to_be_had_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with transaction.atomic():
        run("WITH gone AS (SELECT pg_sleep(0.05)) SELECT * FROM gone")
        SlowLog().note(connection, "SELECT no_such_column", None, fingerprint("SELECT no_such_column"), 30, "here", ran=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    assert lines(caplog)[-1].endswith("plan: not to be had (UndefinedColumn)")


def test_quick_statements_cost_nothing(own_log: SlowLog, caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.HMS_SLOW_QUERY_MS = 10_000
    run(SLEEPING, [SECRET])
    settings.HMS_SLOW_QUERY_MS = 0  # off
    run(SLEEPING, [SECRET])
    assert lines(caplog) == [] and own_log.snapshot() == {"slow": 0, "unwritten": 0}


def test_a_share_is_written(own_log: SlowLog, caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.HMS_SLOW_QUERY_SAMPLE = 0.0
    run("SELECT pg_sleep(0.03)")
    assert lines(caplog) == [] and own_log.snapshot() == {"slow": 1, "unwritten": 1}


def test_not_more_than_one_of_each_and_ten_in_all_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    now = [0.0]
    own = SlowLog(clock=lambda: now[0])

    def happened(sql: str) -> int:
        before = len(lines(caplog))
        own.note(connection, sql, None, fingerprint(sql), 500, "here", ran=False)
        return len(lines(caplog)) - before

    assert [happened("SELECT 1 FROM a") for _ in range(3)] == [1, 0, 0]
    assert [happened(f"SELECT 1 FROM t{n}_x") for n in range(12)] == [1] * 9 + [0] * 3
    now[0] = 61
    assert happened("SELECT 1 FROM a") == 1
    assert own.snapshot() == {"slow": 16, "unwritten": 5}


def test_metrics_know_of_slow_statements() -> None:
    run("SELECT pg_sleep(0.03)")
    assert statistics.snapshot()["slow"] == 1
