"""What changed in a record: in the words of the form, by whom, from where; and nothing for whom it is no business."""

from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from core.accounts.roles import Role
from core.history import selectors
from core.history.models import Change
from core.keys import memory
from core.keys.sealing import SEALED_TEXT
from core.tenancy.models import Clinic
from patients.models import Patient
from patients.services import register_patient, update_patient
from tests.factories.page_forms import forms_of
from tests.factories.world import Place

DATA = {
    "given_name": "Rosa",
    "family_name": "Iglesias",
    "date_of_birth": "1959-03-14",
    "sex": "female",
    "national_id": "QQ 12 34 56 C",
    "consents": {"treatment": True},
}


@pytest.fixture
def rosa(in_riverside: Place) -> Patient:
    return register_patient(actor=in_riverside.actor(Role.RECEPTIONIST), data=DATA)


def changes_page(client: Any, patient_id: UUID, query: str = "") -> str:
    answer = client.get(f"/patients/{patient_id}/changes/{query}")
    assert answer.status_code == 200
    return str(answer.text)


def test_a_change_made_on_the_page_is_told_in_the_words_of_the_form(sign_in: Any, in_riverside: Place, rosa: Patient) -> None:
    desk = sign_in(in_riverside.users[Role.RECEPTIONIST])
    address = f"/patients/{rosa.pk}/edit/"
    (form,) = [one for one in forms_of(desk.get(address).text, address) if "read" in one.values]
    provider = in_riverside.providers[0]
    typed = {"sex": "other", "quiet_from": "21:30", "quiet_until": "07:00", "preferred_provider_id": str(provider.pk),
             "reminder_channels": ["email"], "email": "rosa@example.org", "needs_interpreter": "on"}  # fmt: skip
    assert desk.post(address, {**form.values, **typed}).status_code in (302, 303)
    page = changes_page(desk, rosa.pk)
    for told in ("Patient: changed", "Receptionist of Riverside Practice", "<dt>Sex</dt>", "<del>Female</del>", "Other</ins>",
                 "21:30", provider.name, "rosa@example.org", "Yes</ins>", "E-mail</ins>"):  # fmt: skip
        assert told in page
    assert "Family norm" not in page and "Version" not in page
    assert "Consent: added" in page and "Patient: added" in page


def test_what_is_encrypted_is_only_said_to_have_changed(sign_in: Any, in_riverside: Place, rosa: Patient) -> None:
    update_patient(actor=in_riverside.actor(Role.DOCTOR), patient_id=rosa.pk, changes={"national_id": "AB 65 43 21 D"},
                   expected_version=rosa.version)  # fmt: skip
    page = changes_page(sign_in(in_riverside.users[Role.DOCTOR]), rosa.pk)
    assert "<dt>National id</dt>" in page and "protected, not shown here" in page
    assert "65 43" not in page and "12 34" not in page and "\\x" not in page


def test_what_the_clinic_protects_is_told_as_it_was_typed(sign_in: Any, in_riverside: Place, rosa: Patient) -> None:
    """The history keeps it sealed; whoever may read the history sees the record, where it stands in clear."""
    Clinic.objects.filter(pk=in_riverside.clinic.pk).update(protected_fields=["patient.notes"])
    memory.forget()
    patient_id, desk = rosa.pk, in_riverside.actor(Role.RECEPTIONIST)
    update_patient(actor=desk, patient_id=patient_id, changes={"notes": "Ring twice"})
    memory.forget()
    newest = Change.objects.filter(row_id=patient_id).latest("id")
    assert newest.new_values["notes"].startswith(SEALED_TEXT)
    assert "Ring twice</ins>" in changes_page(sign_in(in_riverside.users[Role.DOCTOR]), patient_id)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE patients_patient SET notes = %s WHERE id = %s", [SEALED_TEXT + "damaged", patient_id])
        cursor.execute("UPDATE patients_patient SET notes = '' WHERE id = %s", [patient_id])
    page = changes_page(sign_in(in_riverside.users[Role.DOCTOR]), patient_id)
    assert "protected, not shown here" in page and SEALED_TEXT not in page
    memory.forget()


def test_raw_sql_and_a_person_s_absence_are_told(sign_in: Any, in_riverside: Place, rosa: Patient) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE patients_patient SET city = 'Leeds' WHERE id = %s", [rosa.pk])
    page = changes_page(sign_in(in_riverside.users[Role.AUDITOR]), rosa.pk)
    assert "<del>–</del>" in page and "Leeds</ins>" in page
    assert "HMS · " in page and "test" in page


def test_changes_through_the_api_say_so(api: Any, sign_in: Any, in_riverside: Place, rosa: Patient) -> None:
    answer = api(in_riverside.users[Role.RECEPTIONIST]).patch(f"/api/v2/patients/{rosa.pk}", {"notes": "<b>Ring twice</b>"})
    assert answer.status_code == 200
    page = changes_page(sign_in(in_riverside.users[Role.RECEPTIONIST]), rosa.pk)
    assert "through the API" in page and "&lt;b&gt;Ring twice&lt;/b&gt;" in page


def test_pages_follow_each_other_and_leave_nothing_out(sign_in: Any, in_riverside: Place, rosa: Patient) -> None:
    with connection.cursor() as cursor:
        for number in range(5):
            cursor.execute("UPDATE patients_patient SET city = %s WHERE id = %s", [f"Town {number}", rosa.pk])
    given = {"actor": in_riverside.actor(Role.NURSE), "row_ids": [rosa.pk], "zone": in_riverside.clinic.zone}
    seen: list[int] = []
    before = None
    while True:
        found = selectors.changes_of(**given, before=before, limit=2)
        seen += [entry.number for entry in found.entries]
        if (before := found.older) is None:
            break
    assert seen == sorted(seen, reverse=True) and len(seen) == len(set(seen)) == 6
    client = sign_in(in_riverside.users[Role.NURSE])
    assert "Town 1" in changes_page(client, rosa.pk, f"?before={seen[2]}")
    assert "<del>Town 3" not in changes_page(client, rosa.pk, f"?before={seen[2]}")
    for odd in ("?before=x", "?before=-1", "?before=99999999999999999999", "?before=٣"):
        assert "Town 4" in changes_page(client, rosa.pk, odd)


@pytest.mark.parametrize("role", [Role.PHARMACIST, Role.BILLING_SPECIALIST, Role.PATIENT, Role.DATA_ANALYST])
def test_it_is_not_everybody_s_business(role: Role, sign_in: Any, in_riverside: Place, rosa: Patient) -> None:
    client = sign_in(in_riverside.users[role])
    assert client.get(f"/patients/{rosa.pk}/changes/").status_code == 403
    assert "/changes/" not in client.get(f"/patients/{rosa.pk}/").text


def test_another_clinic_learns_nothing(sign_in: Any, hillcrest: Place, rosa: Patient) -> None:
    answer = sign_in(hillcrest.users[Role.CLINIC_ADMIN]).get(f"/patients/{rosa.pk}/changes/")
    assert answer.status_code == 404 and "Rosa" not in answer.text


def test_documents_are_told_of_without_what_is_in_them(sign_in: Any, in_riverside: Place, rosa: Patient) -> None:
    desk = sign_in(in_riverside.users[Role.RECEPTIONIST])
    file = SimpleUploadedFile("letter.txt", b"Dear colleague, nobody else may read this")
    assert desk.post(f"/patients/{rosa.pk}/documents/add/", {"file": file, "category": "letter"}).status_code in (302, 303)
    page = changes_page(desk, rosa.pk)
    assert "Document: added" in page and "letter.txt" in page and "nobody else" not in page
