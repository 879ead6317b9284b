"""The database, its replica, its schema."""

from importlib import import_module
from pkgutil import iter_modules

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.utils.module_loading import module_has_submodule

from core.database.replica import ALIAS, LAG, PRIMARY, number
from core.health.checks import Unwell
from core.tenancy.context import Scope, unit_of_work

STANDBY = """
SELECT pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn()::text, ''),
    coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)
"""


def database() -> dict[str, float]:
    """Does it answer on the connections that requests use? One statement; none while its breaker is open."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
    return {}


def has_replica() -> bool:
    return ALIAS in settings.DATABASES


def replica() -> dict[str, float]:
    """`lag_seconds`: 0 if it has replayed all that the primary had written a moment ago. Two statements."""
    with connections["default"].cursor() as cursor:
        cursor.execute(PRIMARY)
        written = number(str(cursor.fetchone()[0]))
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(STANDBY)
        standby, replayed, age = cursor.fetchone()
    if not standby:
        raise Unwell("It is no standby (any more): the primary serves.")
    lag = 0.0 if number(replayed) >= written else round(float(age), 1)
    if lag > LAG:
        raise Unwell(f"It is {lag:.0f} s behind: the primary serves.", figures={"lag_seconds": lag})
    return {"lag_seconds": lag}


def migrations() -> dict[str, float]:
    """Have all migrations that the code has been applied? One statement, and the names of files."""
    with unit_of_work(Scope(reason="health")), connections["default"].cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = set(cursor.fetchall())
    missing = sorted(_written() - applied)
    if missing:
        first = ".".join(missing[0])
        raise Unwell(f"{len(missing)} to be applied (manage.py migrate), the first: {first}.", figures={"missing": len(missing)})
    return {"missing": 0}


def _written() -> set[tuple[str, str]]:
    """Label and name of each migration in the code. The migrations are not imported: that would take megabytes."""
    found = set()
    for app in apps.get_app_configs():
        module, _explicit = MigrationLoader.migrations_module(app.label)
        if module and module_has_submodule(app.module, module.rpartition(".")[2]):
            names = (one.name for one in iter_modules(import_module(module).__path__))
            found |= {(app.label, name) for name in names if name[0] not in "_~"}
    return found
