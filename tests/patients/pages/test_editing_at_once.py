"""Two people at one patient: the second is told, sees what each of them changed, decides, and loses nothing."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from core.accounts.roles import Role
from core.editing import CHOICE
from patients.models import Consent, Patient
from patients.services import note_consent, update_patient
from tests.factories.api_client import ApiClient
from tests.factories.page_forms import forms_of
from tests.factories.world import Place


@pytest.fixture
def patient(in_riverside: Place) -> Patient:
    changes = {"city": "Bath", "notes": "Old", "email": "a@example.com"}
    return update_patient(actor=in_riverside.actor(Role.NURSE), patient_id=in_riverside.patients[0].pk, changes=changes)


@pytest.fixture
def desk(sign_in: Any, in_riverside: Place) -> Client:
    client: Client = sign_in(in_riverside.users[Role.RECEPTIONIST])
    return client


def form_on(page: Any, patient: Patient) -> dict[str, Any]:
    """What the browser would send from this page if nothing more were typed."""
    (form,) = [one for one in forms_of(page.text, f"/patients/{patient.pk}/edit/") if "read" in one.values]
    return {name: values for name, values in form.values.items() if name != "idempotency_key"}


def opened(client: Client, patient: Patient) -> dict[str, Any]:
    return form_on(client.get(f"/patients/{patient.pk}/edit/"), patient)


def saved(client: Client, patient: Patient, sent: dict[str, Any]) -> Any:
    return client.post(f"/patients/{patient.pk}/edit/", sent)


def meanwhile(place: Place, patient: Patient, **changes: Any) -> None:
    update_patient(actor=place.actor(Role.NURSE), patient_id=patient.pk, changes=changes)


def now(patient: Patient) -> Patient:
    patient.refresh_from_db()
    return patient


def test_what_only_one_changed_is_merged_before_ones_eyes(desk: Client, in_riverside: Place, patient: Patient) -> None:
    mine = opened(desk, patient) | {"city": "Wells"}
    meanwhile(in_riverside, patient, notes="Theirs, new", email="")
    page = saved(desk, patient, mine)
    assert page.status_code == 412 and "Somebody changed this record meanwhile" in page.text
    assert "“Old” became “Theirs, new”" in page.text and "“a@example.com” became “–”" in page.text
    assert "“Bath” becomes “Wells”" in page.text and CHOICE not in page.text
    assert (now(patient).city, patient.notes) == ("Bath", "Theirs, new")
    again = form_on(page, patient)
    assert (again["city"], again["notes"], again["email"]) == (["Wells"], ["Theirs, new"], [""])
    assert saved(desk, patient, again).status_code == 303
    assert (now(patient).city, patient.notes, patient.email) == ("Wells", "Theirs, new", "")


@pytest.mark.parametrize(("keep", "kept"), [("mine", "Wells"), ("theirs", "Frome")])
def test_what_both_changed_is_asked(keep: str, kept: str, desk: Client, in_riverside: Place, patient: Patient) -> None:
    mine = opened(desk, patient) | {"city": "Wells", "region": "Somerset"}
    meanwhile(in_riverside, patient, city="Frome")
    page = saved(desk, patient, mine)
    assert page.status_code == 412
    assert all(words in page.text for words in ("before: Bath", "Theirs:", "<b>Frome</b>", "Yours:", "<b>Wells</b>"))
    again = form_on(page, patient)
    undecided = saved(desk, patient, again)
    assert (
        undecided.status_code == 422 and "Something is still to be decided" in undecided.text and "before: Bath" in undecided.text
    )
    assert now(patient).city == "Frome"
    assert saved(desk, patient, form_on(undecided, patient) | {f"{CHOICE}city": keep}).status_code == 303
    assert (now(patient).city, patient.region) == (kept, "Somerset")


def test_a_status_that_was_noted_meanwhile_is_merged_or_asked(desk: Client, in_riverside: Place, patient: Patient) -> None:
    mine = opened(desk, patient) | {"city": "Wells"}
    meanwhile(in_riverside, patient, status="inactive")
    page = saved(desk, patient, mine)
    assert page.status_code == 412 and "“Active” became “Inactive”" in page.text
    meanwhile(in_riverside, patient, status="active")
    asked = saved(desk, patient, form_on(page, patient) | {"status": ["deceased"]})
    assert asked.status_code == 412 and f"{CHOICE}status" in asked.text
    assert saved(desk, patient, form_on(asked, patient) | {f"{CHOICE}status": "mine"}).status_code == 303
    assert (now(patient).status, patient.city) == ("deceased", "Wells")


def test_typing_theirs_or_something_else_decides_too(desk: Client, in_riverside: Place, patient: Patient) -> None:
    mine = opened(desk, patient) | {"city": "Wells"}
    meanwhile(in_riverside, patient, city="Frome")
    again = form_on(saved(desk, patient, mine), patient)
    assert saved(desk, patient, again | {"city": "Frome"}).status_code == 303
    assert now(patient).city == "Frome"


def test_a_third_change_while_one_decides_is_told_again(desk: Client, in_riverside: Place, patient: Patient) -> None:
    mine = opened(desk, patient) | {"city": "Wells"}
    meanwhile(in_riverside, patient, city="Frome")
    again = form_on(saved(desk, patient, mine), patient)
    meanwhile(in_riverside, patient, city="Paulton", notes="Newer")
    page = saved(desk, patient, again | {f"{CHOICE}city": "mine"})
    assert page.status_code == 412 and "<b>Paulton</b>" in page.text and "“Old” became “Newer”" in page.text
    assert saved(desk, patient, form_on(page, patient) | {f"{CHOICE}city": "mine"}).status_code == 303
    assert (now(patient).city, patient.notes) == ("Wells", "Newer")


def test_the_same_change_by_both_is_no_conflict_of_values(desk: Client, in_riverside: Place, patient: Patient) -> None:
    mine = opened(desk, patient) | {"city": "Wells"}
    meanwhile(in_riverside, patient, city="Wells")
    page = saved(desk, patient, mine)
    assert CHOICE not in page.text
    assert saved(desk, patient, form_on(page, patient)).status_code == 303 and now(patient).city == "Wells"


def test_a_consent_given_meanwhile_is_not_taken_back(desk: Client, in_riverside: Place, patient: Patient) -> None:
    mine = opened(desk, patient) | {"city": "Wells"}
    note_consent(actor=in_riverside.actor(Role.NURSE), patient_id=patient.pk, kind="messages", given=True)
    page = saved(desk, patient, mine)
    assert page.status_code == 412 and "“no” became “yes”" in page.text
    assert saved(desk, patient, form_on(page, patient)).status_code == 303
    assert list(Consent.objects.filter(patient=patient, kind="messages").values_list("given", flat=True)) == [True]


@pytest.mark.parametrize("read", ["", "x", "9" * 400, "a:b:c", "\ud800"])
def test_a_reading_that_is_none_never_overwrites(read: str, desk: Client, in_riverside: Place, patient: Patient) -> None:
    sent = opened(desk, patient) | {"city": "Wells", "read": read.encode("utf-8", "replace").decode()}
    page = saved(desk, patient, sent)
    assert page.status_code == 412 and "<b>Bath</b>" in page.text and now(patient).city == "Bath"


def test_a_reading_of_another_record_is_none(desk: Client, in_riverside: Place, patient: Patient) -> None:
    other = opened(desk, in_riverside.patients[1])
    page = saved(desk, patient, opened(desk, patient) | {"city": "Wells", "read": other["read"]})
    assert page.status_code == 412


def test_a_draft_of_before_meets_what_others_changed(desk: Client, in_riverside: Place, patient: Patient) -> None:
    desk.post(f"/drafts/patient-edit:{patient.pk}/", opened(desk, patient) | {"city": "Wells"})
    assert "Somebody changed" not in desk.get(f"/patients/{patient.pk}/edit/").text
    meanwhile(in_riverside, patient, city="Frome", notes="Newer")
    page = desk.get(f"/patients/{patient.pk}/edit/")
    assert page.status_code == 200 and "restored" in page.text
    assert "Somebody changed this record meanwhile" in page.text and "<b>Frome</b>" in page.text and 'value="Wells"' in page.text
    assert saved(desk, patient, form_on(page, patient) | {f"{CHOICE}city": "mine"}).status_code == 303
    assert (now(patient).city, patient.notes) == ("Wells", "Newer")


def test_what_is_wrong_is_told_and_the_reading_stays(desk: Client, in_riverside: Place, patient: Patient) -> None:
    page = saved(desk, patient, opened(desk, patient) | {"email": "nowhere", "city": "Wells"})
    assert page.status_code == 422
    assert saved(desk, patient, form_on(page, patient) | {"email": "b@example.com"}).status_code == 303
    assert (now(patient).email, patient.city) == ("b@example.com", "Wells")


def test_what_was_read_says_nothing_that_the_form_does_not_show(desk: Client, patient: Patient) -> None:
    """It is signed, not secret; and small."""
    (read,) = opened(desk, patient)["read"]
    assert len(read) < 2000 and re.fullmatch(r"[\w.:-]+", read)


def test_a_machine_is_told_the_present_version(in_riverside: Place, patient: Patient) -> None:
    api = ApiClient(in_riverside.users[Role.NURSE])
    tag = api.get(f"patients/{patient.pk}")["ETag"]
    meanwhile(in_riverside, patient, city="Frome")
    refused = api.patch(f"patients/{patient.pk}", {"address": {"city": "Wells"}}, If_Match=tag)
    assert refused.status_code == 412
    assert json.loads(refused.content)["error"]["current_version"] == now(patient).version
    assert refused["ETag"] == f'"{patient.version}"'
    assert api.patch(f"patients/{patient.pk}", {"address": {"city": "Wells"}}, If_Match=refused["ETag"]).status_code == 200
