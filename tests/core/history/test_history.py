"""Every change of every clinic's row is kept, whoever makes it and however; nobody can make one up."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.apps import apps
from psycopg import sql

from core.history.keeping import kept_for
from tests.architecture.catalogue import add_row, any_rows, connected, drop_checks, enter, models_of_kind, rows
from tests.factories.world import World

# Whose history isn't kept, and why. A clinic's table comes onto this list with a reason, or its model says @keeps_history.
NOT_KEPT = {
    "core_accessedpatient": "only grows, and is a record of what happened itself",
    "core_accessevent": "only grows, and is a record of what happened itself",
    "core_clinickey": "says itself when a key was made and retired; the wrapped key is nobody's to read",
    "core_domainevent": "only grows, and says itself what happened",
    "core_webhookdelivery": "says itself what became of it",
    "appointments_claim": "derived from the visit, whose history is kept",
    "core_change": "is the history",
    "core_patientmessage": "a record of what happened, which says itself when what became of it was known",
    "core_seal": "only grows, and seals itself",
    "patients_mrnsequence": "a counter; the numbers it gave out stand in the patients",
    "patients_patienttoken": "derived from the patient, whose history is kept",
}
CLINIC_MODELS = models_of_kind("clinic")
KEPT = [model for model in apps.get_models() if kept_for(model._meta.db_table)]

FOUND = """
SELECT clinic_id, operation, actor_id, by_role, request_id, reason, old_values, new_values
FROM core_change WHERE row_id = %s ORDER BY id
"""


def changes(connection: psycopg.Connection[Any], row_id: UUID) -> list[Any]:
    return connection.execute(FOUND, [row_id]).fetchall()


def said(connection: psycopg.Connection[Any], **settings: str) -> None:
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, true)", [f"hms.{name}", value])


def test_every_clinic_table_keeps_its_history_or_says_why_not() -> None:
    silent = {model._meta.db_table for model in CLINIC_MODELS if not kept_for(model._meta.db_table)}
    assert silent == set(NOT_KEPT)
    assert {"core_user", "core_membership", "core_clinic"} <= {model._meta.db_table for model in KEPT}


@pytest.mark.parametrize("model", KEPT, ids=lambda model: model._meta.label)
def test_the_triggers_are_what_the_model_declares(model: Any) -> None:
    kept = kept_for(model._meta.db_table)
    assert kept
    found = dict(rows("SELECT tgname::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %s::regclass "
                      "AND tgname LIKE 'hms_history%%' AND tgenabled = 'O'", kept.table))  # fmt: skip
    assert set(found) == {name for name, _ in kept.triggers()}
    for name, statement in kept.triggers():
        arguments = statement.rpartition("hms_keep_history")[2]
        assert found[name].endswith(f"hms_keep_history{arguments}"), "the migration says something else: add a KeepsHistory(...)"


@pytest.mark.parametrize("model", KEPT, ids=lambda model: model._meta.label)
def test_raw_sql_is_kept_too(world: World, model: Any) -> None:
    table, row_id = model._meta.db_table, uuid4()
    kept, clinic_id, person = kept_for(table), uuid4(), uuid4()
    assert kept
    field = _changeable(model)
    with any_rows() as connection:
        drop_checks(connection, table)
        said(connection, user_id=str(person), request_id="r-1", reason="test")
        connection.execute("SET LOCAL session_replication_role = origin")
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        add_row(connection, table, id=row_id, **({"clinic_id": clinic_id} if kept.clinic == "clinic_id" else {}))
        connection.execute(sql.SQL("UPDATE {0} SET {1} = {2} WHERE id = %s").format(sql.Identifier(table), sql.Identifier(field),
                           _other(connection, table, field)), [row_id])  # fmt: skip
        connection.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(sql.Identifier(table)), [row_id])
        added, changed, deleted = changes(connection, row_id)
    assert [one[1] for one in (added, changed, deleted)] == ["insert", "update", "delete"]
    for one in (added, changed, deleted):
        assert one[0] == {"clinic_id": clinic_id, "id": row_id, "": None}[kept.clinic]
        assert one[2:6] == (person, "postgres", "r-1", "test")
    assert added[6] is None and set(added[7]) == {f.column for f in model._meta.local_concrete_fields} - set(kept.without)
    assert set(changed[6]) == set(changed[7]) == {field} and changed[6] != changed[7]
    assert deleted[6] == added[7] | changed[7] and deleted[7] is None


def _changeable(model: Any) -> str:
    """A column of a kind for which `_other` knows another value."""
    kept = kept_for(model._meta.db_table)
    assert kept
    kinds = ("CharField", "UUIDField", "DateField", "BooleanField", "PositiveSmallIntegerField")
    return next(
        one.column
        for one in model._meta.local_concrete_fields
        if (one.get_internal_type() in kinds or one.is_relation) and one.column not in ("id", "clinic_id", *kept.secret)
    )


def _other(connection: psycopg.Connection[Any], table: str, column: str) -> sql.Composable:
    """Something that the column doesn't hold now."""
    kind, longest = connection.execute(
        "SELECT data_type, character_maximum_length FROM information_schema.columns WHERE table_name = %s AND column_name = %s",
        [table, column],
    ).fetchone() or ("", None)
    name = sql.Identifier(column)
    if kind == "uuid":
        return sql.SQL("gen_random_uuid()")
    if kind == "boolean":
        return sql.SQL("NOT {}").format(name)
    if kind == "date":
        return sql.SQL("coalesce({}, '2030-01-01') + 1").format(name)
    if kind == "smallint":
        return sql.SQL("coalesce({}, 0) + 1").format(name)
    return sql.SQL("left('~' || {}, {})").format(name, min(longest or 2, 2))


def test_only_what_differs_is_kept_and_an_update_of_nothing_is_none(world: World) -> None:
    patient = world.riverside.patients[0]
    with connected("hms_app") as connection:
        enter(connection, world.riverside.clinic.pk)
        before = len(changes(connection, patient.pk))
        (city,) = connection.execute("SELECT city FROM patients_patient WHERE id = %s", [patient.pk]).fetchone()
        connection.execute("UPDATE patients_patient SET city = city WHERE id = %s", [patient.pk])
        assert len(changes(connection, patient.pk)) == before
        connection.execute("UPDATE patients_patient SET city = 'Leeds', phone = phone WHERE id = %s", [patient.pk])
        assert changes(connection, patient.pk)[-1][6:] == ({"city": city}, {"city": "Leeds"})
        assert changes(connection, patient.pk)[-1][2:4] == (None, "hms_app")


def test_a_row_that_gets_another_id_went_and_came(world: World) -> None:
    old, new = uuid4(), uuid4()
    with any_rows() as connection:
        drop_checks(connection, "clinics_department")
        connection.execute("SET LOCAL session_replication_role = origin")
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        add_row(connection, "clinics_department", id=old, clinic_id=uuid4())
        connection.execute("UPDATE clinics_department SET id = %s WHERE id = %s", [new, old])
        assert [one[1] for one in changes(connection, old)] == ["insert", "delete"]
        assert [one[1] for one in changes(connection, new)] == ["insert"]


def test_of_a_password_only_that_it_changed_and_of_a_sign_in_nothing(world: World) -> None:
    user = world.riverside.users[next(iter(world.riverside.users))]
    with connected("hms_platform") as connection:
        before = len(changes(connection, user.pk))
        connection.execute("UPDATE core_user SET last_login = now() WHERE id = %s", [user.pk])
        assert len(changes(connection, user.pk)) == before
        connection.execute("UPDATE core_user SET password = 'x', last_login = now() WHERE id = %s", [user.pk])
        assert changes(connection, user.pk)[-1][6:] == ({"password": None}, {"password": None})
        added = changes(connection, user.pk)[0]
        assert added[1] == "insert" and added[7]["password"] is None and "last_login" not in added[7]


def test_encrypted_columns_are_kept_as_they_are_in_the_table(world: World) -> None:
    patient = world.riverside.patients[0]
    with connected("hms_app") as connection:
        enter(connection, world.riverside.clinic.pk)
        connection.execute("UPDATE patients_patient SET national_id = %s WHERE id = %s", [b"\x01\x02sealed", patient.pk])
        assert changes(connection, patient.pk)[-1][7] == {"national_id": "\\x01027365616c6564"}


def test_many_rows_at_once(world: World) -> None:
    with connected("hms_app") as connection:
        enter(connection, world.riverside.clinic.pk)
        done = connection.execute("UPDATE patients_patient SET notes = 'all' WHERE notes <> 'all'").rowcount
        (kept,) = connection.execute('SELECT count(*) FROM core_change WHERE new_values = \'{"notes": "all"}\'').fetchone() or (0,)
    assert done == kept > 1


def test_a_change_that_is_rolled_back_leaves_none(world: World) -> None:
    patient = world.riverside.patients[0]
    with connected("hms_app") as connection:
        enter(connection, world.riverside.clinic.pk)
        before = len(changes(connection, patient.pk))
        with pytest.raises(ZeroDivisionError), connection.transaction():
            connection.execute("UPDATE patients_patient SET city = 'Leeds' WHERE id = %s", [patient.pk])
            raise ZeroDivisionError
        assert len(changes(connection, patient.pk)) == before


ALL_NOTES = """SELECT count(*) FROM core_change WHERE new_values = '{"notes": "all"}'"""
TAMPERING = [
    "INSERT INTO core_change (clinic_id, at, xid, table_name, row_id, operation, by_role, request_id, reason, digest) "
    "SELECT clinic_id, at, xid, table_name, row_id, operation, by_role, request_id, reason, digest FROM core_change LIMIT 1",
    "UPDATE core_change SET reason = 'another'",
    "DELETE FROM core_change",
    "TRUNCATE core_change",
    "ALTER TABLE core_change DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE patients_patient DISABLE TRIGGER ALL",
    "DROP TRIGGER hms_history_update ON patients_patient",
    "SET session_replication_role = replica",
    "CREATE FUNCTION hms_keep_history() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SELECT hms_erase_history(NULL, ARRAY[]::uuid[], 'mine')",
    "SELECT hms_protect_history(NULL, '{}'::bigint[], '{}'::uuid[], '{}'::jsonb[], '{}'::jsonb[], '{}'::text[])",
    "INSERT INTO core_seal SELECT * FROM core_seal",
    "UPDATE core_seal SET number = 1",
    "DELETE FROM core_seal",
    "TRUNCATE core_seal",
]
PLATFORMS_OWN = ("INSERT INTO core_seal", "SELECT hms_protect_history")


@pytest.mark.parametrize(
    ("role", "statement"),
    [("hms_app", one) for one in TAMPERING] + [("hms_platform", one) for one in TAMPERING if not one.startswith(PLATFORMS_OWN)],
)
def test_the_serving_roles_can_t_touch_it(world: World, role: str, statement: str) -> None:
    """hms_platform writes seals, and seals values; a made-up one has no mac (test_seals)."""
    with connected(role) as connection:
        enter(connection, world.riverside.clinic.pk)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.parametrize("statement", TAMPERING[:4])
def test_nor_can_maintenance(world: World, statement: str) -> None:
    with connected("hms_maintenance") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_a_table_of_one_s_own_can_t_write_history_either(world: World) -> None:
    with connected("hms_app") as connection:
        connection.execute("CREATE TEMPORARY TABLE own (id uuid, clinic_id uuid)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TRIGGER t AFTER INSERT ON own REFERENCING NEW TABLE AS new_rows "
                               "FOR EACH STATEMENT EXECUTE FUNCTION hms_keep_history('', '{}', '')")  # fmt: skip


def test_a_table_in_its_place_takes_nothing(world: World) -> None:
    """A temporary table is found before all others; the functions name theirs in full."""
    patient = world.riverside.patients[0]
    with connected("hms_app") as connection:
        enter(connection, world.riverside.clinic.pk)
        connection.execute("CREATE TEMPORARY TABLE core_change (LIKE public.core_change INCLUDING ALL)")
        connection.execute("UPDATE patients_patient SET city = 'Leeds' WHERE id = %s", [patient.pk])
        assert changes(connection, patient.pk) == []
        connection.execute("DROP TABLE pg_temp.core_change")
        assert changes(connection, patient.pk)[-1][7] == {"city": "Leeds"}
