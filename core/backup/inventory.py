"""What a database holds, by figures that are the same after a restore: rows, their digests, what protects them."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from core.backup.packing import TableState
from core.uploads.sweeping import stored_columns

# A row's text is the same everywhere only if these are.
AS_TEXT = """
SET LOCAL DateStyle = 'ISO'; SET LOCAL TimeZone = 'UTC'; SET LOCAL IntervalStyle = 'postgres';
SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'
"""
WHOLE = "SET LOCAL row_security = off"  # an error, and not less, for a role that policies show less to
TABLES = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
    (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid),
    (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D')
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname
"""
# The sum doesn't depend on the order of the rows; 64 bits of each row's SHA-256 go into it.
ROWS = """
SELECT count(*), coalesce(sum(('x' || encode(substr(sha256(convert_to(r::text, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint), 0)::text
FROM {} r
"""
SEQUENCES = "SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'public'"
UNVALIDATED = """
SELECT conrelid::regclass || '.' || conname FROM pg_constraint
WHERE NOT convalidated AND connamespace = 'public'::regnamespace
UNION ALL SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1
"""
MIGRATIONS = "SELECT count(*) FROM django_migrations"
KEYS = "SELECT id FROM core_clinickey"


def tables_of(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, TableState]]:
    """Every table, one after another: one query, and one that reads all its rows for each. In a transaction, as hms_maintenance.

    Raises psycopg.errors.InsufficientPrivilege for a role that row-level security would show less to.
    """
    connection.execute(AS_TEXT)
    connection.execute(WHOLE)
    for name, secured, forced, policies, triggers in connection.execute(TABLES).fetchall():
        rows, total = connection.execute(sql.SQL(ROWS).format(sql.Identifier(name))).fetchone() or (0, "0")
        yield name, TableState(rows, total, secured, forced, policies, triggers)


def sequences_of(connection: psycopg.Connection[Any]) -> dict[str, int]:
    return dict(connection.execute(SEQUENCES).fetchall())


def unvalidated_in(connection: psycopg.Connection[Any]) -> list[str]:
    """Constraints that weren't checked for all rows, and indexes that can't be used."""
    return [name for (name,) in connection.execute(UNVALIDATED).fetchall()]


def migrations_in(connection: psycopg.Connection[Any]) -> int:
    (count,) = connection.execute(MIGRATIONS).fetchone() or (0,)
    return int(count)


def keys_in(connection: psycopg.Connection[Any]) -> set[bytes]:
    """The ids of the clinics' keys, as values name them."""
    return {one.bytes for (one,) in connection.execute(KEYS).fetchall()}


def documents_in(connection: psycopg.Connection[Any], clinic_id: UUID | None = None) -> list[tuple[UUID, UUID]]:
    """Clinic and name of each stored file that a row names, of all clinics or one, in order. One query a column."""
    found: set[tuple[UUID, UUID]] = set()
    statement = sql.SQL(
        "SELECT clinic_id, {1} FROM {0} WHERE {1} IS NOT NULL AND (%(clinic)s::uuid IS NULL OR clinic_id = %(clinic)s)"
    )
    for table, column in _columns():
        found.update(connection.execute(statement.format(table, column), {"clinic": clinic_id}).fetchall())
    return sorted(found)


def is_named(connection: psycopg.Connection[Any], clinic_id: UUID, stored: UUID) -> bool:
    """Does a row name the file at this moment? One query a column."""
    named = sql.SQL("SELECT 1 FROM {} WHERE clinic_id = %s AND {} = %s")
    return any(connection.execute(named.format(*one), [clinic_id, stored]).fetchone() for one in _columns())


def _columns() -> Iterator[tuple[sql.Identifier, sql.Identifier]]:
    """Table and column of every field that names a stored file."""
    for model, name in stored_columns():
        field: Any = model._meta.get_field(name)
        yield sql.Identifier(model._meta.db_table), sql.Identifier(field.column)
