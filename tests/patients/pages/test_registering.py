"""Registering at the desk: errors all at once, duplicates, drafts, sent twice."""

from typing import Any

import pytest
from django.test import Client

from core.accounts.roles import Role
from core.drafts.models import Draft
from core.tenancy.context import narrowed
from patients.models import Consent, Patient
from patients.querysets import PatientQuerySet
from tests.factories.world import Place

TYPED = {
    "given_name": "Amara",
    "family_name": "Okafor",
    "date_of_birth": "1974-08-03",
    "sex": "female",
    "phone": "020 7946 0418",
    "blood_type": "unknown",
    "preferred_time_of_day": "any",
    "country": "GB",
}


def made(place: Place) -> PatientQuerySet:
    """The patients that a test made itself."""
    return Patient.objects.exclude(pk__in=[patient.pk for patient in place.patients])


@pytest.fixture
def desk(sign_in: Any, in_riverside: Place) -> Client:
    client: Client = sign_in(in_riverside.users[Role.RECEPTIONIST])
    return client


def test_a_patient_is_registered_and_shown(desk: Client, in_riverside: Place) -> None:
    response = desk.post("/patients/register/", TYPED | {"consent_treatment": "on"})
    patient = made(in_riverside).get()
    assert (response.status_code, response["Location"]) == (303, f"/patients/{patient.pk}/")
    assert patient.phone == "+442079460418"
    assert [(consent.kind, consent.given) for consent in Consent.objects.filter(patient=patient)] == [("treatment", True)]
    page = desk.get(response["Location"]).text
    assert patient.mrn in page
    assert "Registered as" in page


def test_everything_wrong_is_named_at_once_and_nothing_typed_is_lost(desk: Client, in_riverside: Place) -> None:
    wrong = {
        "given_name": "A\x00b",
        "date_of_birth": "2999-01-01",
        "phone": "12",
        "email": "no",
        "city": "Bath",
        "quiet_from": "22:00",
    }
    page = desk.post("/patients/register/", wrong)
    assert page.status_code == 422
    for field in ("given_name", "family_name", "date_of_birth", "sex", "phone", "email", "quiet_until"):
        assert f'id="id_{field}_error"' in page.text
        assert f'href="#id_{field}' in page.text
    for kept in ('value="Bath"', 'value="12"', 'value="no"', 'value="2999-01-01"'):
        assert kept in page.text
    assert 'id="form-errors" tabindex="-1" data-focus' in page.text
    assert not made(in_riverside).exists()


def test_a_section_with_an_error_is_open(desk: Client, in_riverside: Place) -> None:
    page = desk.post("/patients/register/", TYPED | {"insurance_valid_until": "soon"}).text
    before, _, _ = page.partition("Identity and insurance</summary>")
    assert before.rstrip().endswith("<summary>")
    assert before.rpartition("<details")[2].startswith(' class="card fold" open')


@pytest.mark.parametrize("field", ["given_name", "notes", "address_line1", "preferred_provider_id", "sex", "reminder_channels"])
@pytest.mark.parametrize("value", ["\x00", "x" * 5000, "\u202emoc.live", "😀" * 3000])
def test_no_value_breaks_the_form(field: str, value: str, desk: Client, in_riverside: Place) -> None:
    assert desk.post("/patients/register/", TYPED | {field: value}).status_code in (303, 422)


def test_a_strong_duplicate_is_shown_first_and_may_be_overruled(desk: Client, in_riverside: Place) -> None:
    desk.post("/patients/register/", TYPED)
    first = made(in_riverside).get()
    page = desk.post("/patients/register/", TYPED | {"given_name": "Amarra", "email": "a@example.com"})
    assert page.status_code == 409
    assert f"/patients/{first.pk}/" in page.text
    assert "same birth date" in page.text
    assert 'name="accept_duplicate"' in page.text
    assert 'value="a@example.com"' in page.text
    assert made(in_riverside).count() == 1
    again = desk.post("/patients/register/", TYPED | {"given_name": "Amarra", "accept_duplicate": "yes"})
    assert again.status_code == 303
    assert made(in_riverside).count() == 2


def test_registering_to_book_still_leads_there_after_a_duplicate_warning(desk: Client, in_riverside: Place) -> None:
    desk.post("/patients/register/", TYPED)
    page = desk.post("/patients/register/", TYPED | {"then": "book"})
    assert 'name="accept_duplicate" value="book"' in page.text
    response = desk.post("/patients/register/", TYPED | {"accept_duplicate": "book"})
    newest = made(in_riverside).latest("created_at")
    assert response["Location"] == f"/appointments/book/?patient={newest.pk}"


def test_duplicates_appear_while_the_form_is_filled(desk: Client, in_riverside: Place) -> None:
    desk.post("/patients/register/", TYPED)
    half = {"given_name": "amara", "family_name": "okafor", "date_of_birth": "1974", "phone": "02"}
    fragment = desk.post("/patients/register/duplicates/", half).text
    assert "Registered already?" in fragment
    assert "<html" not in fragment
    assert "Very likely" not in fragment
    sure = desk.post("/patients/register/duplicates/", half | {"date_of_birth": "1974-08-03"}).text
    assert "Very likely" in sure
    assert "Registered already?" not in desk.post("/patients/register/duplicates/", {"given_name": "Zora"}).text
    assert desk.post("/patients/register/duplicates/", {"given_name": "\x00", "phone": "\x00"}).status_code == 200


def test_sent_twice_registers_once(desk: Client, in_riverside: Place) -> None:
    sent = TYPED | {"idempotency_key": "0000-1111-2222"}
    first, second = desk.post("/patients/register/", sent), desk.post("/patients/register/", sent)
    assert made(in_riverside).count() == 1
    assert (second.status_code, second["Location"]) == (first.status_code, first["Location"])


def test_a_draft_comes_back_and_goes_when_it_is_finished(desk: Client, in_riverside: Place) -> None:
    page = desk.get("/patients/register/").text
    assert 'data-draft="/drafts/patient-register/"' in page
    assert "restored" not in page
    kept = {"given_name": "Amara", "sex": "female", "reminder_channels": ["sms", "email"], "needs_interpreter": "on"}
    assert desk.post("/drafts/patient-register/", kept).status_code == 200
    page = desk.get("/patients/register/").text
    assert "restored" in page
    assert 'value="Amara"' in page
    assert page.count("checked") == 4
    assert desk.post("/patients/register/", TYPED).status_code == 303
    assert "restored" not in desk.get("/patients/register/").text
    with narrowed(user_id=in_riverside.users[Role.RECEPTIONIST].pk):
        assert not Draft.objects.exists()


def test_a_colleague_does_not_get_my_draft(sign_in: Any, desk: Client, in_riverside: Place) -> None:
    desk.post("/drafts/patient-register/", {"given_name": "Amara"})
    assert "Amara" not in sign_in(in_riverside.users[Role.NURSE]).get("/patients/register/").text


@pytest.mark.parametrize("role", [Role.PHARMACIST, Role.AUDITOR, Role.BILLING_SPECIALIST, Role.PATIENT])
def test_others_may_not_register(role: Role, sign_in: Any, in_riverside: Place) -> None:
    client = sign_in(in_riverside.users[role])
    assert client.get("/patients/register/").status_code == 403
    assert client.post("/patients/register/", TYPED).status_code == 403
    assert client.post("/patients/register/duplicates/", TYPED).status_code == 403
    assert not made(in_riverside).exists()
