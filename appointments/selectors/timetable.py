"""Who works when, and what is taken of them: rows of the database as the plain data that `appointments.slots` computes with."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from appointments.choices import ExceptionKind, ResourceKind
from appointments.models import Claim, Holiday, Schedule, ScheduleException, Service
from appointments.slots import Away, Block, Closure, Demand, Hours, Interval, RoomOption, Shift, Taken, shifts
from clinics.models import Location, Provider, Room
from core.accounts.actor import Actor

A_DAY = timedelta(days=1)
# Local days differ by up to 26 hours from one another; claims are read with this margin around the days asked for.
ZONE_MARGIN = timedelta(days=2)


def zone_of(location: Location) -> ZoneInfo:
    """The location's own zone, or its clinic's."""
    return ZoneInfo(location.time_zone or location.clinic.time_zone)


def demand_of(service: Service) -> Demand:
    return Demand(service.duration_minutes, service.buffer_before_minutes, service.buffer_after_minutes, service.room_kind)


@dataclass(frozen=True, slots=True)
class Timetable:
    """Hours of some providers, with the rows that they speak of by id."""

    hours: Hours
    providers: dict[UUID, Provider]
    locations: dict[UUID, Location]
    rooms: dict[UUID, Room]

    def shifts(self, first_day: date, last_day: date) -> list[Shift]:
        return shifts(self.hours, first_day, last_day)


def timetable(
    *,
    actor: Actor,
    first_day: date,
    last_day: date,
    service: Service | None = None,
    provider_id: UUID | None = None,
    location_id: UUID | None = None,
    with_rooms: bool = True,
) -> Timetable:
    """Hours of active providers (who offer the service) at open locations on these days. 3 queries, 4 with rooms."""
    of_interest = Q(provider__is_active=True)
    if service is not None:
        of_interest &= Q(provider__offers__service=service)
    if provider_id is not None:
        of_interest &= Q(provider_id=provider_id)
    weekly = [row for row in _weekly(of_interest, first_day, last_day) if _is_open(row.location, actor, location_id)]
    exceptions = list(
        ScheduleException.objects.filter(of_interest, last_day__gte=first_day - A_DAY, first_day__lte=last_day + A_DAY)
        .select_related("provider", "location__clinic")
        .order_by("first_day", "start_time", "id")
    )
    extra = [row for row in exceptions if row.kind == ExceptionKind.EXTRA and _is_open(row.location, actor, location_id)]
    holidays = Holiday.objects.filter(day__range=(first_day, last_day)).values_list("day", "location_id")
    rooms = list(Room.objects.filter(is_active=True).order_by("name", "id")) if with_rooms else []
    hours = Hours(
        blocks=[_block(row) for row in weekly] + [_extra_block(row) for row in extra],
        away=[_away(row) for row in exceptions if row.kind == ExceptionKind.OFF],
        closures=[Closure(day, place) for day, place in holidays],
        rooms=[RoomOption(room.id, room.location_id, room.kind) for room in rooms],
    )
    return Timetable(
        hours,
        {row.provider_id: row.provider for row in weekly} | {row.provider_id: row.provider for row in extra},
        {row.location_id: row.location for row in weekly} | {row.location.id: row.location for row in extra if row.location},
        {room.id: room for room in rooms},
    )


def taken(
    provider_ids: Collection[UUID],
    room_ids: Collection[UUID],
    since: datetime,
    until: datetime,
    *,
    moving: UUID | None = None,
) -> Taken:
    """What overlaps [since, until) of these providers and rooms, without the claims of the visit `moving`. One query."""
    wanted = Q(resource_kind=ResourceKind.PROVIDER, resource_id__in=provider_ids)
    if room_ids:
        wanted |= Q(resource_kind=ResourceKind.ROOM, resource_id__in=room_ids)
    return Taken(_intervals(wanted, since, until, moving))


def taken_of_patient(patient_id: UUID, since: datetime, until: datetime, *, moving: UUID | None = None) -> list[Interval]:
    """The patient's own visits that overlap [since, until). One query."""
    wanted = Q(resource_kind=ResourceKind.PATIENT, resource_id=patient_id)
    return _intervals(wanted, since, until, moving).get(patient_id, [])


def around(first_day: date, last_day: date) -> Interval:
    """Moments between which every shift of these days lies, in any time zone."""
    midnight = time(tzinfo=UTC)
    return datetime.combine(first_day, midnight) - ZONE_MARGIN, datetime.combine(last_day, midnight) + ZONE_MARGIN + A_DAY


def _intervals(wanted: Q, since: datetime, until: datetime, moving: UUID | None) -> dict[UUID, list[Interval]]:
    claims = Claim.objects.filter(wanted, ends_at__gt=since, starts_at__lt=until)
    if moving is not None:
        claims = claims.exclude(appointment_id=moving)
    found: dict[UUID, list[Interval]] = {}
    for resource_id, start, end in claims.values_list("resource_id", "starts_at", "ends_at"):
        found.setdefault(resource_id, []).append((start, end))
    return found


def _weekly(of_interest: Q, first_day: date, last_day: date) -> Iterable[Schedule]:
    return (
        Schedule.objects.filter(of_interest)
        .filter(Q(valid_from=None) | Q(valid_from__lte=last_day), Q(valid_until=None) | Q(valid_until__gte=first_day))
        .select_related("provider", "location__clinic")
        .order_by("provider__name", "provider_id", "weekday", "start_time", "id")
    )


def _is_open(location: Location | None, actor: Actor, location_id: UUID | None) -> bool:
    if location is None or not location.is_active or (location_id is not None and location.id != location_id):
        return False
    return not actor.location_ids or location.id in actor.location_ids


def _block(row: Schedule) -> Block:
    return Block(
        provider_id=row.provider_id,
        location_id=row.location_id,
        zone=zone_of(row.location),
        start=row.start_time,
        end=row.end_time,
        weekday=row.weekday,
        slot_minutes=row.slot_minutes,
        room_id=row.room_id,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
    )


def _extra_block(row: ScheduleException) -> Block:
    assert row.location and row.start_time is not None and row.end_time is not None  # noqa: S101 (a constraint of the table)
    return Block(
        provider_id=row.provider_id,
        location_id=row.location.id,
        zone=zone_of(row.location),
        start=row.start_time,
        end=row.end_time,
        room_id=row.room_id,
        valid_from=row.first_day,
        valid_until=row.last_day,
    )


def _away(row: ScheduleException) -> Away:
    return Away(row.provider_id, row.first_day, row.last_day, row.start_time, row.end_time, row.location_id)
