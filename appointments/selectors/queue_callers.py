"""For whom somebody can call: the providers, and the rooms of a location."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef

from appointments.models import Schedule
from clinics.models import Provider, Room
from core.cache import TTL, Tag, cached


@dataclass(frozen=True, slots=True)
class Caller:
    """A provider, with the room where they work at this location if it is always the same; or a room alone. `value` stands in
    the address."""

    value: str
    name: str
    provider_id: UUID | None
    room_id: UUID | None

    @property
    def is_room(self) -> bool:
        return self.provider_id is None


@cached("queue.callers", ttl=TTL.CLINIC, tags=lambda location_id: [Tag.all(Provider), Tag.all(Room), Tag.all(Schedule)])
def callers_at(location_id: UUID) -> tuple[Caller, ...]:
    """Providers and then rooms in use, by name. Two queries."""
    worked_in = (
        Schedule.objects.filter(provider=OuterRef("pk"), location_id=location_id).order_by("room_id").values("room_id").distinct()
    )
    providers = Provider.objects.filter(is_active=True).order_by("name", "id").values_list("id", "name", ArraySubquery(worked_in))
    rooms = Room.objects.filter(is_active=True, location_id=location_id).order_by("name", "id").values_list("id", "name")
    return (
        *(Caller(f"p-{pk}", name, pk, _only(own)) for pk, name, own in providers),
        *(Caller(f"r-{pk}", name, None, pk) for pk, name in rooms),
    )


def usual_room(location_id: UUID, provider_id: UUID | None) -> UUID | None:
    """Where this provider calls to, unless the ticket says where. No query of what is kept."""
    return next((one.room_id for one in callers_at(location_id) if one.provider_id and one.provider_id == provider_id), None)


def _only(rooms: list[UUID | None]) -> UUID | None:
    return rooms[0] if len(rooms) == 1 else None
