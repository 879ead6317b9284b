"""seed_demo in a database of its own: fast, repeatable, and never on other people's data."""

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

NAME = f"hms_demo_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
NOON, LATER, NEXT_DAY = "2026-06-09T12:00:00+00:00", "2026-06-09T13:00:00+00:00", "2026-06-10T16:30:00+00:00"
URLS = {"hms_app": "DATABASE_URL", "hms_owner": "DATABASE_OWNER_URL", "hms_platform": "DATABASE_PLATFORM_URL",
        "hms_maintenance": "DATABASE_MAINTENANCE_URL"}  # fmt: skip

pytestmark = [pytest.mark.xdist_group("seed_demo"), pytest.mark.thorough]


def url(role: str) -> str:
    if settings.EMBEDDED_POSTGRES:
        return str(settings.EMBEDDED_POSTGRES.url(role, NAME))
    return urlunsplit(urlsplit(settings.DATABASE_ROLE_URLS[role])._replace(path="/" + quote(NAME)))


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    own = {"HMS_DATABASE_NAME": NAME} if settings.EMBEDDED_POSTGRES else {name: url(role) for role, name in URLS.items()}
    return subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
        env={**os.environ, **own, "HMS_DEMO": "0", "HMS_PROCESS": "command", **variables},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def seed(now: str, *more: str) -> str:
    done = manage("seed_demo", "--patients", "120", "--now", now, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(statement: str) -> list[tuple[object, ...]]:
    """As the role that sees every clinic."""
    with psycopg.connect(url("hms_platform")) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """An empty database that the demo is made in; what the first run said."""
    for command in ("setup_database", "migrate"):
        made = manage(command)
        assert made.returncode == 0, made.stderr
    yield seed(NOON)
    if settings.EMBEDDED_POSTGRES:
        with psycopg.connect(settings.EMBEDDED_POSTGRES.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(NAME)))


def test_both_clinics_are_there_with_all_they_need(demo: str) -> None:
    assert "riverside: its calendar is new" in demo and "hillcrest: its calendar is new" in demo
    per_clinic = {
        "clinics_location": 3, "clinics_provider": 10, "appointments_service": 12, "patients_patient": 120,
        "clinics_clinicsettings": 1, "core_membership": 13, "patients_patientaccount": 1,
    }  # fmt: skip
    for table, wanted in per_clinic.items():
        assert [count for (count,) in ask(f"SELECT count(*) FROM {table} GROUP BY clinic_id")] == [wanted, wanted], table
    assert ask("SELECT count(*) FROM core_user WHERE email LIKE '%.demo'") == [(2 * 13 + 4,)]
    assert ask("SELECT min(weekday), max(weekday), count(DISTINCT weekday) FROM appointments_schedule") == [(0, 6, 7)]
    (first, last), *_ = ask("SELECT min(local_day)::text, max(local_day)::text FROM appointments_appointment")
    assert first == "2026-05-10" and last == "2026-06-23"


def test_claims_and_history_fit_the_visits(demo: str) -> None:
    wrong = """
        SELECT a.id FROM appointments_appointment a
        LEFT JOIN LATERAL (SELECT count(*) AS n FROM appointments_claim c WHERE c.appointment_id = a.id) c ON true
        LEFT JOIN LATERAL (
            SELECT to_status FROM appointments_appointmentchange h WHERE h.appointment_id = a.id ORDER BY at DESC, id DESC LIMIT 1
        ) h ON true
        WHERE c.n <> CASE WHEN a.status IN ('cancelled', 'no_show') THEN 0 ELSE 3 END OR h.to_status IS DISTINCT FROM a.status
    """
    assert ask(wrong) == []
    assert (
        ask("SELECT id FROM patients_patient p WHERE NOT EXISTS (SELECT 1 FROM patients_patienttoken t WHERE t.patient_id = p.id)")
        == []
    )


def test_a_second_start_keeps_a_fresh_day_and_renews_an_older_one(demo: str) -> None:
    before = ask("SELECT count(*) FROM appointments_appointment WHERE local_day <> '2026-06-09'")
    assert seed("2026-06-09T12:10:00+00:00").count("still fresh") == 2
    assert seed(LATER).count("half over again") == 2
    assert ask("SELECT count(*) FROM appointments_appointment WHERE local_day <> '2026-06-09'") == before
    assert seed(NEXT_DAY).count("its calendar is new") == 2
    done, all_of_it = ask(
        "SELECT count(*) FILTER (WHERE status IN ('completed', 'cancelled', 'no_show')), count(*) "
        "FROM appointments_appointment WHERE local_day = '2026-06-10'"
    )[0]
    assert 0.3 <= int(str(done)) / int(str(all_of_it)) <= 0.7


def test_boards_have_something_to_show_shortly_after_midnight(demo: str) -> None:
    assert "riverside: its calendar is new" in seed("2026-06-10T23:05:00+00:00")  # it is 00:05 in London, and 19:05 in New York
    places = ask("SELECT array_agg(DISTINCT status) FROM appointments_ticket WHERE day = '2026-06-11' GROUP BY location_id")
    assert len(places) == 3
    for (states,) in places:
        assert isinstance(states, list) and {"waiting", "called", "finished"} <= set(states)
    misordered = """
        SELECT id FROM appointments_ticket WHERE called_at < taken_at OR serving_at < called_at OR ended_at < serving_at
           OR greatest(taken_at, called_at, serving_at, ended_at) > '2026-06-10T23:05:00+00:00'
           OR (day = '2026-06-11' AND source = 'walk_in' AND taken_at < '2026-06-10T23:00:00+00:00')
    """
    assert ask(misordered) == []
    assert ask("SELECT at FROM appointments_ticketchange WHERE at > '2026-06-10T23:05:00+00:00'") == []


def test_it_is_never_started_on_other_data(demo: str) -> None:
    with psycopg.connect(url("hms_platform")) as connection:
        connection.execute(
            "INSERT INTO core_clinic "
            "(id, slug, name, time_zone, locale, country, currency, mrn_prefix, state, created_at, updated_at) "
            "VALUES (gen_random_uuid(), 'real', 'Real', 'Europe/London', 'en-gb', 'GB', 'GBP', 'RL', 'active', now(), now())"
        )
    refused = manage("seed_demo")
    assert refused.returncode != 0 and "“real”" in refused.stderr
    unserved = manage("check", HMS_DEMO="1")
    assert unserved.returncode != 0 and "hms.E020" in unserved.stderr
    assert manage("check").returncode == 0
    with psycopg.connect(url("hms_platform")) as connection:
        connection.execute("DELETE FROM core_clinic WHERE slug = 'real'")
        connection.execute("DELETE FROM hms_demostate")
    refused = manage("seed_demo")
    assert refused.returncode != 0 and "did not make" in refused.stderr


def test_nothing_real_is_set_up_in_a_demo(demo: str) -> None:
    with psycopg.connect(url("hms_platform")) as connection:
        connection.execute("INSERT INTO hms_demostate (slug) VALUES ('hms') ON CONFLICT DO NOTHING")
    refused = manage("create_initial_users", "--no-input", "--admin-email", "root@real.example")
    assert refused.returncode != 0 and "demo" in refused.stderr
