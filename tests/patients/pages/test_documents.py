"""The documents of a record in the browser: seen, added, fetched, entered in error. Everything works without a script."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from core.accounts.roles import Role
from patients.models import Document, Patient
from patients.services import add_document
from tests.factories import files
from tests.factories.world import Place


@pytest.fixture
def patient(in_riverside: Place) -> Patient:
    return in_riverside.patients[0]


@pytest.fixture
def desk(sign_in: Any, in_riverside: Place) -> Client:
    client: Client = sign_in(in_riverside.users[Role.RECEPTIONIST])
    return client


@pytest.fixture
def letter(in_riverside: Place, patient: Patient) -> Document:
    actor = in_riverside.actor(Role.DOCTOR)
    return add_document(actor=actor, patient_id=patient.pk, data={"title": "Letter <1>"}, content=b"Dear", file_name="a.txt")


def sent(content: bytes, name: str = "scan.pdf", **more: str) -> dict[str, Any]:
    return {"file": SimpleUploadedFile(name, content), "title": "", "category": "result", "date": "", **more}


def test_a_file_is_added_and_stands_on_the_record(desk: Client, patient: Patient) -> None:
    answer = desk.post(f"/patients/{patient.pk}/documents/add/", sent(files.pdf(), title="Blood count"))
    assert (answer.status_code, answer["Location"]) == (303, f"/patients/{patient.pk}/")
    record = desk.get(f"/patients/{patient.pk}/").text
    assert "Blood count" in record and "Result or report" in record and "scan.pdf" in record
    document = Document.objects.get(patient=patient)
    assert f"/patients/{patient.pk}/documents/{document.pk}/content/" in record
    fetched = desk.get(f"/patients/{patient.pk}/documents/{document.pk}/content/")
    assert fetched.content == files.pdf()
    assert fetched["Content-Disposition"] == 'attachment; filename="scan.pdf"'
    assert fetched["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert fetched["Cache-Control"] == "private, no-store"


def test_a_script_is_sent_on_in_its_own_words(desk: Client, patient: Patient) -> None:
    answer = desk.post(f"/patients/{patient.pk}/documents/add/", sent(files.pdf()), headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (200, f"/patients/{patient.pk}/")


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"content": files.zipped({"a": "b"})}, 422, "Unpack it and add the files one by one"),
        ({"content": b"x" * (10 * 1024 * 1024 + 1)}, 422, "larger than 10 MB"),
        ({"content": files.pdf(), "date": "2999-01-01"}, 422, "This day has not come yet"),
    ],
    ids=["archive", "too large", "date"],
)
def test_what_is_wrong_is_told_and_what_was_typed_stays(
    desk: Client, patient: Patient, fields: dict[str, Any], status: int, told: str
) -> None:
    page = desk.post(f"/patients/{patient.pk}/documents/add/", sent(title="Kept words", **fields))
    assert page.status_code == status
    assert told in page.text and 'value="Kept words"' in page.text
    assert not Document.objects.exists()


def test_no_file_is_told(desk: Client, patient: Patient) -> None:
    page = desk.post(f"/patients/{patient.pk}/documents/add/", {"title": "x"})
    assert page.status_code == 422 and 'id="id_file_error"' in page.text


def test_in_error_it_leaves_the_record_and_stays_in_the_list(desk: Client, patient: Patient, letter: Document) -> None:
    where = f"/patients/{patient.pk}/documents/{letter.pk}/error/"
    assert "Letter &lt;1&gt;" in desk.get(where).text
    page = desk.post(where, {"reason": "", "version": letter.version})
    assert page.status_code == 422 and 'id="id_reason_error"' in page.text
    assert desk.post(where, {"reason": "x", "version": "7"}).status_code == 412
    assert desk.post(where, {"reason": "Another patient's", "version": letter.version}).status_code == 303
    assert "Letter &lt;1&gt;" not in desk.get(f"/patients/{patient.pk}/").text.partition("toast")[0]
    listed = desk.get(f"/patients/{patient.pk}/documents/").text
    assert "Letter &lt;1&gt;" in listed and "Another patient&#x27;s" in listed and where not in listed
    assert desk.post(where, {"reason": "x", "version": letter.version + 1}).status_code == 409


@pytest.mark.parametrize(
    ("role", "sees", "adds"),
    [(Role.RADIOLOGIST, True, True), (Role.AUDITOR, True, False), (Role.BILLING_SPECIALIST, False, False)],
)
def test_the_panel_offers_what_the_role_allows(
    role: Role, sees: bool, adds: bool, sign_in: Any, in_riverside: Place, patient: Patient, letter: Document
) -> None:
    page = sign_in(in_riverside.users[role]).get(f"/patients/{patient.pk}/").text
    assert ("Letter &lt;1&gt;" in page) is sees
    assert (f"/documents/{letter.pk}/error/" in page) is adds
    assert ("/documents/add/" in page) is adds


def test_a_long_list_goes_on_pages(desk: Client, in_riverside: Place, patient: Patient) -> None:
    from uuid import uuid4

    Document.objects.bulk_create([Document(patient=patient, title=f"No. {n:03}", stored=uuid4(), size=1) for n in range(60)])
    first, second = (desk.get(f"/patients/{patient.pk}/documents/?page={n}").text for n in (1, 2))
    assert "No. 059" in first and "No. 009" not in first and "No. 009" in second
    assert "?page=2" in first and "?page=1" in second and "?page=3" not in second
    assert desk.get(f"/patients/{patient.pk}/documents/?page=neither-nor").text.count("No. 0") == first.count("No. 0")
