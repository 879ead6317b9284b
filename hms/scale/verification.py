"""Looks at a scale database when it is filled: is all there that was planned, and is nothing switched off?"""

from django.db import connection

from hms.scale.home import LOADED, one
from hms.scale.size import Size

# Each names what is wrong; a whole database has no such row.
FAULTS = {
    "not yet put back": "SELECT statement FROM scale.taken_off",
    "constraint not checked": "SELECT conname FROM pg_constraint WHERE NOT convalidated",
    "index not valid": "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid",
    "trigger disabled": "SELECT tgname FROM pg_trigger WHERE tgenabled = 'D'",
    "row-level security not forced": "SELECT relname FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity",
    "never analysed": "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND reltuples < 0",
}
ABOUT = "SELECT relname, reltuples::bigint FROM pg_class WHERE oid = ANY(%s::regclass[]) ORDER BY relname"


class Incomplete(RuntimeError):
    """The database is not what was planned; the message says in what."""


def verify(size: Size) -> list[str]:
    """What is there, one line each. Raises Incomplete. Runs at home, as the role that sees every clinic."""
    wanted = {
        "core_clinic": size.clinics,
        "clinics_location": size.clinics * size.locations,
        "patients_patient": size.clinics * size.patients,
        "appointments_appointment": size.appointments,
    }
    found = {table: one(f"SELECT count(*) FROM {table}") for table in wanted}
    wrong = [f"{table}: {found[table]} rows, not {count}" for table, count in wanted.items() if found[table] < count]
    with connection.cursor() as cursor:
        for fault, statement in FAULTS.items():
            cursor.execute(statement, [list(LOADED)] if "%s" in statement else [])
            wrong += [f"{fault}: {name}" for (name,) in cursor.fetchall()]
        cursor.execute(ABOUT, [list(LOADED)])
        about = [f"about {rows:,} {table}" for table, rows in cursor.fetchall() if table not in wanted]
        cursor.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
        (occupied,) = cursor.fetchone()
    if wrong:
        raise Incomplete("; ".join(wrong[:10]))
    return [
        ", ".join([f"{count:,} {table}" for table, count in found.items()] + about),
        f"All constraints, indexes, triggers and policies are in place. {occupied} on disk.",
    ]
