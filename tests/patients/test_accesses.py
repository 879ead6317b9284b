"""Who has looked at a patient: what the page and the API say, and to whom."""

from typing import Any

import pytest

from core.accounts.roles import CLINIC_ROLES, MATRIX, Role
from core.audit.draining import drain_now
from core.tenancy.context import clinic_scope
from patients.models import Patient, PatientAccount
from tests.factories.access_log import taken_events
from tests.factories.api_client import ApiClient
from tests.factories.world import Place


@pytest.fixture
def looked(riverside: Place, sign_in: Any) -> Patient:
    """A patient at whom a nurse and a doctor have looked, and nobody else."""
    taken_events()
    patient = riverside.patients[2]
    assert sign_in(riverside.users[Role.NURSE], riverside.clinic).get(f"/patients/{patient.pk}/").status_code == 200
    assert ApiClient(riverside.users[Role.DOCTOR]).get(f"patients/{patient.pk}").status_code == 200
    assert ApiClient(riverside.users[Role.DOCTOR]).get(f"patients/{riverside.patients[3].pk}").status_code == 200
    assert drain_now() == 3
    return patient


def test_the_page_names_who_looked_where_and_when(looked: Patient, riverside: Place, sign_in: Any) -> None:
    browser = sign_in(riverside.users[Role.COMPLIANCE_OFFICER], riverside.clinic)
    page = browser.get(f"/patients/{looked.pk}/accesses/")
    assert page.status_code == 200
    for role in (Role.NURSE, Role.DOCTOR):
        assert page.text.count(riverside.users[role].full_name) == 1
    assert "Program (API)" in page.text and "127.0.0.1" in page.text
    drain_now()
    again = browser.get(f"/patients/{looked.pk}/accesses/")
    assert again.text.count("This page") == 1, "who reads the log is in the log"


def test_the_api_says_the_same(looked: Patient, riverside: Place) -> None:
    api = ApiClient(riverside.users[Role.AUDITOR])
    rows = api.get(f"patients/{looked.pk}/access-log").json()["data"]
    assert [row["roles"] for row in rows] == [["DOCTOR"], ["NURSE"]]
    assert [(row["route"], row["reading"], row["status"]) for row in rows] == [
        ("api-v2:patient-detail", "view", 200), ("patients:detail", "view", 200),
    ]  # fmt: skip
    assert rows[0]["user_id"] == str(riverside.users[Role.DOCTOR].pk)
    rest = api.get(f"patients/{looked.pk}/access-log?limit=1&before={rows[0]['at']}").json()["data"]
    assert rest == rows[1:]


def test_a_patient_sees_who_looked_at_their_own_record_alone(looked: Patient, riverside: Place, sign_in: Any) -> None:
    patient = riverside.users[Role.PATIENT]
    api, browser = ApiClient(patient), sign_in(patient, riverside.clinic)
    assert api.get(f"patients/{looked.pk}/access-log").status_code == 404
    assert browser.get(f"/patients/{looked.pk}/accesses/").status_code == 404
    with clinic_scope(riverside.clinic, reason="test"):
        PatientAccount.objects.create(patient=looked, user=patient)
    rows = api.get(f"patients/{looked.pk}/access-log").json()["data"]
    assert len(rows) == 2 and all(row["address"] == row["request_id"] == "" for row in rows)
    page = browser.get(f"/patients/{looked.pk}/accesses/")
    assert riverside.users[Role.NURSE].full_name in page.text and "127.0.0.1" not in page.text


def test_another_clinic_sees_nothing_of_it(looked: Patient, hillcrest: Place) -> None:
    api = ApiClient(hillcrest.users[Role.COMPLIANCE_OFFICER])
    assert api.get(f"patients/{looked.pk}/access-log").status_code == 404


@pytest.mark.parametrize("role", sorted(CLINIC_ROLES - {Role.PATIENT}))
def test_the_record_leads_there_whom_the_matrix_lets(role: Role, riverside: Place, sign_in: Any) -> None:
    page = sign_in(riverside.users[role], riverside.clinic).get(f"/patients/{riverside.patients[0].pk}/")
    if page.status_code == 200:
        assert ("/accesses/" in page.text) == (role in MATRIX["access_log"]["view"])
