"""`manage.py preflight` before a database that is older than the code, as new as it, and newer."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from core.database.preflight import look_ahead
from tests.factories.server import ROOT, database_of_its_own


@pytest.fixture(scope="module")
def migrated(django_db_setup: None) -> Iterator[tuple[dict[str, str], str]]:
    with database_of_its_own("preflight") as made:
        yield made


def preflight(environment: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "preflight", *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def forget(admin: str, *names: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        for name in names:
            connection.execute("DELETE FROM django_migrations WHERE app = 'appointments' AND name = %s", [name])


def remember(admin: str, *names: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        for name in names:
            connection.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('appointments', %s, now())", [name])


def test_nothing_to_do(migrated: tuple[dict[str, str], str]) -> None:
    done = preflight(migrated[0], "--strict")
    assert (done.returncode, done.stdout) == (0, "Nothing is to be migrated.\n")


def test_code_that_is_older_than_the_database_is_refused(migrated: tuple[dict[str, str], str]) -> None:
    remember(migrated[1], "9999_of_tomorrow")
    done = preflight(migrated[0])
    forget(migrated[1], "9999_of_tomorrow")
    assert done.returncode == 1
    assert "appointments.9999_of_tomorrow" in done.stderr and "older than the database" in done.stderr


def test_a_ledger_with_a_hole_is_refused(migrated: tuple[dict[str, str], str]) -> None:
    forget(migrated[1], "0003_claims_by_resource")
    done = preflight(migrated[0])
    remember(migrated[1], "0003_claims_by_resource")
    assert done.returncode == 1
    assert "0003_claims_by_resource" in done.stderr


def test_what_is_to_come_is_told_with_its_locks_and_rows(migrated: tuple[dict[str, str], str]) -> None:
    late = ["0006_reminders", "0007_queue", "0008_live"]
    with psycopg.connect(migrated[1], autocommit=True) as connection:
        names = [
            row[0] for row in connection.execute("SELECT name FROM django_migrations WHERE app = 'appointments' ORDER BY name")
        ]
        late = [name for name in names if name >= "0006"]
        connection.execute("UPDATE pg_class SET reltuples = 4000000 WHERE relname LIKE 'appointments_%'")
    forget(migrated[1], *late)
    told, strict = preflight(migrated[0]), preflight(migrated[0], "--strict")
    remember(migrated[1], *late)
    assert told.returncode == 0, told.stderr
    assert "appointments.0007_queue" in told.stdout
    assert "ACCESS EXCLUSIVE" in told.stdout
    assert ("need a thought" in told.stdout) and (strict.returncode == 1) == (" 0 statements" not in told.stdout)


def test_it_changes_nothing(db: Any, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(6) as asked:
        flight = look_ahead()
    assert flight.mismatches == () and flight.steps == ()
    assert all(one["sql"].lstrip().upper().startswith(("SELECT", "SAVEPOINT", "RELEASE")) for one in asked)
