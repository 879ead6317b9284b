"""Every table is of one kind, and its kind's protection is really in the database: a new table can't forget it."""

from typing import Any

import pytest
from django.apps import apps
from django.db.models import ForeignKey, Model

from core.tenancy.models import ClinicForeignKey, ClinicModel
from tests.architecture.catalogue import APPS, models_of_kind, rows, tables_of_kind

DJANGOS_OWN = {  # platform tables; nothing of a patient is in them
    "admin.LogEntry",
    "auth.Group",
    "auth.Group_permissions",
    "auth.Permission",
    "contenttypes.ContentType",
    "core.User_groups",
    "core.User_user_permissions",
    "sessions.Session",
}
CLINIC = "(clinic_id = (NULLIF(current_setting('hms.clinic_id'::text, true), ''::text))::uuid)"
PERSON = "(user_id = (NULLIF(current_setting('hms.user_id'::text, true), ''::text))::uuid)"
PLATFORM = ("platform", ["hms_platform"], "ALL", "true", None)
POLICIES = {
    "clinic": ("clinic", ["public"], "ALL", CLINIC, None),
    "person": ("person", ["public"], "ALL", PERSON, None),
    "person_reads": ("person_reads", ["public"], "SELECT", PERSON, None),
    "clinic_adds": ("clinic_adds", ["public"], "INSERT", None, CLINIC),
}
PERSONAL_POLICIES = {
    "core_authsession": {"person"},
    "core_apikey": {"clinic", "person_reads"},
    "core_membership": {"clinic", "person_reads"},
    "core_notification": {"person", "clinic_adds"},
    "core_draft": {"person"},
    "core_idempotencyrecord": {"person"},
    "core_secondfactor": {"person"},
}
# What hms_app may delete: nothing that is a record of care. A table comes onto this list with a reason.
DELETABLE = {
    "appointments_claim": "a claim ends with its visit; the visit and its history stay",
    "appointments_holiday": "a plan, not a record",
    "appointments_schedule": "a plan, not a record",
    "appointments_scheduleexception": "a plan, not a record",
    "appointments_seriesservice": "of which ticket group a service is now",
    "appointments_serviceprovider": "who offers what now",
    "core_draft": "what somebody was typing",
    "core_idempotencyrecord": "kept for a day",
    "core_secondfactor": "the way into one's own account; the change is told by e-mail",
    "patients_patientaccount": "who may see whom now",
    "patients_patienttoken": "derived from the patient",
}
PARTITIONED = {"core_accessedpatient", "core_accessevent"}
APPEND_ONLY = {
    "appointments_appointmentchange",
    "appointments_ticketchange",
    "core_accessedpatient",
    "core_accessevent",
    "core_breakglass",  # but for its ending and its verdict, written once each
    "core_change",
    "core_clinickey",
    "core_domainevent",
    "core_notification",  # but for when it was read
    "core_patientmessage",  # but for how far it has come, which the platform's role writes
    "core_seal",
    "patients_anonymisation",
}
OWN_POLICIES = {"core_change": [("history", ["hms_owner"], "ALL", "true", None)]}  # of the functions that write it

PROTECTED = tables_of_kind("clinic", "personal")
CLINIC_TABLES = tables_of_kind("clinic")


def test_every_model_is_of_one_kind() -> None:
    undecided = [
        model._meta.label
        for model in apps.get_models(include_auto_created=True)
        if getattr(model, "table_kind", None) not in ("clinic", "platform", "personal") and model._meta.label not in DJANGOS_OWN
    ]
    assert undecided == []


def test_a_table_with_a_clinic_is_never_a_platform_table() -> None:
    with_clinic = {
        name
        for (name,) in rows(
            "SELECT c.relname FROM pg_attribute a "
            "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE a.attname = 'clinic_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = 'public'"
        )
    }
    secured = {name for (name,) in rows("SELECT relname FROM pg_class WHERE relrowsecurity")}
    assert with_clinic - set(PROTECTED) == set()
    assert secured == set(PROTECTED)


def test_a_platform_table_points_at_no_clinic_table() -> None:
    def points_into_a_clinic(model: type[Model]) -> bool:
        return any(
            getattr(field.related_model, "table_kind", "") == "clinic" for field in model._meta.local_fields if field.is_relation
        )

    assert [model._meta.label for model in models_of_kind("platform") if points_into_a_clinic(model)] == []


@pytest.mark.parametrize("table", PROTECTED)
def test_row_level_security_is_on_and_forced(table: str) -> None:
    assert rows("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", table) == [(True, True)]


@pytest.mark.parametrize("table", PROTECTED)
def test_its_policies_are_exactly_these(table: str) -> None:
    found = rows("SELECT policyname, roles::text[], cmd, qual, with_check FROM pg_policies "
                 "WHERE tablename = %s AND permissive = 'PERMISSIVE'", table)  # fmt: skip
    expected = PERSONAL_POLICIES.get(table, {"clinic"})
    wanted = [PLATFORM, *OWN_POLICIES.get(table, []), *(POLICIES[name] for name in expected)]
    assert sorted(map(str, found)) == sorted(map(str, wanted))


@pytest.mark.parametrize("table", CLINIC_TABLES)
def test_it_can_be_referenced_with_its_clinic(table: str) -> None:
    if not rows("SELECT 1 FROM information_schema.columns WHERE table_name = %s AND column_name = 'id'", table):
        assert referenced_tables() & {table} == set()  # one row a clinic, and nobody points at it
        return
    assert ["clinic_id", "id"] in [columns for columns, primary in indexes(table)]


@pytest.mark.parametrize("table", CLINIC_TABLES)
def test_every_other_index_begins_with_the_clinic(table: str) -> None:
    assert [columns for columns, primary in indexes(table) if not primary and columns[:1] != ["clinic_id"]] == []


@pytest.mark.parametrize("model", models_of_kind("clinic"), ids=lambda model: model._meta.label)
def test_every_reference_between_clinic_tables_carries_the_clinic(model: type[Model]) -> None:
    for field in model._meta.local_fields:
        if not isinstance(field, ForeignKey) or getattr(field.related_model, "table_kind", "") != "clinic":
            continue
        assert isinstance(field, ClinicForeignKey), f"{field} is a plain foreign key into a clinic table"
        assert (["clinic_id", field.column], field.related_model._meta.db_table, ["clinic_id", "id"]) in references(
            model._meta.db_table
        )


@pytest.mark.parametrize("table", CLINIC_TABLES)
def test_no_plain_foreign_key_between_clinic_tables(table: str) -> None:
    plain = [columns for columns, target, _ in references(table) if target in CLINIC_TABLES and columns[:1] != ["clinic_id"]]
    assert plain == []


@pytest.mark.parametrize("model", models_of_kind("clinic"), ids=lambda model: model._meta.label)
def test_its_manager_is_scoped(model: type[Model]) -> None:
    from core.errors import ClinicScopeRequired

    for manager in (model._default_manager, model._base_manager):
        with pytest.raises(ClinicScopeRequired):
            manager.all()


@pytest.mark.parametrize("table", PROTECTED)
def test_the_application_may_no_more_than_it_needs(table: str) -> None:
    (may,) = rows(
        "SELECT has_table_privilege('hms_app', %s, 'DELETE'), has_table_privilege('hms_app', %s, 'UPDATE'), "
        "has_table_privilege('hms_app', %s, 'TRUNCATE'), has_table_privilege('hms_app', %s, 'REFERENCES'), "
        "has_table_privilege('hms_app', %s, 'TRIGGER')",
        *[table] * 5,
    )
    assert may == (table in DELETABLE, table not in APPEND_ONLY, False, False, False)


def test_the_lists_above_name_no_table_that_is_gone() -> None:
    assert {*DELETABLE, *APPEND_ONLY, *PERSONAL_POLICIES} - set(PROTECTED) == set()


def test_clinic_models_share_one_base() -> None:
    """Beside it stand those whose rows are written by one statement, never by save()."""
    beside = {model.__name__ for model in models_of_kind("clinic") if not issubclass(model, ClinicModel)}
    assert beside <= {"Claim", "PatientToken", "AccessEvent", "AccessedPatient"}


def test_a_partition_is_reached_through_its_table_alone() -> None:
    """Policies are the table's: whoever could name a partition would pass them."""
    found = rows(
        "SELECT p.relname, c.relname, "
        "(SELECT bool_or(has_table_privilege(role, c.oid, may)) FROM unnest(ARRAY['hms_app', 'hms_platform']) role, "
        "unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) may) "
        "FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent "
        "WHERE c.relkind IN ('r', 'p')"
    )
    assert {table for table, _, _ in found} == PARTITIONED
    assert [part for _, part, may in found if may] == []


def test_every_table_about_patients_says_whom_a_row_is_about() -> None:
    """Else what is shown of it would be missing in the access log."""
    from patients.models import Patient

    silent = {
        model._meta.label
        for model in apps.get_models()
        if not hasattr(model, "subject_path") and any(field.related_model is Patient for field in model._meta.local_fields)
    }
    assert silent == {"patients.PatientToken"}  # keyed hashes, which nobody is shown


def test_references_point_down_or_sideways_only() -> None:
    """Also those named by a string, which import-linter can't see."""
    rank = {name: number for number, name in enumerate(APPS)}
    upwards = [
        str(field)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_fields + model._meta.local_many_to_many
        if field.is_relation and field.related_model and rank.get(model._meta.app_label, -1) >= 0
        and rank.get(field.related_model._meta.app_label, -1) > rank[model._meta.app_label]
    ]  # fmt: skip
    assert upwards == []


def indexes(table: str) -> list[tuple[list[str], bool]]:
    """The columns of each index of the table ("" for an expression), and whether it is the primary key."""
    found = rows(
        "SELECT array_agg(coalesce(a.attname, '') ORDER BY k.position)::text[], i.indisprimary "
        "FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(number, position) "
        "LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0 "
        "WHERE i.indrelid = %s::regclass GROUP BY i.indexrelid, i.indisprimary",
        table,
    )
    return [(list(columns), primary) for columns, primary in found]


def references(table: str) -> list[tuple[list[str], str, list[str]]]:
    """The foreign keys of the table: own columns, target table, target columns."""
    found = rows(
        """
        SELECT
            (SELECT array_agg(a.attname ORDER BY k.position)::text[] FROM unnest(c.conkey) WITH ORDINALITY AS k(number, position)
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number),
            c.confrelid::regclass::text,
            (SELECT array_agg(a.attname ORDER BY k.position)::text[] FROM unnest(c.confkey) WITH ORDINALITY AS k(number, position)
             JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number)
        FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = %s::regclass AND c.convalidated
        """,
        table,
    )
    return [(list(own), target, list(theirs)) for own, target, theirs in found]


def referenced_tables() -> set[Any]:
    return {target for table in CLINIC_TABLES for _, target, _ in references(table)}
