"""Registering and changing a patient's record."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.accounts.roles import Role
from core.errors import NotAllowed, NotFound, PreconditionFailed, ValidationFailed
from core.tenancy.context import clinic_scope
from patients import tokens
from patients.errors import DuplicatePatient
from patients.models import Consent, Patient, PatientToken
from patients.selectors import latest_consents, search_patients
from patients.services import note_consent, register_patient, update_patient
from tests.factories.patients import PEOPLE, patient_data
from tests.factories.world import Place


def refused(error: pytest.ExceptionInfo[Any]) -> dict[str, str]:
    return {detail.field: detail.code for detail in error.value.details}


def test_numbers_are_issued_in_order_per_clinic(riverside: Place, hillcrest: Place) -> None:
    numbers = [f"RV-{number:07d}" for number in range(1, len(PEOPLE) + 1)]
    assert [patient.mrn for patient in riverside.patients] == numbers
    assert hillcrest.patients[0].mrn == "HC-0000001"


def test_names_stay_as_typed_and_numbers_become_international(in_riverside: Place) -> None:
    data = patient_data(
        given_name="  Zoë-Ann ", family_name="Đặng", phone="020 7946 0018", language="PT-br", notes="<b>a\nb</b> 🩺"
    )
    patient = register_patient(actor=in_riverside.actor(Role.RECEPTIONIST), data=data)
    patient.refresh_from_db()
    assert (patient.given_name, patient.family_name) == ("Zoë-Ann", "Đặng")
    assert (patient.phone, patient.language, patient.notes) == ("+442079460018", "pt-BR", "<b>a\nb</b> 🩺")
    assert (patient.given_norm, patient.family_norm) == ("zoe ann", "dang")


def test_every_wrong_field_is_named_at_once(in_riverside: Place) -> None:
    data = {
        "given_name": "a\0b",
        "family_name": "x" * 101,
        "date_of_birth": (timezone.localdate(timezone=in_riverside.clinic.zone) + timedelta(days=1)).isoformat(),
        "sex": "none",
        "phone": "12",
        "email": "nobody",
        "country": "ZZ",
        "language": "?",
        "national_id": "\ud800",
        "reminder_channels": ["pigeon"],
        "quiet_from": "22:00",
        "preferred_provider_id": str(in_riverside.clinic.pk),
        "consents": {"treatment": "yes", "marriage": True},
        "mrn": "RV-1",
    }
    with pytest.raises(ValidationFailed) as error:
        register_patient(actor=in_riverside.actor(Role.RECEPTIONIST), data=data)
    assert refused(error) == {
        "given_name": "null_characters_not_allowed",
        "family_name": "max_length",
        "date_of_birth": "in_future",
        "sex": "invalid_choice",
        "phone": "invalid",
        "email": "invalid",
        "country": "invalid",
        "language": "invalid",
        "national_id": "surrogate_characters_not_allowed",
        "reminder_channels": "invalid_choice",
        "quiet_until": "required",
        "preferred_provider_id": "does_not_exist",
        "consents.treatment": "invalid",
        "consents.marriage": "unknown_field",
        "mrn": "unknown_field",
    }
    assert Patient.objects.count() == len(PEOPLE)


def test_what_is_missing_is_named(in_riverside: Place) -> None:
    with pytest.raises(ValidationFailed) as error:
        register_patient(actor=in_riverside.actor(Role.NURSE), data={"given_name": " "})
    assert refused(error) == {"given_name": "required", "family_name": "required", "date_of_birth": "required", "sex": "required"}


@pytest.mark.parametrize("role", [Role.BILLING_SPECIALIST, Role.AUDITOR, Role.PATIENT, Role.DATA_ANALYST, Role.PHARMACIST])
def test_others_may_not_register_or_change(in_riverside: Place, role: Role) -> None:
    with pytest.raises(NotAllowed):
        register_patient(actor=in_riverside.actor(role), data=patient_data())
    with pytest.raises(NotAllowed):
        update_patient(actor=in_riverside.actor(role), patient_id=in_riverside.patients[0].pk, changes={"city": "Bath"})


def test_a_strong_duplicate_is_refused_unless_accepted(in_riverside: Place) -> None:
    actor = in_riverside.actor(Role.RECEPTIONIST)
    twin = patient_data(given_name="Priya", family_name="Ramann", date_of_birth="1991-12-24")
    with pytest.raises(DuplicatePatient) as error:
        register_patient(actor=actor, data=twin)
    assert error.value.extra["duplicates"][0]["mrn"] == in_riverside.patients[2].mrn
    assert error.value.extra["duplicates"][0]["reasons"] == ["similar_name", "date_of_birth"]
    assert register_patient(actor=actor, data=twin, accept_duplicate=True).mrn == f"RV-{len(PEOPLE) + 1:07d}"


def test_a_shared_phone_alone_does_not_stop_a_registration(in_riverside: Place) -> None:
    data = patient_data(phone=in_riverside.patients[0].phone)
    assert register_patient(actor=in_riverside.actor(Role.RECEPTIONIST), data=data).pk


def test_national_id_and_policy_number_are_unreadable_in_the_table(in_riverside: Place) -> None:
    from django.db import connection

    data = patient_data(national_id="QQ 12 34 56 C", insurance_policy_number="P-778")
    patient = register_patient(actor=in_riverside.actor(Role.RECEPTIONIST), data=data)
    with connection.cursor() as cursor:
        cursor.execute("SELECT national_id, insurance_policy_number FROM patients_patient WHERE id = %s", [patient.pk])
        stored = b"".join(bytes(value) for value in cursor.fetchone())
    assert b"QQ" not in stored and b"778" not in stored
    patient.refresh_from_db()
    assert (patient.national_id, patient.insurance_policy_number) == ("QQ 12 34 56 C", "P-778")


def test_a_change_moves_the_tokens(in_riverside: Place) -> None:
    actor, patient = in_riverside.actor(Role.RECEPTIONIST), in_riverside.patients[0]
    changed = update_patient(actor=actor, patient_id=patient.pk, changes={"family_name": "Vance", "phone": "020 7946 0555"})
    assert changed.version == 2
    stored = set(PatientToken.objects.filter(patient_id=patient.pk).values_list("token", flat=True))
    assert stored == tokens.tokens_of(in_riverside.clinic.pk, changed)
    assert [match.patient.pk for match in search_patients(actor=actor, text="vance 0555")] == [patient.pk]
    assert search_patients(actor=actor, text="obrien") == []


def test_a_change_to_the_same_values_changes_nothing(in_riverside: Place) -> None:
    patient = in_riverside.patients[0]
    same = update_patient(actor=in_riverside.actor(Role.DOCTOR), patient_id=patient.pk, changes={"given_name": " Mary "})
    assert (same.version, same.updated_at) == (1, Patient.objects.get(pk=patient.pk).updated_at)


def test_a_stale_version_is_refused(in_riverside: Place) -> None:
    actor, patient = in_riverside.actor(Role.RECEPTIONIST), in_riverside.patients[0]
    update_patient(actor=actor, patient_id=patient.pk, changes={"city": "Bath"}, expected_version=1)
    with pytest.raises(PreconditionFailed):
        update_patient(actor=actor, patient_id=patient.pk, changes={"city": "Wells"}, expected_version=1)
    assert Patient.objects.get(pk=patient.pk).city == "Bath"


def test_quiet_hours_stay_complete(in_riverside: Place) -> None:
    actor, patient = in_riverside.actor(Role.RECEPTIONIST), in_riverside.patients[0]
    update_patient(actor=actor, patient_id=patient.pk, changes={"quiet_from": "22:00", "quiet_until": "07:00"})
    with pytest.raises(ValidationFailed) as error:
        update_patient(actor=actor, patient_id=patient.pk, changes={"quiet_until": None})
    assert refused(error) == {"quiet_until": "required"}


def test_another_clinics_patient_is_not_found(riverside: Place, hillcrest: Place) -> None:
    with clinic_scope(hillcrest.clinic, reason="test"), pytest.raises(NotFound):
        update_patient(actor=hillcrest.actor(Role.DOCTOR), patient_id=riverside.patients[0].pk, changes={"city": "Bath"})


def test_the_newest_consent_counts(in_riverside: Place) -> None:
    actor = in_riverside.actor(Role.RECEPTIONIST)
    patient = register_patient(actor=actor, data=patient_data(consents={"treatment": True, "messages": True}))
    note_consent(actor=actor, patient_id=patient.pk, kind="messages", given=False)
    latest = latest_consents(actor=actor, patient_id=patient.pk)
    assert {kind: consent.given for kind, consent in latest.items()} == {"treatment": True, "messages": False}
    assert Consent.objects.filter(patient=patient).count() == 3
    assert latest["messages"].noted_by_id == in_riverside.users[Role.RECEPTIONIST].pk
