"""An installation of its own: a database, documents, a folder for backups; commands run as operators run them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.apps import apps
from psycopg import sql

from tests.factories.server import ROOT, RUN, database_of_its_own

HASH = "SELECT md5(coalesce(string_agg(r::text, '|' ORDER BY r::text COLLATE \"C\"), '')), count(*) FROM {} r"


@dataclass
class Installation:
    environment: dict[str, str]
    admin: str
    folder: Path

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    @property
    def uploads(self) -> Path:
        return self.folder / "uploads"

    @property
    def database(self) -> str:
        return psycopg.conninfo.conninfo_to_dict(self.admin)["dbname"]  # type: ignore[return-value]

    def manage(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environment | variables, capture_output=True, text=True, check=False)

    def done(self, *arguments: str, **variables: str) -> str:
        """The same, for what must succeed."""
        ended = self.manage(*arguments, **variables)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def refused(self, *arguments: str, **variables: str) -> str:
        """The same, for what must fail with one sentence: no traceback. The last line of it."""
        ended = self.manage(*arguments, **variables)
        assert ended.returncode == 1 and "Traceback" not in ended.stderr, ended.stdout + ended.stderr
        return ended.stderr.strip().splitlines()[-1]

    def started(self, *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "manage.py", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=self.environment | variables, stdout=pipe, stderr=pipe)

    def running(self, function: Callable[[], Any]) -> "subprocess.Popen[str]":
        """A function of the tests, run by a process of its own; its first words have come."""
        command = [sys.executable, "-c", RUN, f"{function.__module__}:{function.__name__}"]
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline()
        return process

    def connect(self, database: str = "") -> "psycopg.Connection[Any]":
        return psycopg.connect(self.admin, dbname=database or self.database, autocommit=True)

    def databases(self) -> list[str]:
        """Those of this installation, scratch ones too."""
        with self.connect("postgres") as connection:
            found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{self.database}%"])
            return sorted(name for (name,) in found)

    def drop(self, database: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def tables(self, database: str = "") -> dict[str, tuple[Any, ...]]:
        """Every model's table: all its rows in one digest, and how many."""
        names = sorted({model._meta.db_table for model in apps.get_models(include_auto_created=True)})
        with self.connect(database) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return {name: connection.execute(sql.SQL(HASH).format(sql.Identifier(name))).fetchone() or () for name in names}

    def documents(self, folder: Path | None = None) -> dict[str, bytes]:
        at = folder or self.uploads
        return {str(path.relative_to(at)): path.read_bytes() for path in at.rglob("*") if path.is_file()}


@contextmanager
def installation(name: str, folder: Path, **variables: str) -> Iterator[Installation]:
    own = {
        "HMS_UPLOADS_DIR": str(folder / "uploads"), "HMS_AUDIT_ANCHORS_DIR": str(folder / "anchors"),
        "HMS_SPOOL_DIR": str(folder / "spool"), "HMS_BACKUP_TARGET": str(folder / "backups"),
    }  # fmt: skip
    with database_of_its_own(name) as (environment, admin):
        yield Installation(environment | own | variables, admin, folder)
