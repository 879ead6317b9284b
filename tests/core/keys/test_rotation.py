"""Rotation of keys: everything goes over, whatever stood there before, and a run that was cut off is finished by the next."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connections

from core.accounts.factors.models import SecondFactor
from core.accounts.roles import Role
from core.data_sync.models import DataSync
from core.drafts.models import CONTEXT as DRAFTS
from core.drafts.models import Draft
from core.history.models import Change
from core.idempotency.middleware import CONTEXT as ANSWERS
from core.idempotency.models import IdempotencyRecord
from core.keys import memory, rotation
from core.keys.models import ClinicKey
from core.keys.places import BATCH, columns, places_of_clinics
from core.keys.sealing import header_of, seal, unseal
from core.messaging.models import PatientMessage
from core.security.crypto import RING, encrypt
from core.tenancy.context import clinic_scope, platform_scope
from core.tenancy.ids import new_id
from core.tenancy.models import Clinic
from core.tenancy.protection import markable
from core.uploads.store import context_of, folder, keep, place_of
from core.webhooks.models import WebhookEndpoint
from patients.models import Document, Patient, PatientToken
from patients.tokens import stored_tokens_of, tokens_of, tokens_under
from tests.core.keys.rotating import nobody_else_has_keys_in_memory, run
from tests.factories.patients import patient_data
from tests.factories.world import Place, World

__all__ = ["nobody_else_has_keys_in_memory"]

IDENTITY = "QQ123456C"
COLUMN = "patients_patient.national_id"
FILE = b"A letter about somebody."


@pytest.fixture
def riverside_in_platform(riverside: Place) -> Iterator[Place]:
    """As the command works: its connection sees what this test wrote, because it is the same."""
    with platform_scope(reason="test"):
        yield riverside


def add(place: Place, number: int, **given: Any) -> Patient:
    made = Patient.objects.create(clinic=place.clinic, mrn=f"T-{number}", **{**patient_data(national_id=IDENTITY), **given})
    patient: Patient = Patient.objects.get(pk=made.pk)
    return patient


def raw(table: str, column: str, pk: Any) -> bytes:
    with connections["platform"].cursor() as cursor:
        cursor.execute(f'SELECT "{column}" FROM "{table}" WHERE id = %s', [pk])
        return bytes(cursor.fetchone()[0])


def newest(place: Place) -> ClinicKey:
    key: ClinicKey = ClinicKey.objects.get(clinic=place.clinic, kind="data", state="active")
    return key


def test_all_values_of_a_clinic_go_over_and_nothing_else_changes(riverside_in_platform: Place) -> None:
    place = riverside_in_platform
    patients = [add(place, number, insurance_policy_number=f"P{number}") for number in range(BATCH + 7)]
    before = {one.pk: one for one in Patient.objects.filter(clinic=place.clinic)}
    old = newest(place)
    entries = Change.objects.count()
    said = run("--clinic", "riverside")
    assert Change.objects.count() == entries, "encrypting the same anew is no change"
    assert f"{COLUMN}: {BATCH + 7} encrypted anew" in said
    assert "Everything stands under data key 2." in said
    new = newest(place)
    assert new.number == 2
    old.refresh_from_db()
    assert (old.state, bool(old.retired_at)) == ("retired", True)
    for patient in patients:
        assert raw("patients_patient", "national_id", patient.pk).startswith(header_of(new.pk))
        now = Patient.objects.get(pk=patient.pk)
        assert {name: getattr(now, name) for name in now.__dict__ if name != "_state"} == {
            name: getattr(before[patient.pk], name) for name in now.__dict__ if name != "_state"
        }
    assert "encrypted anew" in run("--clinic", "riverside")


def test_every_place_takes_part(riverside_in_platform: Place) -> None:
    """One value in each place that there is: a new place without a line here fails."""
    place = riverside_in_platform
    user, clinic_id = place.users[Role.RECEPTIONIST], place.clinic.pk
    Clinic.objects.filter(pk=clinic_id).update(protected_fields=list(markable()))
    patient = add(place, 1, insurance_policy_number="P1", **{one.name: "typed" for one in markable().values()})
    payload = Draft.sealed({"notes": ["typed"]}, clinic_id)
    draft = Draft.objects.create(user=user, clinic=place.clinic, form="patient-register", payload=payload)
    answer = seal(b"{}", clinic_id=clinic_id, context=ANSWERS)
    record = IdempotencyRecord.objects.create(user=user, clinic_id=clinic_id, key="k" * 8, fingerprint="", answer=answer)
    with clinic_scope(place.clinic, reason="test"):
        stored = keep(FILE)
    Document.objects.create(
        clinic=place.clinic,
        patient=patient,
        title="Letter",
        stored=stored,
        content_type="text/plain",
        file_name="a",
        size=1,
        sha256="",
    )
    WebhookEndpoint.objects.create(
        clinic=place.clinic, name="A", url="https://a.example.org/", events=[], secret="s", old_secret="o"
    )
    PatientMessage.objects.create(
        clinic=place.clinic, patient_id=patient.pk, kind="reminder", template="t", language="en", words="w"
    )
    DataSync.objects.create(clinic=place.clinic, url="https://a.example.org/", secret="s")
    run("--clinic", "riverside")
    label = header_of(newest(place).pk)
    for one in places_of_clinics():
        kept = one.name == "core_change"  # what is sealed there stays under its key
        assert list(one.usage(clinic_id)) == ([] if kept else [label]), one.name
    draft.refresh_from_db()
    record.refresh_from_db()
    assert draft.values == {"notes": ["typed"]}
    assert unseal(record.answer, context=ANSWERS) == b"{}"
    sealed = Path(folder().path(place_of(clinic_id, stored))).read_bytes()
    assert unseal(sealed, context=context_of(clinic_id, stored)) == FILE


def test_values_from_before_there_were_clinic_keys_go_over(riverside_in_platform: Place, hillcrest: Place) -> None:
    patient, theirs = add(riverside_in_platform, 1), add(hillcrest, 1)
    for one in (patient, theirs):
        Patient.objects.filter(pk=one.pk).update(national_id=encrypt(IDENTITY.encode(), context=COLUMN))
    run("--clinic", "riverside")
    assert raw("patients_patient", "national_id", patient.pk).startswith(header_of(newest(riverside_in_platform).pk))
    assert raw("patients_patient", "national_id", theirs.pk)[0] == RING, "the other clinic was not asked for"
    assert "it can be taken out" not in run("--status")
    run("--all")
    assert raw("patients_patient", "national_id", theirs.pk).startswith(header_of(newest(hillcrest).pk))


def test_a_run_that_ended_in_the_middle_goes_on_with_its_key(riverside_in_platform: Place) -> None:
    place = riverside_in_platform
    patients = [add(place, number) for number in range(BATCH + 7)]
    key = rotation.new_data_key(place.clinic.pk, str)
    (column,) = [one for one in columns() if one.name == COLUMN]
    rotation.memory.keys_of(place.clinic.pk, anew=True)
    next(column.renew(rotation.Target(place.clinic.pk, header_of(key.pk))))  # one step, and then the power is gone
    assert f"{COLUMN}: 7 encrypted anew" in run("--clinic", "riverside")
    assert newest(place).pk == key.pk
    assert {raw("patients_patient", "national_id", one.pk)[:17] for one in patients} == {header_of(key.pk)}


def test_what_nobody_can_read_is_named_and_the_old_key_stays(riverside_in_platform: Place) -> None:
    place = riverside_in_platform
    bad, good = add(place, 1), add(place, 2)
    whole = raw("patients_patient", "national_id", bad.pk)
    broken = whole[:-1] + bytes([whole[-1] ^ 1])
    Patient.objects.filter(pk=bad.pk).update(national_id=broken)
    with pytest.raises(CommandError, match=f"{COLUMN} {bad.pk}"):
        run("--clinic", "riverside")
    assert raw("patients_patient", "national_id", bad.pk) == broken
    assert raw("patients_patient", "national_id", good.pk).startswith(header_of(newest(place).pk))
    assert ClinicKey.objects.filter(clinic=place.clinic, kind="data", state="retiring").exists()


def test_the_deployments_key_can_be_taken_out_afterwards(riverside_in_platform: Place, settings: Any) -> None:
    place = riverside_in_platform
    user = place.users[Role.RECEPTIONIST]
    patient, legacy = add(place, 1), add(place, 2)
    Patient.objects.filter(pk=legacy.pk).update(national_id=encrypt(IDENTITY.encode(), context=COLUMN))
    nobodys = IdempotencyRecord.objects.create(
        user=user, clinic_id=None, key="k" * 8, fingerprint="", answer=encrypt(b"{}", context=ANSWERS)
    )
    draft = Draft.objects.create(user=user, clinic=place.clinic, form="patient-register", payload=encrypt(b"{}", context=DRAFTS))
    old = list(settings.HMS_ENCRYPTION_KEYS)
    number = int(old[0].partition(":")[0])
    new = f"{number + 1}:" + base64.urlsafe_b64encode(os.urandom(32)).decode()
    factor = SecondFactor(user=user, kind=SecondFactor.Kind.CODE)
    factor.secret = {"channels": ["email"], "phone": ""}
    settings.HMS_ENCRYPTION_KEYS = [new, *old]
    factor.save()
    assert f"Under deployment key {number} stands nothing; it can be taken out." in run("--ring")
    settings.HMS_ENCRYPTION_KEYS = [new]
    memory.forget()
    for one in (patient, legacy):
        assert Patient.objects.get(pk=one.pk).national_id == IDENTITY
    for one in (nobodys, draft, factor):
        one.refresh_from_db()
    assert factor.secret == {"channels": ["email"], "phone": ""}
    assert unseal(nobodys.answer, context=ANSWERS) == b"{}"
    assert draft.values == {}


def test_patients_are_found_under_a_new_search_key_and_tokens_of_the_old_are_gone(riverside_in_platform: Place) -> None:
    place = riverside_in_platform
    clinic_id = place.clinic.pk
    patient = add(place, 1)
    old = memory.keys_of(clinic_id).search
    PatientToken.objects.bulk_create(
        [PatientToken(clinic_id=clinic_id, patient=patient, token=token) for token in tokens_under(old, patient)]
    )
    key = rotation.new_search_key(clinic_id)
    assert memory.keys_of(clinic_id).search == old, "nobody searches by a key that is being built"
    assert len(memory.keys_of(clinic_id).written) == 2
    rotation.build_tokens(clinic_id, key, str)
    assert rotation.new_search_key(clinic_id).pk == key.pk, "a second run goes on with the same key"
    assert "Patients are searched by search key 2." in run("--clinic", "riverside", "--search")
    new = memory.keys_of(clinic_id).search
    assert new != old
    for one in (patient, place.patients[0]):
        assert set(PatientToken.objects.filter(patient_id=one.pk).values_list("token", flat=True)) == tokens_under(new, one)
    states = ClinicKey.objects.filter(clinic=place.clinic, kind="search").order_by("number").values_list("state", flat=True)
    assert list(states) == ["retired", "active"]


def test_a_patient_changed_while_tokens_are_built_is_found_by_both_names(riverside_in_platform: Place) -> None:
    place = riverside_in_platform
    clinic_id = place.clinic.pk
    key = rotation.new_search_key(clinic_id)
    patient = add(place, 1)
    patient.family_name = "Zwetschgenbaum"
    patient.save()  # the service writes only the difference: here none of the new key's tokens is there yet
    rotation.build_tokens(clinic_id, key, str)
    old, new = memory.keys_of(clinic_id).written
    assert set(PatientToken.objects.filter(patient=patient).values_list("token", flat=True)) >= tokens_under(new, patient)
    assert old != new


def test_a_change_while_old_tokens_go_leaves_none_of_them(riverside_in_platform: Place) -> None:
    place = riverside_in_platform
    clinic_id, patient = place.clinic.pk, add(riverside_in_platform, 1)
    old = memory.keys_of(clinic_id).search
    key = rotation.new_search_key(clinic_id)
    rotation.build_tokens(clinic_id, key, str)
    rotation.search_by(clinic_id, key)
    assert set(memory.keys_of(clinic_id).written) == {old, memory.keys_of(clinic_id).search}, "some still search by the old key"
    rotation.stop_writing_old_tokens(clinic_id)
    assert old not in memory.keys_of(clinic_id).written
    before = tokens_under(old, patient)
    assert stored_tokens_of(clinic_id, patient) >= before, "a change takes the old ones away"
    assert not tokens_of(clinic_id, patient) & before, "and adds none"


def test_there_must_be_such_a_clinic(world: World) -> None:
    with pytest.raises(CommandError, match="no clinic"):
        run("--clinic", f"x{new_id()}"[:20])
