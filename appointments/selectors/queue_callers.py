"""For whom somebody can call: the providers, and the rooms of a location."""

from dataclasses import dataclass
from uuid import UUID

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
    """Providers and then rooms in use, by name. Three queries."""
    worked_in: dict[UUID, set[UUID | None]] = {}
    for provider_id, room_id in Schedule.objects.filter(location_id=location_id).values_list("provider_id", "room_id"):
        worked_in.setdefault(provider_id, set()).add(room_id)
    providers = Provider.objects.filter(is_active=True).order_by("name", "id").values_list("id", "name")
    rooms = Room.objects.filter(is_active=True, location_id=location_id).order_by("name", "id").values_list("id", "name")
    return (
        *(Caller(f"p-{pk}", name, pk, _only(worked_in.get(pk, set()))) for pk, name in providers),
        *(Caller(f"r-{pk}", name, None, pk) for pk, name in rooms),
    )


def usual_room(location_id: UUID, provider_id: UUID | None) -> UUID | None:
    """Where this provider calls to, unless the ticket says where. No query of what is kept."""
    return next((one.room_id for one in callers_at(location_id) if one.provider_id and one.provider_id == provider_id), None)


def _only(rooms: set[UUID | None]) -> UUID | None:
    return next(iter(rooms)) if len(rooms) == 1 else None
