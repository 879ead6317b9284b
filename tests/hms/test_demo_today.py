"""The demo's today is half over at every hour, in both clinics, also at night and on days of clock changes."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import phonenumbers
import pytest

from appointments.choices import FREED, Status
from appointments.models import Schedule, Service
from clinics.models import Location, Provider, Room
from core.tenancy.models import Clinic
from hms.demo.days import plan_day
from hms.demo.furniture import ClinicView
from hms.demo.people import invent_patients
from hms.demo.places import CLINICS, DemoClinic, week_of
from hms.demo.today import Today, plan_today
from hms.demo.visits import Rows, Visit, add_rows

DONE = {Status.COMPLETED, Status.CANCELLED, Status.NO_SHOW}
DAYS = (date(2026, 6, 9), date(2026, 6, 14), date(2026, 12, 25), date(2026, 3, 29), date(2026, 11, 1))
TIMES = (
    time(0, 2),
    time(0, 25),
    time(3),
    time(7, 40),
    time(9),
    time(12, 30),
    time(16, 55),
    time(17, 1),
    time(21),
    time(23, 10),
    time(23, 50),
    time(23, 58),
)


def view_of(place: DemoClinic) -> ClinicView:
    """The clinic as the database would give it, without one."""
    clinic = Clinic(slug=place.slug, name=place.name, time_zone=place.time_zone, country=place.country)
    locations = [Location(name=name) for name, _, _ in place.locations]
    services = [
        Service(name=one.name, duration_minutes=one.minutes, buffer_before_minutes=one.before, buffer_after_minutes=one.after)
        for one in place.services
    ]
    view = ClinicView(clinic, [], {})
    for position, one in enumerate(place.providers):
        provider, room = Provider(name=one.name, kind=one.kind), Room(name=str(position))
        view.providers.append(provider)
        view.offered[provider.pk] = [s for s, made in zip(services, place.services, strict=True) if one.kind in made.kinds]
        view.week[provider.pk] = [
            Schedule(
                provider=provider, location=locations[one.home], room=room, weekday=h.weekday, start_time=h.start, end_time=h.end
            )
            for h in week_of(position, one)
        ]
    return view


VIEWS = {place.slug: view_of(place) for place in CLINICS}
PATIENTS = {place.slug: invent_patients(place, VIEWS[place.slug].providers, 300) for place in CLINICS}
MOMENTS = [(place.slug, day, at) for place in CLINICS for day in DAYS for at in TIMES]


def plan(slug: str, day: date, at: time) -> tuple[Today, datetime]:
    now = datetime.combine(day, at, VIEWS[slug].clinic.zone).astimezone(UTC)
    return plan_today(VIEWS[slug], PATIENTS[slug], now=now), now


def assert_nothing_overlaps(visits: list[Visit], view: ClinicView) -> None:
    rows = Rows()
    for visit in visits:
        add_rows(rows, visit, view)
    taken = defaultdict(list)
    for claim in rows.claims:
        taken[claim.resource_kind, claim.resource_id].append((claim.starts_at, claim.ends_at))
    for spans in taken.values():
        spans.sort()
        assert all(before[1] <= after[0] for before, after in pairwise(spans)), spans


@pytest.mark.parametrize(("slug", "day", "at"), MOMENTS, ids=lambda value: str(value))
def test_today_is_half_over(slug: str, day: date, at: time) -> None:
    today, now = plan(slug, day, at)
    statuses = Counter(visit.status for visit in today.visits)
    done = sum(statuses[status] for status in DONE)
    assert 0.3 <= done / len(today.visits) <= 0.7, statuses
    assert statuses[Status.IN_PROGRESS] >= 3
    waits = sorted(
        int((now - visit.checked_in_at).total_seconds() // 60) for visit in today.visits if visit.status == Status.CHECKED_IN
    )
    assert len(waits) >= 2 and waits[0] >= 2 and waits[-1] <= 45
    assert sum(visit.urgent for visit in today.visits if visit.status == Status.CHECKED_IN) == 1
    assert {visit.start.astimezone(VIEWS[slug].clinic.zone).date() for visit in today.visits} == {day}
    if time(0, 25) < at < time(23, 30):
        assert len(today.visits) >= 30
        assert any(visit.status == Status.CONFIRMED and visit.start < now for visit in today.visits), "nobody is late"
        assert sum(visit.start > now for visit in today.visits) >= 8
    assert_nothing_overlaps(today.visits, VIEWS[slug])


@pytest.mark.parametrize(("slug", "day", "at"), MOMENTS[:: len(TIMES) - 1], ids=lambda value: str(value))
def test_what_has_happened_has_happened_in_order(slug: str, day: date, at: time) -> None:
    today, now = plan(slug, day, at)
    rows = Rows()
    for visit in today.visits:
        add_rows(rows, visit, VIEWS[slug])
        moments = [m for m in (visit.booked_at, visit.checked_in_at, visit.started_at, visit.completed_at) if m]
        assert moments == sorted(moments), visit
        assert moments[-1] <= now
    newest = {}
    for change in rows.changes:
        assert change.at <= now
        previous = newest.get(change.appointment)
        assert previous is None or previous.at <= change.at
        assert change.from_status == ("" if previous is None else previous.to_status)
        newest[change.appointment] = change
    assert all(newest[appointment].to_status == appointment.status for appointment in rows.appointments)
    assert {claim.appointment_id for claim in rows.claims} == {one.pk for one in rows.appointments if one.status not in FREED}


@pytest.mark.parametrize("place", CLINICS, ids=lambda place: place.slug)
def test_every_weekday_has_somebody_and_past_days_are_closed(place: DemoClinic) -> None:
    view, now = VIEWS[place.slug], datetime(2026, 6, 9, 12, tzinfo=UTC)
    for distance in (-9, -8, -7, -6, -5, -4, -3, 3, 4, 5, 6, 7, 8, 9):
        visits = plan_day(view, date(2026, 6, 9) + timedelta(days=distance), PATIENTS[place.slug], now=now, density=0.7)
        assert visits
        open_states = {visit.status for visit in visits} - DONE
        assert not open_states if distance < 0 else open_states
        assert_nothing_overlaps(visits, view)


@pytest.mark.parametrize("place", CLINICS, ids=lambda place: place.slug)
def test_patients_are_the_same_each_time_and_believable(place: DemoClinic) -> None:
    patients = invent_patients(place, VIEWS[place.slug].providers, 300)
    assert [p.full_name for p in patients] == [p.full_name for p in PATIENTS[place.slug]]
    assert len({p.full_name for p in patients}) > 270
    assert sum(not p.full_name.isascii() for p in patients) > 20
    assert any(p.needs_interpreter for p in patients) and any(p.notes for p in patients)
    ages = [p.age_on(date(2026, 6, 1)) for p in patients]
    assert min(ages) < 3 and max(ages) > 85
    for patient in patients:
        if patient.phone:
            number = phonenumbers.parse(patient.phone)
            assert phonenumbers.is_valid_number_for_region(number, place.country), patient.phone
