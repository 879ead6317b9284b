"""What every booking looks up and seldom changes, kept as rows: who offers a service, and the rooms of a location."""

from uuid import UUID

from appointments.models import Service, ServiceProvider
from clinics.models import Location, Provider, Room
from core.cache import TTL, Tag, cached
from core.cache.rows import Row, frozen_row, thawed


def offered(service_id: UUID, provider_id: UUID) -> tuple[Service, Provider] | None:
    """Service and provider when the one is offered by the other, active or not. No query, or one."""
    rows = _offer(service_id, provider_id)
    return None if rows is None else (thawed(Service, rows[0]), thawed(Provider, rows[1]))


def location_with_rooms(location_id: UUID) -> tuple[Location, list[Room]]:
    """The location and its rooms in use, in the order in which they are given out. No query, or one (two without rooms)."""
    place, rows = _location(location_id)
    location, rooms = thawed(Location, place), [thawed(Room, row) for row in rows]
    for room in rooms:
        room.location = location
    return location, rooms


@cached("booking.offer", ttl=TTL.CLINIC, tags=lambda *_: [Tag.all(Service), Tag.all(Provider), Tag.all(ServiceProvider)])
def _offer(service_id: UUID, provider_id: UUID) -> tuple[Row, Row] | None:
    offers = ServiceProvider.objects.select_related("service", "provider")
    offer = offers.filter(service_id=service_id, provider_id=provider_id).first()
    return None if offer is None else (frozen_row(offer.service), frozen_row(offer.provider))


@cached("booking.location", ttl=TTL.CLINIC, tags=lambda _: [Tag.all(Location), Tag.all(Room)])
def _location(location_id: UUID) -> tuple[Row, tuple[Row, ...]]:
    rooms = list(Room.objects.filter(location_id=location_id, is_active=True).select_related("location").order_by("name", "id"))
    location = rooms[0].location if rooms else Location.objects.get(pk=location_id)
    return frozen_row(location), tuple(map(frozen_row, rooms))
