"""Restricted records: what is withheld on every route, who has a way in, and that nothing that is kept outlives it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse
from django.utils import timezone

from appointments.choices import Priority
from appointments.models import Appointment, QueueSeries, Ticket
from appointments.services import book_appointment, change_status, reschedule_appointment
from clinics.models import Provider
from core.accounts.roles import MATRIX, Role
from core.api.renderers import AnswerResponse
from core.audit.break_glass import BreakGlass, Category
from core.audit.draining import drain_now
from core.audit.restricted import openings_of
from core.database.roles import connection_apart
from core.history.models import Change
from core.tenancy.context import clinic_scope
from patients.errors import RecordRestricted
from patients.models import Consent, Patient, PatientAccount
from patients.services import add_document, break_glass, register_patient, restrict_record, update_patient
from tests.core.cache.conftest import listening, redis_of_the_run, with_redis
from tests.factories.access_log import taken_events
from tests.factories.api_client import ApiClient, committed_client
from tests.factories.cases import filled
from tests.factories.patience import eventually
from tests.factories.patients import patient_data
from tests.factories.queue import open_queue
from tests.factories.routes import Route, routes
from tests.factories.threads import apart
from tests.factories.visits import at, book
from tests.factories.world import Place, World
from tests.performance.test_query_budgets import NEEDS, _signed_in

pytestmark = pytest.mark.thorough

__all__ = ["listening", "redis_of_the_run", "with_redis"]

READS = [route for kind in ("api", "api-v1", "page", "open", "admin") for route in routes(kind, methods=("GET",))]
WORD = "Zwithheld"  # stands in everything that is withheld and may be text
SECRETS = (WORD, "7700900999", "7700 900999", "1911-11-11", "11 Nov 1911", "11 November 1911", "Nov. 11, 1911", "…0999", "QQ 99")
REASON = "Collapsed in the waiting room."
FORM = {"blood_type": "unknown", "preferred_time_of_day": "any"}  # what the page sends besides
BELOW = ("", "edit/", "changes/", "documents/", "documents/add/", "export/")  # the pages of a record


@pytest.fixture
def closed(riverside: Place) -> Iterator[Patient]:
    """The patient whom every case names: with everything filled in, a document, a visit of today with notes, and restricted."""
    with clinic_scope(riverside.clinic, reason="test"):
        admin = riverside.actor(Role.CLINIC_ADMIN)
        patient = Patient.objects.order_by("pk")[0]
        names = ("gender", "address_line1", "city", "insurance_provider", "emergency_name", "notes")
        changes = {name: f"{WORD} {name}" for name in names} | {
            "phone": "+447700900999",
            "date_of_birth": "1911-11-11",
            "national_id": "QQ 99 88 77 C",
        }
        update_patient(actor=admin, patient_id=patient.pk, changes=changes | {"email": f"{WORD}@example.org"})
        data = {"title": f"{WORD} letter"}
        add_document(actor=admin, patient_id=patient.pk, data=data, content=b"Dear colleague", file_name=f"{WORD}.txt")
        visit = book(riverside, at(riverside, 21, 10), patient_id=patient.pk, notes=f"{WORD} visit")
        visit.local_day, visit.start, visit.end = at(riverside, 0, 12).date(), at(riverside, 0, 12), at(riverside, 0, 13)
        visit.save()
        change_status(actor=admin, appointment_id=visit.pk, action="check_in", reason=f"{WORD} change")
        restrict_record(actor=admin, patient_id=patient.pk, restricted=True, reason=f"{WORD} threat")
        yield patient


def opened(place: Place, patient: Patient, role: Role = Role.DOCTOR) -> BreakGlass:
    return break_glass(actor=place.actor(role), patient_id=patient.pk, category=Category.EMERGENCY, reason=REASON)


def leaked(answer: Any) -> list[str]:
    said = answer.content.decode("utf-8", "replace")
    return [secret for secret in SECRETS if secret in said]


def read(route: Route, place: Place, user: Any) -> Any:
    path = filled(route, place)
    url = path + NEEDS.get(route.path, lambda p: "")(place)
    return ApiClient(user).get(url) if route.kind.startswith("api") else _signed_in(user, place).get(url)


# --- Every route -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", [Role.CLINIC_ADMIN, Role.RECEPTIONIST, Role.DOCTOR, Role.AUDITOR], ids=str)
def test_no_route_shows_what_is_withheld(closed: Patient, riverside: Place, role: Role) -> None:
    wrong = {}
    for route in READS:
        answer = read(route, riverside, riverside.users[role])
        if found := leaked(answer):
            wrong[route.id] = found
        assert answer.status_code < 500, route.id
    assert wrong == {}


def test_no_route_shows_it_to_the_platform_either(closed: Patient, riverside: Place, world: World) -> None:
    operator = world.platform[Role.SUPER_ADMIN]
    wrong = {route.id: leaked(read(route, riverside, operator)) for route in routes("admin", methods=("GET",))}
    assert {path: found for path, found in wrong.items() if found} == {}
    with clinic_scope(riverside.clinic, reason="test"):
        changes = list(Change.objects.filter(row_id=closed.pk))
    assert changes
    for change in changes:
        page = _signed_in(operator, riverside).get(reverse("admin:core_change_change", args=[change.pk]))
        assert page.status_code == 200 and leaked(page) == [] and "restricted" in page.text


def test_with_access_the_same_routes_show_it_and_the_log_says_why(closed: Patient, riverside: Place) -> None:
    access = opened(riverside, closed)
    showing, without = set(), []
    for route in READS:
        filled(route, riverside)
        taken_events()
        answer = read(route, riverside, riverside.users[Role.DOCTOR])
        if leaked(answer):
            showing.add(route.path)
        without += [route.id for event in taken_events() if closed.pk in event.patients and str(access.pk) not in event.why]
    assert without == []
    record = {f"/patients/{{patient_id}}/{page}" for page in BELOW if page != "export/"}
    assert record | {"/api/v2/patients/{pk}", "/api/v2/patients/{id}/documents", "/api/v1/patients/{pk}"} <= showing
    assert {"/api/v2/appointments/{pk}", "/api/v2/appointments/{pk}/history", "/appointments/{visit_id}/"} <= showing


@pytest.mark.parametrize("below", BELOW)
def test_the_record_s_pages_say_that_it_is_restricted(closed: Patient, riverside: Place, sign_in: Any, below: str) -> None:
    role = Role.COMPLIANCE_OFFICER if below == "export/" else Role.CLINIC_ADMIN
    page = sign_in(riverside.users[role], riverside.clinic).get(f"/patients/{closed.pk}/{below}")
    assert page.status_code == 403 and "This record is restricted" in page.text and closed.mrn in page.text
    assert closed.family_name not in page.text and leaked(page) == []


@pytest.mark.parametrize("below", ["", "/documents", "/consents"])
def test_the_api_says_so_by_a_code_and_nothing_else(closed: Patient, riverside: Place, below: str) -> None:
    answer = ApiClient(riverside.users[Role.DOCTOR]).get(f"patients/{closed.pk}{below}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (403, "AUTHORIZATION_ERROR")
    assert [detail["code"] for detail in error["details"]] == ["record_restricted"]
    assert closed.mrn not in answer.text and closed.family_name not in answer.text


def test_nothing_is_written_to_a_record_that_is_not_open(closed: Patient, riverside: Place) -> None:
    api = ApiClient(riverside.users[Role.DOCTOR])
    consents = Consent.objects.count()
    for answer in (
        api.patch(f"patients/{closed.pk}", {"notes": "mine"}),
        api.post(f"patients/{closed.pk}/consents", {"kind": "messages", "given": True}),
    ):
        assert (answer.status_code, answer.json()["error"]["details"][0]["code"]) == (403, "record_restricted")
    assert Consent.objects.count() == consents
    assert Patient.objects.get(pk=closed.pk).notes == f"{WORD} notes"


def test_blanks_are_never_written_over_what_is_withheld(closed: Patient, riverside: Place) -> None:
    user = riverside.users[Role.DOCTOR]
    with clinic_scope(riverside.clinic, user_id=user.pk, reason="test"):
        read = Patient.objects.get(pk=closed.pk)
        assert read.is_withheld and read.notes == "" and read.date_of_birth is None
        with pytest.raises(RecordRestricted):
            read.save()
    assert Patient.objects.get(pk=closed.pk).notes == f"{WORD} notes"


# --- Lists and searches ----------------------------------------------------------------------------------------------------
def row_of(answer: Any, patient: Patient) -> dict[str, Any] | None:
    assert answer.status_code == 200, answer.content
    return next((row for row in answer.json()["data"] if row["id"] == str(patient.pk)), None)


def test_a_list_names_the_patient_and_withholds_the_rest(closed: Patient, riverside: Place) -> None:
    api = ApiClient(riverside.users[Role.RECEPTIONIST])
    for path in ("patients", f"patients?mrn={closed.mrn}", f"patients/search?query={closed.family_name}"):
        row = row_of(api.get(path), closed)
        assert row and (row["mrn"], row["family_name"], row["is_restricted"]) == (closed.mrn, closed.family_name, True)
        assert (row["date_of_birth"], row["phone"], row["email"], row["sex"]) == (None, "", "", "")
    sparse = row_of(api.get("patients?fields=id,phone"), closed)
    assert sparse == {"id": str(closed.pk), "phone": ""}


@pytest.mark.parametrize("words", ["900999", "+447700900999", "1911", "11.11.1911", "QQ 99 88 77 C", f"{WORD}@example.org"])
def test_nobody_is_found_by_what_is_withheld(closed: Patient, riverside: Place, words: str) -> None:
    def found(role: Role) -> bool:
        return row_of(ApiClient(riverside.users[role]).post("patients/search", {"search": words}), closed) is not None

    assert not found(Role.DOCTOR)
    opened(riverside, closed)
    assert found(Role.DOCTOR) and not found(Role.NURSE)


@pytest.mark.parametrize("asked", ["phone=%2B447700900999", "date_of_birth=1911-11-11", "ordering=date_of_birth"])
def test_no_filter_and_no_order_asks_for_what_is_withheld(closed: Patient, riverside: Place, asked: str) -> None:
    assert row_of(ApiClient(riverside.users[Role.DOCTOR]).get(f"patients?{asked}"), closed) is None
    opened(riverside, closed)
    assert row_of(ApiClient(riverside.users[Role.DOCTOR]).get(f"patients?{asked}"), closed) is not None


def test_a_duplicate_is_known_by_the_name_alone(closed: Patient, riverside: Place) -> None:
    body = {"given_name": closed.given_name, "family_name": closed.family_name, "date_of_birth": "1911-11-11"}
    body |= {"phone": "+447700900999", "national_id": "QQ 99 88 77 C"}
    (row,) = ApiClient(riverside.users[Role.RECEPTIONIST]).post("patients/duplicates", body).json()["data"]
    assert row["reasons"] == ["name"] and row["patient"]["date_of_birth"] is None


# --- Who has a way in ------------------------------------------------------------------------------------------------------
def treats(place: Place, patient: Patient, days: int, role: Role = Role.DOCTOR, **booked: Any) -> Appointment:
    """A visit so many days from today at a provider who is the person of that role."""
    Provider.objects.filter(pk=place.providers[1].pk).update(user=place.users[role])
    visit = book(place, at(place, 40, 9), provider_id=place.providers[1].pk, patient_id=patient.pk, **booked)
    Appointment.objects.filter(pk=visit.pk).update(
        local_day=at(place, days, 12).date(), start=at(place, days, 9), end=at(place, days, 10)
    )
    return visit


def is_open(place: Place, patient: Patient, role: Role = Role.DOCTOR) -> bool:
    return ApiClient(place.users[role]).get(f"patients/{patient.pk}").status_code == 200


@pytest.mark.parametrize(("days", "expected"), [(-31, False), (-30, True), (0, True), (30, True), (31, False)])
def test_the_provider_of_a_visit_reads_the_record_around_its_day(
    closed: Patient, riverside: Place, days: int, expected: bool
) -> None:
    treats(riverside, closed, days)
    assert is_open(riverside, closed) is expected
    assert not is_open(riverside, closed, Role.NURSE)


def test_the_day_is_the_clinic_s(closed: Patient, riverside: Place) -> None:
    visit = treats(riverside, closed, 0)
    zone = riverside.clinic.zone
    opening = openings_of(riverside.users[Role.DOCTOR].pk, (closed.pk,))[closed.pk]
    assert opening.since and opening.until
    first, last = opening.since.astimezone(zone), opening.until.astimezone(zone)
    day = Appointment.objects.get(pk=visit.pk).local_day
    assert (first.date(), last.date()) == (day - timedelta(days=30), day + timedelta(days=31))
    assert (first.hour, first.minute, last.hour, last.minute) == (0, 0, 0, 0)


def test_a_cancelled_visit_opens_nothing(closed: Patient, riverside: Place) -> None:
    visit = treats(riverside, closed, 0)
    change_status(actor=riverside.actor(Role.RECEPTIONIST), appointment_id=visit.pk, action="cancel", reason="Called")
    assert not is_open(riverside, closed)


def test_nobody_books_or_moves_a_way_into_a_record(closed: Patient, riverside: Place) -> None:
    doctor = riverside.actor(Role.DOCTOR)
    Provider.objects.filter(pk=riverside.providers[1].pk).update(user=riverside.users[Role.DOCTOR])
    visit = book_appointment(
        actor=doctor, patient_id=closed.pk, service_id=riverside.services[0].pk,
        provider_id=riverside.providers[1].pk, start=at(riverside, 2, 9),
    )  # fmt: skip
    assert not is_open(riverside, closed)
    other = book(riverside, at(riverside, 3, 9), patient_id=closed.pk)
    reschedule_appointment(actor=doctor, appointment_id=other.pk, start=at(riverside, 3, 10), provider_id=visit.provider_id)
    assert not is_open(riverside, closed)


def test_a_patient_reads_the_own_record_and_who_looked_and_why(closed: Patient, riverside: Place, sign_in: Any) -> None:
    user = riverside.users[Role.PATIENT]
    PatientAccount.objects.create(patient=closed, user=user)
    opened(riverside, closed)
    taken_events()
    assert is_open(riverside, closed)
    drain_now()
    browser = sign_in(user, riverside.clinic)
    assert f"{WORD} address_line1" in browser.get("/my-record/").text
    page = browser.get(f"/patients/{closed.pk}/accesses/")
    assert page.status_code == 200 and "Emergency access: Emergency" in page.text and REASON not in page.text


def test_who_has_looked_stays_readable_without_opening_the_record(closed: Patient, riverside: Place, sign_in: Any) -> None:
    for role in MATRIX["access_log"]["review"]:
        page = sign_in(riverside.users[role], riverside.clinic).get(f"/patients/{closed.pk}/accesses/")
        assert page.status_code == 200 and leaked(page) == []


def test_the_desk_still_books_moves_and_checks_in(closed: Patient, riverside: Place) -> None:
    api = ApiClient(riverside.users[Role.RECEPTIONIST])
    body = {"patient": str(closed.pk), "service": str(riverside.services[0].pk), "provider": str(riverside.providers[2].pk)}
    visit = api.post("appointments", body | {"start": at(riverside, 5, 9).isoformat(), "notes": "Ground floor"})
    assert visit.status_code == 201, visit.content
    visit_id = visit.json()["data"]["id"]
    assert visit.json()["data"]["patient"]["is_restricted"] is True and visit.json()["data"]["notes"] == ""
    assert api.post(f"appointments/{visit_id}/reschedule", {"start": at(riverside, 5, 11).isoformat()}).status_code == 200
    assert api.post(f"appointments/{visit_id}/check-in").status_code == 200
    assert Appointment.objects.get(pk=visit_id).notes == "Ground floor"


def test_the_desk_gives_a_ticket_that_does_not_tell_the_age(closed: Patient, riverside: Place, sign_in: Any) -> None:
    open_queue(riverside)
    api, browser = (kind(riverside.users[Role.RECEPTIONIST]) for kind in (ApiClient, lambda user: sign_in(user, riverside.clinic)))
    visits = [book(riverside, at(riverside, 5, hour), patient_id=closed.pk) for hour in (9, 14)]
    assert api.post(f"appointments/{visits[0].pk}/check-in").status_code == 200
    assert browser.post(f"/appointments/{visits[1].pk}/check-in/").status_code == 303
    walk_in = {"location": str(riverside.locations[0].pk), "patient": str(closed.pk)}
    assert api.post("queue", walk_in).status_code == 201
    assert browser.post("/queue/take/", walk_in | {"series": str(QueueSeries.objects.get().pk)}).status_code == 303
    tickets = Ticket.objects.filter(patient=closed)
    assert len(tickets) == 4 and Priority.ELDERLY not in {one.priority for one in tickets}


def test_a_namesake_is_registered_beside_a_restricted_record(closed: Patient, riverside: Place, sign_in: Any) -> None:
    """Somebody of the same name and birth date is in the list with the restricted record, which tells its name alone."""
    data = patient_data(given_name=closed.given_name, family_name=closed.family_name)
    register_patient(actor=riverside.actor(Role.RECEPTIONIST), data=data)
    answer = ApiClient(riverside.users[Role.RECEPTIONIST]).post("patients", data)
    assert answer.status_code == 409 and leaked(answer) == []
    (row,) = [row for row in answer.json()["error"]["duplicates"] if row["id"] == str(closed.pk)]
    assert (row["mrn"], row["date_of_birth"], row["phone"], row["reasons"]) == (closed.mrn, None, "", ["name"])
    page = sign_in(riverside.users[Role.RECEPTIONIST], riverside.clinic).post("/patients/register/", data | FORM)
    assert page.status_code == 409 and closed.mrn in page.text and leaked(page) == []


def test_another_clinic_knows_of_nothing(closed: Patient, hillcrest: Place, riverside: Place) -> None:
    api = ApiClient(hillcrest.users[Role.DOCTOR])
    assert api.get(f"patients/{closed.pk}").status_code == 404
    assert api.post(f"patients/{closed.pk}/break-glass", {"category": "emergency", "reason": REASON}).status_code == 404
    access = opened(riverside, closed)
    admin = ApiClient(hillcrest.users[Role.CLINIC_ADMIN])
    assert admin.get("break-glass").json()["data"] == []
    assert admin.get(f"break-glass/{access.pk}").status_code == 404
    assert admin.post(f"break-glass/{access.pk}/verdict", {"verdict": "justified"}).status_code == 404


# --- What is kept ----------------------------------------------------------------------------------------------------------
def test_a_record_that_is_kept_for_one_is_not_served_to_another_and_ends_on_time(
    riverside: Place, listening: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache is warm throughout: an answer that is ready, the end of the access, its expiry, the lifting."""
    monkeypatch.setattr("core.api.ready.this_minute", lambda: 1)
    doctor, nurse = (committed_client(riverside.users[role]) for role in (Role.DOCTOR, Role.NURSE))
    clinic, by = riverside.clinic, riverside.actor(Role.CLINIC_ADMIN)

    def within(work: Callable[[], Any]) -> Any:
        def entered() -> Any:
            with clinic_scope(clinic, reason="test"):
                return work()

        return apart(entered)[0]

    patient = within(lambda: register_patient(actor=by, data=patient_data(given_name="Warm", family_name="Cachewell")))
    path = f"patients/{patient.pk}"

    def status(client: ApiClient) -> int:
        return int(apart(lambda: client.get(path))[0].status_code)

    try:
        assert status(doctor) == status(nurse) == 200
        eventually(lambda: not isinstance(apart(lambda: nurse.get(path))[0], AnswerResponse))
        within(lambda: restrict_record(actor=by, patient_id=patient.pk, restricted=True, reason="Works here"))
        assert status(doctor) == status(nurse) == 403
        within(lambda: opened(riverside, patient))
        eventually(lambda: not isinstance(apart(lambda: doctor.get(path))[0], AnswerResponse))
        assert status(doctor) == 200 and status(nurse) == 403
        assert apart(lambda: doctor.delete(f"{path}/break-glass"))[0].status_code == 204
        assert status(doctor) == 403
        access = within(lambda: opened(riverside, patient))
        eventually(lambda: not isinstance(apart(lambda: doctor.get(path))[0], AnswerResponse))
        apart(lambda: passes(monkeypatch, access))
        assert status(doctor) == 403, "a warm answer outlived the access"
        monkeypatch.setattr("core.audit.restricted.timezone", timezone)
        assert status(doctor) == 200
        by_hand(
            "UPDATE core_breakglass SET opened_at = now() - interval '2 h', expires_at = now() - interval '1 h' WHERE id = %s",
            access.pk,
        )
        eventually(lambda: status(doctor) == 403)
    finally:
        within(lambda: restrict_record(actor=by, patient_id=patient.pk, restricted=False, reason="Left"))
        forget(patient.pk)


def passes(monkeypatch: pytest.MonkeyPatch, access: BreakGlass) -> None:
    """The access's time is over for those who ask whether it is, while nothing in the database has changed or been announced."""

    class Later:
        @staticmethod
        def now() -> Any:
            return access.expires_at + timedelta(seconds=1)

    monkeypatch.setattr("core.audit.restricted.timezone", Later)


def forget(patient_id: UUID) -> None:
    """What this test committed, by the owner's hand."""
    for table, column in (("core_breakglass", "patient_id"), ("patients_patienttoken", "patient_id"), ("patients_patient", "id")):
        by_hand(f"DELETE FROM {table} WHERE {column} = %s", patient_id)


def by_hand(statement: str, value: UUID) -> None:
    with connection_apart("hms_maintenance") as maintenance:
        maintenance.execute(statement, [value])  # type: ignore[call-overload]
