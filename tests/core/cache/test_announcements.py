"""What the triggers announce: every table that may be cached, old and new rows, few and many."""

import re
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.apps import apps

from core.tenancy.announcements import MANY, announcement_for
from tests.architecture.catalogue import add_row, any_rows, as_app, connected, drop_checks, enter, models_of_kind, rows
from tests.factories.patience import PATIENCE
from tests.factories.world import World

# What nothing is ever cached of, and why. A table comes onto this list with a reason, or its model says @announces.
NEVER_CACHED = {
    "clinics_invitation": "read rarely, and as it is",
    "core_change": "read rarely, and as it is",
    "core_seal": "read by the verification alone",
    "core_fault": "counted all the time while something fails; read in the administration alone",
    "core_backuprun": "read once a minute, by health",
    "core_metricsample": "written each minute; read by the system page, as it is",
    "core_alertrule": "each server reads them every half minute",
    "core_alert": "servers write to it all the time; read as it is",
    "core_accessevent": "written by every read; who reads it wants the newest",
    "core_accessedpatient": "the same",
    "core_ratecounter": "counts itself; nothing of it is ever shown",
    "core_signinthrottle": "read and written by one sign-in; a stale counter would let guesses through",
    "core_securityevent": "written by everybody, read in the administration alone",
    "core_addressstanding": "read and written by what changes it",
    "core_onetimecode": "tried once, under a lock",
    "core_outgoingmessage": "hms_app may only add to it",
    "core_job": "workers write to it all the time; read as it is",
    "core_workerprocess": "workers write to it all the time; read as it is",
    "core_schedulemark": "read and written by the clock alone",
    "core_externalsystem": "the registry of each process reads it every ten seconds",
    "core_domainevent": "read by what sends it, and in the administration",
    "core_datasync": "the sender counts in it; read rarely, and as it is",
    "core_webhookdelivery": "the sender writes to it all the time",
    "core_draft": "read once, by the person who typed it",
    "core_idempotencyrecord": "read under a lock",
    "patients_patienttoken": "follows the patient: its tags cover it",
    "patients_mrnsequence": "read under a lock",
    "hms_demostate": "read once a day",
}
MODELS = [*models_of_kind("clinic", "personal", "platform"), apps.get_model("sessions.Session")]
ANNOUNCED = [model for model in MODELS if announcement_for(model._meta.db_table)]


def touched(connection: psycopg.Connection[Any]) -> set[str]:
    found = connection.execute("SELECT current_setting('hms.touched', true)").fetchone()
    return set((found[0] or "").split()) if found else set()


def forget(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT set_config('hms.touched', '', true)")


def test_every_table_announces_or_says_why_not() -> None:
    silent = {model._meta.db_table for model in MODELS if model not in ANNOUNCED}
    assert silent == set(NEVER_CACHED)


@pytest.mark.parametrize("model", ANNOUNCED, ids=lambda model: model._meta.label)
def test_the_triggers_are_what_the_model_declares(model: Any) -> None:
    announcement = announcement_for(model._meta.db_table)
    assert announcement
    (body,) = re.findall(r"\$body\$(.*)\$body\$", announcement.function(model), re.DOTALL)
    found = rows("SELECT prosrc FROM pg_proc WHERE proname = %s", f"hms_announce_{announcement.table}")
    assert found == [(body,)], "the migration says something else: add one with Announces(...)"
    named = rows("SELECT tgname::text FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname LIKE 'hms_announce%%' "
                 "AND tgenabled = 'O'", announcement.table)  # fmt: skip
    assert {name for (name,) in named} == {name for name, _ in announcement.triggers()}


@pytest.mark.parametrize("model", ANNOUNCED, ids=lambda model: model._meta.label)
def test_insert_update_and_delete_of_any_table_are_announced(world: World, model: Any) -> None:
    table = model._meta.db_table
    clinic_id = uuid4()
    has_clinic = announcement_for(table).clinic  # type: ignore[union-attr]
    listed = f"{table}:{clinic_id}" if has_clinic else table
    only = announcement_for(table).only  # type: ignore[union-attr]
    key = "session_key" if table == "django_session" else "id"
    change = f"{only[-1]} = NOT {only[-1]}" if only else f"{key} = {key}"
    with any_rows() as connection:
        drop_checks(connection, table)
        connection.execute("SET LOCAL session_replication_role = origin")
        add_row(connection, table, **({"clinic_id": clinic_id} if has_clinic else {}))
        assert listed in touched(connection)
        for statement in (f"UPDATE {table} SET {change}", f"DELETE FROM {table}"):
            forget(connection)
            connection.execute(statement)  # type: ignore[arg-type]
            assert listed in touched(connection), statement


def test_truncate_touches_everything(world: World) -> None:
    with connected("postgres") as connection:
        connection.execute("TRUNCATE patients_consent")
        assert touched(connection) == {"*"}


def test_a_move_to_another_day_touches_both(world: World) -> None:
    clinic_id, ident = world.riverside.clinic.pk, uuid4()
    with any_rows() as connection:
        drop_checks(connection, "appointments_appointment")
        add_row(connection, "appointments_appointment", clinic_id=clinic_id, id=ident, local_day="2031-05-01")
        as_app(connection)
        enter(connection, clinic_id)
        connection.execute("UPDATE appointments_appointment SET local_day = '2031-05-02' WHERE id = %s", [ident])
        assert {f"appointments:{clinic_id}:2031-05-01", f"appointments:{clinic_id}:2031-05-02"} <= touched(connection)
        assert f"appointment:{ident}" in touched(connection)
        assert f"appointments_appointment:{clinic_id}" in touched(connection)


def test_a_claim_touches_each_of_its_days(world: World) -> None:
    clinic_id = world.riverside.clinic.pk
    with any_rows() as connection:
        as_app_inserting(connection, clinic_id)
        add_row(connection, "appointments_claim", clinic_id=clinic_id,
                starts_at="2031-05-01T23:30:00Z", ends_at="2031-05-03T00:30:00Z")  # fmt: skip
        days = {tag.rpartition(":")[2] for tag in touched(connection) if tag.startswith("claims:")}
        assert days == {"2031-05-01", "2031-05-02", "2031-05-03"}


def test_a_leave_of_years_touches_the_bulk_tag(world: World) -> None:
    clinic_id = world.riverside.clinic.pk
    with any_rows() as connection:
        as_app_inserting(connection, clinic_id)
        add_row(connection, "appointments_claim", clinic_id=clinic_id,
                starts_at="2031-05-01T23:30:00Z", ends_at="2041-05-03T00:30:00Z")  # fmt: skip
        assert touched(connection) == {f"appointments_claim:{clinic_id}", f"appointments_claim:{clinic_id}:*"}


def as_app_inserting(connection: psycopg.Connection[Any], clinic_id: UUID) -> None:
    drop_checks(connection, "appointments_claim")
    as_app(connection)
    enter(connection, clinic_id)
    connection.execute("SET CONSTRAINTS ALL DEFERRED")


INSERT_MANY = (
    "INSERT INTO patients_consent (id, clinic_id, patient_id, kind, given, created_at, updated_at, version) "
    "SELECT gen_random_uuid(), %s, gen_random_uuid(), 'data', true, now(), now(), 1 FROM generate_series(1, %s)"
)


@pytest.mark.parametrize("count", [1, MANY, MANY + 1, 5000])
def test_many_rows_in_one_statement_are_one_bulk_tag(world: World, count: int) -> None:
    clinic_id = world.riverside.clinic.pk
    with any_rows() as connection:
        as_app(connection)
        enter(connection, clinic_id)
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        connection.execute(INSERT_MANY, [clinic_id, count])
        found = touched(connection)
        assert f"patients_consent:{clinic_id}" in found
        fine = {tag for tag in found if tag.startswith("consents:")}
        bulk = {tag for tag in found if tag.endswith(":*")}
        assert (len(fine), bulk) == ((count, set()) if count <= MANY else (0, {f"patients_consent:{clinic_id}:*"}))


@pytest.mark.parametrize(("changed", "bulk"), [(MANY, False), (MANY + 1, True)])
def test_an_update_counts_its_rows_once(world: World, changed: int, bulk: bool) -> None:
    clinic_id = world.riverside.clinic.pk
    with any_rows() as connection:
        as_app(connection)
        enter(connection, clinic_id)
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        connection.execute(INSERT_MANY, [clinic_id, changed])
        forget(connection)
        connection.execute("UPDATE patients_consent SET given = false WHERE kind = 'data'")
        assert (f"patients_consent:{clinic_id}:*" in touched(connection)) == bulk


def test_a_transaction_of_many_small_statements_does_not_remember_for_ever(world: World) -> None:
    clinic_id = world.riverside.clinic.pk
    with any_rows() as connection:
        as_app(connection)
        enter(connection, clinic_id)
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        for _ in range(300):
            connection.execute(INSERT_MANY, [clinic_id, 1])
        found = touched(connection)
        assert f"patients_consent:{clinic_id}:*" in found
        assert len(found) < 250


def test_what_a_savepoint_takes_back_was_not_touched(world: World) -> None:
    clinic_id = world.riverside.clinic.pk
    with any_rows() as connection:
        as_app(connection)
        enter(connection, clinic_id)
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        with pytest.raises(ZeroDivisionError), connection.transaction():
            connection.execute(INSERT_MANY, [clinic_id, 1])
            raise ZeroDivisionError
        assert touched(connection) == set()


def test_a_secret_is_announced_as_a_digest_only(world: World) -> None:
    with any_rows() as connection:
        as_app(connection)
        add_row(connection, "django_session", session_key="secret-session-key")
        assert "secret" not in "".join(touched(connection))
        assert any(tag.startswith("session:") for tag in touched(connection))


def test_the_notices_together_say_what_was_touched(world: World) -> None:
    """A hundred rows are more than one notice can hold."""
    clinic_id = world.riverside.clinic.pk
    with connected("hms_app") as ear, connected("postgres") as voice:
        ear.autocommit = True
        ear.execute("LISTEN hms_cache")
        voice.execute("SELECT set_config('hms.unit', 'a-mark', true)")
        tags = [f"tag:{clinic_id}:{number}" for number in range(400)]
        voice.execute("SELECT hms_announce(%s)", [tags])
        voice.commit()
        ear.execute("SELECT 1")
        notices = list(ear.notifies(timeout=PATIENCE, stop_after=3))
        ear.autocommit = False
    assert {notice.payload.split("\n")[0] for notice in notices} == {"a-mark"}
    assert [tag for notice in notices for tag in notice.payload.split("\n")[1:]] == tags
    assert max(len(notice.payload) for notice in notices) < 8000
