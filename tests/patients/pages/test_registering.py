"""Registering at the desk: errors all at once, duplicates, drafts, sent twice."""

import re
from typing import Any

import pytest
from django.test import Client

from appointments.forms import slot_value
from appointments.models import Appointment, QueueSeries
from core.accounts.roles import Role
from core.drafts.models import Draft
from core.tenancy.context import narrowed
from patients.models import Consent, Patient
from patients.querysets import PatientQuerySet
from tests.factories.page_forms import forms_of
from tests.factories.queue import open_queue
from tests.factories.visits import at
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


def test_an_unfinished_registration_stays_while_another_is_begun(desk: Client, in_riverside: Place) -> None:
    begun = desk.post("/patients/register/begin/", {"text": "Zora Quill"}).text
    assert 'data-draft="/drafts/patient-register/"' in begun and "is kept" not in begun
    desk.post("/drafts/patient-register/", {"given_name": "Amara", "family_name": "Okafor"})
    begun = desk.post("/patients/register/begin/", {"text": "Zora Quill"}).text
    assert 'value="Zora"' in begun and "Amara" not in begun and "An unfinished registration of" in begun
    assert 'data-draft="/drafts/patient-register:beside/"' in begun
    desk.post("/drafts/patient-register:beside/", {"given_name": "Zora", "family_name": "Quill"})
    (form,) = [one for one in forms_of(begun, "") if one.action == "/patients/register/"]
    again = desk.post("/patients/register/", {**form.values, "sex": "", "date_of_birth": "1991-05-05"})
    assert again.status_code == 422 and 'data-draft="/drafts/patient-register:beside/"' in again.text
    assert 'value="Amara"' in desk.get("/patients/register/").text
    done = desk.post("/patients/register/", {**form.values, "sex": "female", "date_of_birth": "1991-05-05"})
    assert done.status_code == 303 and made(in_riverside).get().given_name == "Zora"
    assert 'value="Amara"' in desk.get("/patients/register/").text
    assert desk.post("/patients/register/", TYPED).status_code == 303
    assert "restored" not in desk.get("/patients/register/").text


def test_what_was_begun_beside_another_comes_back_after_it(desk: Client) -> None:
    desk.post("/drafts/patient-register:beside/", {"given_name": "Zora"})
    page = desk.get("/patients/register/").text
    assert 'value="Zora"' in page and 'action="/drafts/patient-register:beside/discard/"' in page
    assert 'data-draft="/drafts/patient-register:beside/"' in page


# --- Somebody new in the middle of a booking, or of a ticket ------------------------------------------------------------------
def errand(page: Any) -> dict[str, Any]:
    """What the registration's form sends if only the person's facts are typed."""
    (form,) = [one for one in forms_of(page.text, "") if one.action == "/patients/register/"]
    return {**{name: values for name, values in form.values.items() if name != "idempotency_key"}, **TYPED}


def test_a_booking_goes_on_with_the_new_patient(desk: Client, in_riverside: Place) -> None:
    place, start = in_riverside, at(in_riverside, 1, 14)
    service, provider = str(place.services[0].pk), str(place.providers[1].pk)
    typed = {
        "q": "Zora Quill", "came": "book", "service": service, "provider": provider, "location": "", "day": f"{start:%Y-%m-%d}",
        "slot": slot_value(start, place.providers[1].pk), "next": "/calendar/?day=2031-03-03", "is_urgent": "1",
    }  # fmt: skip
    page = desk.post("/patients/register/begin/", typed)
    assert 'value="Zora"' in page.text and 'value="Quill"' in page.text
    buttons = re.findall(r'<button class="button( primary)?" type="submit"(?: name="then" value="(\w+)")?', page.text)
    assert buttons == [(" primary", "book"), ("", "")]
    asked = desk.post("/patients/register/", errand(page) | {"then": "book", "email": "no"})
    assert asked.status_code == 422
    onward = desk.post("/patients/register/", errand(asked) | {"then": "book", "email": ""})["Location"]
    patient = made(place).get()
    assert "Zora" not in onward and "Quill" not in onward and "Amara" not in onward
    panel = desk.get(onward).text
    assert patient.mrn in panel and f'value="{service}" selected' in panel and f'value="{provider}" selected' in panel
    assert f'value="{typed["slot"]}" checked' in panel and 'data-said="time">14:00<' in panel
    assert 'name="next" value="/calendar/?day=2031-03-03"' in panel and 'name="is_urgent" value="1" checked' in panel


def test_notes_of_a_booking_wait_for_the_new_patient_and_are_nobody_else_s(sign_in: Any, desk: Client, in_riverside: Place) -> None:
    """They stand in no address; the patient's own notes are others."""
    place, notes = in_riverside, 'Mother calls: "after 3"\r\n<b>& brings the X-ray</b>'
    page = desk.post("/patients/register/begin/", {"came": "book", "q": "Zora", "notes": notes})
    assert errand(page)["said-notes"] == [notes] and errand(page)["notes"] == [""]
    desk.post("/drafts/patient-register/", errand(page))
    asked = desk.post("/patients/register/", errand(desk.get("/patients/register/")) | {"then": "book", "email": "no"})
    onward = desk.post("/patients/register/", errand(asked) | {"then": "book", "email": "", "notes": "Deaf in one ear"})["Location"]
    patient, other = made(place).get(), place.patients[0]
    assert onward == f"/appointments/book/?patient={patient.pk}&kept=1" and patient.notes == "Deaf in one ear"
    assert booking_form(desk.get(onward))["notes"] == [notes]
    assert booking_form(desk.get(onward.replace(str(patient.pk), str(other.pk))))["notes"] == [""]
    assert booking_form(desk.get(onward.replace("&kept=1", "")))["notes"] == [""]
    assert booking_form(sign_in(place.users[Role.NURSE]).get(onward))["notes"] == [""]
    service = {"service": str(place.services[0].pk), "day": f"{at(place, 1, 9):%Y-%m-%d}"}
    panel = desk.post("/appointments/book/panel/", booking_form(desk.get(onward)) | service)
    slot = slot_value(at(place, 1, 14), place.providers[0].pk)
    assert desk.post("/appointments/book/", booking_form(panel) | {"slot": slot}).status_code == 303
    assert Appointment.objects.get(patient=patient).notes.splitlines() == notes.splitlines()
    with narrowed(user_id=place.users[Role.RECEPTIONIST].pk):
        assert not Draft.objects.exists()


def booking_form(page: Any) -> dict[str, Any]:
    (form,) = [one for one in forms_of(page.text, "") if one.action == "/appointments/book/"]
    return form.values  # type: ignore[no-any-return]


def test_a_time_clicked_in_the_calendar_stays_until_a_service_is_chosen(desk: Client, in_riverside: Place) -> None:
    """The panel holds it while there is no service, and gives it to the registration."""
    start = at(in_riverside, 1, 14)
    panel = desk.get("/appointments/book/", {"start": start.isoformat()})
    (form,) = [one for one in forms_of(panel.text, "") if one.action == "/appointments/book/"]
    assert form.values["start"] == [start.isoformat()]
    page = desk.post("/patients/register/begin/", form.values | {"came": "book"})
    onward = desk.post("/patients/register/", errand(page) | {"then": "book"})["Location"]
    panel = desk.get(f"{onward}&service={in_riverside.services[0].pk}")
    assert 'data-said="time">14:00<' in panel.text and 'name="start"' not in panel.text


def test_a_ticket_goes_on_with_the_new_patient(desk: Client, in_riverside: Place) -> None:
    place = open_queue(in_riverside)
    series = QueueSeries.objects.get(letter="A")
    caller = f"r-{place.rooms[0].pk}"
    typed = {"q": "Zora", "came": "ticket", "location": str(place.locations[0].pk), "caller": caller, "series": str(series.pk)}
    page = desk.post("/patients/register/begin/", typed | {"priority": "2", "next": "/queue/"})
    assert "Register and take a ticket" in page.text
    onward = desk.post("/patients/register/", errand(page) | {"then": "ticket"})["Location"]
    form = desk.get(onward).text
    assert onward.startswith("/queue/take/?patient=") and made(place).get().mrn in form and caller in form
    assert re.search(rf'value="{series.pk}"[^>]* checked', form) and re.search(r'name="priority" value="2"[^>]* checked', form)


@pytest.mark.parametrize("value", ["Okafor", "1 OR 1=1", "../", "deadbeef", "2026-01-01T10:00:00+00:00 Amara", "x" * 200, "\x00"])
def test_no_word_goes_from_a_form_into_an_address(value: str, desk: Client, in_riverside: Place) -> None:
    names = ("service", "provider", "location", "day", "slot", "start", "is_urgent", "walk_in")
    said = {**dict.fromkeys(names, value), "next": f"//evil.example/{value}", "kept": value}
    page = desk.post("/patients/register/begin/", {"came": "book", **said})
    onward = desk.post("/patients/register/", errand(page) | said | {"then": "book"})
    assert onward["Location"] == f"/appointments/book/?patient={made(in_riverside).get().pk}"


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
