"""What can be booked: free slots, the nearest ones to a wish, and a provider's working time."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from appointments.models import Holiday, Service
from appointments.selectors.timetable import (
    LocationBrief,
    ProviderBrief,
    Timetable,
    around,
    claims_tags,
    demand_of,
    hours_tags,
    taken,
    taken_of_patient,
    timetable,
)
from appointments.slots import Interval, RoomOption, Shift, Slot, Taken, free_stretches, rooms_for, slots_of
from clinics.models import Room
from core.accounts.actor import Actor
from core.cache import Tag

NEAR = timedelta(days=14)
# How far around the wish one looks, until enough is found.
WIDENING = (timedelta(hours=4), timedelta(days=1), timedelta(days=4), NEAR)
OF_EACH = 3


def as_sent(moment: datetime) -> str:
    """A time as all answers of the API write it: UTC is Z."""
    return moment.isoformat().removesuffix("+00:00") + ("" if moment.utcoffset() else "Z")


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A visit that could be booked; times in the location's zone, without buffers."""

    start: datetime
    end: datetime
    provider: ProviderBrief
    location: LocationBrief
    room: RoomOption | None

    def as_json(self) -> dict[str, Any]:
        return {
            "start": as_sent(self.start),
            "end": as_sent(self.end),
            "provider": {"id": str(self.provider.id), "name": self.provider.name},
            "location": {"id": str(self.location.id), "name": self.location.name},
            "room": {"id": str(self.room.id), "name": self.room.name} if self.room else None,
        }


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """A provider's working stretch at a location, and what of it is still free."""

    day: date
    start: datetime
    end: datetime
    location: LocationBrief
    room: RoomOption | None
    free: tuple[Interval, ...]


def free_time_tags(first_day: date, last_day: date) -> list[Tag]:
    """On what the free time of these days depends, besides the clock."""
    return [*hours_tags(), *claims_tags(*around(first_day, last_day)), *map(Tag.all, (Holiday, Room, Service))]


def free_slots(
    *,
    actor: Actor,
    service: Service,
    first_day: date,
    last_day: date,
    provider_id: UUID | None = None,
    location_id: UUID | None = None,
    now: datetime | None = None,
    moving: UUID | None = None,
) -> list[FreeSlot]:
    """The free slots of the shifts that belong to these local days, by start, then provider's name.

    Empty for a service that can't be booked. `moving` names a visit whose own time counts as free. 5 queries, for any
    number of days and providers.
    """
    actor.require("slot", "view")
    if not service.is_active:
        return []
    days = WorkedDays.of(actor, service, first_day, last_day, provider_id=provider_id, location_id=location_id, moving=moving)
    return days.slots(service, days.busy, earliest=now or timezone.now())


def nearest_slots(
    *,
    actor: Actor,
    service: Service,
    near: datetime,
    provider_id: UUID | None = None,
    location_id: UUID | None = None,
    patient_id: UUID | None = None,
    now: datetime | None = None,
    moving: UUID | None = None,
) -> list[FreeSlot]:
    """Up to six free slots within 14 days of `near`: the provider's nearest three, then the others' nearest three.

    Where one side has fewer, the other fills up. Times at which the patient is elsewhere are left out. Usually 5 queries (6
    with a patient); up to 3 more when the next hours are full and one has to look further. A visit that is moved may be of a
    service that can't be booked any more.
    """
    if not service.is_active and moving is None:
        return []
    near = near.astimezone(UTC)
    earliest = max(now or timezone.now(), near - NEAR)
    first_day, last_day = (near - NEAR).date() - timedelta(days=1), (near + NEAR).date() + timedelta(days=1)
    table = timetable(actor=actor, first_day=first_day, last_day=last_day, service_id=service.id, location_id=location_id)
    own = taken_of_patient(patient_id, *around(first_day, last_day), moving=moving) if patient_id else []
    search = _Search(table, service, near, earliest, own, moving)
    same, others = search.nearest(table.providers.keys() & {provider_id}, table.providers.keys() - {provider_id})
    spare = OF_EACH - min(OF_EACH, len(others))
    chosen = same[: OF_EACH + spare]
    chosen += others[: 2 * OF_EACH - len(chosen)]
    return [_named(slot, table) for slot in chosen]


def working_time(
    *, actor: Actor, provider_id: UUID, first_day: date, last_day: date, now: datetime | None = None
) -> list[WorkingTime]:
    """When the provider works on these days and what of it is free from now on. 5 queries."""
    actor.require("slot", "view")
    table = timetable(actor=actor, first_day=first_day, last_day=last_day, provider_id=provider_id)
    since, until = around(first_day, last_day)
    busy = taken([provider_id], (), since, until)
    earliest = now or timezone.now()
    found = []
    for shift in table.shifts(first_day, last_day):
        free = free_stretches(shift, busy, earliest=earliest)
        location = table.locations[shift.block.location_id]
        room = table.rooms.get(shift.block.room_id) if shift.block.room_id else None
        for start, end in shift.intervals():
            inside = tuple((a, b) for a, b in free if start.timestamp() <= a.timestamp() and b.timestamp() <= end.timestamp())
            found.append(WorkingTime(shift.day, start, end, location, room, inside))
    return sorted(found, key=lambda one: one.start.timestamp())


@dataclass(frozen=True, slots=True)
class WorkedDays:
    """Who offers a service on some days, when they work, and what of them and of the rooms is taken."""

    table: Timetable
    shifts: list[Shift]
    busy: Taken

    @classmethod
    def of(
        cls,
        actor: Actor,
        service: Service,
        first_day: date,
        last_day: date,
        *,
        provider_id: UUID | None,
        location_id: UUID | None,
        moving: UUID | None,
    ) -> "WorkedDays":
        """5 queries."""
        table = timetable(
            actor=actor, first_day=first_day, last_day=last_day,
            service_id=service.id, provider_id=provider_id, location_id=location_id,
        )  # fmt: skip
        busy = taken(table.providers, table.rooms, *around(first_day, last_day), moving=moving)
        return cls(table, table.shifts(first_day, last_day), busy)

    def slots(self, service: Service, busy: Taken, *, earliest: datetime) -> list[FreeSlot]:
        """The service's slots on these days that are free of `busy`, by start."""
        found = slots_of(self.shifts, self.table.hours.rooms, demand_of(service), busy, earliest=earliest)
        return [_named(slot, self.table) for slot in found]


@dataclass(frozen=True, slots=True)
class _Search:
    """Looks around a wish into a widening window, so that usually only a few hours are read and computed."""

    table: Timetable
    service: Service
    near: datetime
    earliest: datetime
    own: Collection[Interval]
    moving: UUID | None

    def nearest(self, *sides: Collection[UUID]) -> list[list[Slot]]:
        """For each group of providers the six slots that are nearest to the wish. A query for each window, whoever still looks."""
        found: list[list[Slot]] = [[] for _ in sides]
        for reach in WIDENING:
            looking = [number for number, side in enumerate(sides) if side and len(found[number]) < 2 * OF_EACH]
            if not looking:
                break
            slots = self._within(reach, {one for number in looking for one in sides[number]})
            for number in looking:
                found[number] = [slot for slot in slots if slot.provider_id in sides[number]]
        return [sorted(side, key=lambda slot: (abs(slot.start - self.near), slot.start))[: 2 * OF_EACH] for side in found]

    def _within(self, reach: timedelta, providers: Collection[UUID]) -> list[Slot]:
        low, high = max(self.earliest, self.near - reach), self.near + reach
        days = (self.near - reach).date() - timedelta(days=2), (self.near + reach).date() + timedelta(days=1)
        shifts = [shift for shift in self.table.shifts(*days) if shift.block.provider_id in providers and shift.touches(low, high)]
        demand = demand_of(self.service)
        rooms = rooms_for(shifts, self.table.hours.rooms, demand)
        busy = taken(providers, [room.id for room in rooms], *demand.reach(low, high), moving=self.moving)
        slots = slots_of(shifts, rooms, demand, busy, earliest=low, latest=high)
        return [slot for slot in slots if not _overlaps(slot, self.own)]


def _overlaps(slot: Slot, intervals: Iterable[Interval]) -> bool:
    return any(slot.start < end and start < slot.end for start, end in intervals)


def _named(slot: Slot, table: Timetable) -> FreeSlot:
    room = table.rooms[slot.room_id] if slot.room_id else None
    return FreeSlot(slot.start, slot.end, table.providers[slot.provider_id], table.locations[slot.location_id], room)
