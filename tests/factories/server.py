"""HMS as people meet it: gunicorn on a port of its own, before a database of its own that some function has filled."""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from psycopg import sql

from core.database.roles import setup_database
from tests.factories.logbook import said_of_patients
from tests.factories.patience import PATIENCE
from tests.factories.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
GUNICORN = str(Path(sys.executable).with_name("gunicorn"))  # as a module it can't take its own place (USR2)
TEMPLATE = "hms_template"
RUN = """
import importlib, json, sys
import django
django.setup()
module, name = sys.argv[1].split(":")
json.dump(getattr(importlib.import_module(module), name)(), sys.stdout, default=str)
"""
URL_NAMES = {
    "hms_app": "DATABASE_URL",
    "hms_owner": "DATABASE_OWNER_URL",
    "hms_platform": "DATABASE_PLATFORM_URL",
    "hms_maintenance": "DATABASE_MAINTENANCE_URL",
}


@dataclass
class Server:
    """A running HMS. `seeded` is what the seeding function returned, as JSON gives it back."""

    url: str
    database: str
    environment: dict[str, str]
    log: Path
    seeded: Any = None
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def connect(self, role: str = "hms_maintenance") -> "psycopg.Connection[Any]":
        """The server's database, as a role. The default one sees every clinic."""
        return psycopg.connect(_url_of(role, self.database))

    def manage(self, *arguments: str) -> str:
        """What a command of manage.py writes to standard output, run beside the server."""
        return _run([sys.executable, "manage.py", *arguments], self.environment)


@contextmanager
def serving(
    name: str,
    *,
    seed: Callable[[], Any] | None = None,
    commands: Sequence[Sequence[str]] = (),
    variables: dict[str, str] | None = None,
    static: bool = True,
    host: str = "127.0.0.1",
) -> Iterator[Server]:
    """Serve HMS from the new database `hms_<name>`, and take both away afterwards.

    `seed` is a function of some module of the tests (it runs in the server's environment, not in ours); `commands` are
    arguments of manage.py, such as `[["seed_demo"]]`, run before it; `variables` are added to the environment; `static`
    collects the static files, which only pages need; `host` is how browsers call it (passkeys need `localhost`). It watches nothing
    unless `variables` say so.
    At the end none of its patients may stand in what the server has written.
    """
    port, database = free_port(), _own(name)
    environment = os.environ | _database_variables(database) | {
        "PORT": str(port),
        "HMS_BIND": "127.0.0.1",
        "HMS_BASE_URL": f"http://{host}:{port}",
        "DJANGO_SETTINGS_MODULE": "hms.settings",
        "HMS_ALERTS": "0",
    }  # fmt: skip
    environment |= variables or {}
    log = Path(tempfile.mkdtemp(prefix="hms-server-")) / "log"
    server = Server(f"http://{host}:{port}", database, environment, log)
    _drop(database)
    try:
        if static:
            collect_static_files(environment)
        prepared(environment)
        for command in commands:
            _run([sys.executable, "manage.py", *command], environment)
        if seed is not None:
            server.seeded = json.loads(_run([sys.executable, "-c", RUN, f"{seed.__module__}:{seed.__name__}"], environment))
        with log.open("wb") as output:
            server.process = subprocess.Popen(
                [GUNICORN, "-c", "hms/gunicorn.conf.py", "hms.asgi:application"],
                cwd=ROOT, env=environment, stdout=output, stderr=output,
            )  # fmt: skip
        _wait_until_up(server)
        yield server
        assert not (found := said_of_patients(server)), found
    finally:
        if server.process is not None:
            server.process.terminate()
            server.process.wait(timeout=40)
        _drop(database)


@contextmanager
def database_of_its_own(name: str) -> Iterator[tuple[dict[str, str], str]]:
    """The environment for processes with the new, migrated database `hms_<name>`, and a superuser's URL of it."""
    database = _own(name)
    environment = os.environ | _database_variables(database) | {"DJANGO_SETTINGS_MODULE": "hms.settings"}
    if settings.EMBEDDED_POSTGRES:
        admin = str(settings.EMBEDDED_POSTGRES.url("postgres", database))
    else:
        admin = urlsplit(settings.HMS_DATABASE_ADMIN_URL)._replace(path=f"/{database}").geturl()
    _drop(database)
    try:
        prepared(environment)
        yield environment, admin
    finally:
        _drop(database)


def prepared(environment: dict[str, str]) -> None:
    """Roles and tables in the database that the environment names. On the tests' own server it is a copy of one made before."""
    database = environment.get("HMS_DATABASE_NAME", "")
    is_ours = all(environment.get(name, "") == os.environ.get(name, "") for name in ("HMS_VAR_DIR", "DATABASE_URL"))
    if not (settings.EMBEDDED_POSTGRES and database and is_ours):
        _migrate(environment)
        return
    with _once_in_a_run("template") as is_due:
        if is_due:
            _drop(TEMPLATE)
            _migrate(os.environ | _database_variables(TEMPLATE) | {"DJANGO_SETTINGS_MODULE": "hms.settings"})
            _as_admin("ALTER DATABASE {} ALLOW_CONNECTIONS false", TEMPLATE)
    _as_admin("CREATE DATABASE {} OWNER hms_owner TEMPLATE {}", database, TEMPLATE)
    setup_database(_admin(), database)


def _migrate(environment: dict[str, str]) -> None:
    for command in (["setup_database"], ["migrate", "-v0"]):
        _run([sys.executable, "manage.py", *command], environment)


def collect_static_files(environment: dict[str, str]) -> None:
    """The folder is one for all workers, and a second collection would pull files from under a server."""
    with _once_in_a_run("static") as is_due:
        if is_due:
            _run([sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"], environment)


@contextmanager
def _once_in_a_run(what: str) -> Iterator[bool]:
    """True for the first process of this run that gets here; the others wait until it is done."""
    mark, run = settings.VAR_DIR / f"{what}-of-run", os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with (settings.VAR_DIR / f"{what}-of-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_due = not mark.exists() or mark.read_text() != run
        yield is_due
        if is_due:
            mark.write_text(run)


def _run(command: Sequence[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def _wait_until_up(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.process is None or server.process.poll() is not None:
            break
        connection = HTTPConnection(server.host, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError(f"The server did not come up:\n{server.log.read_text()[-4000:]}")


def _database_variables(database: str) -> dict[str, str]:
    if settings.EMBEDDED_POSTGRES:
        return {"HMS_DATABASE_NAME": database}
    return {variable: _url_of(role, database) for role, variable in URL_NAMES.items()}


def _url_of(role: str, database: str) -> str:
    if settings.EMBEDDED_POSTGRES:
        return str(settings.EMBEDDED_POSTGRES.url(role, database))
    return urlsplit(settings.DATABASE_ROLE_URLS[role])._replace(path=f"/{database}").geturl()


def _own(name: str) -> str:
    """The database's name: tests of one file may run in several processes at once."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return f"hms_{name}" if name.endswith(worker) else f"hms_{name}_{worker}"


def _drop(database: str) -> None:
    _as_admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


def _as_admin(statement: LiteralString, *names: str) -> None:
    with psycopg.connect(_admin(), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _admin() -> str:
    """A superuser's URL."""
    embedded = settings.EMBEDDED_POSTGRES
    return str(embedded.url("postgres", "postgres") if embedded else settings.HMS_DATABASE_ADMIN_URL)
