"""Patients and visits for tests of scheduling."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from appointments.models import Appointment
from appointments.services import book_appointment
from core.accounts.actor import system_actor
from core.tenancy.models import Clinic
from patients.models import Patient
from tests.factories.world import Place

_numbers = count(1)


def make_patient(**fields: Any) -> Patient:
    """A patient of the current clinic, written without the registration service."""
    number = next(_numbers)
    values = {
        "mrn": f"T-{number:06d}", "given_name": "Test", "family_name": f"Person {number}", "date_of_birth": date(1980, 1, 1),
        "sex": "female", "family_norm": f"person {number}", "given_norm": "test",
    }  # fmt: skip
    return Patient.objects.create(**(values | fields))


def at(place: Place, days: int, hour: int, minute: int = 0) -> datetime:
    """A wall-clock time of the clinic, so many days from today."""
    zone = ZoneInfo(place.clinic.time_zone)
    day = timezone.now().astimezone(zone).date() + timedelta(days=days)
    return datetime.combine(day, time(hour, minute), zone)


def move_to_noon(place: Place) -> None:
    """Put the clinic where it is noon now: a visit that begins in minutes ends on the same day, whenever the tests run."""
    east = 12 - timezone.now().hour
    Clinic.objects.filter(pk=place.clinic.pk).update(time_zone=f"Etc/GMT{-east:+d}" if east else "Etc/GMT")
    place.clinic.refresh_from_db()


def book(place: Place, start: datetime, **fields: Any) -> Appointment:
    """A visit booked by HMS itself: a consultation with the first provider, for a new patient, unless said otherwise."""
    values: dict[str, Any] = {
        "actor": system_actor(place.clinic.pk),
        "service_id": place.services[0].pk,
        "provider_id": place.providers[0].pk,
        "start": start.astimezone(UTC),
    }
    if "patient_id" not in fields:
        values["patient_id"] = make_patient().pk
    return book_appointment(**(values | fields))
