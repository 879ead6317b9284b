"""What a booking looks up is kept for the clinic or the service: the next one finds it, whoever it is with."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from appointments.models import Appointment
from clinics.models import Location, Room
from core.database.detector import Detector
from core.tenancy.context import clinic_scope
from tests.factories.leftovers import leftovers
from tests.factories.threads import apart
from tests.factories.visits import at, book, make_patient
from tests.factories.world import Place, World


@pytest.fixture(autouse=True)
def swept(world: World) -> Iterator[None]:
    yield
    leftovers.clear()


def booked(place: Place, **fields: Any) -> tuple[Appointment, int]:
    """A visit in three days at nine, and how many statements it took. Committed."""
    with clinic_scope(place.clinic, reason="test"):
        patient = make_patient()
    with clinic_scope(place.clinic, reason="test"), Detector().on(connection) as counter:
        visit = book(place, at(place, 3, 9), patient_id=patient.pk, **fields)
    with clinic_scope(place.clinic, reason="test"):  # the rest of what only has a name so far is there when somebody asks
        assert visit.location.name == Location.objects.get(pk=visit.location_id).name and visit.location.is_active
        assert visit.room and visit.room.name == Room.objects.get(pk=visit.room_id).name and visit.room.is_active
    return visit, counter.count


def test_another_providers_booking_finds_what_was_looked_up_before(world: World, listening: None) -> None:
    """The patient is read and the rooms that are free; claims, visit, history and event are written."""
    place = world.riverside
    visit, first = apart(lambda: booked(place))[0]
    other, second = apart(lambda: booked(place, provider_id=place.providers[1].pk))[0]
    assert visit.provider_id != other.provider_id
    assert second <= 6 < first
