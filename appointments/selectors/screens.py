"""Boards and kiosks as their addresses name them."""

from dataclasses import dataclass
from uuid import UUID

from appointments.choices import ScreenKind
from appointments.errors import ScreenGone
from appointments.models import QueueScreen
from appointments.selectors.queue_places import QueuePlace, screen_in_use
from appointments.tokens import screen_named_by
from core.errors import NotFound
from core.tenancy.models import Clinic


@dataclass(frozen=True, slots=True)
class Named:
    """The clinic and the screen that an address names. It says nothing about whether they are there."""

    clinic_id: UUID
    screen_id: UUID


def screen_of(kind: ScreenKind, token: str) -> Named:
    """Raises ScreenGone for an address that HMS did not make. No query."""
    try:
        return Named(*screen_named_by(kind, token))
    except ValueError as error:
        raise ScreenGone from error


def clinic_of(named: Named) -> Clinic:
    """Raises ScreenGone when the clinic is not active. One query."""
    clinic = Clinic.objects.filter(pk=named.clinic_id, state=Clinic.State.ACTIVE).first()
    if clinic is None:
        raise ScreenGone
    return clinic


def open_screen(kind: ScreenKind, named: Named) -> tuple[QueueScreen, QueuePlace]:
    """Within the clinic's scope. Raises ScreenGone. One or two queries."""
    try:
        return screen_in_use(named.screen_id, kind)
    except NotFound as error:
        raise ScreenGone from error
