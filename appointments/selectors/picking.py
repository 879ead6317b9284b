"""What a person picks from when booking: services with their providers, and the times of some days, free and taken."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import Prefetch

from appointments.models import Service
from appointments.selectors.availability import FreeSlot, WorkedDays
from appointments.slots import Taken
from clinics.models import Provider
from core.accounts.actor import Actor


@dataclass(frozen=True, slots=True)
class OfferedTime:
    """A time at which somebody works and the service would fit."""

    slot: FreeSlot
    is_free: bool


def bookable_services(*, actor: Actor) -> list[Service]:
    """The services that can be booked, each with its active providers, by name. Two queries."""
    actor.require("service", "view")
    providers = Prefetch("providers", Provider.objects.filter(is_active=True).order_by("name"))
    return list(Service.objects.filter(is_active=True).order_by("name").prefetch_related(providers))


def providers_of(service: Service, *, actor: Actor) -> list[Provider]:
    """Who offers it and can be booked, by name. One query."""
    actor.require("service", "view")
    return list(service.providers.filter(is_active=True).order_by("name"))


def offered_times(
    *,
    actor: Actor,
    service: Service,
    first_day: date,
    last_day: date,
    now: datetime,
    provider_id: UUID | None = None,
    location_id: UUID | None = None,
    moving: UUID | None = None,
) -> list[OfferedTime]:
    """Like `free_slots`, with the taken times too: a time that anybody has free is free. By start, one a start. 5 queries.

    For a visit that is moved also when its service can't be booked any more.
    """
    actor.require("slot", "view")
    if not service.is_active and moving is None:
        return []
    days = WorkedDays.of(actor, service, first_day, last_day, provider_id=provider_id, location_id=location_id, moving=moving)
    found: dict[datetime, OfferedTime] = {}
    for slot in days.slots(service, days.busy, earliest=now):
        found.setdefault(slot.start, OfferedTime(slot, is_free=True))
    for slot in days.slots(service, Taken(), earliest=now):
        found.setdefault(slot.start, OfferedTime(slot, is_free=False))
    return sorted(found.values(), key=lambda one: one.slot.start)
