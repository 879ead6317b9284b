"""Takes indexes, constraints and triggers off the large tables while they are loaded, and puts the very same ones back.

What was taken off is written down in the database in the same transaction: a run that was killed is continued by the next
one. All of it is done by the tables' owner; no superuser is needed.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.db import connection, transaction

from hms.scale.home import LOADED, one

KEYS, REFERENCES = ["p", "u", "x"], ["f"]
CONSTRAINTS = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = ANY(%s) AND (conrelid = ANY(%s::regclass[]) OR confrelid = ANY(%s::regclass[]))
ORDER BY array_position(ARRAY['p', 'u', 'x', 'f'], contype::text), 1, 2
"""
INDEXES = """
SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY(%s::regclass[]) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype <> 'f')
ORDER BY 1, 2
"""
FORCED = "SELECT oid::regclass::text FROM pg_class WHERE relforcerowsecurity"
MEMORY = "SET LOCAL maintenance_work_mem = '1GB'; SET LOCAL synchronous_commit = off"
LEFT = "SELECT position, step, table_name, statement FROM scale.taken_off ORDER BY position"
CONNECTIONS = 2
WORTH_SAYING = 1.0  # seconds
type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement that puts something back. The steps: `build` keys and indexes, `check` references, `switch` on the rest."""

    position: int
    step: str
    table: str
    statement: str


def take_off() -> None:
    """Drop what slows loading down; nothing when a run before this one did. Runs as the owner."""
    if one("SELECT EXISTS (SELECT FROM scale.taken_off)"):
        return
    with transaction.atomic(), connection.cursor() as cursor:
        keys, references = _constraints(KEYS), _constraints(REFERENCES)
        cursor.execute(INDEXES, [list(LOADED)])
        indexes = cursor.fetchall()
        cursor.execute(FORCED)
        forced = [table for (table,) in cursor.fetchall()]
        back = [("build", table, f"ALTER TABLE {table} ADD CONSTRAINT {name} {how}") for table, name, how in keys]
        back += [("build", table, statement) for table, _, statement in indexes]
        back += [("check", table, f"ALTER TABLE {table} ADD CONSTRAINT {name} {how}") for table, name, how in references]
        back += [("switch", table, f"ALTER TABLE {table} ENABLE TRIGGER USER") for table in LOADED]
        back += [("switch", table, f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY") for table in forced]
        cursor.executemany("INSERT INTO scale.taken_off (step, table_name, statement) VALUES (%s, %s, %s)", back)
        for table, name, _ in [*references, *keys]:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        for _, name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        for table in LOADED:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for table in forced:
            # Under FORCE the owner sees no rows: a reference would be put back without being checked against any.
            cursor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")


def put_back(say: Say) -> None:
    """Make again what was taken off; each constraint is checked by PostgreSQL against all rows. Runs as the owner.

    Keys and indexes of different tables are made side by side, on two connections. The overlap check of the claims, which
    looks up every row in the index that it has just made, takes longest by far; so it begins first.
    """
    with connection.cursor() as cursor:
        cursor.execute(LEFT)
        left = [Piece(*row) for row in cursor.fetchall()]
    builds = [[piece for piece in left if piece.step == "build" and piece.table == table] for table in reversed(LOADED)]
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as pool:
        for _ in pool.map(lambda pieces: _make_apart(pieces, say), builds):
            pass
    _make([piece for piece in left if piece.step != "build"], say)


def _make_apart(pieces: Sequence["Piece"], say: Say) -> None:
    """On a thread's own connection."""
    try:
        _make(pieces, say)
    finally:
        connection.close()


def _make(pieces: Sequence["Piece"], say: Say) -> None:
    for piece in pieces:
        started = time.monotonic()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(MEMORY)
            cursor.execute(piece.statement)
            cursor.execute("DELETE FROM scale.taken_off WHERE position = %s", [piece.position])
        if (took := time.monotonic() - started) > WORTH_SAYING:
            say(f"{piece.statement.split(' (')[0]}: {took:.1f} s")


def _constraints(kinds: list[str]) -> list[tuple[str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(CONSTRAINTS, [kinds, list(LOADED), list(LOADED)])
        return list(cursor.fetchall())
