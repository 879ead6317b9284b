"""Before a deployment: does this code fit the database, and what would its migrations do to people who work meanwhile?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations import RunPython
from django.db.migrations.operations.base import Operation

from core.database.statements import Effect, effects

ROWS = "SELECT relname, greatest(reltuples, 0)::bigint FROM pg_class WHERE relkind IN ('r', 'p') AND relname = ANY(%s)"
LARGE = 10_000  # rows from which what grows with the table is worth a thought


@dataclass(frozen=True, slots=True)
class Step:
    """One migration that is to come. `in_python` names operations that no SQL tells of."""

    name: str
    is_atomic: bool
    effects: tuple[Effect, ...]
    in_python: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flight:
    """`mismatches`: why this code must not run on this database. `rows` are PostgreSQL's estimates, by table."""

    mismatches: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def risky(self) -> list[Effect]:
        """What running code fails on, and what keeps people waiting in a large table."""
        return [
            one for step in self.steps for one in step.effects if one.breaks or (one.grows and self.rows.get(one.table, 0) >= LARGE)
        ]


def look_ahead(alias: str = "default") -> Flight:
    """Reads the migrations' ledger and their code, and changes nothing. A handful of statements."""
    connection = connections[alias]
    executor = MigrationExecutor(connection)
    mismatches = tuple(_mismatches(executor, connection))
    if mismatches:
        return Flight(mismatches)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    made = set[str]()
    steps = tuple(_step(executor, migration, made) for migration, _ in plan)
    return Flight((), steps, _rows(connection, {one.table for step in steps for one in step.effects}))


def _mismatches(executor: MigrationExecutor, connection: BaseDatabaseWrapper) -> Iterator[str]:
    loader = executor.loader
    known = set(loader.disk_migrations) | {replaced for one in loader.disk_migrations.values() for replaced in one.replaces}
    installed = {config.label for config in apps.get_app_configs()}
    for label, name in sorted(loader.applied_migrations):
        if label in installed and (label, name) not in known:
            yield f"The database has {label}.{name}, which this code does not know: the code is older than the database."
    try:
        loader.check_consistent_history(connection)
    except InconsistentMigrationHistory as error:
        yield str(error)
    for label, names in sorted(loader.detect_conflicts().items()):
        yield f"{label} has two newest migrations: {', '.join(sorted(names))}."


def _step(executor: MigrationExecutor, migration: Migration, made: set[str]) -> Step:
    lines = executor.loader.collect_sql([(migration, False)])
    found = tuple(one for line in lines for one in effects(line, made))
    python = tuple(operation.describe() for operation in _all_operations(migration.operations) if isinstance(operation, RunPython))
    return Step(f"{migration.app_label}.{migration.name}", migration.atomic, found, python)


def _all_operations(operations: Any) -> Iterator[Operation]:
    for operation in operations:
        yield operation
        yield from _all_operations(getattr(operation, "database_operations", ()))


def _rows(connection: BaseDatabaseWrapper, tables: set[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(ROWS, [sorted(tables)])
        return dict(cursor.fetchall())
