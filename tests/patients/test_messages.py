"""The messages on a patient's page: who sees them, what they say, and writing to an address again."""

from typing import Any

import pytest
from django.test import Client

from core.accounts.roles import Role
from core.anonymity import fate_of
from core.messaging.digests import clinic_digest
from core.messaging.models import PatientMessage, Suppression
from patients.models import Patient
from patients.selectors.everything import ids_about
from patients.services import anonymise_patient
from tests.factories.visits import at, book, make_patient
from tests.factories.world import Place


@pytest.fixture
def patient(in_riverside: Place) -> Patient:
    return make_patient(phone="+447700900123", email="ines@example.org")


def message(patient: Patient, **fields: Any) -> PatientMessage:
    values = {
        "patient_id": patient.pk, "kind": "reminder", "template": "appointment_reminder", "language": "en", "channels": ["sms"],
        "channel": "sms", "state": "delivered", "words": "Your visit is on Monday.",
    }  # fmt: skip
    return PatientMessage.objects.create(**(values | fields))


def page(sign_in: Any, place: Place, patient: Patient, role: Role = Role.RECEPTIONIST, query: str = "") -> Any:
    return sign_in(place.users[role]).get(f"/patients/{patient.pk}/messages/{query}")


def test_it_tells_what_by_which_channel_and_what_became_of_it(sign_in: Any, in_riverside: Place, patient: Patient) -> None:
    message(patient)
    message(patient, state="failed", cause="sms: HTTP 400 21610", channel="sms")
    message(make_patient(), words="Another's.")
    said = page(sign_in, in_riverside, patient).content.decode()
    for words in ("Reminder of a visit", "Text message (SMS)", "Delivered", "Failed", "21610", "Your visit is on Monday."):
        assert words in said
    assert "Another" not in said


def test_it_goes_on_page_by_page(sign_in: Any, in_riverside: Place, patient: Patient) -> None:
    rows = [message(patient, words=f"Number {number}.") for number in range(53)]
    first = page(sign_in, in_riverside, patient).content.decode()
    assert "Number 52." in first and "Number 2." not in first
    rest = page(sign_in, in_riverside, patient, query=f"?before={rows[3].pk}").content.decode()
    assert "Number 2." in rest and "Number 3." not in rest


@pytest.mark.parametrize(
    "role,status", [(Role.NURSE, 200), (Role.AUDITOR, 200), (Role.BILLING_SPECIALIST, 403), (Role.PATIENT, 403)]
)
def test_by_the_matrix(role: Role, status: int, sign_in: Any, in_riverside: Place, patient: Patient) -> None:
    assert page(sign_in, in_riverside, patient, role).status_code == status


def test_whoever_works_at_some_locations_reads_of_the_visits_of_these_alone(
    sign_in: Any, in_riverside: Place, patient: Patient
) -> None:
    visit = book(in_riverside, at(in_riverside, 21, 10), patient_id=patient.pk)
    message(patient, about_id=visit.pk, words="Your visit is on the 4th.")
    message(patient, words="We have moved.")
    membership = in_riverside.memberships[Role.RECEPTIONIST]
    for place, is_told in ((in_riverside.locations[1], False), (in_riverside.locations[0], True)):
        membership.location_ids = [place.pk]
        membership.save()
        said = page(sign_in, in_riverside, patient).text
        assert ("on the 4th" in said) is is_told and "We have moved." in said


def test_another_clinics_patient_is_not_there(sign_in: Any, riverside: Place, hillcrest: Place) -> None:
    assert page(sign_in, riverside, hillcrest.patients[0]).status_code == 404


def test_a_restricted_record_keeps_its_messages(sign_in: Any, in_riverside: Place, patient: Patient) -> None:
    message(patient)
    Patient.objects.filter(pk=patient.pk).update(is_restricted=True, restriction_reason="Asked for it")
    answer = page(sign_in, in_riverside, patient)
    assert answer.status_code == 403 and b"Monday" not in answer.content


def test_an_address_that_bounced_is_written_to_again_and_one_that_stopped_is_not(
    sign_in: Any, in_riverside: Place, patient: Patient
) -> None:
    clinic = in_riverside.clinic.pk
    bounced = Suppression.objects.create(channel="email", digest=clinic_digest(clinic, patient.email), reason="bounce")
    stopped = Suppression.objects.create(channel="sms", digest=clinic_digest(clinic, patient.phone), reason="stop")
    Suppression.objects.create(channel="sms", digest=clinic_digest(clinic, "+447700900999"), reason="stop")
    said = page(sign_in, in_riverside, patient).content.decode()
    assert said.count("nothing is sent since") == 2 and said.count("write to it again") == 1
    desk: Client = sign_in(in_riverside.users[Role.RECEPTIONIST])
    address = f"/patients/{patient.pk}/messages/resume/"
    assert desk.post(address, {"suppression": str(bounced.pk)}).status_code == 302
    assert desk.post(address, {"suppression": str(bounced.pk)}).status_code == 404
    assert desk.post(address, {"suppression": str(stopped.pk)}).status_code == 409
    assert desk.post(address, {"suppression": "x"}).status_code == 404
    left = Suppression.objects.filter(lifted_at=None).exclude(pk=stopped.pk)
    assert left.count() == 1 and not left.filter(pk=bounced.pk).exists()
    assert sign_in(in_riverside.users[Role.AUDITOR]).post(address, {"suppression": str(stopped.pk)}).status_code == 403


def test_anonymising_leaves_the_count_and_not_the_words(in_riverside: Place, patient: Patient) -> None:
    """The words are lines that the application never alters: what maintenance does after the commit is tried with a real one
    (tests/attack/test_anonymised.py); here, that it is asked to."""
    kept = message(patient)
    assert ids_about(patient.pk)[PatientMessage] == [kept.pk]
    fate = fate_of(PatientMessage)
    assert fate and dict(fate.values) == {"words": ""}
    anonymise_patient(
        actor=in_riverside.actor(Role.COMPLIANCE_OFFICER),
        patient_id=patient.pk,
        mrn=patient.mrn,
        kind="request",
        reason="In writing.",
    )
    assert PatientMessage.objects.filter(pk=kept.pk).exists()
