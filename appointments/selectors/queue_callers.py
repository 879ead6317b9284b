"""For whom somebody can call: the providers, and the rooms of a location."""

from dataclasses import dataclass
from uuid import UUID

from clinics.models import Provider, Room
from core.cache import TTL, Tag, cached


@dataclass(frozen=True, slots=True)
class Caller:
    """A provider, with the room they call to where it is always the same; or a room alone. `value` stands in the address."""

    value: str
    name: str
    provider_id: UUID | None
    room_id: UUID | None

    @property
    def is_room(self) -> bool:
        return self.provider_id is None


@cached("queue.callers", ttl=TTL.CLINIC, tags=lambda location_id: [Tag.all(Provider), Tag.all(Room)])
def callers_at(location_id: UUID) -> tuple[Caller, ...]:
    """Providers and then rooms in use, by name. Two queries."""
    providers = Provider.objects.filter(is_active=True).order_by("name", "id").values_list("id", "name")
    rooms = Room.objects.filter(is_active=True, location_id=location_id).order_by("name", "id").values_list("id", "name")
    return (
        *(Caller(f"p-{pk}", name, pk, None) for pk, name in providers),
        *(Caller(f"r-{pk}", name, None, pk) for pk, name in rooms),
    )
