"""An installation with a PostgreSQL of its own is broken, one part after the other, and the doctor says so in words."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from core.database.embedded import EmbeddedPostgres
from core.doctor.findings import Verdict, examined, fail, ok, warn, worst
from tests.factories.job_crew import postgres_of_its_own

pytestmark = pytest.mark.thorough


@dataclass
class Installation:
    """`folder` is its HMS_VAR_DIR."""

    folder: Path
    environment: dict[str, str]
    admin: str
    postgres: EmbeddedPostgres

    def doctor(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "manage.py", "doctor", *arguments]
        environment = self.environment | variables
        return subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False)

    def found(self, verdict: str, **variables: str) -> list[str]:
        """The subjects and sentences with this verdict."""
        done = self.doctor("--json", **variables)
        assert done.returncode in (0, 1, 2), done.stderr
        said = json.loads(done.stdout)
        assert all(bool(one["remedy"]) is (one["verdict"] != "ok") for one in said["findings"])
        return [f"{one['subject']}: {one['sentence']}" for one in said["findings"] if one["verdict"] == verdict]

    @contextmanager
    def changed(self, statement: str, back: str) -> Iterator[None]:
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(statement)
            try:
                yield
            finally:
                connection.execute(back)


@pytest.fixture(scope="module")
def installation(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("doctor")
    with postgres_of_its_own(folder) as (environment, _, postgres):
        for name in ("uploads", "anchors", "static", "backups"):
            (folder / name).mkdir()
        (folder / "static" / "staticfiles.json").write_text("{}")
        own = {name: str(folder / name.lower()) for name in ("UPLOADS", "SPOOL")}
        more = {
            "HMS_UPLOADS_DIR": own["UPLOADS"], "HMS_SPOOL_DIR": own["SPOOL"], "HMS_AUDIT_ANCHORS_DIR": str(folder / "anchors"),
            "HMS_STATIC_DIR": str(folder / "static"), "HMS_DEMO": "1", "DEBUG": "0",
        }  # fmt: skip
        yield Installation(folder, environment | more, postgres.url("postgres", "hms"), postgres)


def one_of(sentences: list[str], *parts: str) -> str:
    """The one that has all these parts."""
    found = [one for one in sentences if all(part in one for part in parts)]
    assert len(found) == 1, sentences
    return found[0]


def test_what_is_well_is_said_to_be_well(installation: Installation) -> None:
    well = installation.found("ok")
    for role in ("hms_app", "hms_owner", "hms_platform", "hms_maintenance"):
        one_of(well, f"{role} can sign in.")
    one_of(well, "roles: Each role")
    one_of(well, "row-level security: It is in force on")
    one_of(well, "extensions:")
    one_of(well, "time: The clocks")
    one_of(well, "connections:")
    one_of(well, "static files:")
    one_of(well, "time zones: The time zones of all clinics")
    assert not any("migrations" in one or "database" in one or "storage" in one for one in installation.found("fail"))


def test_a_server_that_has_stopped_is_said_and_the_rest_examined(installation: Installation) -> None:
    installation.postgres.stop()
    try:
        done = installation.doctor()
        assert done.returncode == 2, done.stderr
        assert "FAIL  database: The embedded PostgreSQL is not running.\n      manage.py db start" in done.stdout
        assert "WARN  migrations: This can't be seen while the database is away." in done.stdout
        assert "WARN  mail: There is no mail server" in done.stdout
        assert not installation.postgres.is_running(), "looking has started it"
    finally:
        installation.postgres.ensure_running()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://hms_app:secret-word@127.0.0.1:1/hms", "The database can't be reached (hms_app): HMS serves nobody."),
        ("postgresql://hms_app@{place}/nowhere", "The database does not exist (hms_app)"),
    ],
)
def test_an_address_that_leads_nowhere(installation: Installation, url: str, sentence: str) -> None:
    place = str(installation.postgres.socket_dir).replace("/", "%2F")
    done = installation.doctor(DATABASE_URL=url.format(place=place))
    assert done.returncode == 2, done.stderr
    assert sentence in done.stdout
    assert "There is no URL for hms_maintenance: there are no backups and no upkeep." in done.stdout
    assert "secret-word" not in done.stdout + done.stderr


def test_a_role_that_sees_too_much(installation: Installation) -> None:
    with installation.changed("ALTER ROLE hms_app BYPASSRLS", "ALTER ROLE hms_app NOBYPASSRLS"):
        one_of(installation.found("fail"), "roles: hms_app has other rights", "clinics would see each other's data")


def test_a_role_that_may_not_sign_in(installation: Installation) -> None:
    with installation.changed("ALTER ROLE hms_maintenance NOLOGIN", "ALTER ROLE hms_maintenance LOGIN"):
        one_of(installation.found("fail"), "The role may not sign in (hms_maintenance): there are no backups")


def test_row_level_security_that_was_switched_off(installation: Installation) -> None:
    table = "ALTER TABLE patients_patient"
    with installation.changed(f"{table} NO FORCE ROW LEVEL SECURITY", f"{table} FORCE ROW LEVEL SECURITY"):
        one_of(installation.found("fail"), "row-level security: ", "not in force on patients_patient:")


def test_a_migration_that_is_missing(installation: Installation) -> None:
    gone = "DELETE FROM django_migrations WHERE app = 'core' AND name = '0023_backups'"
    back = "INSERT INTO django_migrations (app, name, applied) VALUES ('core', '0023_backups', now())"
    with installation.changed(gone, back):
        one_of(installation.found("fail"), "migrations: 1 to be applied (manage.py migrate), the first: core.0023_backups.")


def test_a_clinic_in_a_zone_that_nobody_knows(installation: Installation) -> None:
    with psycopg.connect(installation.admin, autocommit=True) as connection:
        columns = connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'core_clinic' AND is_nullable = 'NO'"
        ).fetchall()
        values: dict[str, Any] = {name: _some(kind) for name, kind in columns} | {
            "time_zone": "Atlantis/Capital",
            "state": "active",
        }
        names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        connection.execute(f"INSERT INTO core_clinic ({names}) VALUES ({marks})", list(values.values()))
        try:
            one_of(installation.found("fail"), "time zones: Clinics have time zones", "Atlantis/Capital")
        finally:
            connection.execute("DELETE FROM core_clinic")


def _some(kind: str) -> Any:
    known = {
        "uuid": "01a223e9-2c23-71ea-994c-087c667acaf4",
        "timestamp with time zone": "2026-01-01",
        "ARRAY": [],
        "boolean": False,
    }
    return known.get(kind, 1 if kind in ("integer", "smallint", "bigint") else "XX")


def test_folders_that_are_missing_or_in_the_way(installation: Installation) -> None:
    gone, file = installation.folder / "gone", installation.folder / "file"
    file.write_text("")
    one_of(installation.found("warn", HMS_UPLOADS_DIR=str(gone)), "storage: The folder for documents", f"does not exist: {gone}.")
    one_of(installation.found("fail", HMS_UPLOADS_DIR=str(file)), "storage: The folder for documents", "(Not a directory)")
    one_of(installation.found("fail", HMS_STATIC_DIR=str(gone)), "static files: Styles and scripts have not been collected")


def test_a_secret_that_others_may_read(installation: Installation) -> None:
    secrets = installation.folder / "secrets.json"
    secrets.chmod(0o644)
    try:
        one_of(installation.found("warn"), "secrets: Others on this machine may read", str(secrets))
    finally:
        secrets.chmod(0o600)
    one_of(installation.found("ok"), "secrets:")


def test_settings_are_judged_by_the_same_checks_as_everywhere(installation: Installation) -> None:
    found = installation.found("fail", HMS_RATE_USER="many", HMS_LOG_FORMAT="xml", HMS_FAULT_DAYS="0")
    for number in ("hms.E040", "hms.E085", "hms.E086"):
        one_of(found, "settings: ", f"({number})")


def test_hosts(installation: Installation) -> None:
    found = installation.found("fail", ALLOWED_HOSTS="other.example", HMS_BASE_URL="http://127.0.0.1:8000")
    one_of(found, "hosts: ALLOWED_HOSTS does not name 127.0.0.1: every request is refused.")
    one_of(installation.found("warn", HMS_BASE_URL="http://no-such-name.invalid"), "hosts: This machine does not know the name")


def test_the_mail_server_is_only_connected_to(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        one_of(installation.found("ok", EMAIL_HOST="127.0.0.1", EMAIL_PORT=port), "mail: ", "can be reached")
    one_of(installation.found("fail", EMAIL_HOST="127.0.0.1", EMAIL_PORT=port), "mail: ", "can't be reached (Connection refused)")


def test_redis_that_is_away(installation: Installation) -> None:
    found = installation.found("fail", REDIS_URL="redis://127.0.0.1:1/0", REDIS_ENABLED="true")
    one_of(found, "broker: ")


def test_more_connections_than_there_are(installation: Installation) -> None:
    found = one_of(installation.found("warn", DB_POOL_MAX="500", WEB_CONCURRENCY="3"), "connections: 3 ", "the database allows")
    wanted = re.search(r"may want (\d+)", found)
    assert wanted and int(wanted[1]) % 500 == 3 * 2, "each process has a listener, and a second connection while it begins to hear"


def test_backups(installation: Installation) -> None:
    one_of(installation.found("warn"), "backups: HMS makes no backups.")
    target = str(installation.folder / "backups")
    found = installation.found("warn", HMS_BACKUP_TARGET=target)
    one_of(found, "backups: Backups lie on the same disk")
    one_of(found, "backups: Backups are locked with HMS_ENCRYPTION_KEYS")
    one_of(installation.found("fail", HMS_BACKUP_TARGET=target), "backup: There is no backup.")


# --- Findings ----------------------------------------------------------------------------------------------------------------
def test_the_worst_counts() -> None:
    assert worst([]) == Verdict.OK
    assert worst([ok("a", "b"), warn("a", "b", "c")]) == Verdict.WARN
    assert worst([fail("a", "b", "c"), warn("a", "b", "c")]) == Verdict.FAIL


def test_an_examination_that_breaks_is_told_without_what_it_said() -> None:
    def breaks() -> Iterator[Any]:
        yield ok("a", "b")
        raise ValueError("secret-word")

    first, second = examined("a", breaks)
    assert first.verdict == Verdict.OK
    assert second == fail("a", "This could not be examined (ValueError).", "Look at what else is wrong first.")
