"""A queue for tests: the first location of a place, with one ticket group."""

from typing import Any
from uuid import UUID

import psycopg
from django.utils import timezone

from appointments.choices import ScreenKind
from appointments.models import QueueScreen, Ticket
from appointments.services import take_ticket
from appointments.services.queue_setup import make_screen, set_up_place
from appointments.tokens import screen_token
from core.accounts.actor import system_actor
from tests.factories.world import Place


def open_queue(place: Place, location: int = 0) -> Place:
    """Patients of a location, the first unless said otherwise, wait by tickets of the group A."""
    set_up_place(actor=system_actor(place.clinic.pk), location_id=place.locations[location].pk, is_active=True)
    return place


def a_ticket(place: Place) -> Ticket:
    """A walk-in's, taken just now."""
    open_queue(place)
    return take_ticket(actor=system_actor(place.clinic.pk), location_id=place.locations[0].pk, now=timezone.now())


def a_screen(place: Place, kind: ScreenKind = ScreenKind.BOARD) -> QueueScreen:
    """A board or a kiosk of the first location."""
    open_queue(place)
    return make_screen(actor=system_actor(place.clinic.pk), kind=kind, location_id=place.locations[0].pk, name="Entrance")


def board_of(connection: "psycopg.Connection[Any]", location_id: UUID) -> tuple[UUID, str]:
    """The id and the path of a board that hangs at this location of a running HMS."""
    statement = "SELECT clinic_id, id FROM appointments_queuescreen WHERE location_id = %s AND kind = 'board' AND ended_at IS NULL"
    row = connection.execute(statement, [location_id]).fetchone()
    assert row, "no board hangs there"
    return row[1], f"/board/{screen_token(ScreenKind.BOARD, *row)}/"


def token_to(screen: QueueScreen) -> str:
    return screen_token(ScreenKind(screen.kind), screen.clinic_id, screen.pk)
