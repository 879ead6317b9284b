"""`manage.py setup_database` on a server of one's own: TCP, passwords, and a second run that changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.core.conftest import Make
from tests.factories.ports import free_port

pytestmark = pytest.mark.thorough

PROJECT = Path(__file__).resolve().parent.parent.parent
ROLES = ("hms_app", "hms_owner", "hms_platform", "hms_maintenance")
SECRET = "p@ss:w/rd% 'x'"
QUOTED = "p%40ss%3Aw%2Frd%25%20%27x%27"


@pytest.fixture
def environment(make: Make) -> dict[str, str]:
    """A separate PostgreSQL that listens on TCP and wants passwords, and the environment of an installation that uses it."""
    server = make("server")
    server.ensure_running()
    port = free_port()
    with psycopg.connect(host=str(server.socket_dir), user="postgres", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"ALTER ROLE postgres PASSWORD '{SECRET.replace(chr(39), chr(39) * 2)}'")
    server.stop()
    with (server.places.data / "postgresql.conf").open("a") as configuration:
        configuration.write(f"\nlisten_addresses = '127.0.0.1'\nport = {port}\n")
    (server.places.data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    # On another port it is no longer the embedded server: started and stopped here by hand.
    server._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-t", "60", "-s", "start")
    at = f"127.0.0.1:{port}/clinic"
    urls = {
        "DATABASE_URL": f"postgresql://hms_app:{QUOTED}@{at}",
        "DATABASE_OWNER_URL": f"postgresql://hms_owner:{QUOTED}@{at}",
        "DATABASE_PLATFORM_URL": f"postgresql://hms_platform:{QUOTED}@{at}",
        "DATABASE_MAINTENANCE_URL": f"postgresql://hms_maintenance:{QUOTED}@{at}",
        "HMS_DATABASE_ADMIN_URL": f"postgresql://postgres:{QUOTED}@127.0.0.1:{port}/postgres",
        "SECRET_KEY": "0123456789-sample-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ",
        "HMS_SEARCH_KEY": "sample-sample-sample-sample-sample-sample",
        "HMS_TOKEN_KEYS": "1:sample-sample-sample-sample-sample-sample",
        "HMS_ENCRYPTION_KEYS": "1:c2FtcGxlc2FtcGxlc2FtcGxlc2FtcGxlc2FtcGxlc2E=",
    }
    return {**os.environ, **urls}


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_roles_database_and_tables_on_a_server_of_ones_own(environment: dict[str, str]) -> None:
    first = manage(environment, "setup_database")
    for role in ROLES:
        assert f"Created the role {role}." in first
    with psycopg.connect(environment["HMS_DATABASE_ADMIN_URL"]) as admin:
        before = admin.execute("SELECT rolname, rolpassword FROM pg_authid ORDER BY 1").fetchall()
    assert manage(environment, "setup_database") == "Database ready, roles hms_owner, hms_app, hms_platform, hms_maintenance.\n"
    with psycopg.connect(environment["HMS_DATABASE_ADMIN_URL"]) as admin:
        assert admin.execute("SELECT rolname, rolpassword FROM pg_authid ORDER BY 1").fetchall() == before

    manage(environment, "migrate", "--verbosity", "0")
    assert "no migrations" not in manage(environment, "showmigrations")
    for variable in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_PLATFORM_URL", "DATABASE_MAINTENANCE_URL"):
        with psycopg.connect(environment[variable]) as connection:
            assert connection.execute("SELECT count(*) FROM patients_patient").fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(environment["DATABASE_URL"].replace(QUOTED, "wrong"))

    spoil = "ALTER ROLE hms_app SUPERUSER PASSWORD 'another'"
    with psycopg.connect(environment["HMS_DATABASE_ADMIN_URL"], autocommit=True) as admin:
        admin.execute(spoil)
    repaired = manage(environment, "setup_database")
    assert "Repaired the role hms_app." in repaired
    assert "Set the password of hms_app." in repaired
