"""A record becomes nobody's: who may, when it is refused, what is left, and what the pages and the API say of it."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from appointments.choices import Status
from appointments.models import Appointment, AppointmentChange, Claim
from appointments.services import book_appointment
from clinics.models import ClinicSettings
from core.accounts.roles import Role
from core.errors import Conflict, DomainError, NotAllowed, NotFound, PreconditionFailed, ValidationFailed
from patients.choices import PatientStatus
from patients.models import Anonymisation, Document, Patient, PatientAccount, PatientToken
from patients.policies import visible_documents
from patients.selectors import duplicates_of, search_patients
from patients.selectors.contacts import Contact, contacts_of
from patients.selectors.retention import due_for_anonymising, kept_until
from patients.services import (
    add_document,
    anonymise_patient,
    export_patient,
    note_consent,
    pending_anonymisations,
    register_patient,
    update_patient,
)
from patients.services.export import recorded_export
from patients.services.search_keys import _known
from tests.factories.visits import at, book
from tests.factories.world import Place

FILLED = {
    "given_name": "Quetzalwin", "middle_name": "Ottoline", "family_name": "Brambleforth", "preferred_name": "Quetz",
    "date_of_birth": "1971-09-30", "sex": "female", "gender": "woman", "blood_type": "A+", "phone": "+447700900987",
    "phone_alt": "+447700900654", "email": "quetzalwin@example.org", "address_line1": "14 Wisteria Passage", "city": "Bath",
    "postal_code": "BA1 1AA", "country": "GB", "national_id": "QX774411Z", "insurance_policy_number": "POL-5550-8831",
    "emergency_name": "Zephyrine Oakenshade", "emergency_phone": "+447700900321", "notes": "Hard of hearing",
}  # fmt: skip


@pytest.fixture
def known(in_riverside: Place) -> Patient:
    """Somebody with something in every table, and no visit ahead."""
    desk = in_riverside.actor(Role.CLINIC_ADMIN)
    patient = register_patient(actor=desk, data=FILLED | {"consents": {"treatment": True}})
    visit = book(in_riverside, at(in_riverside, 21, 10), patient_id=patient.pk, notes="Came about her knee")
    AppointmentChange.objects.create(
        appointment=visit, kind="moved", actor_name="Desk", to_status="confirmed", reason="Her sister called"
    )
    begun = timezone.now() - timedelta(days=700)
    Appointment.objects.filter(pk=visit.pk).update(
        start=begun, end=begun + timedelta(minutes=20), local_day=begun.date(), status=Status.COMPLETED
    )
    add_document(actor=desk, patient_id=patient.pk, data={"title": "Letter"}, content=b"Dear colleague", file_name="letter.txt")
    PatientAccount.objects.create(patient=patient, user=in_riverside.users[Role.PATIENT])
    recorded_export(user_id=in_riverside.users[Role.CLINIC_ADMIN].pk, patient=patient, reason="legal")
    return patient


def anonymised(place: Place, patient: Patient, *, role: Role = Role.COMPLIANCE_OFFICER, **changes: Any) -> Anonymisation:
    given = {"mrn": patient.mrn, "kind": "request", "reason": "Asked for in writing."} | changes
    return anonymise_patient(actor=place.actor(role), patient_id=patient.pk, **given)


def refused(place: Place, patient: Patient, **changes: Any) -> DomainError:
    with pytest.raises(DomainError) as raised:
        anonymised(place, patient, **changes)
    assert Patient.objects.get(pk=patient.pk).status == PatientStatus.ACTIVE
    return raised.value


def test_what_is_left_can_be_counted_and_says_nobody(in_riverside: Place, known: Patient) -> None:
    made = anonymised(in_riverside, known)
    left = Patient.objects.get(pk=known.pk)
    kept = {"id", "clinic", "sex", "created_at", "updated_at", "version", "mrn", "date_of_birth", "status", "family_name"}
    assert (left.sex, left.date_of_birth, left.status, left.full_name) == ("female", date(1971, 1, 1), "anonymised", "Anonymised")
    assert left.mrn.startswith("ANON-") and known.mrn not in left.mrn
    empty = Patient(preferred_time_of_day="any")
    assert [f.name for f in Patient._meta.fields if f.name not in kept and getattr(left, f.name) != getattr(empty, f.name)] == []
    visit = Appointment.objects.get(patient=known)
    assert (visit.status, visit.notes, visit.service, visit.provider) == (
        "completed",
        "",
        in_riverside.services[0],
        in_riverside.providers[0],
    )
    document = Document.objects.get(patient=known)
    assert (document.title, document.file_name, document.sha256, document.stored, document.size) == ("", "", "", None, 0)
    assert not visible_documents(in_riverside.actor(Role.DOCTOR)).filter(patient=known).exists()
    assert not PatientToken.objects.filter(patient=known).exists()
    assert not PatientAccount.objects.filter(patient=known).exists()
    assert known.consents.count() == 1 and Claim.objects.filter(resource_id=known.pk).exists()
    assert LogEntry.objects.get(object_id=str(known.pk)).object_repr == left.mrn
    assert (made.kind, made.by_id, made.state) == ("request", in_riverside.users[Role.COMPLIANCE_OFFICER].pk, "pending")
    assert made.counts["patients_patient"] == 1 and made.counts["patients_patienttoken"] > 20
    assert (
        made.counts["appointments_appointment"] == made.counts["patients_document"] == made.counts["patients_patientaccount"] == 1
    )


def test_lines_that_are_never_altered_are_left_to_maintenance(in_riverside: Place, known: Patient) -> None:
    """The first step doesn't even try: the application has no right to."""
    anonymised(in_riverside, known)
    assert AppointmentChange.objects.filter(appointment__patient=known, reason="Her sister called").count() == 1
    made = Anonymisation.objects.get(patient=known)
    assert made.pk in pending_anonymisations()
    assert set(made.left) == {"messages", "files", "accounts", "users"} and len(made.left["messages"]) == 3
    assert all(len(digest) == 64 for digest in made.left["messages"])


def test_nobody_finds_it(in_riverside: Place, known: Patient) -> None:
    actor = in_riverside.actor(Role.RECEPTIONIST)
    ways = ["Brambleforth", "Br", "Quetz", "0987", known.mrn, "1971-09-30", "QX774411Z", "quetzalwin@example.org", "Zephyrine"]
    before = {text for text in ways if any(one.patient.pk == known.pk for one in search_patients(actor=actor, text=text))}
    assert len(before) >= 7
    anonymised(in_riverside, known)
    for text in [*ways, "Anonymised", "An", "ANON"]:
        assert all(one.patient.pk != known.pk for one in search_patients(actor=actor, text=text)), text
    born = date(1971, 9, 30)
    given = {"given_name": "Quetzalwin", "family_name": "Brambleforth", "date_of_birth": born, "phone": "+447700900987"}
    assert duplicates_of(actor=actor, **given) == []


def test_a_new_search_key_gives_it_no_tokens(in_riverside: Place, known: Patient) -> None:
    anonymised(in_riverside, known)
    assert set(_known(in_riverside.clinic.pk)) == set(Patient.objects.exclude(pk=known.pk))


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.RECEPTIONIST, Role.AUDITOR, Role.PATIENT, Role.NURSE])
def test_who_may_not(in_riverside: Place, known: Patient, role: Role) -> None:
    assert isinstance(refused(in_riverside, known, role=role), NotAllowed)


def test_another_clinics_is_not_found(in_riverside: Place, hillcrest: Place) -> None:
    with pytest.raises(NotFound):
        anonymised(in_riverside, hillcrest.patients[0])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mrn": ""}, "mrn"),
        ({"mrn": "RV-0000001"}, "mrn"),
        ({"kind": "curious"}, "kind"),
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 301}, "reason"),
        ({"reason": "Ms Brambleforth asked"}, "reason"),
        ({"reason": "Letter of QUETZALWIN"}, "reason"),
        ({"reason": "Oakenshade, her aunt, asked"}, "reason"),
        ({"reason": "Called from 07700 900987"}, "reason"),
        ({"reason": "Mail of Quetzalwin@Example.org"}, "reason"),
        ({"reason": "Card QX 77 44 11 Z"}, "reason"),
    ],
)
def test_what_was_said_wrongly_is_named(in_riverside: Place, known: Patient, changes: dict[str, str], field: str) -> None:
    error = refused(in_riverside, known, **changes)
    assert isinstance(error, ValidationFailed)
    assert [one.field for one in error.details] == [field]


def test_not_at_another_version(in_riverside: Place, known: Patient) -> None:
    assert isinstance(refused(in_riverside, known, expected_version=known.version + 1), PreconditionFailed)
    assert anonymised(in_riverside, known, expected_version=known.version)


def test_not_while_a_visit_lies_ahead(in_riverside: Place, known: Patient) -> None:
    visit = book(in_riverside, at(in_riverside, 21, 14), patient_id=known.pk)
    assert isinstance(refused(in_riverside, known), Conflict)
    Appointment.objects.filter(pk=visit.pk).update(status=Status.CANCELLED)
    assert anonymised(in_riverside, known)


def test_by_the_rule_only_when_its_time_is_over(in_riverside: Place, known: Patient) -> None:
    assert "is kept until" in str(refused(in_riverside, known, kind="retention").message)
    ClinicSettings.objects.update(retention_years=None)
    assert "for ever" in str(refused(in_riverside, known, kind="retention").message)
    ClinicSettings.objects.update(retention_years=1)
    assert "is kept until" in str(refused(in_riverside, known, kind="retention").message), "registered and given a letter today"
    long_ago = timezone.now() - timedelta(days=600)
    Patient.objects.filter(pk=known.pk).update(created_at=long_ago)
    Document.objects.filter(patient=known).update(created_at=long_ago)
    made = anonymised(in_riverside, known, kind="retention")
    assert made.kept_until is not None and made.kept_until < timezone.now().date()


def test_a_request_before_that_is_noted(in_riverside: Place, known: Patient) -> None:
    made = anonymised(in_riverside, known)
    assert made.kept_until is not None and made.kept_until.year == timezone.now().year + 10


@pytest.mark.parametrize(
    ("last", "years", "until"),
    [
        (date(2020, 2, 29), 1, date(2021, 3, 1)),
        (date(2020, 2, 29), 4, date(2024, 2, 29)),
        (date(2020, 5, 1), 10, date(2030, 5, 1)),
        (date(2020, 5, 1), None, None),
        (None, 10, None),
    ],
)
def test_until_when(last: date | None, years: int | None, until: date | None) -> None:
    assert kept_until(Contact(last), years) == until


def test_what_counts_as_a_contact(in_riverside: Place, known: Patient) -> None:
    today = timezone.localdate(timezone=in_riverside.clinic.zone)
    long_ago = timezone.now() - timedelta(days=3000)
    Patient.objects.filter(pk=known.pk).update(created_at=long_ago)
    patient = Patient.objects.get(pk=known.pk)
    assert contacts_of([patient])[known.pk] == Contact(today, False), "the letter"
    Document.objects.filter(patient=known).update(created_at=long_ago)
    (visit,) = Appointment.objects.filter(patient=known)
    assert contacts_of([patient])[known.pk] == Contact(visit.local_day, False)
    Appointment.objects.filter(pk=visit.pk).update(status=Status.NO_SHOW)
    assert contacts_of([patient])[known.pk].last == long_ago.astimezone(in_riverside.clinic.zone).date()


def test_whose_time_is_over_is_found_in_batches(in_riverside: Place, known: Patient) -> None:
    ClinicSettings.objects.update(retention_years=5)
    long_ago = timezone.now() - timedelta(days=3000)
    Patient.objects.update(created_at=long_ago)
    everybody = {one.pk for one in in_riverside.patients}
    found: set[UUID] = {pk for batch in due_for_anonymising(in_riverside.clinic) for pk in batch}
    assert found == everybody, "the letter of one was added today"
    book(in_riverside, at(in_riverside, 21, 14), patient_id=in_riverside.patients[1].pk)
    Patient.objects.filter(pk=in_riverside.patients[2].pk).update(status=PatientStatus.ANONYMISED)
    found = {pk for batch in due_for_anonymising(in_riverside.clinic) for pk in batch}
    assert found == everybody - {in_riverside.patients[1].pk, in_riverside.patients[2].pk}
    ClinicSettings.objects.update(retention_years=None)
    assert [*due_for_anonymising(in_riverside.clinic)] == []


def test_nothing_is_added_to_it_afterwards(in_riverside: Place, known: Patient) -> None:
    anonymised(in_riverside, known)
    desk = in_riverside.actor(Role.CLINIC_ADMIN)
    start = at(in_riverside, 21, 12)
    place = {"service_id": in_riverside.services[0].pk, "provider_id": in_riverside.providers[0].pk}
    attempts: list[Any] = [
        lambda: update_patient(actor=desk, patient_id=known.pk, changes={"notes": "Again"}),
        lambda: note_consent(actor=desk, patient_id=known.pk, kind="messages", given=True),
        lambda: add_document(actor=desk, patient_id=known.pk, data={}, content=b"Again", file_name="a.txt"),
        lambda: export_patient(actor=desk, patient_id=known.pk, reason="legal"),
        lambda: book_appointment(actor=desk, patient_id=known.pk, start=start, **place),
        lambda: anonymised(in_riverside, Patient.objects.get(pk=known.pk)),
    ]
    for attempt in attempts:
        with pytest.raises((Conflict, ValidationFailed)):
            attempt()
    with pytest.raises(ValidationFailed):
        update_patient(actor=desk, patient_id=in_riverside.patients[0].pk, changes={"status": "anonymised"})


def test_the_page_says_what_goes_and_wants_the_number(in_riverside: Place, known: Patient, sign_in: Any) -> None:
    desk: Client = sign_in(in_riverside.users[Role.CLINIC_ADMIN])
    address = f"/patients/{known.pk}/anonymise/"
    assert address in desk.get(f"/patients/{known.pk}/").text
    page = desk.get(address).text
    assert "your decision" in page
    typed = {"kind": "request", "reason": "Asked for in writing.", "mrn": "RV-1", "version": str(known.version)}
    wrong = desk.post(address, typed)
    assert wrong.status_code == 422 and 'id="id_mrn_error"' in wrong.text and "Asked for in writing." in wrong.text
    stale = desk.post(address, typed | {"mrn": known.mrn, "version": "77"})
    assert stale.status_code == 412
    early = desk.post(address, typed | {"mrn": known.mrn, "kind": "retention"})
    assert early.status_code == 409 and "is kept until" in early.text
    done = desk.post(address, typed | {"mrn": known.mrn.lower()})
    assert (done.status_code, done["Location"]) == (303, f"/patients/{known.pk}/")
    record = desk.get(f"/patients/{known.pk}/").text
    assert "Anonymised on" in record and "born in 1971" in record
    for gone in ("Brambleforth", known.mrn, "/edit/", "/export/", "/anonymise/", "/appointments/book/", "900987", "30 Sep 1971"):
        assert gone not in record, gone
    assert desk.get(f"/patients/{known.pk}/edit/").status_code == 409
    assert desk.get(address).status_code == 409
    panel = desk.get(f"/appointments/of-patient/{known.pk}/").text
    assert "1 past visit" in panel and "Book" not in panel


def test_the_api(in_riverside: Place, known: Patient, api: Any) -> None:
    desk = api(in_riverside.users[Role.COMPLIANCE_OFFICER])
    body = {"mrn": known.mrn, "kind": "request", "reason": "Asked for in writing."}
    path = f"patients/{known.pk}/anonymise"
    assert desk.post(path, body | {"mrn": "RV-1"}).status_code == 400
    assert desk.post(path, body, If_Match='"77-x"').status_code == 412
    assert api(in_riverside.users[Role.DOCTOR]).post(path, body).status_code == 403
    answer = desk.post(path, body)
    assert answer.status_code == 200
    said = answer.json()["data"]
    assert (said["status"], said["date_of_birth"], said["family_name"]) == ("anonymised", "1971-01-01", "Anonymised")
    assert (said["phone"], said["national_id"], said["notes"], said["email"]) == ("", "", "", "")
    assert desk.post(path, body | {"mrn": said["mrn"]}).status_code == 409
    assert known.pk not in {UUID(one["id"]) for one in desk.get("patients?limit=100").json()["data"]}
    assert [one["id"] for one in desk.get("patients?status=anonymised").json()["data"]] == [str(known.pk)]
