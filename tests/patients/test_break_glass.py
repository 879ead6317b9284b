"""Emergency access: who may, what is told to whom, how it ends, and how it is judged."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from core.accounts.models import Membership, User
from core.accounts.roles import CLINIC_ROLES, MATRIX, Role
from core.audit.break_glass import BreakGlass, Verdict
from core.audit.draining import drain_now
from core.database.roles import connection_apart
from core.errors import Conflict, NotAllowed, ValidationFailed
from core.messaging.models import Kind
from core.messaging.services import digest_of
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from patients.models import Patient
from patients.services import break_glass, end_access, judge_access, register_patient, restrict_record
from tests.clinics.conftest import letters
from tests.factories.access_log import taken_events
from tests.factories.api_client import ApiClient
from tests.factories.patients import patient_data
from tests.factories.threads import apart
from tests.factories.world import Place

__all__ = ["letters"]

REASON = "Collapsed in the waiting room.\nNo colleague here."
BODY = {"category": "emergency", "reason": REASON}


@pytest.fixture
def closed(riverside: Place) -> Iterator[Patient]:
    with clinic_scope(riverside.clinic, reason="test"):
        patient = Patient.objects.get(pk=riverside.patients[2].pk)
        restrict_record(actor=riverside.actor(Role.CLINIC_ADMIN), patient_id=patient.pk, restricted=True, reason="Works here")
        yield patient


def opened(place: Place, patient: Patient, role: Role = Role.NURSE) -> BreakGlass:
    return break_glass(actor=place.actor(role), patient_id=patient.pk, **BODY)


def over(place: Place, patient: Patient, role: Role = Role.NURSE) -> BreakGlass:
    opened(place, patient, role)
    return end_access(actor=place.actor(role), patient_id=patient.pk)


# --- Opening ---------------------------------------------------------------------------------------------------------------
def test_it_is_open_for_the_clinic_s_time_and_the_reason_stays_as_typed(closed: Patient, riverside: Place) -> None:
    answer = ApiClient(riverside.users[Role.DOCTOR]).post(f"patients/{closed.pk}/break-glass", BODY)
    assert answer.status_code == 201 and set(answer.json()["data"]) == {"id", "expires_at"}
    access = BreakGlass.objects.get(pk=answer.json()["data"]["id"])
    assert (access.reason, access.category, access.user_id) == (REASON, "emergency", riverside.users[Role.DOCTOR].pk)
    assert access.expires_at - access.opened_at == timedelta(minutes=60)


def test_the_clinic_says_how_long(closed: Patient, riverside: Place) -> None:
    Clinic.objects.filter(pk=riverside.clinic.pk).update(break_glass_minutes=15)
    access = opened(riverside, closed)
    assert access.expires_at - access.opened_at == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"reason": "urgent"}, "reason"), ({"reason": " " * 30}, "reason"), ({"reason": "x" * 501}, "reason"),
        ({"category": "curious"}, "category"), ({"reason": "a\x00reason of many"}, "reason"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_opens_nothing(closed: Patient, riverside: Place, wrong: dict[str, str], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        break_glass(actor=riverside.actor(Role.NURSE), patient_id=closed.pk, **(BODY | wrong))
    assert [detail.field for detail in refused.value.details] == [field]
    answer = ApiClient(riverside.users[Role.NURSE]).post(f"patients/{closed.pk}/break-glass", BODY | wrong)
    assert answer.status_code == 400 and [one["field"] for one in answer.json()["error"]["details"]] == [field]
    assert BreakGlass.objects.count() == 0


@pytest.mark.parametrize("role", sorted(CLINIC_ROLES), ids=str)
def test_exactly_those_open_whom_the_matrix_lets(closed: Patient, riverside: Place, sign_in: Any, role: Role) -> None:
    may = role in MATRIX["break_glass"]["create"]
    page = sign_in(riverside.users[role], riverside.clinic).get(f"/patients/{closed.pk}/")
    assert ("break-glass/" in page.text) is may
    answer = ApiClient(riverside.users[role]).post(f"patients/{closed.pk}/break-glass", BODY)
    assert answer.status_code == (201 if may else 403)


def test_the_desk_and_the_accounts_may_not() -> None:
    clinical = {Role.DOCTOR, Role.NURSE, Role.MEDICAL_ASSISTANT, Role.PHARMACIST, Role.LAB_TECHNICIAN, Role.RADIOLOGIST}
    assert MATRIX["break_glass"]["create"] == clinical | MATRIX["break_glass"]["review"]
    assert MATRIX["break_glass"]["review"] == {Role.CLINIC_ADMIN, Role.COMPLIANCE_OFFICER}


def test_a_record_that_is_open_needs_no_opening(closed: Patient, riverside: Place) -> None:
    with pytest.raises(Conflict):
        break_glass(actor=riverside.actor(Role.NURSE), patient_id=riverside.patients[3].pk, **BODY)
    assert BreakGlass.objects.count() == 0


def test_opening_again_is_the_same_access_and_tells_nobody_again(closed: Patient, riverside: Place, letters: list[Any]) -> None:
    first = opened(riverside, closed)
    assert opened(riverside, closed).pk == first.pk and len(letters) == 2


def test_two_at_once_are_one(django_db_setup: None, django_db_blocker: Any) -> None:
    """Two windows of one person, each with a connection of its own."""
    with django_db_blocker.unblock():
        clinic, user = apart(_a_clinic_of_its_own)[0]
        try:
            with connection_apart("hms_maintenance") as maintenance:
                found = maintenance.execute("SELECT id FROM patients_patient WHERE clinic_id = %s", [clinic.pk]).fetchone()
            assert found is not None

            def window() -> Any:
                with clinic_scope(clinic, user_id=user.pk, reason="test"):
                    actor = Membership.objects.get(user=user).as_actor(user)
                    return break_glass(actor=actor, patient_id=found[0], **BODY).pk

            assert len(set(apart(window, window, window))) == 1
            with connection_apart("hms_maintenance") as maintenance:
                (count,) = maintenance.execute(
                    "SELECT count(*) FROM core_breakglass WHERE clinic_id = %s", [clinic.pk]
                ).fetchone() or (0,)
            assert count == 1
        finally:
            _take_away(clinic, user)


def _a_clinic_of_its_own() -> tuple[Clinic, User]:
    clinic = Clinic.objects.create(
        slug="glassy", name="Glassy", time_zone="Europe/London", country="GB", currency="GBP", mrn_prefix="GL"
    )
    user = User.objects.create_user("windows@glassy.test", "Correct-Horse-2026", full_name="Two Windows")
    with clinic_scope(clinic, reason="test"):
        member = Membership.objects.create(clinic=clinic, user=user, roles=[Role.DOCTOR, Role.CLINIC_ADMIN])
        actor = member.as_actor(user)
        patient = register_patient(actor=actor, data=patient_data(family_name="Paneless"))
        restrict_record(actor=actor, patient_id=patient.pk, restricted=True, reason="Works here")
    return clinic, user


def _take_away(clinic: Clinic, user: User) -> None:
    with connection_apart("hms_maintenance") as maintenance:
        for table in (
            "core_breakglass",
            "core_domainevent",
            "patients_patienttoken",
            "patients_patient",
            "patients_mrnsequence",
            "core_clinickey",
        ):
            maintenance.execute(f"DELETE FROM {table} WHERE clinic_id = %s", [clinic.pk])  # type: ignore[call-overload]
        maintenance.execute("DELETE FROM core_membership WHERE user_id = %s", [user.pk])
        maintenance.execute("DELETE FROM core_clinic WHERE id = %s", [clinic.pk])
        maintenance.execute("DELETE FROM core_user WHERE id = %s", [user.pk])


# --- Who is told -----------------------------------------------------------------------------------------------------------
def test_administrators_and_compliance_officers_are_told_without_a_name(
    closed: Patient, riverside: Place, hillcrest: Place, letters: list[Any]
) -> None:
    access = opened(riverside, closed)
    told = {Role.CLINIC_ADMIN, Role.COMPLIANCE_OFFICER}
    assert {one.to_digest for one in letters} == {digest_of(riverside.users[role].email) for role in told}
    for letter in letters:
        assert letter.kind == Kind.BREAK_GLASS
        said = letter.subject + letter.text
        assert closed.mrn in said and f"/oversight/emergency-access/{access.pk}/" in said
        assert riverside.users[Role.NURSE].full_name not in said
        assert closed.family_name not in said and closed.given_name not in said and "Collapsed" not in said


def test_who_opens_is_not_told_of_it(closed: Patient, riverside: Place, letters: list[Any]) -> None:
    opened(riverside, closed, Role.CLINIC_ADMIN)
    assert [one.to_digest for one in letters] == [digest_of(riverside.users[Role.COMPLIANCE_OFFICER].email)]


# --- Ending ----------------------------------------------------------------------------------------------------------------
def test_it_ends_at_once_and_can_be_opened_anew(closed: Patient, riverside: Place) -> None:
    api = ApiClient(riverside.users[Role.DOCTOR])
    first = api.post(f"patients/{closed.pk}/break-glass", BODY).json()["data"]["id"]
    assert api.get(f"patients/{closed.pk}").status_code == 200
    assert api.delete(f"patients/{closed.pk}/break-glass").status_code == 204
    assert api.get(f"patients/{closed.pk}").status_code == 403
    assert api.delete(f"patients/{closed.pk}/break-glass").status_code == 404
    assert api.post(f"patients/{closed.pk}/break-glass", BODY).json()["data"]["id"] != first


def test_an_expired_access_is_none_and_can_be_followed_by_another(closed: Patient, riverside: Place) -> None:
    past = timezone.now() - timedelta(hours=2)
    user = riverside.users[Role.NURSE]
    old = BreakGlass.objects.create(
        user=user,
        patient_id=closed.pk,
        **BODY,
        opened_at=past,
        expires_at=past + timedelta(hours=1),
    )
    assert ApiClient(user).get(f"patients/{closed.pk}").status_code == 403
    assert opened(riverside, closed).pk != old.pk
    assert BreakGlass.objects.get(pk=old.pk).ended_at == old.expires_at
    assert ApiClient(user).get(f"patients/{closed.pk}").status_code == 200


def test_nobody_ends_another_s(closed: Patient, riverside: Place) -> None:
    access = opened(riverside, closed)
    assert ApiClient(riverside.users[Role.DOCTOR]).delete(f"patients/{closed.pk}/break-glass").status_code == 404
    assert BreakGlass.objects.get(pk=access.pk).ended_at is None


def test_the_banner_says_how_long_and_ends_it(closed: Patient, riverside: Place, sign_in: Any) -> None:
    browser = sign_in(riverside.users[Role.DOCTOR], riverside.clinic)
    answer = browser.post(f"/patients/{closed.pk}/break-glass/", BODY)
    assert (answer.status_code, answer["Location"]) == (303, f"/patients/{closed.pk}/")
    for below in ("", "edit/", "documents/", "changes/"):
        page = browser.get(f"/patients/{closed.pk}/{below}")
        assert page.status_code == 200 and "End now" in page.text and "minutes more" in page.text
    assert browser.post(f"/patients/{closed.pk}/break-glass/end/").status_code == 303
    assert browser.get(f"/patients/{closed.pk}/").status_code == 403


def test_a_wrong_form_comes_back_with_what_was_typed(closed: Patient, riverside: Place, sign_in: Any) -> None:
    browser = sign_in(riverside.users[Role.DOCTOR], riverside.clinic)
    page = browser.post(f"/patients/{closed.pk}/break-glass/", {"category": "safeguarding", "reason": "short"})
    assert page.status_code == 422 and "short</textarea>" in page.text and 'value="safeguarding" selected' in page.text
    assert "At least 10 characters" in page.text


# --- Judging ---------------------------------------------------------------------------------------------------------------
def test_the_queue_tells_who_when_why_and_what_was_looked_at(closed: Patient, riverside: Place, sign_in: Any) -> None:
    taken_events()
    nurse = sign_in(riverside.users[Role.NURSE], riverside.clinic)
    nurse.post(f"/patients/{closed.pk}/break-glass/", BODY)
    assert nurse.get(f"/patients/{closed.pk}/").status_code == nurse.get(f"/patients/{closed.pk}/documents/").status_code == 200
    assert ApiClient(riverside.users[Role.NURSE]).get(f"patients/{riverside.patients[4].pk}").status_code == 200
    end_access(actor=riverside.actor(Role.NURSE), patient_id=closed.pk)
    drain_now()
    page = sign_in(riverside.users[Role.COMPLIANCE_OFFICER], riverside.clinic).get("/oversight/emergency-access/")
    for said in (
        riverside.users[Role.NURSE].full_name,
        closed.mrn,
        "No colleague here.",
        "Record, looked at",
        "Documents, looked at",
    ):
        assert said in page.text, said
    assert closed.family_name not in page.text and "Program (API)" not in page.text


def test_those_without_a_verdict_come_first_the_oldest_on_top(closed: Patient, riverside: Place, sign_in: Any) -> None:
    first, second = over(riverside, closed), over(riverside, closed, Role.DOCTOR)
    admin = sign_in(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    page = admin.get("/oversight/emergency-access/").text
    assert page.index(str(first.pk)) < page.index(str(second.pk))
    assert '<span class="count">(2)' in admin.get("/oversight/unusual-access/").text
    assert admin.post(f"/oversight/emergency-access/{first.pk}/verdict/", {"verdict": "justified", "note": ""}).status_code == 303
    page = admin.get("/oversight/emergency-access/").text
    assert str(first.pk) not in page and str(second.pk) in page and '<span class="count">(1)' in page
    assert riverside.users[Role.NURSE].full_name in admin.get("/oversight/emergency-access/?show=all").text


def test_the_api_lists_filters_and_judges(closed: Patient, riverside: Place) -> None:
    first, second = over(riverside, closed), over(riverside, closed, Role.DOCTOR)
    api = ApiClient(riverside.users[Role.COMPLIANCE_OFFICER])
    assert [row["id"] for row in api.get("break-glass").json()["data"]] == [str(first.pk), str(second.pk)]
    answer = api.post(f"break-glass/{first.pk}/verdict", {"verdict": "not-justified", "note": "Curiosity."})
    assert answer.status_code == 200 and answer.json()["data"]["reviewed_by"] == str(riverside.users[Role.COMPLIANCE_OFFICER].pk)
    for asked, expected in (
        ("verdict=none", [second]), ("verdict=not-justified", [first]), ("verdict=none,not-justified", [first, second]),
        (f"user={riverside.users[Role.DOCTOR].pk}", [second]), (f"patient={riverside.patients[0].pk}", []),
    ):  # fmt: skip
        assert [row["id"] for row in api.get(f"break-glass?{asked}").json()["data"]] == [str(one.pk) for one in expected], asked
    for wrong in ("verdict=maybe", "user=x", "colour=red"):
        assert api.get(f"break-glass?{wrong}").status_code == 400
    assert ApiClient(riverside.users[Role.AUDITOR]).get("break-glass").status_code == 200
    assert ApiClient(riverside.users[Role.DOCTOR]).get("break-glass").status_code == 403


def test_not_justified_needs_a_note(closed: Patient, riverside: Place, sign_in: Any) -> None:
    access = over(riverside, closed)
    with pytest.raises(ValidationFailed) as refused:
        judge_access(actor=riverside.actor(Role.CLINIC_ADMIN), access_id=access.pk, verdict=Verdict.NOT_JUSTIFIED, note=" ")
    assert [one.field for one in refused.value.details] == ["note"]
    browser = sign_in(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    page = browser.post(f"/oversight/emergency-access/{access.pk}/verdict/", {"verdict": "not-justified", "note": ""})
    assert page.status_code == 422 and "Say why it was not justified" in page.text
    assert BreakGlass.objects.get(pk=access.pk).verdict == ""


def test_nobody_judges_the_own_access_nor_an_open_one_nor_twice(closed: Patient, riverside: Place) -> None:
    admin, officer = riverside.actor(Role.CLINIC_ADMIN), riverside.actor(Role.COMPLIANCE_OFFICER)
    access = opened(riverside, closed, Role.CLINIC_ADMIN)
    with pytest.raises(Conflict):
        judge_access(actor=officer, access_id=access.pk, verdict="justified")
    end_access(actor=admin, patient_id=closed.pk)
    with pytest.raises(NotAllowed):
        judge_access(actor=admin, access_id=access.pk, verdict="justified")
    judge_access(actor=officer, access_id=access.pk, verdict="justified")
    with pytest.raises(Conflict):
        judge_access(actor=officer, access_id=access.pk, verdict="not-justified", note="On second thoughts.")


# --- The database holds it -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        "reason = 'I was asked to'", "category = 'other'", "expires_at = now() + interval '1 year'", "opened_at = now()",
        "user_id = user_id", "patient_id = patient_id",
    ],
)  # fmt: skip
def test_the_application_can_t_write_what_was_said(closed: Patient, riverside: Place, change: str) -> None:
    opened(riverside, closed)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE core_breakglass SET {change}")


@pytest.mark.parametrize(
    "change",
    [
        "ended_at = NULL", "ended_at = now() + interval '1 hour'", "verdict = 'not-justified', review_note = 'No.'",
        "verdict = '', reviewed_at = NULL, reviewed_by_id = NULL", "review_note = 'Another'",
    ],
)  # fmt: skip
def test_the_ending_and_the_verdict_are_written_once(closed: Patient, riverside: Place, change: str) -> None:
    access = over(riverside, closed)
    judge_access(actor=riverside.actor(Role.CLINIC_ADMIN), access_id=access.pk, verdict="justified", note="Right.")
    with pytest.raises(DatabaseError, match="written once"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE core_breakglass SET {change}")


def test_the_database_takes_no_verdict_of_who_opened(closed: Patient, riverside: Place) -> None:
    over(riverside, closed)
    with pytest.raises(DatabaseError, match="by_another"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE core_breakglass SET verdict = 'justified', reviewed_by_id = user_id, reviewed_at = now()")


# --- Restricting -----------------------------------------------------------------------------------------------------------
def test_restricting_and_lifting_say_why_in_the_history(riverside: Place, sign_in: Any) -> None:
    patient = riverside.patients[1]
    admin = sign_in(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    assert admin.post(f"/patients/{patient.pk}/restriction/", {"reason": ""}).status_code == 422
    assert admin.post(f"/patients/{patient.pk}/restriction/", {"reason": "Works at the desk"}).status_code == 303
    assert admin.get(f"/patients/{patient.pk}/").status_code == 403
    page = admin.get(f"/patients/{patient.pk}/restriction/")
    assert page.status_code == 200 and "Lift the restriction" in page.text
    assert admin.post(f"/patients/{patient.pk}/restriction/", {"reason": "Has left the clinic"}).status_code == 303
    history = admin.get(f"/patients/{patient.pk}/changes/").text
    assert "Works at the desk" in history and "Has left the clinic" in history


@pytest.mark.parametrize("role", sorted(CLINIC_ROLES), ids=str)
def test_exactly_those_restrict_whom_the_matrix_lets(riverside: Place, role: Role) -> None:
    may = role in {Role.CLINIC_ADMIN, Role.COMPLIANCE_OFFICER}
    with clinic_scope(riverside.clinic, reason="test"):
        try:
            restrict_record(actor=riverside.actor(role), patient_id=riverside.patients[1].pk, restricted=True, reason="Threatened")
        except NotAllowed:
            assert not may
        else:
            assert may
