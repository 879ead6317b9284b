"""A patient's record: read, changed, and the person's own."""

import re
from typing import Any

import pytest
from django.test import Client

from core.accounts.roles import Role
from patients.models import Consent, Patient, PatientAccount
from patients.services import register_patient
from tests.factories.page_forms import forms_of
from tests.factories.world import Place

DATA = {
    "given_name": "Rosa",
    "family_name": "Iglesias",
    "date_of_birth": "1959-03-14",
    "sex": "female",
    "phone": "+447700900123",
    "language": "es",
    "needs_interpreter": True,
    "consents": {"treatment": True},
}


@pytest.fixture
def rosa(in_riverside: Place) -> Patient:
    return register_patient(actor=in_riverside.actor(Role.RECEPTIONIST), data=DATA)


@pytest.fixture
def desk(sign_in: Any, in_riverside: Place) -> Client:
    client: Client = sign_in(in_riverside.users[Role.RECEPTIONIST])
    return client


def opened(client: Client, patient: Patient) -> dict[str, Any]:
    """What the edit form would send if nothing were typed, as it is now."""
    address = f"/patients/{patient.pk}/edit/"
    (form,) = [one for one in forms_of(client.get(address).text, address) if "read" in one.values]
    return {name: values for name, values in form.values.items() if name != "idempotency_key"}


@pytest.mark.parametrize("role", [Role.RECEPTIONIST, Role.DOCTOR, Role.PHARMACIST, Role.AUDITOR, Role.BILLING_SPECIALIST])
def test_the_record_says_who_this_is(role: Role, sign_in: Any, in_riverside: Place, rosa: Patient) -> None:
    page = sign_in(in_riverside.users[role]).get(f"/patients/{rosa.pk}/")
    assert page.status_code == 200
    for told in ("Rosa Iglesias", "14 Mar 1959", rosa.mrn, "Interpreter: Spanish", "+44 7700 900123", "Not asked"):
        assert told in page.text
    may_change = role in (Role.RECEPTIONIST, Role.DOCTOR)
    assert (f"/patients/{rosa.pk}/edit/" in page.text) == may_change
    assert "Rosa" not in page.text.split("</title>")[0]


@pytest.mark.parametrize("path", ["", "edit/"])
def test_another_clinic_learns_nothing(path: str, sign_in: Any, hillcrest: Place, rosa: Patient) -> None:
    page = sign_in(hillcrest.users[Role.CLINIC_ADMIN]).get(f"/patients/{rosa.pk}/{path}")
    assert page.status_code == 404
    assert "Rosa" not in page.text


def test_a_change_is_saved(desk: Client, rosa: Patient) -> None:
    response = desk.post(f"/patients/{rosa.pk}/edit/", opened(desk, rosa) | {"city": "Bath", "consent_messages": "on"})
    assert (response.status_code, response["Location"]) == (303, f"/patients/{rosa.pk}/")
    rosa.refresh_from_db()
    assert rosa.city == "Bath"
    assert sorted(Consent.objects.filter(patient=rosa).values_list("kind", "given")) == [("messages", True), ("treatment", True)]


def test_the_desk_notes_what_became_of_a_patient(desk: Client, rosa: Patient) -> None:
    """Who has died or gone away is not booked any more, and whoever looks is told why; who comes back is booked again."""
    book = f"/appointments/book/?patient={rosa.pk}"
    places = (f"/patients/{rosa.pk}/", f"/appointments/of-patient/{rosa.pk}/", "/patients/")
    assert all(book in desk.get(one).text for one in places)
    for status, words in (("deceased", "Deceased"), ("inactive", "Inactive")):
        assert desk.post(f"/patients/{rosa.pk}/edit/", opened(desk, rosa) | {"status": status}).status_code == 303
        rosa.refresh_from_db()
        assert rosa.status == status
        assert not any(book in desk.get(one).text for one in places)
        assert f"{words}: can’t be booked" in desk.get(places[0]).text
        for text in ("Iglesias", "book for Iglesias"):
            found = desk.post("/patients/suggest/", {"text": text}).text
            assert book not in found and f'data-href="/patients/{rosa.pk}/"' in found
    assert desk.post(f"/patients/{rosa.pk}/edit/", opened(desk, rosa) | {"status": "active"}).status_code == 303
    assert book in desk.get(places[0]).text


@pytest.mark.parametrize("status", ["merged", "anonymised", "gone", ""])
def test_only_what_may_become_of_a_patient_is_noted(status: str, desk: Client, rosa: Patient) -> None:
    page = desk.post(f"/patients/{rosa.pk}/edit/", opened(desk, rosa) | {"status": status})
    assert page.status_code == 422 and 'id="id_status_error"' in page.text
    rosa.refresh_from_db()
    assert rosa.status == "active"


def test_a_draft_that_says_nothing_of_the_status_leaves_it(desk: Client, rosa: Patient) -> None:
    Patient.objects.filter(pk=rosa.pk).update(status="deceased")
    typed = opened(desk, rosa) | {"city": "Bath"}
    del typed["status"]
    desk.post(f"/drafts/patient-edit:{rosa.pk}/", typed)
    assert opened(desk, rosa)["status"] == ["deceased"]


def test_unticking_a_consent_takes_it_back_and_leaves_the_others_unasked(desk: Client, rosa: Patient) -> None:
    sent = opened(desk, rosa)
    del sent["consent_treatment"]
    desk.post(f"/patients/{rosa.pk}/edit/", sent)
    answers = Consent.objects.filter(patient=rosa).order_by("created_at").values_list("kind", "given")
    assert list(answers) == [("treatment", True), ("treatment", False)]


def test_errors_are_shown_at_their_fields(desk: Client, rosa: Patient) -> None:
    page = desk.post(f"/patients/{rosa.pk}/edit/", opened(desk, rosa) | {"given_name": "", "date_of_birth": "", "phone": "1"})
    assert page.status_code == 422
    for field in ("given_name", "date_of_birth", "phone"):
        assert f'id="id_{field}_error"' in page.text
    rosa.refresh_from_db()
    assert rosa.given_name == "Rosa"


def test_a_draft_of_one_record_stays_with_it(desk: Client, in_riverside: Place, rosa: Patient) -> None:
    other = register_patient(actor=in_riverside.actor(Role.NURSE), data={**DATA, "given_name": "Noor", "family_name": "Sayed"})
    desk.post(f"/drafts/patient-edit:{rosa.pk}/", opened(desk, rosa) | {"given_name": "Rosalia"})
    assert "Rosalia" in desk.get(f"/patients/{rosa.pk}/edit/").text
    assert "Rosalia" not in desk.get(f"/patients/{other.pk}/edit/").text


def test_a_patient_sees_the_own_record_and_no_other_page(sign_in: Any, in_riverside: Place, rosa: Patient) -> None:
    user = in_riverside.users[Role.PATIENT]
    other = register_patient(actor=in_riverside.actor(Role.NURSE), data={**DATA, "given_name": "Noor", "family_name": "Sayed"})
    client = sign_in(user)
    assert "No record is tied to your account yet" in client.get("/my-record/").text
    PatientAccount.objects.create(patient=rosa, user=user)
    page = client.get("/my-record/").text
    assert "Rosa Iglesias" in page
    assert "Noor" not in page
    assert re.findall(r'href="(/patients/[^"]*)"', page) == [f"/patients/{rosa.pk}/accesses/"]
    assert client.get(f"/patients/{rosa.pk}/").status_code == 403
    assert client.get(f"/patients/{other.pk}/").status_code == 403


def test_the_record_stays_within_its_budget(desk: Client, rosa: Patient) -> None:
    for path in (f"/patients/{rosa.pk}/", f"/patients/{rosa.pk}/edit/", "/patients/register/"):
        timing = desk.get(path)["Server-Timing"]
        assert int(timing.split('desc="')[1].split(" ")[0]) <= 12
