"""The database that holds a scale installation: how it is made, recognised, continued and taken away.

What seeding has to remember stands in a schema `scale` of that database alone; an ordinary database has none of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from typing import Any
from uuid import UUID

import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from core.database.roles import admin_url, connected_as, in_database, own_database, setup_database
from hms.scale.size import Size

LOADED = (
    "patients_patient", "patients_patienttoken", "patients_consent",
    "appointments_appointment", "appointments_appointmentchange", "appointments_claim",
)  # fmt: skip
# UUIDv7 of a past moment, also before PostgreSQL 18. The staging tables are emptied for each clinic.
SCHEMA = """
CREATE SCHEMA scale;
CREATE TABLE scale.plan (clinics int, locations int, patients int, appointments int);
CREATE TABLE scale.clinic (number int PRIMARY KEY, clinic_id uuid NOT NULL, seconds float NOT NULL);
CREATE TABLE scale.taken_off (position serial PRIMARY KEY, step text NOT NULL, table_name text NOT NULL, statement text NOT NULL);
CREATE TABLE scale.person (
    country text, number int, sex text, given_name text, middle_name text, family_name text, preferred_name text,
    family_norm text, given_norm text, language text, needs_interpreter boolean, mailbox text, relative text,
    PRIMARY KEY (country, number));
CREATE TABLE scale.address (
    country text, number int, street text, city text, region text, postal_code text, PRIMARY KEY (country, number));
CREATE UNLOGGED TABLE scale.patient (LIKE patients_patient, number int);
CREATE UNLOGGED TABLE scale.piece (field text, value text, tokens bigint[]);
CREATE UNLOGGED TABLE scale.visit (
    LIKE appointments_appointment, taken_until timestamptz, asked boolean, confirmed_at timestamptz, ended_at timestamptz,
    reason text);
CREATE FUNCTION scale.uuid7(moment timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM moment) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;
GRANT USAGE ON SCHEMA scale TO hms_maintenance;
GRANT ALL ON ALL TABLES IN SCHEMA scale TO hms_maintenance;
GRANT ALL ON ALL SEQUENCES IN SCHEMA scale TO hms_maintenance;
"""
MIGRATED_BY_OTHERS = "SELECT WHERE to_regnamespace('scale') IS NULL AND to_regclass('core_clinic') IS NOT NULL"


class OtherData(RuntimeError):
    """The database is not a scale database, or one of another size; the message says so."""


@contextmanager
def at_home(database: str, role: str = "hms_maintenance") -> Iterator[None]:
    """Within the block the ORM works in the scale database, by default as the role that passes row-level security."""
    with in_database(database), connected_as(role):
        yield


def make_home(database: str, size: Size) -> None:
    """The database with roles, tables and the seeding's own schema; nothing is done twice. Raises OtherData."""
    if database == own_database():
        raise OtherData(f"“{database}” is this installation's own database: choose another name.")
    url = admin_url()
    if not url:
        raise OtherData("Set HMS_DATABASE_ADMIN_URL: somebody has to create the database.")
    if what := what_is_in_the_way(url, database):
        raise OtherData(f"{what} {database} is left as it is.")
    setup_database(url, database)
    with at_home(database, "hms_owner"):
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regnamespace('scale') IS NOT NULL")
            if not cursor.fetchone()[0]:
                cursor.execute(SCHEMA)
                cursor.execute("INSERT INTO scale.plan VALUES (%s, %s, %s, %s)", astuple(size))
    if (planned := size_of(database)) != size:
        raise OtherData(f"{database} was begun as {planned}. Continue with that size, or remove it first (--remove).")


def what_is_in_the_way(url: str, database: str) -> str:
    """A sentence when the database holds something that seeding didn't make; "" when it is not there, empty or ours.

    `url` is a superuser's. Nothing is changed: not even who may connect.
    """
    with psycopg.connect(url) as admin:
        if admin.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
            return ""
    with psycopg.connect(url, dbname=database) as admin:
        if admin.execute(MIGRATED_BY_OTHERS).fetchone() is None:
            return ""
        held = admin.execute("SELECT FROM core_clinic UNION ALL SELECT FROM core_user LIMIT 1").fetchone()
    return "It holds clinics or accounts that this command did not make." if held is not None else ""


def size_of(database: str) -> Size | None:
    """The size that a scale database was begun with; None when it is not one."""
    with at_home(database), connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('scale') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return None
        cursor.execute("SELECT clinics, locations, patients, appointments FROM scale.plan")
        return Size(*cursor.fetchone())


def done_clinics() -> dict[int, UUID]:
    """Number -> id of the clinics that are complete. Runs at home."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT number, clinic_id FROM scale.clinic ORDER BY number")
        return dict(cursor.fetchall())


def remove_home(database: str) -> None:
    """Drop the scale database. Raises OtherData when it is another."""
    if database == own_database() or size_of(database) is None:
        raise OtherData(f"{database} was not made by seed_scale.")
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database))
        admin.execute(statement)


def one(statement: str, *values: Any) -> Any:
    """The first column of the statement's only row."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]
