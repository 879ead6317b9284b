"""Who works when, and what is taken of them: rows of the database as the plain data that `appointments.slots` computes with."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q

from appointments.choices import ExceptionKind, ResourceKind
from appointments.models import Claim, Holiday, Schedule, ScheduleException, Service, ServiceProvider
from appointments.slots import Away, Block, Closure, Demand, Hours, Interval, RoomOption, Shift, Taken, days_between, shifts
from clinics.models import Location, Provider, Room, short_name
from core.accounts.actor import Actor
from core.cache import TTL, Tag, cached
from core.tenancy.context import current_clinic_id

A_DAY = timedelta(days=1)
# Local days differ by up to 26 hours from one another; claims are read with this margin around the days asked for.
ZONE_MARGIN = timedelta(days=2)
type Intervals = tuple[tuple[UUID, tuple[Interval, ...]], ...]  # of each resource


def zone_of(location: Location) -> ZoneInfo:
    """The location's own zone, or its clinic's."""
    return ZoneInfo(location.time_zone or location.clinic.time_zone)


def demand_of(service: Service) -> Demand:
    return Demand(service.duration_minutes, service.buffer_before_minutes, service.buffer_after_minutes, service.room_kind)


@dataclass(frozen=True, slots=True)
class ProviderBrief:
    """Who a time is with."""

    id: UUID
    name: str
    short_name: str

    @classmethod
    def named(cls, provider_id: UUID, name: str) -> "ProviderBrief":
        return cls(provider_id, name, short_name(name))


@dataclass(frozen=True, slots=True)
class LocationBrief:
    """Where a time is."""

    id: UUID
    name: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class WorkedBlock:
    """Hours of an active provider at a location in use, and the services that the provider offers."""

    block: Block
    provider: ProviderBrief
    location: LocationBrief
    services: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Exceptions:
    """Absences, and hours besides the weekly ones."""

    away: tuple[Away, ...]
    extra: tuple[WorkedBlock, ...]


@dataclass(frozen=True, slots=True)
class Timetable:
    """Hours of some providers, with what they speak of by id."""

    hours: Hours
    providers: dict[UUID, ProviderBrief]
    locations: dict[UUID, LocationBrief]
    rooms: dict[UUID, RoomOption]

    def shifts(self, first_day: date, last_day: date) -> list[Shift]:
        return shifts(self.hours, first_day, last_day)


def timetable(
    *,
    actor: Actor,
    first_day: date,
    last_day: date,
    service_id: UUID | None = None,
    provider_id: UUID | None = None,
    location_id: UUID | None = None,
    with_rooms: bool = True,
) -> Timetable:
    """Hours of active providers (who offer the service) at open locations on these days.

    Chosen from what is kept of the whole clinic, so that everybody's question finds it: no query, or 3 (4 with rooms).
    """
    exceptions = exceptions_between(_month(first_day - A_DAY), _month(last_day + A_DAY + 31 * A_DAY))
    worked = [
        one
        for one in (*weekly_blocks(), *exceptions.extra)
        if provider_id in (None, one.provider.id)
        and (service_id is None or service_id in one.services)
        and _lies_in(one, first_day, last_day)
        and location_id in (None, one.location.id)
        and (not actor.location_ids or one.location.id in actor.location_ids)
    ]
    rooms = open_rooms() if with_rooms else ()
    working = {one.provider.id for one in worked}
    hours = Hours(
        blocks=[one.block for one in worked],
        away=[one for one in exceptions.away if one.provider_id in working],
        closures=[closure for closure in closures() if first_day <= closure.day <= last_day],
        rooms=rooms,
    )
    return Timetable(
        hours,
        {one.provider.id: one.provider for one in worked},
        {one.location.id: one.location for one in worked},
        {room.id: room for room in rooms},
    )


def hours_tags() -> list[Tag]:
    """On what weekly hours, extra ones and absences depend."""
    clinic = Tag("clinic", current_clinic_id())
    return [clinic, *(Tag.all(one) for one in (Schedule, ScheduleException, Provider, Location, ServiceProvider))]


@cached("hours.weekly", ttl=TTL.CLINIC, tags=hours_tags)
def weekly_blocks() -> tuple[WorkedBlock, ...]:
    """The weekly hours of active providers, whenever they are valid, in the order of their names. One query."""
    rows = (
        Schedule.objects.filter(provider__is_active=True, location__is_active=True)
        .order_by("provider__name", "provider_id", "weekday", "start_time", "id")
        .annotate(offered=_offered())
        .values_list(*_WEEKLY)  # a clinic has hundreds; as four objects each they cost more than the day they are read for
    )
    providers: dict[UUID, tuple[ProviderBrief, frozenset[UUID]]] = {}
    places: dict[UUID, LocationBrief] = {}
    return tuple(_weekly(providers, places, *row) for row in rows)


_WEEKLY = (
    *("provider_id", "provider__name"),
    *("location_id", "location__name", "location__time_zone", "location__clinic__time_zone"),
    *("start_time", "end_time", "weekday", "slot_minutes", "room_id", "valid_from", "valid_until"),
    "offered",
)


def _offered() -> ArraySubquery:
    """The ids of the services that a row's provider offers."""
    return ArraySubquery(ServiceProvider.objects.filter(provider=OuterRef("provider")).values("service_id"))


def _weekly(
    providers: dict[UUID, tuple[ProviderBrief, frozenset[UUID]]], places: dict[UUID, LocationBrief], *row: Any
) -> WorkedBlock:
    """A row of _WEEKLY; `providers` and `places` gather those whom the rows name, each once."""
    who, name, where, place, own_zone, clinics_zone, *hours, offered = row
    if who not in providers:
        providers[who] = ProviderBrief.named(who, name), frozenset(offered)
    if where not in places:
        places[where] = LocationBrief(where, place, ZoneInfo(own_zone or clinics_zone))
    provider, services = providers[who]
    return WorkedBlock(Block(who, where, places[where].zone, *hours), provider, places[where], services)


@cached("hours.exceptions", ttl=TTL.CLINIC, tags=lambda *_: hours_tags())
def exceptions_between(first_day: date, last_day: date) -> Exceptions:
    """Absences and extra hours of active providers that touch these days. One query."""
    rows = list(
        ScheduleException.objects.filter(provider__is_active=True, last_day__gte=first_day, first_day__lte=last_day)
        .select_related("provider", "location__clinic")
        .annotate(offered=_offered())
        .order_by("first_day", "start_time", "id")
    )
    extra = [row for row in rows if row.kind == ExceptionKind.EXTRA and row.location and row.location.is_active]
    return Exceptions(
        tuple(_away(row) for row in rows if row.kind == ExceptionKind.OFF),
        tuple(_extra(row, row.location, frozenset(row.offered)) for row in extra if row.location),
    )


def _month(day: date) -> date:
    """The first day of its month: what is kept for a month serves every question about its days."""
    return day.replace(day=1)


@cached("hours.closures", ttl=TTL.CLINIC, tags=lambda: [Tag.all(Holiday)])
def closures() -> tuple[Closure, ...]:
    """Every holiday of the clinic. One query."""
    return tuple(Closure(day, place) for day, place in Holiday.objects.values_list("day", "location_id"))


@cached("hours.locations", ttl=TTL.CLINIC, tags=lambda: [Tag.all(Location), Tag("clinic", current_clinic_id())])
def open_locations() -> tuple[LocationBrief, ...]:
    """The locations in use, by name. One query."""
    places = Location.objects.filter(is_active=True).order_by("name")
    rows = places.values_list("id", "name", "time_zone", "clinic__time_zone")
    return tuple(LocationBrief(place, name, ZoneInfo(own_zone or clinics_zone)) for place, name, own_zone, clinics_zone in rows)


def locations_of(actor: Actor) -> list[LocationBrief]:
    """Those of them at which somebody works or books. One query."""
    return [place for place in open_locations() if not actor.location_ids or place.id in actor.location_ids]


@cached("hours.rooms", ttl=TTL.CLINIC, tags=lambda: [Tag.all(Room)])
def open_rooms() -> tuple[RoomOption, ...]:
    """The rooms in use, in the order in which they are given out. One query."""
    rooms = Room.objects.filter(is_active=True).order_by("name", "id")
    return tuple(RoomOption(*row) for row in rooms.values_list("id", "location_id", "kind", "name"))


def taken(
    provider_ids: Collection[UUID],
    room_ids: Collection[UUID],
    since: datetime,
    until: datetime,
    *,
    moving: UUID | None = None,
) -> Taken:
    """What of these providers and rooms is taken between two moments, without the claims of the visit `moving`. One query.

    Asked for in whole days, so that the same question comes again.
    """
    since, until = _midnight(since), _midnight(until) + A_DAY
    return Taken(dict(_claimed(frozenset(provider_ids), frozenset(room_ids), since, until, moving)))


def taken_of_patient(patient_id: UUID, since: datetime, until: datetime, *, moving: UUID | None = None) -> list[Interval]:
    """The patient's own visits that overlap [since, until). One query."""
    wanted = Q(resource_kind=ResourceKind.PATIENT, resource_id=patient_id)
    return [interval for _, intervals in _intervals(wanted, since, until, moving) for interval in intervals]


def claims_tags(since: datetime, until: datetime) -> list[Tag]:
    """On what `taken` depends."""
    return [Tag("claims", day) for day in days_between(since.astimezone(UTC).date(), until.astimezone(UTC).date())]


@cached("hours.claimed", ttl=TTL.APPOINTMENT, tags=lambda _, __, since, until, ___: claims_tags(since, until))
def _claimed(
    provider_ids: frozenset[UUID], room_ids: frozenset[UUID], since: datetime, until: datetime, moving: UUID | None
) -> Intervals:
    wanted = Q(resource_kind=ResourceKind.PROVIDER, resource_id__in=provider_ids)
    if room_ids:
        wanted |= Q(resource_kind=ResourceKind.ROOM, resource_id__in=room_ids)
    return _intervals(wanted, since, until, moving)


def around(first_day: date, last_day: date) -> Interval:
    """Moments between which every shift of these days lies, in any time zone."""
    midnight = time(tzinfo=UTC)
    return datetime.combine(first_day, midnight) - ZONE_MARGIN, datetime.combine(last_day, midnight) + ZONE_MARGIN + A_DAY


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _intervals(wanted: Q, since: datetime, until: datetime, moving: UUID | None) -> Intervals:
    claims = Claim.objects.filter(wanted, ends_at__gt=since, starts_at__lt=until)
    if moving is not None:
        claims = claims.exclude(appointment_id=moving)
    found: dict[UUID, list[Interval]] = {}
    for resource_id, start, end in claims.values_list("resource_id", "starts_at", "ends_at"):
        found.setdefault(resource_id, []).append((start, end))
    return tuple((resource_id, tuple(intervals)) for resource_id, intervals in found.items())


def _lies_in(worked: WorkedBlock, first_day: date, last_day: date) -> bool:
    """Is the block valid on some day from first to last?"""
    begins, ends = worked.block.valid_from, worked.block.valid_until
    return (begins is None or begins <= last_day) and (ends is None or ends >= first_day)


def _extra(row: ScheduleException, location: Location, offered: frozenset[UUID]) -> WorkedBlock:
    assert row.start_time is not None and row.end_time is not None  # noqa: S101 (a constraint of the table)
    place = LocationBrief(location.id, location.name, zone_of(location))
    block = Block(
        provider_id=row.provider_id,
        location_id=place.id,
        zone=place.zone,
        start=row.start_time,
        end=row.end_time,
        room_id=row.room_id,
        valid_from=row.first_day,
        valid_until=row.last_day,
    )
    return WorkedBlock(block, ProviderBrief.named(row.provider_id, row.provider.name), place, offered)


def _away(row: ScheduleException) -> Away:
    return Away(row.provider_id, row.first_day, row.last_day, row.start_time, row.end_time, row.location_id)
