"""The whole examination, in the order in which one thing explains the next."""

from collections.abc import Iterator

from core.doctor import around, database, setup
from core.doctor.findings import Examination, Finding, examined

BEFORE: tuple[tuple[str, Examination], ...] = (
    ("settings", setup.settings_checks),
    ("secrets", setup.secrets),
    ("hosts", setup.hosts),
    ("storage", setup.folders),
    ("static files", setup.static_files),
    ("time zones", setup.time_zones),
    ("database", database.reachable),
)
AFTER: tuple[tuple[str, Examination], ...] = (
    ("health", around.looks),
    ("redis", around.redis),
    ("mail", around.mail),
    ("backups", around.backups),
    ("memory", around.memory),
)


def examine() -> Iterator[Finding]:
    """Changes nothing, but for files that are made and removed. Takes seconds; while the database is away, some more."""
    for subject, examination in (*BEFORE, *_of_the_database(), *AFTER):
        yield from examined(subject, examination)


def _of_the_database() -> Iterator[tuple[str, Examination]]:
    found = database.opened()
    if found is None:
        return
    yield from (("database", found.version), ("roles", found.roles), ("time", found.clock), ("connections", found.room))
    yield "web processes", found.web
    if not found.has_tables():
        yield "tables", database.no_tables
    else:
        yield from (("extensions", found.extensions), ("row-level security", found.row_level_security), ("time zones", found.zones))
