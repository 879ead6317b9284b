"""What hms_app can do in psql, table by table: without a context nothing, in a context only that clinic's.

The tables and references are read from the code and the catalogue: one that is added tomorrow is tried tomorrow.
"""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connections
from psycopg import sql

from tests.architecture.catalogue import add_row, any_rows, as_app, connected, drop_checks, enter, rows, tables_of_kind
from tests.factories.world import World

CLINIC_TABLES = tables_of_kind("clinic")
REFUSED = "violates row-level security policy"
REFUSED_OR_NO_RIGHT = f"{REFUSED}|permission denied for table core_(?:change|seal)"  # which the database itself writes


def clinics_seen(connection: psycopg.Connection[Any], table: str) -> set[UUID]:
    found = connection.execute(sql.SQL("SELECT DISTINCT clinic_id FROM {}").format(sql.Identifier(table)))
    return {clinic_id for (clinic_id,) in found.fetchall()}


def fill(connection: psycopg.Connection[Any], table: str, *clinic_ids: UUID) -> None:
    drop_checks(connection, table)
    for clinic_id in clinic_ids:
        connection.execute(sql.SQL("DELETE FROM {} WHERE clinic_id = %s").format(sql.Identifier(table)), [clinic_id])
        add_row(connection, table, clinic_id=clinic_id)


@pytest.mark.parametrize("table", CLINIC_TABLES)
def test_rows_are_seen_in_their_own_context_only(world: World, table: str) -> None:
    riverside, hillcrest = world.riverside.clinic.pk, world.hillcrest.clinic.pk
    with any_rows() as connection:
        fill(connection, table, riverside, hillcrest)
        as_app(connection)
        assert clinics_seen(connection, table) == set()
        for clinic_id in (riverside, hillcrest):
            enter(connection, clinic_id)
            assert clinics_seen(connection, table) == {clinic_id}
        enter(connection, uuid4())
        assert clinics_seen(connection, table) == set()
        enter(connection, None)
        assert clinics_seen(connection, table) == set()


@pytest.mark.parametrize("table", CLINIC_TABLES)
def test_a_row_of_another_clinic_can_t_be_inserted(world: World, table: str) -> None:
    with any_rows() as connection:
        drop_checks(connection, table)
        as_app(connection)
        enter(connection, world.riverside.clinic.pk)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=REFUSED_OR_NO_RIGHT):
            add_row(connection, table, clinic_id=world.hillcrest.clinic.pk)


@pytest.mark.parametrize("table", CLINIC_TABLES)
def test_without_a_context_nothing_can_be_inserted(world: World, table: str) -> None:
    with any_rows() as connection:
        drop_checks(connection, table)
        as_app(connection)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=REFUSED_OR_NO_RIGHT):
            add_row(connection, table, clinic_id=world.riverside.clinic.pk)


@pytest.mark.parametrize("table", CLINIC_TABLES)
def test_a_row_can_t_be_given_to_another_clinic(world: World, table: str) -> None:
    with any_rows() as connection:
        fill(connection, table, world.riverside.clinic.pk)
        as_app(connection)
        enter(connection, world.riverside.clinic.pk)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"{REFUSED}|permission denied"):
            connection.execute(sql.SQL("UPDATE {} SET clinic_id = %s").format(sql.Identifier(table)), [world.hillcrest.clinic.pk])


@pytest.mark.parametrize("table", CLINIC_TABLES)
def test_another_clinic_s_row_can_t_be_changed_or_deleted(world: World, table: str) -> None:
    with any_rows() as connection:
        fill(connection, table, world.hillcrest.clinic.pk)
        as_app(connection)
        enter(connection, world.riverside.clinic.pk)
        for attempt in ("UPDATE {} SET clinic_id = clinic_id WHERE clinic_id = %s", "DELETE FROM {} WHERE clinic_id = %s"):
            try:
                with connection.transaction():
                    done = connection.execute(sql.SQL(attempt).format(sql.Identifier(table)), [world.hillcrest.clinic.pk])
                    assert done.rowcount == 0
            except psycopg.errors.InsufficientPrivilege:
                continue


def test_a_row_can_t_point_into_another_clinic(world: World) -> None:
    """Every composite reference, each with its control: the same row pointing into its own clinic is accepted."""
    found = clinic_references()
    assert len(found) >= 20
    for name, table, column, target in found:
        assert not refused(world, name, table, column, target, world.riverside.clinic.pk), name
        assert refused(world, name, table, column, target, world.hillcrest.clinic.pk), name


def refused(world: World, name: str, table: str, column: str, target: str, targets_clinic: UUID) -> bool:
    """Does PostgreSQL refuse a row of Riverside that points at a row of `targets_clinic`?"""
    own, pointed_at = world.riverside.clinic.pk, uuid4()
    with any_rows() as connection:
        drop_checks(connection, table)
        drop_checks(connection, target)
        add_row(connection, target, clinic_id=targets_clinic, id=pointed_at)
        as_app(connection)
        enter(connection, own)
        add_row(connection, table, **{"clinic_id": own, column: pointed_at})
        try:
            connection.execute(sql.SQL("SET CONSTRAINTS {} IMMEDIATE").format(sql.Identifier(name)))
        except psycopg.errors.ForeignKeyViolation as error:
            assert error.diag.constraint_name == name
            return True
    return False


def clinic_references() -> list[tuple[Any, ...]]:
    """Composite references between clinic tables: constraint, table, column, target."""
    return rows(
        "SELECT c.conname, c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text FROM pg_constraint c "
        "JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2] "
        "WHERE c.contype = 'f' AND cardinality(c.conkey) = 2 ORDER BY 1"
    )


@pytest.mark.parametrize("role", ["hms_app", "hms_platform"])
def test_the_serving_roles_own_nothing_and_are_nobody_special(world: World, role: str) -> None:
    attributes = rows(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = %s", role
    )
    assert attributes == [(False,) * 5]
    assert rows("SELECT roleid::regrole::text FROM pg_auth_members WHERE member = %s::regrole", role) == []
    assert rows("SELECT oid::regclass::text FROM pg_class WHERE relowner = %s::regrole AND relpersistence <> 't'", role) == []
    assert rows("SELECT oid::regprocedure::text FROM pg_proc WHERE proowner = %s::regrole", role) == []
    assert rows("SELECT nspname::text FROM pg_namespace WHERE nspowner = %s::regrole AND nspname NOT LIKE 'pg_t%%'", role) == []


@pytest.mark.parametrize("role", ["hms_app", "hms_platform"])
@pytest.mark.parametrize(
    "attempt",
    [
        "ALTER TABLE patients_patient DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE patients_patient NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY clinic ON patients_patient",
        "ALTER POLICY clinic ON patients_patient USING (true)",
        "CREATE POLICY mine ON patients_patient USING (true)",
        "ALTER TABLE patients_patient DISABLE TRIGGER ALL",
        "ALTER TABLE patients_patient DROP CONSTRAINT patients_patient_clinic_id_id",
        "TRUNCATE patients_patient CASCADE",
        "DELETE FROM patients_patient",
        "DELETE FROM appointments_appointment",
        "UPDATE appointments_appointmentchange SET reason = ''",
        "DELETE FROM appointments_appointmentchange",
        "CREATE TABLE public.mine ()",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "ALTER ROLE {role} BYPASSRLS",
        "SET ROLE hms_owner",
        "SET ROLE hms_maintenance",
        "SET SESSION AUTHORIZATION hms_owner",
        "SET session_replication_role = replica",
        "COPY patients_patient TO PROGRAM 'cat'",
    ],
)
def test_the_serving_roles_can_t_switch_the_protection_off(world: World, role: str, attempt: str) -> None:
    with connected(role) as connection:
        connection.autocommit = True  # some of these are refused inside a transaction for that reason alone
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(attempt.format(role=role))  # type: ignore[arg-type]
        connection.autocommit = False


def test_the_serving_roles_can_t_pass_their_rights_on(world: World) -> None:
    """PostgreSQL answers with a warning and grants nothing."""
    with connected("hms_app") as connection:
        connection.execute("GRANT ALL ON patients_patient TO PUBLIC")
        granted = connection.execute(
            "SELECT grantee FROM information_schema.table_privileges WHERE grantee = 'PUBLIC' AND table_name = 'patients_patient'"
        )
        assert granted.fetchall() == []


def test_asking_past_the_policies_is_an_error(world: World) -> None:
    """row_security = off shows no hidden row: it makes the query fail."""
    with connected("hms_app") as connection:
        connection.execute("SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT count(*) FROM patients_patient")


def test_the_platform_role_sees_every_clinic(world: World) -> None:
    with connected("hms_platform") as connection:
        assert clinics_seen(connection, "clinics_location") == {world.riverside.clinic.pk, world.hillcrest.clinic.pk}


def test_the_tests_run_as_the_application(world: World) -> None:
    """Else all of the above would prove nothing."""
    assert rows("SELECT current_user::text, session_user::text") == [("hms_app", "hms_app")]
    assert connections["platform"].settings_dict["USER"] == "hms_platform"
