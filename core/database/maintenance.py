"""Keeping tables and indexes in shape: statistics where they are old, vacuum where rows died, new indexes for bloated ones."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from core.database.advice import BLOAT_BYTES, bloated, indexes
from core.database.retention import outdated
from core.database.roles import connection_apart

CHANGED_SHARE = 0.1  # of a table's rows, changed since statistics were taken or the table was vacuumed
FEWEST_CHANGED = 1000  # rows; below that autovacuum's work is enough
LOCK_LIMIT = "30s"  # to wait for a table that somebody else holds

TABLES = """
SELECT relname, n_live_tup, n_dead_tup, n_mod_since_analyze, n_ins_since_vacuum,
    last_analyze IS NULL AND last_autoanalyze IS NULL
FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname
"""
MAY_MAINTAIN = """
SELECT bool_and(has_table_privilege(oid, 'MAINTAIN')) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
"""


@dataclass(frozen=True, slots=True)
class Task:
    """One statement, and why it is due."""

    statement: sql.Composed
    words: str
    reason: str


def due(connection: psycopg.Connection[Any], *, bloat_bytes: int = BLOAT_BYTES) -> list[Task]:
    """What should be done now: old rows, tables, indexes. As hms_maintenance, who sees all. Two queries, one more a kept table."""
    tables = [task for row in connection.execute(TABLES).fetchall() if (task := _vacuum(*row) or _analyze(*row)) is not None]
    return [*_old_rows(connection), *tables, *_reindexing(connection, bloat_bytes)]


def due_daily(connection: psycopg.Connection[Any]) -> list[Task]:
    """What can't wait: old rows, and statistics that queries are planned by. A query, and one more a kept table."""
    tables = [task for row in connection.execute(TABLES).fetchall() if (task := _analyze(*row)) is not None]
    return [*_old_rows(connection), *tables]


def due_weekly(connection: psycopg.Connection[Any], *, bloat_bytes: int = BLOAT_BYTES) -> list[Task]:
    """What takes long and keeps disks busy: tables with dead rows, bloated indexes. Two queries."""
    tables = [task for row in connection.execute(TABLES).fetchall() if (task := _vacuum(*row)) is not None]
    return [*tables, *_reindexing(connection, bloat_bytes)]


def _old_rows(connection: psycopg.Connection[Any]) -> list[Task]:
    return [Task(*one) for one in outdated(connection)]


def _many(live: int) -> float:
    return max(CHANGED_SHARE * live, FEWEST_CHANGED)


def _vacuum(table: str, live: int, dead: int, changed: int, inserted: int, never: bool) -> Task | None:
    if dead >= _many(live):
        return _task("VACUUM (ANALYZE) {}", table, f"{dead} dead rows beside {live}")
    if inserted >= _many(live):
        return _task("VACUUM (ANALYZE) {}", table, f"{inserted} new rows of {live}; until then indexes alone can't answer")
    return None


def _analyze(table: str, live: int, dead: int, changed: int, inserted: int, never: bool) -> Task | None:
    if changed >= _many(live) or (never and live):
        return _task("ANALYZE {}", table, "no statistics yet" if never else f"{changed} changes since the last statistics")
    return None


def _reindexing(connection: psycopg.Connection[Any], bloat_bytes: int) -> Iterator[Task]:
    for one in bloated(indexes(connection), bloat_bytes):
        yield _task("REINDEX INDEX CONCURRENTLY {}", one.subject, one.reason)


def _task(template: str, name: str, reason: str) -> Task:
    return Task(sql.SQL(template).format(sql.Identifier(name)), template.format(name), reason)


def working_role(connection: psycopg.Connection[Any]) -> str:
    """Who may do it: hms_maintenance from PostgreSQL 17 on, before that only the owner."""
    if connection.info.server_version >= 170_000:
        (may,) = connection.execute(MAY_MAINTAIN).fetchone() or (False,)
        if may:
            return "hms_maintenance"
    return "hms_owner"


def carry_out(connection: psycopg.Connection[Any], task: Task) -> None:
    """Do it, on a connection in autocommit. Raises psycopg.Error, also when somebody held the table for over 30 s."""
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(LOCK_LIMIT)))
    connection.execute(task.statement)


def carried_out(tasks: list[Task], role: str) -> Iterator[tuple[Task, float, str]]:
    """Do one after another, also after one that fails; each with the seconds it took and, if it failed, what the database said."""
    if not tasks:
        return
    with connection_apart(role) as connection:
        for task in tasks:
            started, trouble = time.perf_counter(), ""
            try:
                carry_out(connection, task)
            except psycopg.Error as error:
                trouble = str(error).strip() or type(error).__name__
            yield task, time.perf_counter() - started, trouble
