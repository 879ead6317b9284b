"""Where patients wait by tickets, and of which groups the tickets are."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from appointments.models import LocationQueue, QueueScreen, QueueSeries, SeriesService
from appointments.selectors.timetable import zone_of
from appointments.tokens import visit_code
from clinics.models import Location
from core.accounts.actor import Actor
from core.cache import TTL, Tag, cached
from core.errors import NotFound
from core.tenancy.context import current_clinic_id


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """A location whose patients wait by tickets."""

    id: UUID
    name: str
    zone: ZoneInfo
    has_chime: bool
    has_voice: bool

    def day_at(self, now: datetime) -> date:
        """The local day, to which the tickets of this moment belong."""
        return now.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class SeriesBrief:
    """A ticket group in use."""

    id: UUID
    letter: str
    name: str
    takes_walk_ins: bool
    service_ids: frozenset[UUID]


@cached(
    "queue.places",
    ttl=TTL.CLINIC,
    tags=lambda: [Tag.all(LocationQueue), Tag.all(Location), Tag("clinic", current_clinic_id())],
)
def queue_places() -> tuple[QueuePlace, ...]:
    """Every such location in use, by name. One query."""
    rows = LocationQueue.objects.filter(is_active=True, location__is_active=True).select_related("location__clinic")
    return tuple(
        QueuePlace(row.location_id, row.location.name, zone_of(row.location), row.has_chime, row.has_voice)
        for row in rows.order_by("location__name", "location_id")
    )


def queue_places_of(actor: Actor) -> list[QueuePlace]:
    """Those of them at which somebody works. One query."""
    return [place for place in queue_places() if not actor.location_ids or place.id in actor.location_ids]


def queue_place(location_id: UUID) -> QueuePlace | None:
    """This one, or None when nobody waits by tickets there. One query."""
    return next((place for place in queue_places() if place.id == location_id), None)


@cached("queue.series", ttl=TTL.CLINIC, tags=lambda: [Tag.all(QueueSeries), Tag.all(SeriesService)])
def series_in_use() -> tuple[SeriesBrief, ...]:
    """The groups in use, by letter. Two queries."""
    members: dict[UUID, set[UUID]] = {}
    for series_id, service_id in SeriesService.objects.values_list("series_id", "service_id"):
        members.setdefault(series_id, set()).add(service_id)
    rows = QueueSeries.objects.filter(is_active=True).order_by("letter")
    return tuple(SeriesBrief(row.id, row.letter, row.name, row.takes_walk_ins, frozenset(members.get(row.id, ()))) for row in rows)


def series_of(service_id: UUID | None) -> SeriesBrief | None:
    """The group that tickets for a service are of: its own, or else the first; None while the clinic has none."""
    groups = series_in_use()
    own = next((one for one in groups if service_id in one.service_ids), None)
    return own or (groups[0] if groups else None)


def queue_setup(*, actor: Actor) -> tuple[list[LocationQueue], list[QueueSeries], list[QueueScreen]]:
    """What the settings page shows: queues by location, groups with their services, screens that are not ended. Four queries."""
    actor.require("queue_setup", "view")
    queues = LocationQueue.objects.select_related("location")
    series = QueueSeries.objects.prefetch_related("services").order_by("letter")
    screens = QueueScreen.objects.filter(ended_at=None).select_related("location").order_by("location__name", "kind", "name")
    return list(queues), list(series), list(screens)


def screen_in_use(screen_id: UUID, kind: str) -> tuple[QueueScreen, QueuePlace]:
    """The scope's clinic's screen and its place. Raises NotFound when it was ended or nobody waits there. Two queries."""
    screen: QueueScreen | None = QueueScreen.objects.filter(pk=screen_id, kind=kind, ended_at=None).first()
    place = queue_place(screen.location_id) if screen else None
    if screen is None or place is None:
        raise NotFound("There is no such screen.")
    return screen, place


def code_to_check_in(appointment_id: UUID, location_id: UUID) -> str:
    """What the visit's patient types at the kiosk, as two groups of four digits; empty where nobody waits by tickets. One query."""
    code = visit_code(appointment_id) if queue_place(location_id) else ""
    return f"{code[:4]} {code[4:]}".strip()
