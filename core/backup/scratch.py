"""Databases that are made for a restore: as hms_owner, under a name of their own until what is in them was found right."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql

from core.backup.errors import BackupTrouble
from core.database.roles import ROLES, DatabaseNotFit, credentials_of
from core.tenancy.ids import new_id

OWNER = "hms_owner"
HOME = "postgres"  # a database that every server has, and that nobody renames
STAMP = "%Y%m%d%H%M%S"
LONGEST = 63  # bytes of a name in PostgreSQL
LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 47))"
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = current_user"
KNOWN = "SELECT datname FROM pg_database WHERE datname LIKE %s ORDER BY 1"
MADE = r"_(restoring|drill)_\d{14}_[0-9a-f]{6}"


def connected(role: str, database: str) -> psycopg.Connection[Any]:
    """A connection in autocommit; the caller closes it. Raises DatabaseNotFit, psycopg.OperationalError."""
    if not settings.DATABASE_ROLE_URLS.get(role):
        raise DatabaseNotFit(f"The URL of {role} is not set (see .env.example).")
    known = credentials_of(role)
    return psycopg.connect(
        host=known["HOST"] or None, port=known["PORT"] or None, user=known["USER"], password=known["PASSWORD"] or None,
        dbname=database, autocommit=True, connect_timeout=5,
    )  # fmt: skip


def own_name() -> str:
    """The database that this installation serves."""
    return str(connections["default"].settings_dict["NAME"])


@contextmanager
def scratch_database(purpose: str) -> Iterator[str]:
    """An empty database; gone after the block unless it was renamed. What killed processes have left goes first.

    `purpose`: restoring, drill. Its lock says that somebody is at work in it: it ends with the process.
    """
    name = f"{own_name()[: LONGEST - 35]}_{purpose}_{datetime.now(UTC):{STAMP}}_{new_id().hex[-6:]}"
    with connected(OWNER, HOME) as home:
        sweep(home)
        home.execute(LOCK, [name])
        create(home, name)
        try:
            yield name
        finally:
            drop(home, name)


def sweep(home: psycopg.Connection[Any]) -> list[str]:
    """Drop scratch databases that nobody is at work in; their names."""
    own = own_name()[: LONGEST - 35]
    found = [name for (name,) in home.execute(KNOWN, [own.replace("_", r"\_") + "%"]).fetchall()]
    left = [name for name in found if re.fullmatch(re.escape(own) + MADE, name)]
    gone = []
    for name in left:
        (free,) = home.execute(LOCK, [name]).fetchone() or (False,)
        if free:
            with suppress(psycopg.errors.ObjectInUse):  # what a killed process has begun may still be ending: the next sweep's
                drop(home, name)
                gone.append(name)
    return gone


def create(home: psycopg.Connection[Any], name: str) -> None:
    """Raises BackupTrouble when there is one of that name."""
    database = sql.Identifier(name)
    try:
        home.execute(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(database))
    except psycopg.errors.DuplicateDatabase as error:
        raise BackupTrouble(f"There is a database {name} already.") from error
    home.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for role in ROLES:
        home.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(role)))


def drop(home: psycopg.Connection[Any], name: str) -> None:
    """None of that name is no error. Ends the owner's own connections to it; PostgreSQL itself ends a vacuum there, which
    FORCE would need a superuser for. Raises psycopg.errors.ObjectInUse while somebody else is connected, after 5 s.
    """
    home.execute(TERMINATE, [name])
    home.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def rename(home: psycopg.Connection[Any], name: str, to: str) -> None:
    """Raises BackupTrouble while somebody is connected to it."""
    try:
        home.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(to)))
    except psycopg.errors.ObjectInUse as error:
        raise BackupTrouble(f"Somebody is connected to the database {name}: stop HMS and its workers first.") from error


def state_of(home: psycopg.Connection[Any], name: str) -> str:
    """`absent`, `empty` (no tables), `unused` (no clinic and no account) or `used`."""
    if not home.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        return "absent"
    with connected(OWNER, name) as connection:
        (tables,) = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() or (0,)
        if not tables:
            return "empty"
        try:
            held = connection.execute("SELECT EXISTS (SELECT FROM core_clinic) OR EXISTS (SELECT FROM core_user)").fetchone()
        except psycopg.errors.UndefinedTable:
            return "used"  # somebody else's tables
    return "used" if held is None or held[0] else "unused"
