"""A visit as a row shows it, its details with history, and a patient's visits."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from appointments.choices import MOVABLE, TRANSITIONS, ChangeKind, Status
from appointments.models import Appointment, AppointmentChange
from appointments.policies import visible_appointments
from appointments.querysets import AppointmentQuerySet
from clinics.models import short_name
from core.accounts.actor import Actor
from core.audit.restricted import access_of_reader
from core.audit.subjects import Reading, shown
from core.errors import NotFound
from patients.models import full_name

HERE = frozenset({Status.CHECKED_IN, Status.IN_PROGRESS})


class VisitValues(NamedTuple):
    """What is read of a visit for its row, by the names of the lookups: a tenth of the cost of its model and of those it names, and
    a day has a hundred. `last_reason` is the last change's.
    """

    id: UUID
    version: int
    status: str
    source: str
    is_urgent: bool
    start: datetime
    end: datetime
    time_zone: str
    local_day: date
    checked_in_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    patient_id: UUID
    patient__given_name: str
    patient__family_name: str
    patient__is_restricted: bool
    service__name: str
    provider_id: UUID
    provider__name: str
    location__name: str
    room__name: str | None
    last_reason: str | None

    @property
    def is_withheld(self) -> bool:
        """Is the patient's record closed to the reader? No query for one that isn't restricted."""
        return self.patient__is_restricted and self.patient_id in access_of_reader().closed


@dataclass(frozen=True, slots=True)
class VisitRow:
    """One visit with the names a row shows. Of a patient whose record is withheld: no reason.

    `start` and `end` are in the location's zone, `clock` is the start as "10:30".

    `minutes` is what the row's lane counts: minutes waited, late or with the provider (0 elsewhere); `tone` tells how bad
    that is: mute, warn or bad. `reason` is the last change's. `actions` are the next steps this person may take.
    """

    id: UUID
    version: int
    status: Status
    start: datetime
    end: datetime
    clock: str
    day: date
    duration_minutes: int
    is_urgent: bool
    source: str
    reason: str
    patient_id: UUID
    patient_name: str
    service_name: str
    provider_id: UUID
    provider_name: str
    provider_short: str
    location_name: str
    room_name: str
    checked_in_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    actions: tuple[str, ...]
    minutes: int = 0
    tone: str = "mute"

    @property
    def status_label(self) -> str:
        return str(self.status.label)


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of a visit's history, in words."""

    at: datetime
    kind: str
    kind_label: str
    actor_name: str
    from_status_label: str
    to_status_label: str
    from_start: datetime | None
    to_start: datetime | None
    from_provider: str
    to_provider: str
    reason: str


@dataclass(frozen=True, slots=True)
class VisitDetail:
    visit: VisitRow
    history: tuple[HistoryLine, ...]


@dataclass(frozen=True, slots=True)
class PatientVisits:
    """A patient's coming visits, nearest first, and the past ones, latest first (cancelled and missed ones among these).

    Whoever waits or is with a provider has a coming visit, whatever the time is; who has not come is expected until the end of the
    day.
    """

    upcoming: tuple[VisitRow, ...]
    past: tuple[VisitRow, ...]


def visit_values(visits: AppointmentQuerySet) -> list[VisitValues]:
    """These visits, in their order, as `visit_row` takes them. One query."""
    last = AppointmentChange.objects.filter(appointment_id=OuterRef("pk")).order_by("-at", "-id").values("reason")[:1]
    return list(map(VisitValues._make, visits.annotate(last_reason=Subquery(last)).values_list(*VisitValues._fields)))


def visit_row(visit: VisitValues, actor: Actor, *, minutes: int = 0, tone: str = "mute") -> VisitRow:
    """The row of a visit. No query."""
    status = Status(visit.status)
    shown([visit.patient_id], Reading.LIST)
    zone = ZoneInfo(visit.time_zone)
    start, end = visit.start.astimezone(zone), visit.end.astimezone(zone)
    steps = (name for name, step in TRANSITIONS.items() if status in step.sources and actor.can("appointment", name))
    return VisitRow(
        id=visit.id,
        version=visit.version,
        status=status,
        start=start,
        end=end,
        clock=f"{start:%H:%M}",
        day=visit.local_day,
        duration_minutes=int((visit.end - visit.start).total_seconds() // 60),
        is_urgent=visit.is_urgent,
        source=visit.source,
        reason="" if visit.is_withheld else visit.last_reason or "",
        patient_id=visit.patient_id,
        patient_name=full_name(visit.patient__given_name, visit.patient__family_name),
        service_name=visit.service__name,
        provider_id=visit.provider_id,
        provider_name=visit.provider__name,
        provider_short=short_name(visit.provider__name),
        location_name=visit.location__name,
        room_name=visit.room__name or "",
        checked_in_at=visit.checked_in_at,
        started_at=visit.started_at,
        completed_at=visit.completed_at,
        actions=tuple(steps),
        minutes=minutes,
        tone=tone,
    )


def appointment_detail(*, actor: Actor, appointment_id: UUID) -> VisitDetail:
    """A visit and (for those who may see it) its history, oldest line first. Raises NotFound. 1-2 queries."""
    found = visit_values(visible_appointments(actor).filter(pk=appointment_id))
    if not found:
        raise NotFound("There is no such appointment.")
    (visit,) = found
    lines = _history(visit.id, withheld=visit.is_withheld) if actor.can("appointment", "history") else ()
    return VisitDetail(visit_row(visit, actor), tuple(_line(change) for change in lines))


def history_of(appointment: Appointment) -> list[AppointmentChange]:
    """The changes of a visit that was read with its patient, oldest first; without their reasons if the record is withheld.
    One query."""
    return _history(appointment.pk, withheld=appointment.patient.is_withheld)


def _history(appointment_id: UUID, *, withheld: bool) -> list[AppointmentChange]:
    found = AppointmentChange.objects.filter(appointment_id=appointment_id)
    changes = list(found.select_related("from_provider", "to_provider").order_by("at", "id"))
    if withheld:
        for change in changes:
            change.reason = ""
    return changes


def appointments_of(*, actor: Actor, patient_id: UUID, now: datetime | None = None, limit: int = 100) -> PatientVisits:
    """The newest `limit` visits of a patient that this person may see. One query."""
    now = now or timezone.now()
    visits = visible_appointments(actor).filter(patient_id=patient_id).order_by("-start", "-id")[:limit]
    rows = [visit_row(visit, actor) for visit in visit_values(visits)]
    upcoming = [row for row in reversed(rows) if _is_to_come(row, now)]
    coming = {row.id for row in upcoming}
    return PatientVisits(tuple(upcoming), tuple(row for row in rows if row.id not in coming))


def expected_visits(*, actor: Actor, patient_id: UUID, location_id: UUID, day: date) -> list[VisitRow]:
    """A patient's visits at a location on this local day for which they have not come yet, earliest first. One query."""
    visits = visible_appointments(actor).on_day(day)
    expected = visits.filter(patient_id=patient_id, location_id=location_id, status__in=sorted(MOVABLE))
    return [visit_row(visit, actor) for visit in visit_values(expected)]


def _is_to_come(row: VisitRow, now: datetime) -> bool:
    if row.status in MOVABLE:
        return row.end > now or row.day >= now.astimezone(row.start.tzinfo).date()
    return row.status in HERE


def _line(change: AppointmentChange) -> HistoryLine:
    return HistoryLine(
        at=change.at,
        kind=change.kind,
        kind_label=str(ChangeKind(change.kind).label),
        actor_name=change.actor_name,
        from_status_label=str(Status(change.from_status).label) if change.from_status else "",
        to_status_label=str(Status(change.to_status).label),
        from_start=change.from_start,
        to_start=change.to_start,
        from_provider=change.from_provider.name if change.from_provider else "",
        to_provider=change.to_provider.name if change.to_provider else "",
        reason=change.reason,
    )
