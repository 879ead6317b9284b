"""What PostgreSQL's catalogue says about HMS's tables, and rows for any of them, made up from their columns' types."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.models import Model
from psycopg import sql

APPS = ("core", "clinics", "patients", "appointments", "hms")

SAMPLES = {
    "bool": False,
    "int2": 1,
    "int4": 1,
    "int8": 1,
    "numeric": 1,
    "float8": 1,
    "date": "2030-01-01",
    "time": "09:00",
    "timestamptz": "2030-01-01T09:00:00Z",
    "bytea": b"",
    "jsonb": "{}",
    "tstzrange": "empty",
    "daterange": "empty",
}


def models_of_kind(*kinds: str) -> list[type[Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if getattr(model, "table_kind", None) in kinds]


def tables_of_kind(*kinds: str) -> list[str]:
    return sorted(model._meta.db_table for model in models_of_kind(*kinds))


def rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Ask the catalogue, as the application's role."""
    with connections["default"].cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


@contextmanager
def connected(role: str) -> Iterator[psycopg.Connection[Any]]:
    """A plain connection to the test database, like psql's; whatever is done in it is rolled back."""
    own = connections["default"].settings_dict
    url = settings.HMS_DATABASE_ADMIN_URL if role == "postgres" else settings.DATABASE_ROLE_URLS[role]
    if settings.EMBEDDED_POSTGRES:
        url = f"user={role} host='{own['HOST']}'"
    with psycopg.connect(url, dbname=own["NAME"]) as connection:
        yield connection
        connection.rollback()


def enter(connection: psycopg.Connection[Any], clinic_id: UUID | None) -> None:
    """What a request tells the database."""
    connection.execute("SELECT set_config('hms.clinic_id', %s, true)", [str(clinic_id or "")])


@contextmanager
def any_rows() -> Iterator[psycopg.Connection[Any]]:
    """A superuser's transaction in which `add_row` can fill any table; `as_app` then goes on as hms_app. Rolled back."""
    with connected("postgres") as connection:
        connection.execute("SET LOCAL session_replication_role = replica")  # references to rows that aren't there
        yield connection


def as_app(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET LOCAL session_replication_role = origin")
    connection.execute("SET LOCAL ROLE hms_app")


def add_row(connection: psycopg.Connection[Any], table: str, **given: Any) -> None:
    """Insert a row with the given values and something of the right type in every other column that needs one."""
    values = {name: _sample(kind, length) for name, kind, length in _needed(connection, table)} | given
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join([sql.Placeholder()] * len(values)),
        ),
        list(values.values()),
    )


def drop_checks(connection: psycopg.Connection[Any], table: str) -> None:
    """Made-up rows needn't make sense."""
    found = connection.execute("SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass", [table])
    for (name,) in found.fetchall():
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(table), sql.Identifier(name)))


def _needed(connection: psycopg.Connection[Any], table: str) -> list[tuple[str, str, int]]:
    return connection.execute(
        "SELECT a.attname, t.typname, a.atttypmod - 4 FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped "
        "AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''",
        [table],
    ).fetchall()


def _sample(kind: str, length: int) -> Any:
    if kind == "uuid":
        return uuid4()
    if kind in ("text", "varchar"):
        return uuid4().hex[: length if length > 0 else None]
    if kind.startswith("_"):
        return "{}"
    return SAMPLES[kind]
