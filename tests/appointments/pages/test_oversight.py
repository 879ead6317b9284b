"""Looks that stand out: without a visit, by somebody of the same name, at night, or very many in a day; and no others."""

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from appointments.selectors.oversight import MANY, unusual_access
from core.accounts.roles import Role
from core.audit.subjects import Reading
from core.tenancy.context import clinic_scope
from core.tenancy.ids import new_id
from patients.models import Patient, PatientAccount
from tests.factories.access_log import note_looks
from tests.factories.visits import at, book, make_patient
from tests.factories.world import Place


def hour_of(place: Place, hour: int, days_ago: int = 2) -> datetime:
    zone = ZoneInfo(place.clinic.time_zone)
    day = timezone.now().astimezone(zone).date() - timedelta(days=days_ago)
    return datetime.combine(day, time(hour, 30), zone)


def looked(place: Place, role: Role, *patients: UUID, at: datetime, reading: Reading = Reading.VIEW) -> None:
    note_looks(place, *patients, by=role, at=at, reading=reading)


def known(**fields: Any) -> Patient:
    """A patient registered long ago."""
    patient = make_patient(**fields)
    Patient.objects.filter(pk=patient.pk).update(created_at=timezone.now() - timedelta(days=400))
    return patient


def report(place: Place, days: int = 7) -> Any:
    with timezone.override(place.clinic.zone):  # as in a request
        return unusual_access(actor=place.actor(Role.COMPLIANCE_OFFICER), days=days)


def test_a_look_with_a_visit_by_day_is_usual(in_riverside: Place) -> None:
    patient = known()
    book(in_riverside, at(in_riverside, 21, 10), patient_id=patient.pk)
    looked(in_riverside, Role.NURSE, patient.pk, at=hour_of(in_riverside, 11))
    assert report(in_riverside).looks == []


@pytest.mark.parametrize(("hour", "unusual"), [(5, True), (6, False), (20, False), (21, True), (23, True)])
def test_a_look_at_night_by_the_clinics_clock_stands_out(hour: int, unusual: bool, hillcrest: Place) -> None:
    """In New York, whose clock is never UTC's."""
    with clinic_scope(hillcrest.clinic, reason="test"):
        patient = known()
        book(hillcrest, at(hillcrest, 21, 10), patient_id=patient.pk)
        looked(hillcrest, Role.NURSE, patient.pk, at=hour_of(hillcrest, hour))
        assert [(look.patient_id, look.after_hours) for look in report(hillcrest).looks] == [(patient.pk, True)] * unusual


def test_a_look_without_a_visit_stands_out_unless_the_patient_is_new(in_riverside: Place) -> None:
    old, new = known(), make_patient()
    for patient in (old, old, new):
        looked(in_riverside, Role.NURSE, patient.pk, at=hour_of(in_riverside, 11))
    (look,) = report(in_riverside).looks
    assert (look.patient_id, look.times, look.no_visit, look.same_name, look.after_hours) == (old.pk, 2, True, False, False)
    assert look.person == in_riverside.users[Role.NURSE].full_name


def test_a_look_by_somebody_of_the_same_name_comes_first(in_riverside: Place) -> None:
    family = in_riverside.users[Role.DOCTOR].full_name.split()[-1]
    stranger, namesake = known(), known(family_name=family.upper(), family_norm=family.lower())
    for patient in (namesake, stranger):
        looked(in_riverside, Role.DOCTOR, patient.pk, at=hour_of(in_riverside, 11))
    assert [(look.patient_id, look.same_name) for look in report(in_riverside).looks] == [(namesake.pk, True), (stranger.pk, False)]


@pytest.mark.parametrize("reading", [Reading.LIST, Reading.SEARCH])
def test_lists_and_searches_do_not_count(reading: Reading, in_riverside: Place) -> None:
    looked(in_riverside, Role.NURSE, known().pk, at=hour_of(in_riverside, 23), reading=reading)
    assert report(in_riverside).looks == []


def test_patients_may_look_at_themselves_at_night(in_riverside: Place) -> None:
    patient = known()
    PatientAccount.objects.create(patient=patient, user=in_riverside.users[Role.PATIENT])
    looked(in_riverside, Role.PATIENT, patient.pk, at=hour_of(in_riverside, 23))
    assert report(in_riverside).looks == []


def test_very_many_records_in_a_day_stand_out(in_riverside: Place) -> None:
    people = [new_id() for _ in range(MANY)]
    looked(in_riverside, Role.NURSE, *people[:-1], at=hour_of(in_riverside, 11))
    assert report(in_riverside).days == []
    looked(in_riverside, Role.NURSE, people[-1], at=hour_of(in_riverside, 12))
    (day,) = report(in_riverside).days
    assert (day.person, day.records, day.day) == (
        in_riverside.users[Role.NURSE].full_name, MANY, hour_of(in_riverside, 12).date(),
    )  # fmt: skip


def test_the_page_shows_the_period_asked_for_and_says_whom_it_showed(in_riverside: Place, sign_in: Any) -> None:
    patient = known()
    looked(in_riverside, Role.NURSE, patient.pk, at=hour_of(in_riverside, 11, days_ago=20))
    browser = sign_in(in_riverside.users[Role.COMPLIANCE_OFFICER], in_riverside.clinic)
    assert patient.mrn not in browser.get("/oversight/unusual-access/").text
    page = browser.get("/oversight/unusual-access/?days=30")
    assert patient.mrn in page.text and "No visit" in page.text
    assert browser.get("/oversight/unusual-access/?days=1000000").status_code == 200
    assert sign_in(in_riverside.users[Role.NURSE], in_riverside.clinic).get("/oversight/unusual-access/").status_code == 403
