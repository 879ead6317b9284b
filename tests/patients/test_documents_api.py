"""A patient's documents through the API: added, listed, fetched, entered in error; and what is refused."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction

from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from core.uploads.store import folder
from patients.choices import DocumentStatus, PatientStatus
from patients.models import Document
from tests.factories import files
from tests.factories.api_client import ApiClient, Form
from tests.factories.world import Place

CONTENT = b"Dear colleague, a letter about somebody."


def form(content: bytes = CONTENT, name: str = "letter.txt", **fields: str) -> Form:
    return Form(file=SimpleUploadedFile(name, content, content_type="application/x-whatever"), **fields)


@pytest.fixture
def nurse(riverside: Place) -> ApiClient:
    return ApiClient(riverside.users[Role.NURSE])


@pytest.fixture
def where(riverside: Place) -> str:
    return f"/api/v2/patients/{riverside.patients[0].pk}/documents"


def stored_files() -> int:
    def count(path: str) -> int:
        inner, files_here = folder().listdir(path)
        return len(files_here) + sum(count(f"{path}/{one}".lstrip("/")) for one in inner)

    return count("")


def test_a_document_is_added_listed_read_and_fetched(nurse: ApiClient, where: str, riverside: Place) -> None:
    added = nurse.post(where, form(title="Letter of <b>May</b>", category="letter", date="2026-05-04"))
    assert added.status_code == 201, added.content
    row = added.json()["data"]
    assert row["content"]["size"] == len(CONTENT) and row["content"]["content_type"] == "text/plain"
    assert (row["title"], row["category"], row["date"], row["status"]) == (
        "Letter of <b>May</b>",
        "letter",
        "2026-05-04",
        "current",
    )
    assert row["added_by"] == str(riverside.users[Role.NURSE].pk) and row["patient"] == str(riverside.patients[0].pk)
    assert nurse.get(where).json()["data"][0] == row
    assert nurse.get(f"{where}?category=letter").json()["data"] and not nurse.get(f"{where}?category=image").json()["data"]
    one = nurse.get(f"{where}/{row['id']}")
    assert one.json()["data"] == row and one["ETag"] == added["ETag"]


def test_a_file_goes_out_as_an_attachment_that_can_do_nothing(nurse: ApiClient, where: str) -> None:
    row = nurse.post(where, form(name="Überweisung “x”; y.txt")).json()["data"]
    answer = nurse.get(f"{where}/{row['id']}/content", Accept_Encoding="gzip, br")
    assert answer.content == CONTENT
    assert answer["Content-Disposition"] == (
        "attachment; filename=\"_berweisung _x__ y.txt\"; filename*=UTF-8''%C3%9Cberweisung%20%E2%80%9Cx%E2%80%9D%3B%20y.txt"
    )
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "Content-Encoding" not in answer and "ETag" not in answer


def test_without_a_title_it_is_called_like_the_file(nurse: ApiClient, where: str) -> None:
    assert nurse.post(where, form(name="Lab 3.txt")).json()["data"]["title"] == "Lab 3"


def test_the_content_decides_what_it_is(nurse: ApiClient, where: str) -> None:
    row = nurse.post(where, form(files.picture(), name="invoice.pdf")).json()["data"]
    assert (row["content"]["content_type"], row["content"]["file_name"]) == ("image/png", "invoice.pdf.png")


def test_every_wrong_field_is_named_at_once(nurse: ApiClient, where: str) -> None:
    sent = form(files.docx(word__vbaProject_dot_bin=b"x"), title="x" * 201, category="love", date="2999-01-01", other="1")
    error = nurse.post(where, sent).json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert {detail["field"] for detail in error["details"]} == {"title", "category", "date", "other"}
    (detail,) = nurse.post(where, form(files.docx(word__vbaProject_dot_bin=b"x"))).json()["error"]["details"]
    assert (detail["field"], detail["code"]) == ("file", "active_office") and "without them" in detail["message"]


@pytest.mark.parametrize("sent", [Form(title="x"), Form(file="text")])
def test_a_form_without_a_file_says_so(nurse: ApiClient, where: str, sent: Form) -> None:
    answer = nurse.post(where, sent)
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["file"]


def test_another_content_type_is_refused(nurse: ApiClient, where: str) -> None:
    answer = nurse.post(where, {"title": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_broken_form_is_a_bad_request(nurse: ApiClient, where: str) -> None:
    answer = nurse.client.post(where, b"--x\r\nbroken", content_type="multipart/form-data; boundary=y", headers=nurse.headers)
    assert answer.status_code == 400
    assert nurse.client.post(where, b"", content_type="multipart/form-data", headers=nurse.headers).status_code == 400


@pytest.mark.parametrize(
    ("size", "status"),
    [(10 * 1024 * 1024, 201), (10 * 1024 * 1024 + 1, 413), (11 * 1024 * 1024, 413)],
    ids=["10 MB", "one more", "11 MB"],
)
def test_ten_megabytes_and_no_more(nurse: ApiClient, where: str, size: int, status: int) -> None:
    answer = nurse.post(where, form(b"x" * size))
    assert answer.status_code == status, answer.content[:300]
    if status == 413:
        assert answer.json()["error"]["code"] == "PAYLOAD_TOO_LARGE" and "10 MB" in answer.json()["error"]["message"]


def test_elsewhere_a_form_stays_small(nurse: ApiClient) -> None:
    answer = nurse.post("patients", form(b"x" * 2 * 1024 * 1024))
    assert answer.status_code == 413 and "1 MB" in answer.json()["error"]["message"]


def test_a_repeat_with_the_same_key_adds_nothing_and_writes_nothing(nurse: ApiClient, where: str) -> None:
    first = nurse.post(where, form(), Idempotency_Key="upload-0001")
    before = stored_files()
    again = nurse.post(where, form(), Idempotency_Key="upload-0001")
    assert (again.status_code, again.json()["data"]["id"]) == (201, first.json()["data"]["id"])
    assert again["Idempotency-Replayed"] == "true" and stored_files() == before
    assert nurse.post(where, form(b"another"), Idempotency_Key="upload-0001").status_code == 409
    assert len(nurse.get(where).json()["data"]) == 1


def test_a_refused_file_leaves_nothing(nurse: ApiClient, where: str) -> None:
    before = stored_files()
    assert nurse.post(where, form(b"MZ\x00")).status_code == 400
    assert stored_files() == before


def test_entered_in_error_it_leaves_the_list_and_stays(nurse: ApiClient, where: str) -> None:
    row = nurse.post(where, form()).json()["data"]
    error = f"{where}/{row['id']}/entered-in-error"
    assert nurse.post(error, {"reason": " "}).json()["error"]["details"][0]["field"] == "reason"
    assert nurse.post(error, {"reason": "x"}, If_Match='"9"').status_code == 412
    done = nurse.post(error, {"reason": "Another patient's"}, If_Match='"1"')
    assert done.json()["data"]["status"] == "entered-in-error" and done.json()["data"]["version"] == 2
    assert nurse.post(error, {"reason": "again"}).status_code == 409
    assert nurse.get(where).json()["data"] == []
    assert nurse.get(f"{where}?status=entered-in-error").json()["data"][0]["status_reason"] == "Another patient's"
    assert nurse.get(f"{where}/{row['id']}/content").content == CONTENT


def test_the_database_wants_a_reason(in_riverside: Place) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Document.objects.create(
            patient=in_riverside.patients[0],
            title="x",
            stored=in_riverside.clinic.pk,
            size=1,
            status=DocumentStatus.ENTERED_IN_ERROR,
        )


def test_a_document_is_found_only_at_its_patient(nurse: ApiClient, where: str, riverside: Place) -> None:
    row = nurse.post(where, form()).json()["data"]
    other = f"/api/v2/patients/{riverside.patients[1].pk}/documents/{row['id']}"
    for answer in (nurse.get(other), nurse.get(f"{other}/content"), nurse.post(f"{other}/entered-in-error", {"reason": "x"})):
        assert answer.status_code == 404


def test_a_merged_record_takes_none(nurse: ApiClient, where: str, riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        patient = riverside.patients[0]
        type(patient).objects.filter(pk=patient.pk).update(status=PatientStatus.MERGED)
    assert nurse.post(where, form()).status_code == 409


def test_a_patient_sees_none_of_them(riverside: Place, nurse: ApiClient, where: str) -> None:
    nurse.post(where, form())
    patient = ApiClient(riverside.users[Role.PATIENT])
    assert {patient.get(where).status_code, patient.post(where, form()).status_code} == {403}


def test_a_missing_file_is_our_fault_and_said_so(nurse: ApiClient, where: str, riverside: Place) -> None:
    row = nurse.post(where, form()).json()["data"]
    with clinic_scope(riverside.clinic, reason="test"):
        stored = Document.objects.get(pk=row["id"]).stored
    folder().delete(f"{riverside.clinic.pk}/{stored.hex[-2:]}/{stored}")
    answer: Any = nurse.get(f"{where}/{row['id']}/content")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")


def test_a_corrected_name_under_the_same_key_is_another_request(nurse: ApiClient, where: str) -> None:
    first, again = (nurse.post(where, form(name="scan.txt"), Idempotency_Key="key-upload-0001") for _ in range(2))
    assert (first.status_code, again.content) == (201, first.content)
    other = nurse.post(where, form(name="letter.txt"), Idempotency_Key="key-upload-0001")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize("key", [{}, {"Idempotency_Key": "key-upload-0002"}])
@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"title": "x" * (2 * 1024 * 1024)}, 413, "PAYLOAD_TOO_LARGE"),
        ({f"field{number}": "x" for number in range(1100)}, 400, "BAD_REQUEST"),
    ],
    ids=["long", "many"],
)
def test_fields_that_are_too_much_are_refused_with_the_reason(
    nurse: ApiClient, where: str, key: dict[str, str], fields: dict[str, str], status: int, code: str
) -> None:
    answer = nurse.post(where, form(**fields), **key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "fields" in answer.json()["error"]["message"]
