"""One patient's record as a file: all of it, nothing of anybody else, for those who may, and remembered."""

import json
from datetime import date
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client

from appointments.models import Reminder
from appointments.services import take_ticket
from core.accounts.roles import Role
from core.errors import Conflict, NotAllowed, NotFound, ValidationFailed
from core.messaging.models import PatientMessage
from patients.models import Patient, PatientAccount
from patients.selectors.everything import DERIVED, bound_models
from patients.services import add_document, enter_document_in_error, export_patient, note_consent, update_patient
from tests.factories.queue import open_queue
from tests.factories.visits import at, book
from tests.factories.world import Place

LETTER = b"Dear colleague, thank you."
FILLED = {
    "national_id": "QQ123456C", "insurance_policy_number": "POL-1", "insurance_valid_until": date(2031, 1, 2),
    "notes": "Hard of <hearing>",
}  # fmt: skip


@pytest.fixture
def known(in_riverside: Place) -> Patient:
    """A patient of whom there is something in every table."""
    desk, patient = in_riverside.actor(Role.CLINIC_ADMIN), in_riverside.patients[0]
    update_patient(actor=desk, patient_id=patient.pk, changes=FILLED)
    note_consent(actor=desk, patient_id=patient.pk, kind="messages", given=False)
    visit = book(in_riverside, at(in_riverside, 21, 10), patient_id=patient.pk)
    Reminder.objects.create(appointment=visit, kind="first", start=visit.start)
    open_queue(in_riverside)
    take_ticket(actor=desk, location_id=in_riverside.locations[0].pk, patient_id=patient.pk)
    PatientMessage.objects.create(patient_id=patient.pk, kind="reminder", template="appointment_reminder", words="On Monday.")
    for number in range(2):
        document = add_document(
            actor=desk, patient_id=patient.pk, data={"title": f"Letter {number}"}, content=LETTER, file_name="letter.txt"
        )
    enter_document_in_error(actor=desk, patient_id=patient.pk, document_id=document.pk, reason="Another patient's")
    PatientAccount.objects.create(patient=patient, user=in_riverside.users[Role.PATIENT])
    return patient


def taken(place: Place, patient: Patient, **changes: Any) -> ZipFile:
    actor = place.actor(changes.pop("role", Role.CLINIC_ADMIN))
    name, packed = export_patient(actor=actor, patient_id=patient.pk, reason="patient-request", **changes)
    assert name == f"{patient.mrn}.zip"
    return ZipFile(BytesIO(packed))


def test_every_table_that_refers_to_a_patient_is_in_it(in_riverside: Place, known: Patient) -> None:
    """Tomorrow's table is found by itself; it needs a row in `known`, or a reason in DERIVED."""
    record = json.loads(taken(in_riverside, known).read("record.json"))
    assert set(record["records"]) == {model._meta.label for model in bound_models()} - set(DERIVED)
    assert [label for label, rows in record["records"].items() if not rows] == []
    assert set(DERIVED) <= {model._meta.label for model in bound_models()}


def test_every_field_is_in_it_as_it_is(in_riverside: Place, known: Patient) -> None:
    (row,) = json.loads(taken(in_riverside, known).read("record.json"))["records"]["patients.Patient"]
    assert set(row) == {field.attname for field in Patient._meta.concrete_fields}
    now = Patient.objects.get(pk=known.pk)
    assert (row["national_id"], row["insurance_policy_number"], row["notes"]) == ("QQ123456C", "POL-1", "Hard of <hearing>")
    assert (row["date_of_birth"], row["insurance_valid_until"]) == ("1974-08-03", "2031-01-02")
    assert (row["updated_at"], row["id"]) == (now.updated_at.isoformat(), str(now.pk))


def test_the_documents_are_in_it_those_in_error_too(in_riverside: Place, known: Patient) -> None:
    archive = taken(in_riverside, known)
    named = {row["file"] for row in json.loads(archive.read("record.json"))["records"]["patients.Document"]}
    assert len(named) == 2
    assert set(archive.namelist()) == {"record.json", "record.html", *named}
    assert {archive.read(name) for name in named} == {LETTER}


def test_people_can_read_it(in_riverside: Place, known: Patient) -> None:
    html = taken(in_riverside, known).read("record.html").decode()
    visit = ("Dr Ruth Hale", "Consultation")
    for shown in ("O&#x27;Brien", "QQ123456C", "Hard of &lt;hearing&gt;", *visit, "Letter 1", "Entered in error"):
        assert shown in html, shown
    assert "http" not in html, "it loads nothing"


def test_nothing_of_anybody_else_is_in_it(in_riverside: Place, known: Patient) -> None:
    book(in_riverside, at(in_riverside, 21, 14), patient_id=in_riverside.patients[1].pk)
    archive = taken(in_riverside, known)
    text = "".join(archive.read(name).decode() for name in archive.namelist())
    for other in in_riverside.patients[1:]:
        assert str(other.pk) not in text and other.mrn not in text


def test_it_is_recorded_with_the_reason(in_riverside: Place, known: Patient) -> None:
    taken(in_riverside, known)
    entry = LogEntry.objects.get(object_id=str(known.pk), change_message__startswith="Exported")
    assert (entry.user, entry.object_repr) == (in_riverside.users[Role.CLINIC_ADMIN], known.mrn)
    assert entry.change_message == "Exported: patient-request"


def test_who_may_not_and_what_is_refused(in_riverside: Place, hillcrest: Place, known: Patient) -> None:
    for role in (Role.DOCTOR, Role.RECEPTIONIST, Role.PATIENT, Role.AUDITOR):
        with pytest.raises(NotAllowed):
            taken(in_riverside, known, role=role)
    with pytest.raises(ValidationFailed):
        export_patient(actor=in_riverside.actor(Role.CLINIC_ADMIN), patient_id=known.pk, reason="curious")
    with pytest.raises(NotFound):
        taken(in_riverside, hillcrest.patients[0])
    with pytest.raises(Conflict):
        taken(in_riverside, known, most_bytes=len(LETTER))
    assert not LogEntry.objects.filter(change_message__startswith="Exported").exists()


def test_the_page_asks_why_and_sends_a_file(in_riverside: Place, known: Patient, sign_in: Any) -> None:
    desk: Client = sign_in(in_riverside.users[Role.COMPLIANCE_OFFICER])
    address = f"/patients/{known.pk}/export/"
    assert address in desk.get(f"/patients/{known.pk}/").text
    assert desk.get(address).status_code == 200
    refused = desk.post(address, {"reason": ""})
    assert refused.status_code == 422 and 'id="id_reason_error"' in refused.text
    answer = desk.post(address, {"reason": "transfer"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert answer["Content-Disposition"] == f'attachment; filename="{known.mrn}.zip"'
    assert "no-store" in answer["Cache-Control"]
    assert "record.json" in ZipFile(BytesIO(answer.content)).namelist()
    doctor: Client = sign_in(in_riverside.users[Role.DOCTOR])
    assert address not in doctor.get(f"/patients/{known.pk}/").text


def test_whoever_works_at_some_locations_takes_no_copy_of_the_visits_of_all(
    in_riverside: Place, known: Patient, sign_in: Any
) -> None:
    membership = in_riverside.memberships[Role.COMPLIANCE_OFFICER]
    membership.location_ids = [in_riverside.locations[1].pk]
    membership.save()
    with pytest.raises(NotAllowed):
        taken(in_riverside, known, role=Role.COMPLIANCE_OFFICER)
    desk: Client = sign_in(in_riverside.users[Role.COMPLIANCE_OFFICER])
    for answer in (desk.get(f"/patients/{known.pk}/export/"), desk.post(f"/patients/{known.pk}/export/", {"reason": "transfer"})):
        assert answer.status_code == 403 and "visits of every location" in answer.text
    page = desk.get(f"/patients/{known.pk}/")
    assert page.status_code == 200 and "/export/" not in page.text


def test_the_command_writes_a_file_for_its_owner_alone(in_riverside: Place, known: Patient, tmp_path: Path) -> None:
    target = tmp_path / "record.zip"
    by = in_riverside.users[Role.CLINIC_ADMIN].email
    arguments = [known.mrn, "--clinic", "riverside", "--by", by, "--reason", "legal", "--to", str(target)]
    call_command("export_patient", *arguments, stdout=StringIO())
    assert target.stat().st_mode & 0o777 == 0o600
    assert "record.html" in ZipFile(target).namelist()
    before = LogEntry.objects.count()
    with pytest.raises(CommandError, match="can't be written"):
        call_command("export_patient", *arguments, stdout=StringIO())
    assert LogEntry.objects.count() == before, "no copy, no entry"
    wrong = ["--reason", "legal", "--to", str(tmp_path / "other.zip")]
    for mrn, clinic, email in (("RV-9", "riverside", by), (known.mrn, "nowhere", by), (known.mrn, "riverside", "x@y.test")):
        with pytest.raises(CommandError, match=r"no (such )?(patient|clinic)|Nobody"):
            call_command("export_patient", mrn, "--clinic", clinic, "--by", email, *wrong, stdout=StringIO())
