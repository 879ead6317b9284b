"""One planned visit of the demo, and the rows it becomes: the visit, its history, its claims."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from appointments.choices import FREED, ChangeKind, ResourceKind, Source, Status
from appointments.models import Appointment, AppointmentChange, Claim, Service
from clinics.models import Location, Provider, Room
from core.accounts.models import User
from core.accounts.roles import Role
from hms.demo.furniture import ClinicView
from patients.models import Patient

MINUTE = timedelta(minutes=1)
CANCEL_REASONS = (
    "Feels better",
    "Has to work",
    "Transport fell through",
    "Child care",
    "Booked elsewhere",
    "Double booking noticed by the patient",
    "Wants another day",
    "Provider called away",
    "Snow",
    "Found an earlier appointment",
)
NOTES = (
    "Bring the hospital letter.",
    "Fasting since midnight.",
    "Repeat prescription as well.",
    "Results of last week's blood test.",
    "Two concerns: knee and sleep.",
    "Interpreter booked.",
    "Form for the employer to sign.",
    "Daughter comes along.",
    "First visit here.",
    "Please check blood pressure too.",
)
ADULT_ONLY = frozenset({"Minor surgery", "ECG", "Physiotherapy"})
CHILD_ONLY = frozenset({"Child health check"})


@dataclass(slots=True)
class Visit:
    """What happens to one patient in one slot. Moments are aware; a status brings its moments with it."""

    patient: Patient
    service: Service
    provider: Provider
    location: Location
    room: Room | None
    start: datetime
    status: Status
    booked_at: datetime
    source: Source = Source.STAFF
    urgent: bool = False
    notes: str = ""
    reason: str = ""
    checked_in_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    ended_at: datetime | None = None  # when it was cancelled or noted as missed
    confirmed_at: datetime | None = None  # only if it was asked for before
    moved_from: datetime | None = None

    @property
    def end(self) -> datetime:
        return self.start + self.service.duration_minutes * MINUTE


@dataclass(slots=True)
class Rows:
    """Unsaved rows of many visits, in the order in which they have to be inserted."""

    appointments: list[Appointment] = field(default_factory=list)
    changes: list[AppointmentChange] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)


def add_rows(rows: Rows, visit: Visit, view: ClinicView) -> None:
    zone = ZoneInfo(visit.location.time_zone or view.clinic.time_zone)
    appointment = Appointment(
        patient=visit.patient,
        service=visit.service,
        provider=visit.provider,
        location=visit.location,
        room=visit.room,
        start=visit.start,
        end=visit.end,
        time_zone=zone.key,
        local_day=visit.start.astimezone(zone).date(),
        status=visit.status,
        source=visit.source,
        is_urgent=visit.urgent,
        notes=visit.notes,
        checked_in_at=visit.checked_in_at,
        started_at=visit.started_at,
        completed_at=visit.completed_at,
    )
    changes = _history(appointment, visit, view)
    appointment.created_at, appointment.updated_at = visit.booked_at, changes[-1].at
    appointment.version = len(changes)
    rows.appointments.append(appointment)
    rows.changes += changes
    if visit.status not in FREED:
        rows.claims += _claims(appointment, visit)


def _history(appointment: Appointment, visit: Visit, view: ClinicView) -> list[AppointmentChange]:
    desk = view.users.get(Role.RECEPTIONIST)
    treating = next((user for user in view.users.values() if user.pk == visit.provider.user_id), None)
    asked = visit.confirmed_at is not None or visit.status == Status.REQUESTED
    status = Status.REQUESTED if asked else Status.CONFIRMED
    portal = visit.source == Source.PORTAL
    changes: list[AppointmentChange] = []

    def note(at: datetime, kind: ChangeKind, to: Status, user: User | None, name: str, reason: str = "") -> AppointmentChange:
        nonlocal status
        change = AppointmentChange(
            appointment=appointment,
            at=at,
            kind=kind,
            actor=user,
            actor_name=name,
            from_status="" if not changes else status,
            to_status=to,
            reason=reason,
        )
        status = to
        changes.append(change)
        return change

    desk_name = desk.full_name if desk else "Reception"
    booked = note(visit.booked_at, ChangeKind.BOOKED, status, None if portal else desk, "Patient portal" if portal else desk_name)
    booked.to_start, booked.to_provider = visit.moved_from or visit.start, visit.provider
    if visit.moved_from:
        moved = note(visit.booked_at + 90 * MINUTE, ChangeKind.MOVED, status, desk, desk_name, "Patient asked for another time")
        moved.from_start, moved.to_start, moved.from_provider, moved.to_provider = (
            visit.moved_from,
            visit.start,
            visit.provider,
            visit.provider,
        )
    if visit.confirmed_at:
        note(visit.confirmed_at, ChangeKind.STATUS, Status.CONFIRMED, desk, desk_name)
    for at, to in (
        (visit.checked_in_at, Status.CHECKED_IN),
        (visit.started_at, Status.IN_PROGRESS),
        (visit.completed_at, Status.COMPLETED),
    ):
        if at is not None:
            by_desk = to == Status.CHECKED_IN
            note(at, ChangeKind.STATUS, to, desk if by_desk else treating, desk_name if by_desk else visit.provider.name)
    if visit.ended_at:
        note(visit.ended_at, ChangeKind.STATUS, visit.status, desk, desk_name, visit.reason)
    return changes


def _claims(appointment: Appointment, visit: Visit) -> list[Claim]:
    before, after = visit.service.buffer_before_minutes * MINUTE, visit.service.buffer_after_minutes * MINUTE
    wanted = [
        (ResourceKind.PATIENT, visit.patient.pk, visit.start, visit.end),
        (ResourceKind.PROVIDER, visit.provider.pk, visit.start - before, visit.end + after),
    ]
    if visit.room is not None:
        wanted.append((ResourceKind.ROOM, visit.room.pk, visit.start - before, visit.end + after))
    return [
        Claim(
            appointment=appointment, resource_kind=kind, resource_id=pk, starts_at=a, ends_at=b, during=DateTimeTZRange(a, b, "[)")
        )
        for kind, pk, a, b in wanted
    ]


class Deck:
    """Deals each patient at most once a day, so that nobody is in two rooms at a time."""

    def __init__(self, patients: list[Patient], rng: Random, first: Patient | None = None) -> None:
        self.left = rng.sample(patients, len(patients))
        if first is not None and first in self.left:
            self.left.remove(first)
            self.left.append(first)

    def deal(self, service: Service, day_year: int) -> Patient | None:
        for position in range(len(self.left) - 1, -1, -1):
            if self._suits(self.left[position], service, day_year):
                return self.left.pop(position)
        return None

    @staticmethod
    def _suits(patient: Patient, service: Service, year: int) -> bool:
        age = year - patient.date_of_birth.year
        if service.name in CHILD_ONLY:
            return age <= 6
        return age >= 16 if service.name in ADULT_ONLY else True


def booked_before(rng: Random, moment: datetime) -> datetime:
    """When it was booked: mostly days, sometimes hours before, in working hours more or less."""
    days = min(30.0, rng.expovariate(1 / 6))
    return (moment - timedelta(days=days, minutes=rng.randrange(150, 400))).replace(second=0, microsecond=0)


def dress(rng: Random, visit: Visit) -> Visit:
    """Notes and where it came from."""
    asked = visit.status == Status.REQUESTED
    visit.source = Source.PORTAL if asked else rng.choices((Source.STAFF, Source.PORTAL, Source.API), (82, 14, 4))[0]
    if rng.random() < 0.18:
        visit.notes = rng.choice(NOTES)
    if visit.status not in (Status.REQUESTED, Status.CANCELLED) and visit.source == Source.PORTAL:
        visit.confirmed_at = visit.booked_at + rng.randrange(10, 40) * MINUTE
    elif rng.random() < 0.05 and visit.status in (Status.COMPLETED, Status.CONFIRMED):
        visit.moved_from = visit.start - timedelta(days=rng.randrange(1, 4))
        visit.booked_at -= timedelta(days=1)
    return visit
