"""Values under a clinic's own key: read in their place and clinic alone, without a statement once the keys are known."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext

from core.cache.process import generations
from core.errors import ClinicScopeRequired
from core.keys import memory
from core.keys.models import ClinicKey
from core.keys.places import columns, label_of
from core.keys.sealing import HEADER, header_of, seal, search_key, unseal
from core.security.crypto import RING, Undecipherable, derived_search_key, encrypt
from core.tenancy.context import clinic_scope, platform_scope
from core.tenancy.models import Clinic
from patients.models import Patient
from tests.architecture.catalogue import rows
from tests.factories.patients import patient_data
from tests.factories.world import Place, World

SECRET = b"QQ 12 34 56 C"
NOT_ENCRYPTED = {
    "core.ClinicKey.wrapped": "a key, wrapped by the deployment's; re-wrapped by --ring",
    "core.Change.digest": "what a seal is made of",
    "core.Seal.row_digests": "of the rows of a block",
    "core.Seal.hash": "of the block",
    "core.Seal.mac": "of the block, under a key of the ring that the block names",
    "core.Seal.previous": "hash of the block before",
}


def stored(patient: Patient) -> bytes:
    (found,) = rows("SELECT national_id FROM patients_patient WHERE id = %s", patient.pk)
    return bytes(found[0])


def new_clinic() -> Clinic:
    return Clinic.objects.create(
        slug="new", name="New", time_zone="UTC", country="GB", currency="GBP", mrn_prefix="NW",
    )  # fmt: skip


def add_patient(**given: Any) -> Patient:
    patient: Patient = Patient.objects.create(mrn="X-1", **patient_data(**given))
    return patient


def test_a_value_stands_under_the_clinics_newest_key(in_riverside: Place) -> None:
    patient = add_patient(national_id=SECRET.decode())
    newest = memory.keys_of(in_riverside.clinic.pk).newest
    assert newest and stored(patient)[:HEADER] == header_of(newest)
    assert SECRET not in stored(patient)
    assert Patient.objects.get(pk=patient.pk).national_id == SECRET.decode()


def test_an_update_in_bulk_is_encrypted_too(in_riverside: Place) -> None:
    patient = add_patient()
    Patient.objects.filter(pk=patient.pk).update(national_id=SECRET.decode())
    assert stored(patient)[0] == 2
    patient.refresh_from_db()
    assert patient.national_id == SECRET.decode()


def test_what_the_deployments_key_encrypted_is_still_read(in_riverside: Place) -> None:
    patient = add_patient()
    old = encrypt(SECRET, context="patients_patient.national_id")
    Patient.objects.filter(pk=patient.pk).update(national_id=old)
    assert stored(patient)[0] == RING
    patient.refresh_from_db()
    assert patient.national_id == SECRET.decode()


def test_another_clinic_does_not_read_it(world: World) -> None:
    ours, theirs = world.riverside.clinic, world.hillcrest.clinic
    with clinic_scope(ours, reason="test"):
        sealed = seal(SECRET, clinic_id=ours.pk, context="a.b")
        with pytest.raises(Undecipherable):
            unseal(sealed, context="a.c")
        with pytest.raises(ClinicScopeRequired):
            seal(SECRET, clinic_id=theirs.pk, context="a.b")
    with clinic_scope(theirs, reason="test"), pytest.raises(Undecipherable):
        unseal(sealed, context="a.b")
    with pytest.raises(ClinicScopeRequired):
        memory.keys_of(ours.pk)
    memory.forget()
    with platform_scope(reason="test"):
        assert unseal(sealed, context="a.b") == SECRET


@pytest.mark.parametrize("position", [0, 1, HEADER, HEADER + 13, -1])
def test_a_changed_byte_is_noticed(in_riverside: Place, position: int) -> None:
    sealed = bytearray(seal(SECRET, clinic_id=in_riverside.clinic.pk, context="a.b"))
    sealed[position] ^= 1
    with pytest.raises(Undecipherable):
        unseal(bytes(sealed), context="a.b")


def test_a_wrapped_key_is_of_no_use_in_another_row(world: World) -> None:
    ours, theirs = world.riverside.clinic, world.hillcrest.clinic
    with platform_scope(reason="test"):
        stolen = ClinicKey.objects.get(clinic=theirs, kind="data").wrapped
        ClinicKey.objects.filter(clinic=ours, kind="data").update(wrapped=stolen)
        with pytest.raises(Undecipherable):
            memory.keys_of(ours.pk, anew=True)


def test_a_clinics_first_search_key_is_the_one_its_tokens_were_made_under() -> None:
    clinic = new_clinic()
    with clinic_scope(clinic, reason="test"):
        before = search_key(clinic.pk)
        seal(SECRET, clinic_id=clinic.pk, context="a.b")
        assert ClinicKey.objects.count() == 2
        assert before == search_key(clinic.pk) == derived_search_key(clinic.pk)


def test_keys_whose_making_was_rolled_back_are_not_used_again() -> None:
    clinic = new_clinic()
    with clinic_scope(clinic, reason="test"):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            lost = seal(SECRET, clinic_id=clinic.pk, context="a.b")
            assert unseal(lost, context="a.b") == SECRET
            raise ZeroDivisionError
        assert ClinicKey.objects.count() == 0
        kept = seal(SECRET, clinic_id=clinic.pk, context="a.b")
        assert label_of(kept) != label_of(lost)
        memory.forget()
        assert unseal(kept, context="a.b") == SECRET
        with pytest.raises(Undecipherable):
            unseal(lost, context="a.b")


def test_once_known_keys_cost_no_statement_until_a_change_is_announced(in_riverside: Place) -> None:
    clinic_id = in_riverside.clinic.pk
    memory.keys_of(clinic_id)
    with CaptureQueriesContext(connection) as captured:
        assert unseal(seal(SECRET, clinic_id=clinic_id, context="a.b"), context="a.b") == SECRET
        search_key(clinic_id)
    assert len(captured) == 0
    generations.bump([f"core_clinickey:{clinic_id}"])
    with CaptureQueriesContext(connection) as captured:
        search_key(clinic_id)
        search_key(clinic_id)
    assert len(captured) == 1


def test_the_application_can_not_take_a_key_away(in_riverside: Place) -> None:
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        assert rows("SELECT has_table_privilege('hms_app', 'core_clinickey', %s)", verb) == [(False,)]


# --- Tomorrow's columns -----------------------------------------------------------------------------------------------------
def test_every_column_of_bytes_is_renewed_or_named_with_the_reason() -> None:
    known = {f"{one.model._meta.label}.{one.column}" for one in columns()}
    binary = {
        f"{model._meta.label}.{field.column}"
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if field.db_type(connection) == "bytea"
    }
    assert binary - known == set(NOT_ENCRYPTED)


@pytest.mark.parametrize("column", columns(), ids=lambda column: column.name)
def test_a_rotation_can_write_every_encrypted_column(column: Any) -> None:
    assert not isinstance(column.model._meta.pk, models.CompositePrimaryKey)
    for verb in ("SELECT", "UPDATE"):
        assert rows(
            "SELECT has_column_privilege('hms_platform', %s, %s, %s)", column.model._meta.db_table, column.column, verb
        ) == [(True,)]
    place = column.model._meta.db_table  # where a value can be moved to another row, its context names the row's own as well
    assert column.context == (place + ":{}" * len(column.bound) if column.bound else f"{place}.{column.column}")
