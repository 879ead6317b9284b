"""Patients are found: the list, results while typing, the box in the top bar."""

from typing import Any

import pytest
from django.test import Client

from core.accounts.roles import Role
from patients.models import Patient
from patients.services import register_patient
from tests.factories.world import Place

SEARCHING = [Role.RECEPTIONIST, Role.NURSE, Role.DOCTOR, Role.CLINIC_ADMIN, Role.BILLING_SPECIALIST]
NOT_SEARCHING = [Role.AUDITOR, Role.COMPLIANCE_OFFICER, Role.DATA_ANALYST, Role.PATIENT]


def registered(place: Place, given: str = "Amara", family: str = "Okafor", **more: Any) -> Patient:
    data = {"given_name": given, "family_name": family, "date_of_birth": "1974-08-03", "sex": "female", **more}
    return register_patient(actor=place.actor(Role.RECEPTIONIST), data=data, accept_duplicate=True)


@pytest.fixture
def desk(sign_in: Any, in_riverside: Place) -> Client:
    client: Client = sign_in(in_riverside.users[Role.RECEPTIONIST])
    return client


@pytest.mark.parametrize("role", SEARCHING)
def test_those_who_may_search_see_recent_patients(role: Role, sign_in: Any, in_riverside: Place) -> None:
    patient = registered(in_riverside)
    page = sign_in(in_riverside.users[role]).get("/patients/")
    assert page.status_code == 200
    assert "Amara Okafor" in page.text
    assert f"/patients/{patient.pk}/" in page.text


@pytest.mark.parametrize("role", NOT_SEARCHING)
@pytest.mark.parametrize("path", ["/patients/", "/patients/search/", "/patients/suggest/"])
def test_the_others_may_not(role: Role, path: str, sign_in: Any, in_riverside: Place) -> None:
    registered(in_riverside)
    client = sign_in(in_riverside.users[role])
    response = client.get(path) if path == "/patients/" else client.post(path, {"text": "okafor"})
    assert response.status_code == 403
    assert "Okafor" not in response.text


def test_another_clinic_finds_nobody(sign_in: Any, in_riverside: Place, hillcrest: Place) -> None:
    patient = registered(in_riverside)
    outsider = sign_in(hillcrest.users[Role.RECEPTIONIST])
    assert "Amara" not in outsider.get("/patients/").text
    assert str(patient.pk) not in outsider.post("/patients/search/", {"text": "okafor"}).text
    assert str(patient.pk) not in outsider.post("/patients/suggest/", {"text": "okafor"}).text


def test_what_was_typed_is_marked_where_it_matched(desk: Client, in_riverside: Place) -> None:
    registered(in_riverside, phone="+447700900418")
    assert "Amara <mark>Okaf</mark>or" in desk.post("/patients/search/", {"text": "okaf"}).text
    assert "<mark>1974</mark>" in desk.post("/patients/search/", {"text": "okafor 1974"}).text
    assert "<mark>0418</mark>" in desk.post("/patients/search/", {"text": "0418"}).text
    assert "<mark>Okafor</mark>" in desk.post("/patients/search/", {"text": "amara okaffor"}).text


def test_the_script_gets_the_list_alone_and_others_a_page(desk: Client, in_riverside: Place) -> None:
    registered(in_riverside)
    fragment = desk.post("/patients/search/", {"text": "okafor"}, headers={"HX-Request": "true"}).text
    assert "<html" not in fragment
    assert "Amara" in fragment
    whole = desk.post("/patients/search/", {"text": "okafor"}).text
    assert "<html" in whole
    assert 'value="okafor"' in whole


def test_no_address_on_the_pages_holds_what_was_typed(desk: Client, in_riverside: Place) -> None:
    registered(in_riverside)
    for path in ("/patients/search/", "/patients/suggest/"):
        page = desk.post(path, {"text": "zzokafor"}).text.casefold()
        for attribute in ("href", "action", "data-href", "data-post", "hx-post", "hx-get"):
            for piece in page.split(f'{attribute}="')[1:]:
                assert "okafor" not in piece.split('"')[0]


def test_reloading_the_results_shows_the_list(desk: Client, in_riverside: Place) -> None:
    response = desk.get("/patients/search/")
    assert (response.status_code, response["Location"]) == (302, "/patients/")


def test_names_are_escaped_wherever_they_are_shown(desk: Client, in_riverside: Place) -> None:
    registered(in_riverside, given="<script>alert(1)</script>", family="“><img src=x>", preferred_name="<b>Bo</b>")
    for page in (
        desk.get("/patients/").text,
        desk.post("/patients/search/", {"text": "script"}).text,
        desk.post("/patients/suggest/", {"text": "<script>alert"}).text,
    ):
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<b>Bo" not in page


@pytest.mark.parametrize("text", ["", "   ", "\x00", "x" * 201, "\N{GRINNING FACE}", "'; DROP TABLE", "%", "مريم"])
def test_any_text_is_answered(text: str, desk: Client, in_riverside: Place) -> None:
    expected = 422 if text == "x" * 201 or "\x00" in text else 200
    assert desk.post("/patients/search/", {"text": text}).status_code == expected
    assert desk.post("/patients/suggest/", {"text": text}).status_code == 200


def test_the_box_offers_patients_a_booking_and_a_new_patient(desk: Client, in_riverside: Place) -> None:
    patient = registered(in_riverside)
    options = desk.post("/patients/suggest/", {"text": "okafor"}).text
    assert f'data-href="/patients/{patient.pk}/"' in options
    assert 'data-post="/patients/register/begin/"' in options
    assert options.count('role="option"') >= 2


def test_a_search_for_nobody_begins_a_registration(desk: Client, in_riverside: Place) -> None:
    page = desk.post("/patients/register/begin/", {"text": "Zora Quill 07700 900111"}).text
    for typed in ('value="Zora"', 'value="Quill"', 'value="07700 900111"'):
        assert typed in page


def test_what_is_said_of_booking_is_no_name(desk: Client, in_riverside: Place) -> None:
    patient = registered(in_riverside)
    for said in ("book for okafor", "Book okafor"):
        assert f'data-href="/appointments/book/?patient={patient.pk}"' in desk.post("/patients/suggest/", {"text": said}).text
        assert "<mark>Okafor</mark>" in desk.post("/patients/search/", {"text": said}).text
        begun = desk.post("/patients/register/begin/", {"text": f"{said} zora"}).text
        assert 'name="given_name" value="okafor"' in begun and 'name="family_name" value="zora"' in begun
        assert 'name="came" value="book"' in begun


def test_the_list_costs_the_same_for_one_and_for_many(desk: Client, in_riverside: Place) -> None:
    counts = []
    for number in range(2):
        for extra in range(1 + number * 15):
            registered(in_riverside, given=f"Amara{number}{extra}", date_of_birth=f"19{70 + extra % 20}-01-0{1 + number}")
        timing = desk.get("/patients/")["Server-Timing"]
        counts.append(int(timing.split('desc="')[1].split(" ")[0]))
    assert counts[0] == counts[1]
    assert counts[1] <= 12
