"""A visit and a patient of each clinic, for the admin's pages to show."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments.models import Appointment
from appointments.services.booking import book_appointment
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from patients.models import Patient
from patients.services.registration import register_patient
from tests.factories.world import Place, World


@dataclass
class Furnished:
    """What one clinic's pages show."""

    place: Place
    patient: Patient
    visit: Appointment


def furnish(place: Place, given: str, family: str, hour: int = 10) -> Furnished:
    actor = place.actor(Role.CLINIC_ADMIN)
    zone = place.clinic.zone
    start = datetime.combine(timezone.now().astimezone(zone).date() + timedelta(days=2), time(hour), zone)
    with clinic_scope(place.clinic, reason="test"):
        patient = register_patient(
            actor=actor,
            data={
                "given_name": given,
                "family_name": family,
                "date_of_birth": date(1980, 2, 3),
                "sex": "female",
                "consents": {"treatment": True},
            },
        )
        visit = book_appointment(
            actor=actor, patient_id=patient.pk, service_id=place.services[0].pk, provider_id=place.providers[0].pk, start=start
        )
    return Furnished(place, patient, visit)


@pytest.fixture
def furnished(world: World) -> Iterator[dict[str, Furnished]]:
    yield {
        "riverside": furnish(world.riverside, "Zsófia", "Quartermaine"),
        "hillcrest": furnish(world.hillcrest, "Ottoline", "Featherstone"),
    }


@pytest.fixture
def open_admin(sign_in: Any, world: World) -> Any:
    """open_admin(role, place) -> a client signed in as that role, in that clinic."""

    def opened(role: Role, place: Place | None) -> Any:
        user = world.platform.get(role) or (place.users[role] if place else None)
        client = sign_in(user, place.clinic if place else None)
        client.raise_request_exception = True
        return client

    return opened
