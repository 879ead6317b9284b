"""Setting the queue up: where it is in use, the ticket groups, and the addresses of boards and kiosks."""

from collections.abc import Collection
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from appointments.models import LocationQueue, QueueScreen, QueueSeries, SeriesService, Service
from appointments.services.claims import check_version
from appointments.validators import check_model, raise_if
from clinics.models import Location
from core.accounts.actor import Actor
from core.errors import Detail

FIRST_LETTER = "A"


def set_up_place(
    *,
    actor: Actor,
    location_id: UUID,
    is_active: bool,
    has_chime: bool = True,
    has_voice: bool = False,
    expected_version: int | None = None,
) -> LocationQueue:
    """Say whether patients of a location wait by tickets, and how its boards sound. The clinic's first queue brings its first
    ticket group. `expected_version` is 0 of a queue that wasn't there. Raises NotFound, PreconditionFailed. At most six
    statements."""
    actor.require("queue_setup", "change")
    location = Location.objects.select_for_update(no_key=True).found(pk=location_id)
    queue: LocationQueue | None = LocationQueue.objects.filter(location=location).first()
    if queue is None:
        queue = LocationQueue(location=location)
    else:
        check_version(queue, expected_version)
    queue.is_active, queue.has_chime, queue.has_voice = is_active, has_chime, has_voice
    queue.save()
    if is_active and not QueueSeries.objects.exists():
        QueueSeries.objects.create(letter=FIRST_LETTER, name=_("General"))
    return queue


def save_series(
    *,
    actor: Actor,
    series_id: UUID | None,
    letter: str,
    name: str,
    takes_walk_ins: bool,
    is_active: bool,
    service_ids: Collection[UUID],
    expected_version: int | None = None,
) -> QueueSeries:
    """Make a ticket group (`series_id` None) or change one; its services leave the groups they were in. Tickets that are out keep
    their letter. Raises NotFound, PreconditionFailed, ValidationFailed. At most nine statements."""
    actor.require("queue_setup", "change" if series_id else "create")
    series = QueueSeries.objects.select_for_update(no_key=True).found(pk=series_id) if series_id else QueueSeries()
    check_version(series, expected_version)
    series.letter, series.name = letter.strip().upper(), name
    series.takes_walk_ins, series.is_active = takes_walk_ins, is_active
    wrong: list[Detail] = []
    check_model(series, wrong)
    if not wrong and QueueSeries.objects.filter(letter=series.letter).exclude(pk=series.pk).exists():
        wrong.append(Detail("letter", "unique", _("Another group has this letter.")))
    known = set(Service.objects.filter(pk__in=service_ids).values_list("pk", flat=True))
    if len(known) < len(set(service_ids)):
        wrong.append(Detail("services", "not_found", _("Some of these services do not exist.")))
    raise_if(wrong)
    series.save()
    _take_services(series, known)
    return series


def _take_services(series: QueueSeries, wanted: set[UUID]) -> None:
    present = set(SeriesService.objects.filter(series=series).values_list("service_id", flat=True))
    gone, new = present - wanted, wanted - present
    if gone or new:
        SeriesService.objects.filter(service_id__in=gone | new).delete()
        SeriesService.objects.bulk_create([SeriesService(series=series, service_id=one) for one in sorted(new)])


def make_screen(*, actor: Actor, kind: str, location_id: UUID, name: str) -> QueueScreen:
    """An address for a board or a kiosk of a location; good until it is ended. Raises NotFound, ValidationFailed. Three
    statements."""
    actor.require("queue_setup", "create")
    location: Location = Location.objects.found(pk=location_id)
    screen = QueueScreen(kind=kind, location=location, name=name)
    wrong: list[Detail] = []
    check_model(screen, wrong)
    raise_if(wrong)
    screen.save()
    return screen


def end_screen(*, actor: Actor, screen_id: UUID) -> QueueScreen:
    """Its address is good no more, from the next request on. Ending it twice is no error. Raises NotFound. Two statements."""
    actor.require("queue_setup", "change")
    screen: QueueScreen = QueueScreen.objects.select_for_update(no_key=True).found(pk=screen_id)
    if screen.ended_at is None:
        screen.ended_at = timezone.now()
        screen.save(update_fields=["ended_at"])
    return screen
