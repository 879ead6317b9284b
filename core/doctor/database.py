"""The database as each role sees it: reachable, fit, protected, with room for all processes."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings

from core.database.roles import OLDEST, ROLES, DatabaseNotFit, connection_apart
from core.doctor.findings import Finding, fail, ok, warn

SKEW = 2.0, 30.0  # seconds between this machine's clock and the database's: to be looked at, harmful
OTHERS = 5  # connections that are kept free for people and tools
LISTENING = 2  # connections of a listener: one hears, and as it begins another says something for it to hear
USES = {
    "hms_app": "HMS serves nobody",
    "hms_owner": "nothing can be migrated",
    "hms_platform": "sign-ins across clinics and the administration fail",
    "hms_maintenance": "there are no backups and no upkeep",
}
EXTENSIONS = ("btree_gist",)
ATTRIBUTES = "SELECT rolname, rolsuper, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = ANY(%s)"
UNPROTECTED = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%s)
    AND NOT (relrowsecurity AND relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid))
ORDER BY relname
"""
ROOM = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
"""
HEARD = """
SELECT count(*) FILTER (WHERE application_name = 'hms web'), count(*) FILTER (WHERE application_name = 'hms listener')
FROM pg_stat_activity WHERE datname = current_database()
"""


def reachable() -> Iterator[Finding]:
    """As each role. One connection each."""
    embedded = settings.EMBEDDED_POSTGRES
    if embedded and not embedded.is_running():
        yield fail("database", "The embedded PostgreSQL is not running.", "manage.py db start; its log lies beside its data.")
        return
    for role in ROLES:
        try:
            connection_apart(role).close()
        except DatabaseNotFit:
            yield warn("database", f"There is no URL for {role}: {USES[role]}.", "See .env.example: each role has its own URL.")
        except psycopg.OperationalError as error:
            sentence, remedy = _why(error, role)
            yield fail("database", f"{sentence} ({role}): {USES[role]}.", remedy)
        else:
            yield ok("database", f"{role} can sign in.")


def _why(error: psycopg.OperationalError, role: str) -> tuple[str, str]:
    """From what a failed connection says, which names states only in words; its text may quote the address and stays here."""
    text = str(error)
    if "authentication failed" in text or "no password supplied" in text:
        return "The database refuses the password", f"Correct the URL of {role}, or run manage.py setup_database."
    if "does not exist" in text:
        what = "The role does not exist" if "role " in text else "The database does not exist"
        return what, "manage.py setup_database, then manage.py migrate."
    if "too many" in text or "remaining connection slots" in text:
        return "The database has no connection left", "Raise max_connections, or lower DB_POOL_MAX and WEB_CONCURRENCY."
    if "not permitted to log in" in text:
        return "The role may not sign in", "manage.py setup_database."
    return "The database can't be reached", "Is PostgreSQL running, and do host and port in the URL lead there?"


class Opened:
    """What is seen through one connection as hms_app."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        return self._connection.execute(statement, values or None).fetchall()

    def has_tables(self) -> bool:
        """Has anything been migrated?"""
        return bool(self._rows("SELECT to_regclass('core_clinic') IS NOT NULL")[0][0])

    def version(self) -> Iterator[Finding]:
        major = self._connection.info.server_version // 10_000
        if major < OLDEST:
            yield fail("database", f"This is PostgreSQL {major}; {OLDEST} is the oldest that HMS runs on.", "Upgrade the server.")
        else:
            yield ok("database", f"This is PostgreSQL {major}.")
        if (encoding := self._connection.info.parameter_status("server_encoding")) != "UTF8":
            yield fail("database", f"The database's encoding is {encoding}.", "Make it anew with manage.py setup_database.")

    def roles(self) -> Iterator[Finding]:
        """Rights that would switch protection off."""
        found = {name: rights for name, *rights in self._rows(ATTRIBUTES, list(ROLES))}
        wrong = []
        for role, (create_db, bypass) in ROLES.items():
            rights = found.get(role)
            if rights is not None and rights != [False, create_db, bypass]:
                wrong.append(role)
                sees_all = " It passes row-level security: clinics would see each other's data." if rights[0] or rights[2] else ""
                yield fail("roles", f"{role} has other rights than it should.{sees_all}", "manage.py setup_database repairs it.")
        if not wrong:
            yield ok("roles", "Each role has the rights that it should.")

    def extensions(self) -> Iterator[Finding]:
        there = {name for (name,) in self._rows("SELECT extname FROM pg_extension")}
        if missing := [name for name in EXTENSIONS if name not in there]:
            yield fail("extensions", f"The database lacks {', '.join(missing)}.", "manage.py migrate makes them.")
        else:
            yield ok("extensions", "The extensions that HMS needs are there.")

    def row_level_security(self) -> Iterator[Finding]:
        """Is it in force, for the tables' owner too, on each table of a clinic or a person?"""
        models = [one for one in apps.get_models() if getattr(one, "table_kind", "") in ("clinic", "personal")]
        tables = [one._meta.db_table for one in models]
        if open_ones := [name for (name,) in self._rows(UNPROTECTED, tables)]:
            sentence = f"Row-level security is not in force on {', '.join(open_ones)}: clinics could see each other's rows."
            yield fail("row-level security", sentence, "Somebody switched it off. Stop serving, find out who, and migrate anew.")
        else:
            yield ok("row-level security", f"It is in force on {len(tables)} tables.")

    def clock(self) -> Iterator[Finding]:
        ((there,),) = self._rows("SELECT clock_timestamp()")
        skew = abs((datetime.now(UTC) - there).total_seconds())
        if skew > SKEW[0]:
            level = fail if skew > SKEW[1] else warn
            sentence = f"The clocks of this machine and of the database are {skew:.0f} s apart."
            yield level("time", sentence, "Let both follow a time server (chrony, systemd-timesyncd).")
        else:
            yield ok("time", "The clocks of this machine and of the database agree.")

    def room(self) -> Iterator[Finding]:
        """Does PostgreSQL allow as many connections as all processes may want?"""
        ((allowed, used),) = self._rows(ROOM)
        wanted = settings.HMS_RATE_PROCESSES * (settings.HMS_POOL_MAX * len(settings.DATABASES) + LISTENING)
        if wanted + OTHERS > allowed:
            sentence = f"{settings.HMS_RATE_PROCESSES} web processes may want {wanted} connections; the database allows {allowed}."
            yield warn("connections", sentence, "Raise max_connections, or lower DB_POOL_MAX and WEB_CONCURRENCY.")
        else:
            yield ok("connections", f"{used} connections of {allowed} are open; the web processes may want {wanted}.")

    def web(self) -> Iterator[Finding]:
        """Are web processes at work, and do they hear what is committed?"""
        ((web, listeners),) = self._rows(HEARD)
        if not web:
            yield warn("web processes", "No web process is connected to the database.", "Start the server (docs/deploying.md).")
        elif not listeners:
            sentence = "No process hears what is committed: pages are not live, and caches are trusted no longer than a second."
            yield fail("web processes", sentence, "Start the server anew, and look in its log for the listener.")
        else:
            yield ok("web processes", f"Web processes hold {web} connections, and {listeners} processes hear what is committed.")

    def zones(self) -> Iterator[Finding]:
        """Does Python know the zone of each clinic, and does PostgreSQL?"""
        ours, known = zoneinfo.available_timezones(), {name for (name,) in self._rows("SELECT name FROM pg_timezone_names")}
        zones = {name for (name,) in self._rows("SELECT DISTINCT time_zone FROM core_clinic")}
        if strange := sorted(zones - (ours & known)):
            sentence = f"Clinics have time zones that are not known to both Python and PostgreSQL: {', '.join(strange)}."
            yield fail("time zones", sentence, "Update the system's time zone data, or correct the clinics' settings.")
        else:
            yield ok("time zones", "The time zones of all clinics are known to Python and PostgreSQL.")


def opened() -> Opened | None:
    """None while the database is away, which `reachable` has told."""
    try:
        return Opened(connection_apart("hms_app"))
    except (DatabaseNotFit, psycopg.OperationalError):
        return None


def no_tables() -> Iterator[Finding]:
    yield fail("tables", "The database is empty: it has none of HMS's tables.", "manage.py migrate.")
